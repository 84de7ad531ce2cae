/**
 * Vectors of level `memslot`: the slot words of a memslot and the lists behind them (spec 2, 3).
 *
 * A node's address is an implementation's own, so a word that points to a list is only called `list`; the entries of
 * the list, and the number of nodes in use, say all that two implementations can agree on.
 */
import type { Gfn, Lpid, NestedGpa } from '../base/units'
import type { Entry } from '../rmap/entry'
import { Memslot, type InsertOutcome } from '../rmap/memslot'
import { MAX_NODES, NodeHeap } from '../rmap/node-heap'
import { LPIDS, LPIDS_WITH_ZERO, NESTED_GPAS } from './fields'
import type { Level } from './level'
import { checkOperation, OperationError, refusing, wordText, type OperationAbout, type Runner } from './operation'
import { drawSteps, shapesOf, type Shape } from './shapes'

/** An entry is inserted. */
interface Insert {
  /** What is done. */
  readonly op: 'insert'
  /** The gfn whose slot gets it. */
  readonly gfn: Gfn
  /** The LPID, 1..4095 (0 where the settings allow it). */
  readonly lpid: Lpid
  /** The nested address, in bytes, 0..2^52-1. */
  readonly gpa: NestedGpa
}

/** The entries of a slot are read, or all taken. */
interface ReadOrTake {
  /** What is done. */
  readonly op: 'entries' | 'takeAll'
  /** The gfn of the slot. */
  readonly gfn: Gfn
}

/** An operation on a memslot. */
export type MemslotOperation = Insert | ReadOrTake

/** The memslots that a sequence of operations runs on: they share their list nodes. */
export interface MemslotSettings {
  /** Their gfns; none overlap. */
  readonly memslots: readonly MemslotRange[]
  /** Lets LPID 0 in, as Linux does: it hides entries (a quirk, spec 11). */
  readonly allowLpidZero: boolean
  /** Most list nodes in use at once, 0..2^27-1. */
  readonly maxNodes: number
}

/** @internal */
export const MEMSLOT_SETTINGS = ['memslots', 'allowLpidZero', 'maxNodes'] as const

/** The gfns of a memslot. */
export interface MemslotRange {
  /** The first gfn, 0..2^52-1. */
  readonly baseGfn: Gfn
  /** How many gfns, 1..2^28. */
  readonly npages: number
}

/** What an operation on a memslot came to. Which properties there are depends on the operation. */
export interface MemslotAnswer {
  /** Of an insert: what it did. */
  readonly outcome?: InsertOutcome
  /** Of an insert: how many entries were compared. On a miss all of the list, on a hit those up to and with the match. */
  readonly scanSteps?: number
  /** Of an insert and of `entries`: the slot word after it: `"0x0"`, a tagged entry in hex, or `"list"`. */
  readonly word?: string
  /** Of `entries` and of `takeAll`: the entries as [LPID, nested address], newest first. */
  readonly entries?: readonly (readonly [lpid: Lpid, gpa: NestedGpa])[]
  /** Of an insert and of `takeAll`: list nodes in use after it, of all memslots. */
  readonly nodes?: number
}

/** @internal */
export const MEMSLOT_OPERATIONS: Readonly<Record<MemslotOperation['op'], OperationAbout>> = {
  insert: {
    operands: ['gfn', 'lpid', 'gpa'],
    about:
      'an entry is inserted into the slot of gfn. outcome: empty, second, list, duplicate or no-memory; scanSteps: entries ' +
      'compared; word: the slot word after it, "list" for a pointer to a node; nodes: list nodes in use after it',
  },
  entries: {
    operands: ['gfn'],
    about: 'nothing changes. entries: [lpid, gpa] of each entry in the slot of gfn, newest first; word: as above',
  },
  takeAll: {
    operands: ['gfn'],
    about: 'the slot of gfn is emptied. entries: what was in it, newest first; nodes: list nodes in use after it',
  },
}

/** @internal Runs operations on memslots of the library. */
export class MemslotRunner implements Runner<MemslotOperation> {
  readonly nodes: NodeHeap
  readonly memslots: readonly Memslot[]

  /** @throws RangeError, TypeError */
  constructor({ memslots, allowLpidZero, maxNodes }: MemslotSettings) {
    this.nodes = new NodeHeap({ limit: maxNodes })
    this.memslots = memslots.map((range) => new Memslot({ ...range, nodes: this.nodes, allowLpidZero }))
  }

