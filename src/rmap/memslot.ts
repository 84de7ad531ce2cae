/**
 * A memslot's rmap: one 64-bit slot word per gfn, and the lists behind the words (spec 3).
 *
 *     gfn 0   [ 0           ]                                                       no entry
 *     gfn 1   [ e1 | 1      ]                                                       one, in the word itself
 *     gfn 2   [ -> node b   ] --> node b { next -> a, e3 } --> node a { next = e1 | 1, e2 }
 *                                  newest                       e1 rides in a's next, tagged: the end
 *
 * Entries are pushed at the head and only ever taken all together: there is no removal of one entry. An insert
 * scans for a duplicate first; without the scan a guest that faults on one page again and again would grow the
 * list for ever.
 *
 * **Quirk**: LPID 0 cuts lists (spec 11; `rmap-list.ts` says how). It is refused unless asked for.
 */
import { badInteger, checkBoolean, checkFunction, checkInteger, checkObject, wrongType } from '../base/args'
import { INSPECT } from '../base/inspect'
import type { Gfn, NestedGpa, Lpid } from '../base/units'
import { NO_HALVES } from '../base/word'
import { DedupIndex } from './dedup-index'
import { checkEntry, EntryBits, entryHi, entryLo, entryOf, type Entry } from './entry'
import { ListWalk, Scan, scanList, takeList } from './list'
import { NodeHeap, type NodeAddress } from './node-heap'

/** Most gfns of one memslot: 2 GiB of slot words, 16 TiB of guest memory at 64 KiB a page. */
export const MAX_NPAGES = 2 ** 28

/** What an insert did (spec 3). `'no-memory'`: a node was needed and there was none; nothing has changed. */
export type InsertOutcome = 'empty' | 'second' | 'list' | 'duplicate' | 'no-memory'

/** A list node as the kernel has it in memory. */
export interface ListNode {
  readonly address: NodeAddress
  readonly next: bigint
  readonly entry: bigint
}

/** Inserts by outcome, and what their scans cost (spec 12). */
export class InsertCounters {
  /** Inserts that found the slot empty. */
  empty = 0
  /** Inserts that made a list of a single entry. */
  second = 0
  /** Inserts that made a list longer. */
  list = 0
  /** Inserts that found their entry there. */
  duplicate = 0
  /** Entries compared, as Linux would have paid for them: on a miss all, on a hit those up to and with the match. */
  scanSteps = 0
  /** Most entries that a slot ever held, those that LPID 0 hides included. */
  longestList = 0
  /** Bytes of what long lists need now so that they need no scan: 16 to 24 for each of their entries. */
  indexBytes = 0
}

/** How many nodes of a list an insert scans. */
const enum Scanned {
  /** So many; then it uses an index. */
  LONG = 16,
  /** The list to its end. */
  ALL = -1,
}

/** A range of an L1's gfns, with the slot word of each. */
export class Memslot {
  /** The first gfn. */
  readonly baseGfn: Gfn = 0
  /** How many gfns there are. */
  readonly npages: number = 0
  /** Where the list nodes are. */
  readonly nodes: NodeHeap
  /** The slot words as the kernel has them in memory, by index (gfn - baseGfn). A view of the live state: to read. */
  readonly words: BigUint64Array
  readonly #halves: Int32Array = NO_HALVES
  readonly #minLpid: 0 | 1 = 1
  readonly #counters = new InsertCounters()
  /** What the inserts did. */
  readonly counters: Readonly<InsertCounters> = this.#counters
  /** By slot index, for long lists. What a slot has none for is made when an insert wants it. */
  readonly #indexes = new Map<number, DedupIndex>()
  /** The slot whose index was used last, -1 for none: who fills one list asks for no other. */
  #recent = -1
  #recentIndex: DedupIndex | undefined
  #scanned: Scanned = Scanned.LONG
  /** By slot index, how many entries a list has, where LPID 0 may hide some of them from the scan. */
  readonly #lengths: Map<number, number> | undefined
  #spared = 0

