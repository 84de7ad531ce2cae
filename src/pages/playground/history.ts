/**
 * The steps of a sequence: each operation, its outcome, and the state of the L1 after it. To go to a step, the L1 is restored
 * from the nearest snapshot before it, and the operations after the snapshot run again (the model is deterministic).
 */
import { Machine, type Begun, type Outcome } from './machine'
import type { Op, Sequence, Settings } from './ops'
import { viewOf, type StateView } from './view'

/** An operation that was run, or refused. */
export interface Step {
  readonly op: Op
  /** Its outcome; undefined: it was refused, and nothing changed. */
  readonly outcome: Outcome | undefined
  /** Why it was refused. */
  readonly refusal: string | undefined
  /** The L1 after it. */
  readonly view: StateView
}

/** A snapshot of the L1 after a step; undefined bytes: it cannot be saved there. */
interface Saved {
  readonly bytes: Uint8Array | undefined
  readonly begun: Begun
}

/** A sequence of operations on an L1, and the current step in it. */
export class History {
  readonly settings: Settings
  /** The L1 before the first step. */
  readonly start: StateView
  readonly #steps: Step[] = []
  readonly #saved: Saved[] = [] // by number of steps
  #machine: Machine
  #position = 0

  constructor(settings: Settings) {
    this.settings = settings
    this.#machine = Machine.create(settings)
    this.start = viewOf(this.#machine)
    this.#saved.push({ bytes: this.#machine.save(), begun: this.#machine.begun })
  }

  /** Runs a given sequence. A refused operation becomes a step with the reason. */
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

  /** The number of the current step; 0 before the first. */
  get position(): number {
    return this.#position
  }

  /** The L1 at the current step. Do not change it: use {@link act}. */
  get machine(): Machine {
    return this.#machine
  }

  /** The state at the current step. */
  get view(): StateView {
    return this.viewAt(this.#position)
  }

  /** The state after so many steps. */
  viewAt(position: number): StateView {
    return this.#steps[position - 1]?.view ?? this.start
  }

  /** All operations, with the current position. */
  get sequence(): Sequence {
    return { settings: this.settings, ops: this.#steps.map(({ op }) => op), position: this.#position }
  }

  /** Runs an operation, and drops the undone steps. @throws Error if it is refused; nothing changes then */
  act(op: Op): void {
    const outcome = this.#machine.apply(op)
    this.#steps.length = this.#position
    this.#saved.length = this.#position + 1
    this.#push(op, outcome, undefined)
  }

  /** Goes to a step, or to the nearest that exists. Cost: the steps after the snapshot before it. */
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