  run(operation: MemslotOperation): MemslotAnswer & Record<string, unknown> {
    checkOperation(MEMSLOT_OPERATIONS, operation)
    const { gfn } = operation
    const memslot = this.memslotOf(gfn)
    switch (operation.op) {
      case 'insert': {
        const before = memslot.counters.scanSteps
        const outcome = refusing(() => memslot.insert(gfn, operation.lpid, operation.gpa))
        const scanSteps = memslot.counters.scanSteps - before
        return { outcome, scanSteps, word: slotText(memslot.word(gfn)), nodes: this.nodes.inUse }
      }
      case 'entries':
        return { entries: memslot.entries(gfn).map(pairOf), word: slotText(memslot.word(gfn)) }
      case 'takeAll': {
        const entries: [Lpid, NestedGpa][] = []
        memslot.takeAll(gfn, (lpid, gpa) => entries.push([lpid, gpa]))
        return { entries, nodes: this.nodes.inUse }
      }
    }
  }

  /** The memslot that has a gfn. @throws OperationError */
  memslotOf(gfn: Gfn): Memslot {
    const memslot = this.memslots.find((one) => one.contains(gfn))
    if (memslot === undefined) throw new OperationError(`gfn: no memslot has ${JSON.stringify(gfn)}`)
    return memslot
  }
}

/** @internal An entry as answers have it. */
export function pairOf({ lpid, gpa }: Entry): [Lpid, NestedGpa] {
  return [lpid, gpa]
}

/** @internal A slot word as answers have it. */
export function slotText(word: bigint): string {
  return word !== 0n && (word & 1n) === 0n ? 'list' : wordText(word)
}

/** @internal The settings of random sequences: few gfns, so that lists form; those of vectors are in one memslot. */
export function memslotSettings(options: Partial<MemslotSettings>, quirks: boolean): MemslotSettings {
  const { memslots = [{ baseGfn: 0x100, npages: 6 }], maxNodes = MAX_NODES } = options
  return { memslots, maxNodes, allowLpidZero: options.allowLpidZero ?? quirks }
}

/** @internal The gfns that random sequences use: at most 8 of each memslot, its first among them. */
export function sampleGfns({ memslots }: MemslotSettings): Gfn[] {
  return memslots.flatMap(({ baseGfn, npages }) => {
    const count = Math.min(npages, 8)
    return Array.from({ length: count }, (_, i) => baseGfn + Math.floor((i * npages) / count))
  })
}

const shape = shapesOf<MemslotOperation>()

/** @internal What random sequences of them are made of. `long`: how frequent long runs of different entries are. */
export function memslotShapes(settings: MemslotSettings, long: number): Shape<MemslotOperation>[] {
  const gfns = { values: sampleGfns(settings) }
  const lpids = settings.allowLpidZero ? LPIDS_WITH_ZERO : LPIDS
  return [
    ...shape(100, { gfn: gfns, lpid: lpids, gpa: NESTED_GPAS }, ({ gfn, lpid, gpa }) => [
      { op: 'insert', gfn, lpid, gpa } as const,
    ]),
    ...shape(20, { gfn: gfns }, ({ gfn }) => [{ op: 'entries', gfn } as const]),
    ...shape(8, { gfn: gfns }, ({ gfn }) => [{ op: 'takeAll', gfn } as const]),
    // a run of different entries, the first of them perhaps again
    ...shape(
      long,
      {
        gfn: gfns,
        lpid: { values: [], range: [1, 4095] },
        count: { values: [], range: [12, 60] },
        again: { values: [0, 5] },
      },
      ({ gfn, lpid, count, again }) =>
        Array.from(
          { length: count + again },
          (_, n) => ({ op: 'insert', gfn, lpid, gpa: (n % count) * 4096 }) as const,
        ),
    ),
  ]
}

/** @internal */
export const MEMSLOT_LEVEL: Level<MemslotOperation, MemslotSettings> = {
  operations: MEMSLOT_OPERATIONS,
  settings: memslotSettings,
  runner: (settings) => new MemslotRunner(settings),
  *sequence(random, settings, { long }) {
    const shapes = memslotShapes(settings, long)
    for (;;) yield* drawSteps(random, shapes)
  },
}
