/**
 * A memslot's rmap: one 64-bit rmap slot per gfn, and the lists that start there (spec 3).
 *
 *     gfn 0   [ 0           ]                                                       no entry
 *     gfn 1   [ e1 | 1      ]                                                       one, in the word itself
 *     gfn 2   [ -> node b   ] --> node b { next -> a, e3 } --> node a { next = e1 | 1, e2 }
 *                                  newest                       a's next is e1, tagged: the end
 *
 * Entries are pushed at the head. A list is only removed completely: no operation removes a single entry. An insert
 * scans for a duplicate first; without this scan a guest that faults the same page again and again would grow the list
 * without limit.
 *
 * **Quirk**: an entry of LPID 0 cuts its list, as in Linux (spec 11; see `list.ts`). LPID 0 is refused unless allowed.
 *
 * An insert must never create an object. (This file is over 300 lines: slot words, insert and index share private state;
 * a boundary between them would cost a check for each insert.)
 */
import { checkBoolean, checkFunction, checkOptionNames, toInteger, wrongType } from '../base/args'
import { inspectable } from '../base/inspect'
import type { Gfn, NestedGpa, Lpid } from '../base/units'
import { withJson } from '../base/json'
import { hex, NO_HALVES } from '../base/word'
import { DedupIndex } from './dedup-index'
import { EntryBits, entryHi, entryLo, entryOf, toLpid, toNestedGpa, type Entry } from './entry'
import { InsertCounters } from './insert-counters'
import { ListWalk, Scan, scanList, takeList } from './list'
import { checkMemslot, memslotJson, type BrokenMemslotInvariant, type MemslotJson } from './memslot-check'
import { NodeHeap, type NodeAddress, type NodeWords } from './node-heap'

/** Most gfns of one memslot: 2 GiB of slot words, 16 TiB of guest memory at 64 KiB a page. */
export const MAX_NPAGES = 2 ** 28

/**
 * What an insert found (spec 3). `'empty'`: an empty rmap slot. `'second'`: one entry. `'list'`: a list. `'duplicate'`:
 * this entry; nothing changed. `'no-memory'`: a list node was needed and not available; nothing changed.
 */
export type InsertOutcome = 'empty' | 'second' | 'list' | 'duplicate' | 'no-memory'

/** A list node as the kernel has it in memory. `JSON.stringify` writes its words as hex strings. */
export interface ListNode extends NodeWords {
  /** Its address in the heap, in bytes. */
  readonly address: NodeAddress
}

/** Options of {@link Memslot}. */
export interface MemslotOptions {
  /** The first gfn: 0..2^52-1, and `baseGfn + npages` must not exceed 2^52. */
  readonly baseGfn: Gfn | bigint
  /** How many gfns: 1..2^28. */
  readonly npages: number | bigint
  /** A heap of list nodes to share with other memslots (the default: a new one). */
  readonly nodes?: NodeHeap
  /** Allows LPID 0, as Linux does (a quirk, spec 11). The default is false. */
  readonly allowLpidZero?: boolean
}

const KNOWN_OPTIONS = ['baseGfn', 'npages', 'nodes', 'allowLpidZero'] as const

/** How many nodes of a list an insert scans before it uses an index. */
const enum Scanned {
  LONG = 16,
  /** All; no index is used. */
  ALL = -1,
}

/**
 * The rmap of a memslot (KVM: `kvm_memory_slot`): a range of L1's gfns, with a 64-bit rmap slot for each (KVM: `rmap[]`).
 * Memory: 8 bytes a gfn (the platform uses memory only for the part that was written) and 16 bytes a list node.
 *
 * @example
 * const memslot = new Memslot({ baseGfn: 0x100, npages: 16 })
 * memslot.insert(0x105, 3, 0x10000) // 'empty'
 * memslot.insert(0x105, 7, 0x20000) // 'second': now a list
 * memslot.entries(0x105) // [{ lpid: 7, gpa: 0x20000 }, { lpid: 3, gpa: 0x10000 }]
 */
export class Memslot {
  /** The first gfn: 0..2^52-1. */
  readonly baseGfn: Gfn = 0
  /** How many gfns: 1..2^28. */
  readonly npages: number = 0
  /** The heap of its list nodes. */
  readonly nodes: NodeHeap
  /** The rmap slots as the kernel has them in memory, by index (gfn - baseGfn): the live state. Do not write to it. */
  readonly words: BigUint64Array
  readonly #halves: Int32Array = NO_HALVES
  readonly #minLpid: 0 | 1 = 1
  readonly #counters = new InsertCounters()
  /** The indexes of long lists, by slot index. An insert creates the one it needs. */
  readonly #indexes = new Map<number, DedupIndex>()
  /** The slot index whose {@link DedupIndex} was used last, -1 for none: many inserts in a row use the same one. */
  #recent = -1
  #recentIndex: DedupIndex | undefined
  #scanned: Scanned = Scanned.LONG
  /** Entries of a list, by slot index, if LPID 0 is allowed: it may hide some of them from the scan. */
  readonly #lengths: Map<number, number> | undefined
  /** Compares that the indexes saved, less their own work. */
  #spared = 0

