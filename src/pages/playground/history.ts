/**
 * The steps of a play: what was done, what came of it and how the L1 was after it. One can go to any step: the L1 is
 * restored from the nearest snapshot, and the operations since are done again (the model is deterministic).
 */
import { Machine, type Begun, type Outcome } from './machine'
import type { Op, Sequence, Settings } from './ops'
import { viewOf, type StateView } from './view'

/** One operation, done. */
export interface Step {
  readonly op: Op
  /** What came of it; undefined: it was not possible, and nothing changed. */
  readonly outcome: Outcome | undefined
  /** Why it was not possible. */
  readonly refusal: string | undefined
  /** The L1 after it. */
  readonly view: StateView
}

/** The L1 after a step as bytes, where it can be saved. */
interface Saved {
  readonly bytes: Uint8Array | undefined
  readonly begun: Begun
}

/** A play. */
export class History {
  readonly settings: Settings
  /** The L1 before the first step. */
  readonly start: StateView
  readonly #steps: Step[] = []
  readonly #saved: Saved[] = [] // by number of steps done
  #machine: Machine
  #position = 0

  constructor(settings: Settings) {
    this.settings = settings
    this.#machine = Machine.create(settings)
    this.start = viewOf(this.#machine)
    this.#saved.push({ bytes: this.#machine.save(), begun: this.#machine.begun })
  }

  /** A play of operations that are known. An operation that is not possible becomes a step that says so. */
  static of({ settings, ops, position }: Sequence): History {
    const history = new History(settings)
    for (const op of ops) history.#add(op)
    history.goTo(position)
    return history
  }

  /** All steps, also those that were undone. */
  get steps(): readonly Step[] {
    return this.#steps
  }

  /** How many steps are done. */
  get position(): number {
    return this.#position
  }

  /** The L1 as it is now. To look at: {@link act} changes it. */
  get machine(): Machine {
    return this.#machine
  }

  /** How the L1 is now, and how it was one step before. */
  get view(): StateView {
    return this.viewAt(this.#position)
  }

  /** How the L1 is after so many steps. */
  viewAt(position: number): StateView {
    return this.#steps[position - 1]?.view ?? this.start
  }

  /** The sequence that leads here and beyond. */
  get sequence(): Sequence {
    return { settings: this.settings, ops: this.#steps.map(({ op }) => op), position: this.#position }
  }

  /** Does an operation: steps that were undone are forgotten. @throws Error when it is not possible; nothing changes */
  act(op: Op): void {
    const outcome = this.#machine.apply(op)
    this.#steps.length = this.#position
    this.#saved.length = this.#position + 1
    this.#push(op, outcome, undefined)
  }

  /** Goes to where so many steps are done, or to the nearest. Cost: the steps since the snapshot before it. */
  goTo(position: number): void {
    const target = Math.min(Math.max(Math.trunc(position), 0), this.#steps.length)
    if (target === this.#position) return
    let from = target
    while (this.#saved[from]!.bytes === undefined && from !== this.#position) from--
    if (from !== this.#position) {
      const { bytes, begun } = this.#saved[from]!
      this.#machine = Machine.restore(this.settings, bytes!, begun)
    }
    for (; from < target; from++)
      if (this.#steps[from]!.refusal === undefined) this.#machine.apply(this.#steps[from]!.op)
    this.#position = target
  }

  #add(op: Op): void {
    let outcome: Outcome | undefined
    let refusal: string | undefined
    try {
      outcome = this.#machine.apply(op)
    } catch (error) {
      refusal = (error as Error).message
    }
    this.#push(op, outcome, refusal)
  }

  #push(op: Op, outcome: Outcome | undefined, refusal: string | undefined): void {
    this.#steps.push({ op, outcome, refusal, view: viewOf(this.#machine) })
    this.#saved.push({ bytes: this.#machine.save(), begun: this.#machine.begun })
    this.#position++
  }
}
