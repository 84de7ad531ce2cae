/**
 * One rmap slot and its list, read word by word from a memslot of the model or from a dump of kernel memory (spec 3).
 *
 * The walk does not rely on a sound list. It follows the pointers, reports flaws, and always ends: a {@link SlotReader}
 * never reads a node twice, in one list or in several. So the time for all lists is proportional to the nodes in
 * memory.
 */
import { checkFunction, checkInteger, checkIterable, checkWord, wrongType } from '../base/args'
import { withJson } from '../base/json'
import type { Gfn } from '../base/units'
import { hex } from '../base/word'
import { unpackEntry, type Entry } from '../rmap/entry'
import { Memslot } from '../rmap/memslot'
import { VmMemslot } from '../vm/vm-memslot'
import { count, formatEntry } from './format'

/** A list node in the kernel's memory. If this package has read it, `JSON.stringify` writes its words as hex strings. */
export interface SlotNode {
  /** Its address, from the slot word or another node's `next`: a multiple of 8. */
  readonly address: bigint
  /** Its first word: the address of the next node; in the last node the oldest entry, with tag 1. */
  readonly next: bigint
  /** Its second word: an entry (spec 2), with tag 0 in a sound list. */
  readonly entry: bigint
}

/**
 * A kind of flaw of a list.
 *
 * These end the walk: `outside`: a pointer to memory that the dump does not have. `unaligned`: a pointer that is not a
 * multiple of 8. `loop`: a node that was already read in this list. `shared`: a node that is in another slot's list.
 * `ends-in-0`: a `next` of 0 instead of the oldest entry.
 *
 * These do not end it: `duplicate`: an entry that the list already has. `tagged-node`: a node whose entry is odd.
 * `stray-bits`: an entry with any of bits 1..11 set. `lpid-zero`: an entry with the host's LPID, 0. `zero-entry`: a
 * node whose entry is 0; Linux ends its scans and walks there (spec 11).
 */
export type FlawKind =
  | 'outside'
  | 'unaligned'
  | 'loop'
  | 'shared'
  | 'ends-in-0'
  | 'duplicate'
  | 'tagged-node'
  | 'stray-bits'
  | 'lpid-zero'
  | 'zero-entry'

/** A flaw of a list, and where it is. `JSON.stringify` writes its address as a hex string. */
export interface Flaw {
  /** The kind of flaw. */
  readonly kind: FlawKind
  /** The address of the node that has the flaw; undefined for the slot word itself. */
  readonly node: bigint | undefined
  /** A sentence that describes it, with addresses and values. */
  readonly message: string
}

/** An rmap slot with its list. If this package has read it, `JSON.stringify` writes its words as hex strings. */
export interface Slot {
  /** Its gfn; undefined if it comes from a recording that does not show where the slot array is. */
  readonly gfn: Gfn | undefined
  /** The address of the slot word in the kernel's memory; absent if it is not known. */
  readonly address?: bigint
  /** The slot word: 0, an entry with tag 1, or the address of the first node (spec 3). */
  readonly word: bigint
  /** The list nodes, newest first. */
  readonly nodes: readonly SlotNode[]
  /** The entries, newest first; the oldest is the tagged one, unless a flaw ended the walk before it. */
  readonly entries: readonly Entry[]
  /** The flaws, in the order of the walk; empty for a sound slot. */
  readonly flaws: readonly Flaw[]
}

/** Reads the two words of the node at an address; returns undefined if that memory is not available. */
export type NodeReader = (address: bigint) => ListNodeWords | undefined

/** The two words of a list node (spec 3). `JSON.stringify` writes those of a {@link nodeReader} as hex strings. */
export interface ListNodeWords {
  /** The address of the next node, or the oldest entry with its tag set. */
  readonly next: bigint
  /** The entry of this node, with tag 0. */
  readonly entry: bigint
}

/** Reads rmap slots of one memory. It remembers each node that it has read: memory is proportional to the nodes. */
export class SlotReader {
  readonly #read: NodeReader
  readonly #owners = new Map<bigint, Gfn>()

  /** @throws TypeError */
  constructor(read: NodeReader) {
    this.#read = checkFunction('read', read)
  }