  /** @throws RangeError, TypeError */
  constructor(options: MemslotOptions) {
    const {
      baseGfn,
      npages,
      nodes = new NodeHeap(),
      allowLpidZero,
    } = checkOptionNames('options', options, KNOWN_OPTIONS)
    const count = toInteger('npages', npages, 1, MAX_NPAGES)
    this.npages = count
    this.baseGfn = toInteger('baseGfn', baseGfn, 0, 2 ** 52 - count, 16)
    if (!(nodes instanceof NodeHeap)) throw wrongType('nodes', 'a NodeHeap', nodes)
    this.nodes = nodes
    this.#minLpid = checkBoolean('allowLpidZero', allowLpidZero, false) ? 0 : 1
    // A node with entry 0 hides the older entries from a scan, but not from an index. So no index is used then.
    this.#scanned = this.#minLpid === 0 ? Scanned.ALL : Scanned.LONG
    this.#lengths = this.#minLpid === 0 ? new Map() : undefined
    this.#halves = new Int32Array(count * 2)
    this.words = new BigUint64Array(this.#halves.buffer)
    inspectable(this)
  }

  /** What the inserts did so far: a frozen copy. */
  get counters(): Readonly<InsertCounters> {
    return Object.freeze({ ...this.#counters })
  }

  /**
   * Adds an entry to a gfn's rmap slot, unless it is present (spec 3). O(1) amortised. Memory: one list node for
   * `'second'` and `'list'`; a list of more than 16 nodes has an index too, up to 24 bytes an entry, until it is removed.
   *
   * @param gfn a gfn of this memslot
   * @param lpid 1..4095 (0..4095 if LPID 0 is allowed)
   * @param gpa the nested guest's address, in bytes: 0..2^52-1; rounded down to its 4 KiB page
   * @throws RangeError, TypeError; the state is unchanged then
   */
  insert(gfn: Gfn | bigint, lpid: Lpid | bigint, gpa: NestedGpa | bigint): InsertOutcome {
    const index = this.indexOf(gfn)
    const guest = toLpid(lpid, this.#minLpid)
    const address = toNestedGpa(gpa)
    return this.insertEntry(index, entryHi(guest, address), entryLo(address))
  }

  /**
   * The gfn's rmap slot as the kernel has it: 0 if it is empty; odd: the only entry; even: the address of the first list
   * node. O(1).
   *
   * @throws RangeError, TypeError
   */
  word(gfn: Gfn | bigint): bigint {
    return this.words[this.indexOf(gfn)]!
  }

  /**
   * The gfn's entries at the time of the call, newest first: a copy. Cost: the list.
   *
   * @throws RangeError, TypeError
   */
  entries(gfn: Gfn | bigint): Entry[] {
    const found: Entry[] = []
    const list = this.walk(this.indexOf(gfn))
    while (list.next()) found.push(entryOf(list.hi, list.lo))
    return found
  }

  /**
   * The gfn's list nodes at the time of the call, newest first: a copy. The oldest entry is in the `next` of the last
   * node; an rmap slot with one entry has no node. Cost: the list.
   *
   * @throws RangeError, TypeError
   */
  listNodes(gfn: Gfn | bigint): ListNode[] {
    const found: ListNode[] = []
    let word = this.word(gfn)
    while (word !== 0n && (word & 1n) === 0n) {
      const address = Number(word)
      const node = this.nodes.read(address)
      if (node.entry === 0n) break
      found.push(withJson({ address }, node))
      word = node.next
    }
    return found
  }

  /**
   * Empties the gfn's rmap slot, then walks the detached list, newest first: calls `visit` with each entry and frees its
   * node (spec 3). `visit` may insert into the gfn. If `visit` throws, the remaining entries are lost and their nodes are
   * freed. Cost: the list.
   *
   * @returns the number of entries
   * @throws RangeError, TypeError
   */
  takeAll(gfn: Gfn | bigint, visit?: (lpid: Lpid, gpa: NestedGpa) => void): number {
    const index = this.indexOf(gfn)
    if (visit !== undefined) checkFunction('visit', visit)
    return this.take(index, visit)
  }

  /** Whether this memslot contains the gfn; false for anything that is not an integer. O(1). */
  contains(gfn: Gfn | bigint): boolean {
    return (Number.isInteger(gfn) || typeof gfn === 'bigint') && gfn >= this.baseGfn && gfn < this.baseGfn + this.npages
  }

  /**
   * Checks the invariants of {@link MEMSLOT_INVARIANTS}. Returns those that are broken, and where; an empty array if none
   * is. Cost: the gfns and all entries.
   */
  check(): BrokenMemslotInvariant[] {
    return checkMemslot(this)
  }

  /** What `JSON.stringify` writes: the rmap slots that are not empty, with words as hex strings. Cost: the gfns. */
  toJSON(): MemslotJson {
    return memslotJson(this)
  }

  /** @internal What `console.log` shows. Cost: the gfns. */
  inspect(): string {
    let slots = 0
    for (let index = 0; index < this.npages; index++) if (!this.isEmptyAt(index)) slots++
    const { baseGfn, npages, counters } = this
    const last = baseGfn + npages - 1
    return `Memslot { gfn ${hex(baseGfn)}..${hex(last)}, not empty: ${slots}, longest ever: ${counters.longestList} }`
  }

  /** @internal The index of a gfn's rmap slot. @throws RangeError, TypeError */
  indexOf(gfn: Gfn | bigint): number {
    const offset = typeof gfn === 'number' ? gfn - this.baseGfn : -1
    const index = offset | 0 // tells the engine that it is a 32-bit integer: npages is at most 2^28
    return index === offset && index >= 0 && index < this.npages ? index : this.#indexOfOther(gfn)
  }

  /** {@link indexOf} for a gfn that is a BigInt or invalid. */
  #indexOfOther(gfn: Gfn | bigint): number {
    return toInteger('gfn', gfn, this.baseGfn, this.baseGfn + this.npages - 1, 16) - this.baseGfn
  }

  /** @internal The live {@link counters}, for restoring a snapshot. */
  get insertCounters(): InsertCounters {
    return this.#counters
  }

  /** @internal Entries and index cells that inserts visited: {@link InsertCounters.scanSteps} if no list is long. */
  get work(): number {
    return this.#counters.scanSteps - this.#spared
  }

  /** @internal The low half of a slot word. */
  loAt(index: number): number {
    return this.#halves[index << 1]!
  }

  /** @internal The high half of a slot word. */
  hiAt(index: number): number {
    return this.#halves[(index << 1) | 1]!
  }

  /** @internal Overwrites a slot word. The caller frees the list that it led to. */
  writeAt(index: number, hi: number, lo: number): void {
    if (this.#indexes.size !== 0) this.#dropIndex(index)
    this.#lengths?.delete(index)
    this.#halves[index << 1] = lo
    this.#halves[(index << 1) | 1] = hi
  }

  /** @internal {@link insert} by slot index and by the halves of the untagged entry. */
  insertEntry(index: number, hi: number, lo: number): InsertOutcome {
    const slots = this.#halves
    const head = slots[index << 1]!
    if (head !== 0) return this.#insertBehind(index, head, hi, lo)
    slots[index << 1] = lo | EntryBits.TAG
    slots[(index << 1) | 1] = hi
    const counters = this.#counters
    counters.empty++
    if (counters.longestList === 0) counters.longestList = 1
    return 'empty'
  }

  /** {@link insertEntry} for an rmap slot that is not empty: scans the list, or uses its index if it is long. */
  #insertBehind(index: number, head: number, hi: number, lo: number): InsertOutcome {
    if (index === this.#recent) return this.#insertIndexed(index, hi, lo, 0)
    const found = scanList(this.nodes.words, this.#halves[(index << 1) | 1]!, head, hi, lo, this.#scanned)
    if (found > 0) return this.#duplicate(found)
    return found === Scan.TOO_LONG
      ? this.#insertIndexed(index, hi, lo, Scanned.LONG)
      : this.#push(index, hi, lo, ~found)
  }

  /** {@link insertEntry} for a long list: same outcome and same number of steps, without the scan. */
  #insertIndexed(index: number, hi: number, lo: number, visited: number): InsertOutcome {
    const dedup = index === this.#recent ? this.#recentIndex : (this.#indexes.get(index) ?? this.#makeIndex(index))
    if (dedup === undefined) return this.#insertUnindexed(index, hi, lo)
    const probes = dedup.probes
    if (dedup.isFull && !this.#resizeIndex(dedup, dedup.size)) return this.#insertUnindexed(index, hi, lo)
    this.#recent = index
    this.#recentIndex = dedup
    const ordinal = dedup.find(hi, lo)
    const steps = ordinal === 0 ? dedup.size : dedup.size - ordinal + 1
    this.#spared += steps - visited - (dedup.probes - probes)
    if (ordinal !== 0) return this.#duplicate(steps)
    const outcome = this.#push(index, hi, lo, steps)
    if (outcome === 'list') dedup.add(hi, lo, steps + 1)
    return outcome
  }

  /** There is no memory for an index: from now on this memslot scans, as Linux does. */
  #insertUnindexed(index: number, hi: number, lo: number): InsertOutcome {
    for (const long of this.#indexes.keys()) this.#dropIndex(long)
    this.#scanned = Scanned.ALL
    return this.insertEntry(index, hi, lo)
  }

  #makeIndex(index: number): DedupIndex | undefined {
    let ordinal = 0
    for (const list = this.walk(index); list.next();) ordinal++
    const dedup = new DedupIndex()
    if (!this.#resizeIndex(dedup, ordinal)) return undefined
    this.#spared -= 2 * ordinal
    for (const list = this.walk(index); list.next();) {
      dedup.find(list.hi, list.lo)
      dedup.add(list.hi, list.lo, ordinal--)
    }
    this.#indexes.set(index, dedup)
    return dedup
  }

  #resizeIndex(dedup: DedupIndex, entries: number): boolean {
    const bytes = dedup.byteLength
    const done = dedup.resize(entries)
    this.#counters.indexBytes += dedup.byteLength - bytes
    return done
  }

  #dropIndex(index: number): void {
    const dedup = this.#indexes.get(index)
    if (dedup === undefined) return
    this.#counters.indexBytes -= dedup.byteLength
    this.#indexes.delete(index)
    if (index !== this.#recent) return
    this.#recent = -1
    this.#recentIndex = undefined
  }

  #duplicate(steps: number): InsertOutcome {
    const counters = this.#counters
    counters.scanSteps += steps
    counters.duplicate++
    return 'duplicate'
  }

  /** Pushes a node at the head, after a scan that compared `steps` entries. */
  #push(index: number, hi: number, lo: number, steps: number): InsertOutcome {
    const address = this.nodes.allocate()
    if (address === 0) return 'no-memory'
    const nodes = this.nodes.words
    const slots = this.#halves
    const counters = this.#counters
    const node = address >>> 2
    const head = slots[index << 1]!
    nodes[node] = head
    nodes[node + 1] = slots[(index << 1) | 1]!
    nodes[node + 2] = lo
    nodes[node + 3] = hi
    slots[index << 1] = address
    slots[(index << 1) | 1] = 0
    counters.scanSteps += steps
    const length = this.#lengths === undefined ? steps + 1 : this.#lengthOf(index)
    if (length > counters.longestList) counters.longestList = length
    if ((head & EntryBits.TAG) !== 0) {
      counters.second++
      return 'second'
    }
    counters.list++
    return 'list'
  }

  /** Entries of an rmap slot after a push, including those that LPID 0 hides. */
  #lengthOf(index: number): number {
    let length = this.#lengths!.get(index) ?? 0
    if (length === 0) {
      for (let word = this.loAt(index); (word & EntryBits.TAG) === 0; word = this.nodes.words[word >>> 2]!) length++
    }
    this.#lengths!.set(index, length + 1)
    return length + 1
  }

  /** @internal Whether an rmap slot is empty. */
  isEmptyAt(index: number): boolean {
    return (this.#halves[index << 1]! | this.#halves[(index << 1) | 1]!) === 0
  }

  /** @internal Whether an rmap slot that is not empty has a list. */
  isListAt(index: number): boolean {
    return (this.#halves[index << 1]! & EntryBits.TAG) === 0
  }

  /** @internal Changes the first gfn; the rmap slots keep their entries. @throws RangeError, TypeError */
  moveTo(baseGfn: Gfn): void {
    ;(this as { baseGfn: Gfn }).baseGfn = toInteger('baseGfn', baseGfn, 0, 2 ** 52 - this.npages, 16)
  }

  /** @internal {@link takeAll} by slot index. */
  take(index: number, visit?: (lpid: Lpid, gpa: NestedGpa) => void): number {
    const hi = this.hiAt(index)
    const lo = this.loAt(index)
    this.writeAt(index, 0, 0)
    return takeList(this.nodes, hi, lo, visit)
  }

  /** @internal A walk over the entries of an rmap slot; it changes nothing. */
  walk(index: number): ListWalk {
    return new ListWalk(this.nodes, this.hiAt(index), this.loAt(index))
  }
}