  /**
   * Cost: 8 bytes a gfn, which the platform backs with memory where a gfn is touched.
   *
   * @param options.baseGfn 0..2^52-1, and `baseGfn + npages` at most 2^52
   * @param options.npages 1..2^28
   * @param options.nodes a heap to share; a new one otherwise
   * @param options.allowLpidZero lets LPID 0 in, as Linux does (spec 11)
   * @throws RangeError, TypeError
   */
  constructor(options: { baseGfn: Gfn; npages: number; nodes?: NodeHeap; allowLpidZero?: boolean }) {
    const { baseGfn, npages, nodes = new NodeHeap(), allowLpidZero } = checkObject('options', options)
    this.npages = checkInteger('npages', npages, 1, MAX_NPAGES)
    this.baseGfn = checkInteger('baseGfn', baseGfn, 0, 2 ** 52 - npages, 16)
    if (!(nodes instanceof NodeHeap)) throw wrongType('nodes', 'a NodeHeap', nodes)
    this.nodes = nodes
    this.#minLpid = checkBoolean('allowLpidZero', allowLpidZero, false) ? 0 : 1
    // A zero node ends a scan: what is older is not in the list that an insert sees. So these lists are scanned.
    this.#scanned = this.#minLpid === 0 ? Scanned.ALL : Scanned.LONG
    this.#lengths = this.#minLpid === 0 ? new Map() : undefined
    this.#halves = new Int32Array(npages * 2)
    this.words = new BigUint64Array(this.#halves.buffer)
  }

  /**
   * Adds an entry to a gfn's slot, unless it is there (spec 3). O(1), amortised. Memory grows by a node for `'second'`
   * and `'list'`, and by up to 24 bytes an entry for lists longer than 16, until they are taken.
   *
   * @param gfn a gfn of this memslot
   * @param lpid 1..4095 (0..4095 where allowed)
   * @param gpa 0..2^52-1, an address of the nested guest, in bytes; cut down to its 4 KiB page
   * @throws RangeError, TypeError; nothing has changed then
   */
  insert(gfn: Gfn, lpid: Lpid, gpa: NestedGpa): InsertOutcome {
    const index = this.indexOf(gfn)
    checkEntry(lpid, gpa, this.#minLpid)
    return this.insertEntry(index, entryHi(lpid, gpa), entryLo(gpa))
  }

  /**
   * The gfn's slot word, as the kernel has it: 0; odd: the only entry; even: the address of the head node. O(1).
   *
   * @throws RangeError, TypeError
   */
  word(gfn: Gfn): bigint {
    return this.words[this.indexOf(gfn)]!
  }

  /**
   * The gfn's entries at the time of the call, newest first: a copy, so the slot may change while it is read.
   *
   * @throws RangeError, TypeError
   */
  entries(gfn: Gfn): Entry[] {
    const found: Entry[] = []
    const list = this.walk(this.indexOf(gfn))
    while (list.next()) found.push(entryOf(list.hi, list.lo))
    return found
  }

  /**
   * The gfn's list nodes at the time of the call, newest first. The oldest entry rides in the last one's `next`; a
   * slot with one entry has no node.
   *
   * @throws RangeError, TypeError
   */
  listNodes(gfn: Gfn): ListNode[] {
    const found: ListNode[] = []
    let word = this.word(gfn)
    while (word !== 0n && (word & 1n) === 0n) {
      const address = Number(word)
      const node = this.nodes.read(address)
      if (node.entry === 0n) break
      found.push({ address, ...node })
      word = node.next
    }
    return found
  }

  /**
   * Empties the gfn's slot, then shows `visit` each entry that was in it, newest first, and frees its node after
   * (spec 3). As the slot is empty by then, `visit` may insert, there too. Should it throw, the entries not yet
   * shown are lost, and their nodes are freed.
   *
   * @returns how many entries there were
   * @throws RangeError, TypeError
   */
  takeAll(gfn: Gfn, visit?: (lpid: Lpid, gpa: NestedGpa) => void): number {
    const index = this.indexOf(gfn)
    if (visit !== undefined) checkFunction('visit', visit)
    return this.take(index, visit)
  }

  /** Whether the gfn lies in this memslot; false for what is no integer. */
  contains(gfn: Gfn): boolean {
    return Number.isInteger(gfn) && gfn >= this.baseGfn && gfn < this.baseGfn + this.npages
  }

  /** @internal What `console.log` shows. Cost: the gfns. */
  [INSPECT](): string {
    let slots = 0
    for (let index = 0; index < this.npages; index++) if (!this.isEmptyAt(index)) slots++
    const { baseGfn, npages, counters } = this
    const last = baseGfn + npages - 1
    return `Memslot { gfn 0x${baseGfn.toString(16)}..0x${last.toString(16)}, not empty: ${slots}, longest ever: ${counters.longestList} }`
  }

  /** @internal The index of a gfn's slot. @throws RangeError, TypeError */
  indexOf(gfn: Gfn): number {
    const offset = typeof gfn === 'number' ? gfn - this.baseGfn : -1
    const index = offset | 0 // from here on a 32-bit integer, and known as one: npages is at most 2^28
    if (!(index === offset && index >= 0 && index < this.npages)) {
      throw badInteger('gfn', gfn, this.baseGfn, this.baseGfn + this.npages - 1, 16)
    }
    return index
  }

  /** @internal What the inserts did: nodes and cells looked at. Where no list is long, {@link InsertCounters.scanSteps}. */
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

  /** @internal Overwrites a slot word; what stood behind it is the caller's. */
  writeAt(index: number, hi: number, lo: number): void {
    if (this.#indexes.size !== 0) this.#dropIndex(index)
    this.#lengths?.delete(index)
    this.#halves[index << 1] = lo
    this.#halves[(index << 1) | 1] = hi
  }

  /** @internal {@link insert} by slot index and by the halves of the untagged entry; allocates what that says, no more. */
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

  /** {@link insertEntry} for a slot that is not empty: scans its list, unless that is long. */
  #insertBehind(index: number, head: number, hi: number, lo: number): InsertOutcome {
    if (index === this.#recent) return this.#insertIndexed(index, hi, lo, 0)
    const found = scanList(this.nodes.words, this.#halves[(index << 1) | 1]!, head, hi, lo, this.#scanned)
    if (found > 0) return this.#duplicate(found)
    return found === Scan.TOO_LONG
      ? this.#insertIndexed(index, hi, lo, Scanned.LONG)
      : this.#push(index, hi, lo, ~found)
  }

  /** {@link insertEntry} for a slot with a long list: same outcome, same steps, without the scan. */
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

  /** The platform has no memory for an index: then this memslot scans, as Linux does, from now on. */
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

  /** Pushes a node at the head, after a scan of so many steps. */
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

  /** Entries of a slot into which one was just pushed, those that LPID 0 hides as well. */
  #lengthOf(index: number): number {
    let length = this.#lengths!.get(index) ?? 0
    if (length === 0) {
      for (let word = this.loAt(index); (word & EntryBits.TAG) === 0; word = this.nodes.words[word >>> 2]!) length++
    }
    this.#lengths!.set(index, length + 1)
    return length + 1
  }

  /** @internal Whether a slot holds nothing. */
  isEmptyAt(index: number): boolean {
    return (this.#halves[index << 1]! | this.#halves[(index << 1) | 1]!) === 0
  }

  /** @internal Whether a slot that is not empty holds a list. */
  isListAt(index: number): boolean {
    return (this.#halves[index << 1]! & EntryBits.TAG) === 0
  }

  /** @internal The gfns move; the slots and what they hold stay. @throws RangeError, TypeError */
  moveTo(baseGfn: Gfn): void {
    ;(this as { baseGfn: Gfn }).baseGfn = checkInteger('baseGfn', baseGfn, 0, 2 ** 52 - this.npages, 16)
  }

  /** @internal {@link takeAll} by slot index. */
  take(index: number, visit?: (lpid: Lpid, gpa: NestedGpa) => void): number {
    const hi = this.hiAt(index)
    const lo = this.loAt(index)
    this.writeAt(index, 0, 0)
    return takeList(this.nodes, hi, lo, visit)
  }

  /** @internal A walk over a slot's entries that changes nothing. */
  walk(index: number): ListWalk {
    return new ListWalk(this.nodes, this.hiAt(index), this.loAt(index))
  }
}