  /**
   * Reads the list of a slot word. Read each gfn once: a second time its first node is reported as a loop.
   *
   * @param gfn 0..2^52-1
   * @param word 0..2^64-1
   * @throws RangeError, TypeError; whatever the node reader throws
   */
  slot(gfn: Gfn, word: bigint): Slot {
    checkInteger('gfn', gfn, 0, 2 ** 52 - 1, 16)
    checkWord('word', word)
    const nodes: SlotNode[] = []
    const entries: Entry[] = []
    const flaws: Flaw[] = []
    const seen = new Set<bigint>()
    let node: bigint | undefined
    const flaw = (kind: FlawKind, message: string): void => {
      flaws.push(withJson({ kind, node, message: node === undefined ? message : `node ${hex(node)}: ${message}` }))
    }
    const addEntry = (raw: bigint): void => {
      const entry = unpackEntry(raw)
      const key = raw & ~0xfffn
      if (seen.has(key)) flaw('duplicate', `${formatEntry(entry)} is already in the list`)
      else seen.add(key)
      if ((raw & 0xffen) !== 0n) flaw('stray-bits', `entry ${hex(raw)} has bits 1..11 set: ${hex(raw & 0xffen)}`)
      if (entry.lpid === 0) flaw('lpid-zero', `${formatEntry(entry)}: LPID 0 is the host's`)
      entries.push(entry)
    }

    for (let next = word; next !== 0n || node !== undefined;) {
      if ((next & 1n) === 1n) {
        addEntry(next)
        break
      }
      const wrong =
        next === 0n ? (['ends-in-0', 'next is 0 instead of the oldest entry'] as const) : this.#wrongPointer(gfn, next)
      if (wrong !== undefined) {
        flaw(...wrong)
        break
      }
      const words = this.#read(next)
      if (words === undefined) {
        flaw('outside', `pointer ${hex(next)} is outside the given memory`)
        break
      }
      this.#owners.set(next, gfn)
      nodes.push(withJson({ address: next, next: words.next, entry: words.entry }))
      node = next
      if (words.entry === 0n) flaw('zero-entry', "its entry is 0: the kernel's scans and walks end here")
      if ((words.entry & 1n) === 1n) flaw('tagged-node', `entry ${hex(words.entry)} has tag 1`)
      addEntry(words.entry)
      next = words.next
    }
    return withJson({ gfn, word, nodes, entries, flaws })
  }

  #wrongPointer(gfn: Gfn, pointer: bigint): readonly [FlawKind, string] | undefined {
    if ((pointer & 7n) !== 0n) return ['unaligned', `pointer ${hex(pointer)} is not a multiple of 8`]
    const owner = this.#owners.get(pointer)
    if (owner === undefined) return undefined
    return owner === gfn
      ? ['loop', `pointer ${hex(pointer)} leads back into the list`]
      : ['shared', `pointer ${hex(pointer)} leads into the list of gfn ${hex(owner)}`]
  }
}

/**
 * The rmap slots of a memslot (a `Memslot`, or one of a `Vm`): those of the given gfns, or all that are not empty, by
 * gfn. A generator: it reads a slot when the caller takes it.
 *
 * @throws RangeError, TypeError for a gfn outside the memslot
 */
export function* slotsOf(memslot: Memslot | VmMemslot, gfns?: Iterable<Gfn>): Generator<Slot, void, undefined> {
  const rmap = memslot instanceof VmMemslot ? memslot.rmap : memslot
  if (!(rmap instanceof Memslot)) throw wrongType('memslot', 'a Memslot', memslot)
  const { nodes } = rmap
  const reader = new SlotReader((address) => (nodes.has(Number(address)) ? nodes.read(Number(address)) : undefined))
  if (gfns !== undefined) {
    for (const gfn of new Set(checkIterable('gfns', gfns))) yield reader.slot(gfn, rmap.word(gfn))
    return
  }
  for (let index = 0; index < rmap.npages; index++) {
    if (!rmap.isEmptyAt(index)) yield reader.slot(rmap.baseGfn + index, rmap.words[index]!)
  }
}

/** Totals over rmap slots. */
export interface SlotSummary {
  /** Slots that are not empty. */
  readonly slots: number
  /** Of those, slots with one entry, in the word itself. */
  readonly single: number
  /** Entries in all of them. */
  readonly entries: number
  /** List nodes in all of them. */
  readonly nodes: number
  /** Entries of the longest list. */
  readonly longest: number
  /** Flaws in all of them. */
  readonly flaws: number
}

/** The totals over rmap slots. Cost: the given slots. @throws TypeError */
export function summarize(slots: Iterable<Slot>): SlotSummary {
  const sum = { slots: 0, single: 0, entries: 0, nodes: 0, longest: 0, flaws: 0 }
  for (const { word, nodes, entries, flaws } of checkIterable('slots', slots)) {
    if (word !== 0n) sum.slots++
    if ((word & 1n) === 1n) sum.single++
    sum.entries += entries.length
    sum.nodes += nodes.length
    sum.longest = Math.max(sum.longest, entries.length)
    sum.flaws += flaws.length
  }
  return sum
}

/** @internal The totals in a line of text. */
export function formatSummary({ slots, single, entries, nodes, longest, flaws }: SlotSummary): string {
  const lists = count(slots - single, 'list')
  const wrong = flaws === 0 ? '' : `, ${count(flaws, 'flaw')}`
  return (
    `${count(slots, 'slot')} not empty (${single} single, ${lists}), ${count(entries, 'entry', 'entries')}, ` +
    `${count(nodes, 'node')}, longest ${longest}${wrong}`
  )
}
