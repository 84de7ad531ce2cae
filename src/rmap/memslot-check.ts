/**
 * Checks a memslot's lists against the invariants of spec 3, and writes a memslot as JSON.
 *
 * The check must not trust the lists: a pointer may have any value, and a list may have a cycle.
 */
import type { Gfn, Lpid, NestedGpa } from '../base/units'
import { hex, hexWord, hiOf, loOf } from '../base/word'
import { EntryBits, entryOf, type Entry } from './entry'
import type { InsertCounters } from './insert-counters'
import type { NodeHeap } from './node-heap'

/** The invariants of a memslot, by name (spec 3). */
export const MEMSLOT_INVARIANTS = {
  /** Every list ends. */
  'list-end': 'A list ends in a tagged entry, and every node on the way is in use.',
  /** The duplicate scan of each insert worked. */
  'no-duplicates': 'No rmap slot holds an entry twice.',
  /** No node that an rmap slot leads to is counted as free. */
  nodes: 'The list nodes that the rmap slots lead to are no more than the heap has in use.',
} as const

/** An invariant of a memslot that is broken, and where. */
export interface BrokenMemslotInvariant {
  /** Its name in {@link MEMSLOT_INVARIANTS}. */
  readonly invariant: keyof typeof MEMSLOT_INVARIANTS
  /** The invariant, in a sentence. */
  readonly sentence: string
  /** What is wrong here. */
  readonly message: string
  /** The gfn of the rmap slot concerned. */
  readonly gfn?: Gfn
  /** L1's number for the nested guest in the entry concerned: 0..4095. */
  readonly lpid?: Lpid
  /** The nested guest's address in the entry concerned, in bytes: 0..2^52-4096. */
  readonly gpa?: NestedGpa
}

/** A memslot as JSON. */
export interface MemslotJson {
  /** The first gfn. */
  readonly baseGfn: Gfn
  /** How many gfns. */
  readonly npages: number
  /** What the inserts did. */
  readonly counters: Readonly<InsertCounters>
  /** The rmap slots that are not empty. */
  readonly slots: readonly {
    /** The gfn of the rmap slot. */
    readonly gfn: Gfn
    /** Its word: 16 hexadecimal digits after `0x`. */
    readonly word: string
    /** Its entries, newest first. */
    readonly entries: readonly Entry[]
  }[]
}

/** What the check reads of a memslot. */
interface CheckedMemslot {
  readonly baseGfn: Gfn
  readonly npages: number
  readonly nodes: NodeHeap
  readonly words: BigUint64Array
}

/** What is written of it as JSON. */
interface JsonMemslot extends CheckedMemslot {
  readonly counters: Readonly<InsertCounters>
  entries(gfn: Gfn): Entry[]
}

type Break = (invariant: BrokenMemslotInvariant['invariant'], message: string, where?: object) => void

/** @internal The broken invariants of a memslot. */
export function checkMemslot(memslot: CheckedMemslot): BrokenMemslotInvariant[] {
  const broken: BrokenMemslotInvariant[] = []
  const breaks: Break = (invariant, message, where = {}) =>
    broken.push({ invariant, sentence: MEMSLOT_INVARIANTS[invariant], message, ...where })
  const nodes = new Set<number>()
  for (let index = 0; index < memslot.npages; index++) {
    if (memslot.words[index] !== 0n) checkList(memslot, index, nodes, breaks)
  }
  const { inUse } = memslot.nodes
  if (nodes.size > inUse) breaks('nodes', `the rmap slots lead to ${nodes.size} nodes, the heap has ${inUse} in use`)
  return broken
}

/** Checks one list. @param nodes the nodes of the lists before; adds those of this list */
function checkList(memslot: CheckedMemslot, index: number, nodes: Set<number>, breaks: Break): void {
  const gfn = memslot.baseGfn + index
  const entries = new Set<string>()
  const add = (word: bigint): void => {
    const entry = entryOf(hiOf(word), loOf(word))
    const name = `${entry.lpid}:${entry.gpa}`
    if (entries.has(name)) breaks('no-duplicates', 'the entry is in the list twice', { gfn, ...entry })
    entries.add(name)
  }
  let word = memslot.words[index]!
  while ((loOf(word) & EntryBits.TAG) === 0) {
    const address = Number(word)
    if (!memslot.nodes.has(address) || nodes.has(address)) {
      return breaks('list-end', `${hex(word)} is not a node in use, or is also part of another list`, { gfn })
    }
    const node = memslot.nodes.read(address)
    if (node.entry === 0n) {
      const message = 'the entry of LPID 0, page 0 ends the list and hides the older entries'
      return breaks('list-end', message, { gfn, lpid: 0, gpa: 0 })
    }
    nodes.add(address)
    add(node.entry)
    word = node.next
  }
  add(word)
}

/** @internal A memslot as JSON. Cost: the gfns and all entries. */
export function memslotJson(memslot: JsonMemslot): MemslotJson {
  const { baseGfn, npages, counters, words } = memslot
  const slots = []
  for (let index = 0; index < npages; index++) {
    const word = words[index]!
    if (word === 0n) continue
    const gfn = baseGfn + index
    slots.push({ gfn, word: hexWord(word), entries: memslot.entries(gfn) })
  }
  return { baseGfn, npages, counters, slots }
}
