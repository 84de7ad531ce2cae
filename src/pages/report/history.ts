/**
 * The slots at any step of a report.
 *
 * Lists only ever grow at the head and are only removed completely, so a list shares its tail with its earlier form, as in
 * the kernel itself: a step costs one cell at most, and the content of every slot at every step is known from the start.
 * Going to another step walks over the steps in between, in either direction.
 */
import { packEntry } from '../../rmap/entry'
import type { Slot } from '../../view/slot'
import { decodeStep, type Held, type Step } from './steps'

/** The head of a list: an entry, and the list that it was pushed on. */
export interface Cell extends Held {
  readonly older: Cell | undefined
  readonly length: number
}

/** What a step did to a slot; undefined is empty. Before and after are the same where nothing changed. */
export interface Effect {
  readonly slot: number
  readonly before: Cell | undefined
  readonly after: Cell | undefined
}

/** The steps, and what each did. */
export class History {
  readonly steps: readonly Step[]
  /** By step: the slots concerned. */
  readonly effects: readonly (readonly Effect[])[]
  /** The heads of the slots after the step at {@link position}. */
  readonly heads: (Cell | undefined)[]

  #position = -1

  /** @param initial states of slots before the first step @param steps lines of {@link encodeStep} */
  constructor(initial: readonly string[], steps: readonly string[]) {
    const now: (Cell | undefined)[] = []
    const start: (Cell | undefined)[] = []
    for (const line of initial)
      for (const { slot, after } of effectsOf(decodeStep(line), now)) start[slot] = now[slot] = after
    this.steps = steps.map(decodeStep)
    this.effects = this.steps.map((step) => {
      const effects = effectsOf(step, now)
      for (const { slot, after } of effects) now[slot] = after
      return effects
    })
    this.heads = start
  }

  /** The step whose outcome {@link heads} shows; -1 before the first. */
  get position(): number {
    return this.#position
  }

  /** How many slots hold how many entries at {@link position}, by ascending length; empty ones are not counted. */
  lengths(): [entries: number, slots: number][] {
    const counts = new Map<number, number>()
    for (const head of this.heads) if (head !== undefined) counts.set(head.length, (counts.get(head.length) ?? 0) + 1)
    return [...counts].sort(([a], [b]) => a - b)
  }

  /** Goes to a step, or to the nearest there is. Cost: the steps in between. */
  goTo(position: number): void {
    const target = Math.min(Math.max(Math.trunc(position), -1), this.steps.length - 1)
    while (this.#position < target)
      for (const { slot, after } of this.effects[++this.#position]!) this.heads[slot] = after
    for (; this.#position > target; this.#position--) {
      for (const { slot, before } of this.effects[this.#position]!) this.heads[slot] = before
    }
  }

  /** Whether a step is about a guest, or touches an entry of its. */
  concernsLpid(index: number, lpid: number): boolean {
    const step = this.steps[index]!
    if ('lpid' in step) return step.lpid === lpid
    if (step.kind === 'insert') return step.held.lpid === lpid
    if (step.kind !== 'remove' && step.kind !== 'free') return false
    return this.effects[index]!.some(({ before }) => listOf(before).some((held) => held.lpid === lpid))
  }
}

/** A list, newest first. */
export function listOf(head: Cell | undefined): Cell[] {
  const list: Cell[] = []
  for (let cell = head; cell !== undefined; cell = cell.older) list.push(cell)
  return list
}

/** A list as a slot to draw. */
export function slotOf(gfn: number | undefined, address: bigint, head: Cell | undefined): Slot {
  const list = listOf(head)
  const nodes = list.slice(0, -1).map((held, i) => {
    const older = list[i + 1]!
    return {
      address: held.node,
      next: older.older === undefined ? tagged(older) : older.node,
      entry: packEntry(held.lpid, held.gpa),
    }
  })
  const word = head === undefined ? 0n : (nodes[0]?.address ?? tagged(head))
  return { gfn, address, word, nodes, entries: list.map(({ lpid, gpa }) => ({ lpid, gpa })), flaws: [] }
}

function tagged({ lpid, gpa }: Held): bigint {
  return packEntry(lpid, gpa) | 1n
}

function effectsOf(step: Step, now: readonly (Cell | undefined)[]): Effect[] {
  const taken = (slot: number): Effect => ({ slot, before: now[slot], after: undefined })
  switch (step.kind) {
    case 'insert': {
      const before = now[step.slot]
      const linked = step.outcome !== 'duplicate' && step.outcome !== 'no-memory'
      return [{ slot: step.slot, before, after: linked ? push(before, step.held) : before }]
    }
    case 'remove':
      return step.taken.map(({ slot }) => taken(slot))
    case 'free':
      return step.slots.map(taken)
    case 'rc':
      return [{ slot: step.slot, before: now[step.slot], after: now[step.slot] }]
    case 'state':
      return [
        { slot: step.slot, before: now[step.slot], after: step.list.reduceRight<Cell | undefined>(push, undefined) },
      ]
    default:
      return []
  }
}

function push(older: Cell | undefined, held: Held): Cell {
  return { ...held, older, length: (older?.length ?? 0) + 1 }
}
