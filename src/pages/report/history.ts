/**
 * The rmap slots at any step of a report.
 *
 * Lists grow only at the head and are only removed completely. So a list shares its tail with its earlier form, as in the
 * kernel. An insert adds at most one cell, and the content of every slot at every step is computed once, at the start.
 * To go to another step, the steps in between are applied, forwards or backwards.
 */
import { packEntry } from '../../rmap/entry'
import type { Slot } from '../../view/slot'
import { decodeStep, type Held, type Step } from './steps'

/** The head of a list: an entry, and the list that it was pushed on. */
export interface Cell extends Held {
  readonly older: Cell | undefined
  readonly length: number
}

/** What a step did to an rmap slot; undefined is empty. If nothing changed, before and after are the same object. */
export interface Effect {
  readonly slot: number
  readonly before: Cell | undefined
  readonly after: Cell | undefined
}

/** The steps of a report and their effects. */
export class History {
  readonly steps: readonly Step[]
  /** By step: its effect on each slot concerned. */
  readonly effects: readonly (readonly Effect[])[]
  /** The heads of the slots after the step at {@link position}. */
  readonly heads: (Cell | undefined)[]

  #position = -1

  /** @param initial the slots before the first step @param steps the steps; both are lines of {@link encodeStep} */
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

  /** The number of the current step; -1 before the first. */
  get position(): number {
    return this.#position
  }

  /** How many slots have how many entries after the current step, by ascending length; empty slots are not counted. */
  lengths(): [entries: number, slots: number][] {
    const counts = new Map<number, number>()
    for (const head of this.heads) if (head !== undefined) counts.set(head.length, (counts.get(head.length) ?? 0) + 1)
    return [...counts].sort(([a], [b]) => a - b)
  }

  /** Goes to a step, or to the nearest that exists. Cost: the steps in between. */
  goTo(position: number): void {
    const target = Math.min(Math.max(Math.trunc(position), -1), this.steps.length - 1)
    while (this.#position < target)
      for (const { slot, after } of this.effects[++this.#position]!) this.heads[slot] = after
    for (; this.#position > target; this.#position--) {
      for (const { slot, before } of this.effects[this.#position]!) this.heads[slot] = before
    }
  }

  /** Whether a step concerns a nested guest or one of its entries. */
  concernsLpid(index: number, lpid: number): boolean {
    const step = this.steps[index]!
    if ('lpid' in step) return step.lpid === lpid
    if (step.kind === 'insert') return step.held.lpid === lpid
    if (step.kind !== 'remove' && step.kind !== 'free') return false
    return this.effects[index]!.some(({ before }) => listOf(before).some((held) => held.lpid === lpid))
  }
}

/** The entries of a list, newest first. */
export function listOf(head: Cell | undefined): Cell[] {
  const list: Cell[] = []
  for (let cell = head; cell !== undefined; cell = cell.older) list.push(cell)
  return list
}

/** An rmap slot with its list, for drawing. */
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
