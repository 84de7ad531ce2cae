/**
 * A page table: a radix tree of 64-bit words (spec 4). The model uses it for the host table, the guest tables and the
 * shadow tables.
 *
 *     page shift   bits a level, root first   sizes of a leaf                the address bits of a level
 *         16          13   9   9   5          1 GiB, 2 MiB, 64 KiB           51..39  38..30  29..21  20..16
 *         12          13   9   9   9          1 GiB, 2 MiB, 4 KiB            51..39  38..30  29..21  20..12
 *
 * The pages of a table are in one growing buffer of words. A word is 0, a leaf PTE (present and leaf bit), or a link: the
 * present bit, and in the low half the position of a lower page. A page whose last leaf is cleared stays linked, as in
 * Linux. Pages are freed when a larger leaf replaces them, and when the complete table is cleared.
 *
 * `find` and the accessors of a leaf are the hot path of faults and of the walk: they must never allocate. (This file is
 * over 300 lines: the public methods and the tree below them share the buffer.)
 */
import { checkOneOf, checkOptionNames, checkWord, toInteger } from '../base/args'
import { inspectable } from '../base/inspect'
import { type Gpa, type LeafShift, MAX_GPA, type PageShift } from '../base/units'
import { hex, hexWord, hiOf, hiOfNumber, loOf, NO_HALVES, numberOf, pow2, wordOf } from '../base/word'
import { AllocationGate } from './allocation-gate'
import { LEAF, LeafHi, PRESENT } from './leaf'

/** A leaf PTE of a table. (`JSON.stringify` writes the word of a leaf that a table returned as a hex string.) */
export interface Leaf {
  /** The first address it maps, in bytes: a multiple of its size, 0..2^52-1. */
  readonly gpa: Gpa
  /** log2 of its size in bytes: 12 or 16 (a base page), 21 or 30. */
  readonly shift: LeafShift
  /** Its 64-bit word: bit 63 is the present bit, whatever the byte order of the table in memory. */
  readonly word: bigint
}

/** @internal A {@link Leaf} that `JSON.stringify` accepts. */
export class TableLeaf implements Leaf {
  constructor(
    readonly gpa: Gpa,
    readonly shift: LeafShift,
    readonly word: bigint,
  ) {}

  toJSON(): { gpa: Gpa; shift: LeafShift; word: string } {
    return { gpa: this.gpa, shift: this.shift, word: hexWord(this.word) }
  }
}

/** Options of {@link RadixTable}. */
export interface RadixTableOptions {
  /** log2 of the base page size in bytes: 16 (64 KiB) or 12 (4 KiB). */
  readonly pageShift: PageShift
}

/**
 * @internal A reference to a leaf: the position of its word in the buffer times 4, plus its level 1..3 (1 GiB, 2 MiB, base
 * page). {@link Ref.NONE} is no leaf: level 0, the root, never has one.
 */
export type LeafRef = number

/** @internal (A const enum: hot paths get the number itself.) */
export const enum Ref {
  NONE = 0,
}

/** @internal {@link Ref.NONE} for code that is not hot. */
export const NONE: LeafRef = Ref.NONE

const enum Entries {
  /** Entries of the root page. */
  ROOT = 1 << 13,
  /** Entries of a page of level 1 or 2. */
  MID = 1 << 9,
}

/** Most words of one table's buffer: 2 GiB, so that a position times 4 is a positive 32-bit integer. */
const MAX_WORDS = 2 ** 28

/**
 * A radix page table for 52-bit addresses, with leaf PTEs of three sizes (spec 4). Memory: 64 KiB for the root, 4 KiB for
 * each other page (256 bytes for a page of 64 KiB leaves). The buffer grows to four times its size and never shrinks
 * before {@link clearAll}.
 *
 * @example
 * const table = new RadixTable({ pageShift: 16 })
 * table.set(0x10000, 16, PRESENT | LEAF | 0x5670000n) // true
 * table.lookup(0x1abcd) // { gpa: 0x10000, shift: 16, word: 0xc000000005670000n }
 */
export class RadixTable {
  /** log2 of the base page size in bytes: 16 or 12. */
  readonly pageShift: PageShift = 16

  /** @internal The pages: two 32-bit halves a word, the low one first. Replaced when the table grows. */
  halves: Int32Array = NO_HALVES

  #end = Entries.ROOT // words in use from the front
  #rootLinks: number[] = [] // the indices in the root that are used, ascending
  #freePages: [mid: number, last: number] = [0, 0] // heads of the lists of free pages, by size; 0: none
  #pages = 1
  #pageBytes = Entries.ROOT * 8
  #leaves = 0
  #epoch = 0
  #reserved = false // whether a free page is reserved: see reserveBelow
  readonly #gate: AllocationGate | undefined

  /** @throws RangeError, TypeError */
  constructor(options: RadixTableOptions)
  /** @internal A table that allocates its pages, except the root, through a gate that it shares with other tables. */
  constructor(options: RadixTableOptions, gate: AllocationGate)
  constructor(options: RadixTableOptions, gate?: AllocationGate) {
    const { pageShift } = checkOptionNames('options', options, ['pageShift'])
    this.#gate = gate
    this.pageShift = checkOneOf<PageShift>('pageShift', pageShift, [16, 12])
    this.halves = new Int32Array(Entries.ROOT * 2)
    inspectable(this)
  }

  /** Leaves in the table. */
  get leafCount(): number {
    return this.#leaves
  }

  /** Table pages in use, the root included. */
  get pageCount(): number {
    return this.#pages
  }

  /** Bytes of the table pages in use: 8 for each entry of each page (spec 12). */
  get pageBytes(): number {
    return this.#pageBytes
  }

  /**
   * The leaf that maps `gpa`, whatever its size. O(1).
   *
   * @param gpa 0..2^52-1, in bytes
   * @throws RangeError, TypeError
   */
  lookup(gpa: Gpa | bigint): Leaf | undefined {
    const address = checkGpa(gpa)
    const ref = this.refAt(address)
    return ref === Ref.NONE ? undefined : this.#leafAt(ref, address)
  }

  /**
   * Sets a leaf, or replaces one of the same size. Cost: O(1) and the table pages that it adds.
   *
   * @param gpa 0..2^52-1, in bytes, a multiple of the leaf's size
   * @param shift log2 of the leaf's size in bytes: the page shift, 21 or 30
   * @param word a leaf word: present bit and leaf bit set
   * @returns false if there is no memory for a table page: no leaf is set (new upper pages stay linked)
   * @throws RangeError, TypeError; Error if a larger leaf or smaller leaves are present: clear them first
   */
  set(gpa: Gpa | bigint, shift: LeafShift, word: bigint): boolean {
    const address = checkGpa(gpa)
    this.#checkShift(address, shift)
    checkWord('word', word)
    if ((word & (PRESENT | LEAF)) !== (PRESENT | LEAF)) {
      throw new RangeError(`word: expected a present leaf, got ${hex(word)}`)
    }
    const present = this.refAt(address)
    if (present !== Ref.NONE && this.shiftOf(present) > shift) {
      throw new Error(`a leaf of 2^${this.shiftOf(present)} bytes maps ${hex(address)}: call clear(gpa) first`)
    }
    const hi = hiOfNumber(address)
    if (this.leavesBelow(hi, address | 0, shift).length > 0) {
      throw new Error(`smaller leaves are present below ${hex(address)}: clear them first`)
    }
    return this.place(hi, address | 0, shift, hiOf(word), loOf(word)) !== Ref.NONE
  }

  /**
   * Clears the complete leaf that maps `gpa`, whatever its size. O(1).
   *
   * @param gpa 0..2^52-1, in bytes
   * @returns the leaf that was cleared; undefined if there was none
   * @throws RangeError, TypeError
   */
  clear(gpa: Gpa | bigint): Leaf | undefined {
    const address = checkGpa(gpa)
    const ref = this.refAt(address)
    if (ref === Ref.NONE) return undefined
    const leaf = this.#leafAt(ref, address)
    this.clearAt(ref)
    return leaf
  }

  /** Clears all leaves and frees all pages but the root. */
  clearAll(): void {
    this.#gate?.givePages(this.#pages - 1)
    this.halves = new Int32Array(Entries.ROOT * 2)
    this.#end = Entries.ROOT
    this.#rootLinks = []
    this.#freePages = [0, 0]
    this.#pages = 1
    this.#pageBytes = Entries.ROOT * 8
    this.#leaves = 0
    this.#epoch++
  }

  /**
   * The leaves in address order. Leaves may be set and cleared during the walk; it finds a new leaf only at an address that
   * it has not passed. Cost: the table pages.
   *
   * @throws Error during the walk, if table pages were freed since it began: copy the leaves first, `[...table]`
   */
  *leaves(): Generator<Leaf, void, undefined> {
    yield* this.#leavesOf(0, 0, 0, 0, MAX_GPA + 1)
  }

  /** {@link leaves} */
  [Symbol.iterator](): Generator<Leaf, void, undefined> {
    return this.leaves()
  }

  /** What `JSON.stringify` writes: the leaves, with words as hex strings. Cost: the table pages. */
  toJSON(): { pageShift: PageShift; leaves: { gpa: Gpa; shift: LeafShift; word: string }[] } {
    const leaves = Array.from(this, ({ gpa, shift, word }) => ({ gpa, shift, word: hexWord(word) }))
    return { pageShift: this.pageShift, leaves }
  }

  /** @internal What `console.log` shows. */
  inspect(): string {
    return `RadixTable { page shift: ${this.pageShift}, leaves: ${this.#leaves}, pages: ${this.#pages} }`
  }

  /**
   * @internal The leaves that map an address in `from..to-1`, in address order. The first may begin before `from`, the last
   * may end after `to`. Cost: the table pages of the range, not its size.
   */
  leavesBetween(from: Gpa, to: Gpa): Generator<Leaf, void, undefined> {
    return this.#leavesOf(0, 0, 0, from, to)
  }

  /** @internal The leaf that maps an address, given as halves; bits 52 and above are ignored. */
  find(hi: number, lo: number): LeafRef {
    const { halves } = this
    let at = ((hi >>> 7) & (Entries.ROOT - 1)) << 1
    if (halves[at | 1] === 0) return Ref.NONE
    at = (halves[at]! + (((hi & 0x7f) << 2) | (lo >>> 30))) << 1
    let top = halves[at | 1]!
    if ((top & LeafHi.LEAF) !== 0) return (at << 1) | 1
    if (top === 0) return Ref.NONE
    at = (halves[at]! + ((lo >>> 21) & (Entries.MID - 1))) << 1
    top = halves[at | 1]!
    if ((top & LeafHi.LEAF) !== 0) return (at << 1) | 2
    if (top === 0) return Ref.NONE
    at = (halves[at]! + this.#lastIndex(lo)) << 1
    return halves[at | 1] === 0 ? Ref.NONE : (at << 1) | 3
  }

  /** @internal log2 of the size of a leaf. */
  shiftOf(ref: LeafRef): LeafShift {
    const level = ref & 3
    return level === 3 ? this.pageShift : level === 2 ? 21 : 30
  }

  /** @internal {@link find} for an address given as a number. */
  refAt(gpa: number): LeafRef {
    return this.find(hiOfNumber(gpa), gpa | 0)
  }

  /** @internal The high half of a leaf's word. */
  hiAt(ref: LeafRef): number {
    return this.halves[((ref >>> 2) << 1) | 1]!
  }

  /** @internal The low half of a leaf's word. */
  loAt(ref: LeafRef): number {
    return this.halves[(ref >>> 2) << 1]!
  }

  /** @internal A leaf's word. */
  wordAt(ref: LeafRef): bigint {
    return wordOf(this.hiAt(ref), this.loAt(ref))
  }

  /** @internal Overwrites a leaf's word. It must stay a present leaf. */
  writeAt(ref: LeafRef, hi: number, lo: number): void {
    const at = (ref >>> 2) * 2
    this.halves[at] = lo
    this.halves[at + 1] = hi
  }

  /** @internal Clears a leaf. */
  clearAt(ref: LeafRef): void {
    this.writeAt(ref, 0, 0)
    this.#leaves--
  }

  /** @internal The smaller leaves that a leaf of `shift` at this address would replace, in address order. */
  leavesBelow(hi: number, lo: number, shift: LeafShift): Leaf[] {
    const at = this.#entryAt(hi, lo, shift)
    if (at < 0 || !this.#isLink(at)) return []
    const first = numberOf(hi & 0xfffff, lo)
    return [
      ...this.#leavesOf(this.halves[at * 2]!, shift === 30 ? 2 : 3, first - offsetIn(first, shift), 0, MAX_GPA + 1),
    ]
  }

  /**
   * @internal Sets a leaf and frees the pages below it, with their leaves. No larger leaf may be present. Returns
   * {@link Ref.NONE} if there is no memory for a table page.
   */
  place(hi: number, lo: number, shift: LeafShift, wordHi: number, wordLo: number): LeafRef {
    let page = 0
    for (let level = 0; ; level++) {
      const at = page + this.#index(level, hi, lo)
      if (this.#shiftOfLevel(level) === shift) {
        if (this.#isLink(at)) this.#freeBelow(at, level)
        if (this.halves[at * 2 + 1] === 0) this.#leaves++
        const ref = at * 4 + level
        this.writeAt(ref, wordHi, wordLo)
        return ref
      }
      if (this.halves[at * 2 + 1] === 0) {
        const next = this.#allocatePage(level + 1)
        if (next === 0) return Ref.NONE
        this.#link(at, next)
      }
      page = this.halves[at * 2]!
    }
  }

  /**
   * @internal Reserves the page right below a larger leaf: {@link place} allocates it once the leaf is cleared, and this
   * allocation must not fail. Returns false if there is no memory; nothing has changed then.
   */
  reserveBelow(larger: LeafRef): boolean {
    const level = (larger & 3) + 1
    const page = this.#allocatePage(level)
    if (page === 0) return false
    this.#freePage(page, level)
    this.#reserved = true
    return true
  }

  /** @internal Links the pages that lead to an address, down to `level`; false if there is no memory for one. */
  reach(hi: number, lo: number, level: number): boolean {
    for (let page = 0, above = 0; above < level; above++) {
      const at = page + this.#index(above, hi, lo)
      if (this.halves[at * 2 + 1] === 0) {
        const next = this.#allocatePage(above + 1)
        if (next === 0) return false
        this.#link(at, next)
      }
      page = this.halves[at * 2]!
    }
    return true
  }

  #link(at: number, page: number): void {
    if (at < Entries.ROOT) this.#rootLinks.splice(this.#rootLinksBefore(at), 0, at)
    this.halves[at * 2] = page
    this.halves[at * 2 + 1] = LeafHi.PRESENT
  }

  #leafAt(ref: LeafRef, gpa: Gpa): Leaf {
    const shift = this.shiftOf(ref)
    return new TableLeaf(gpa - offsetIn(gpa, shift), shift, this.wordAt(ref))
  }

  #checkShift(gpa: Gpa, shift: LeafShift): void {
    checkOneOf<LeafShift>('shift', shift, [this.pageShift, 21, 30])
    if (offsetIn(gpa, shift) !== 0) {
      throw new RangeError(`gpa: expected a multiple of ${hex(2 ** shift)}, got ${hex(gpa)}`)
    }
  }

  #shiftOfLevel(level: number): number {
    return level === 3 ? this.pageShift : 39 - 9 * level
  }

  #lastIndex(lo: number): number {
    return this.pageShift === 16 ? (lo >>> 16) & 0x1f : (lo >>> 12) & 0x1ff
  }

  #index(level: number, hi: number, lo: number): number {
    if (level === 0) return (hi >>> 7) & (Entries.ROOT - 1)
    if (level === 1) return ((hi & 0x7f) << 2) | (lo >>> 30)
    return level === 2 ? (lo >>> 21) & (Entries.MID - 1) : this.#lastIndex(lo)
  }

  /** Entries of a page at a level. */
  #entries(level: number): number {
    return level === 3 ? 1 << (21 - this.pageShift) : level === 0 ? Entries.ROOT : Entries.MID
  }

  /** The position of the word for a leaf of `shift`, present or not; -1 if the page with this word does not exist. */
  #entryAt(hi: number, lo: number, shift: LeafShift): number {
    let page = 0
    for (let level = 0; ; level++) {
      const at = page + this.#index(level, hi, lo)
      if (this.#shiftOfLevel(level) === shift) return at
      if (!this.#isLink(at)) return -1
      page = this.halves[at * 2]!
    }
  }

  #isLink(at: number): boolean {
    const top = this.halves[at * 2 + 1]!
    return top !== 0 && (top & LeafHi.LEAF) === 0
  }

  *#leavesOf(page: number, level: number, first: Gpa, from: Gpa, to: Gpa): Generator<Leaf, void, undefined> {
    const epoch = this.#epoch
    const shift = this.#shiftOfLevel(level)
    const size = pow2(shift)
    const end = Math.min(this.#entries(level), Math.ceil((to - first) / size))
    for (let i = Math.max(0, Math.floor((from - first) / size)); i < end; i++) {
      if (this.#epoch !== epoch)
        throw new Error('leaves: table pages were freed during the walk: copy the leaves first')
      i = level === 0 ? this.#nextRootLink(i, end) : this.#nextUsed(page + i, page + end) - page
      if (i === end) return
      const at = page + i
      const top = this.halves[at * 2 + 1]!
      const gpa = first + i * size
      if ((top & LeafHi.LEAF) === 0) yield* this.#leavesOf(this.halves[at * 2]!, level + 1, gpa, from, to)
      else yield new TableLeaf(gpa, shift as LeafShift, this.wordAt(at * 4 + level))
    }
  }

  /** The first position from `at` on whose word is not 0; `end` if there is none. (A function, so that the loop is fast.) */
  #nextUsed(at: number, end: number): number {
    const { halves } = this
    while (at < end && halves[at * 2 + 1] === 0) at++
    return at
  }

  /** {@link #nextUsed} in the root: most of its 8192 entries are never used. */
  #nextRootLink(at: number, end: number): number {
    return Math.min(this.#rootLinks[this.#rootLinksBefore(at)] ?? end, end)
  }

  /** How many used entries of the root have a lower index. */
  #rootLinksBefore(at: number): number {
    let low = 0
    let high = this.#rootLinks.length
    while (low < high) {
      const middle = (low + high) >>> 1
      if (this.#rootLinks[middle]! < at) low = middle + 1
      else high = middle
    }
    return low
  }

  /** Frees the pages that a link leads to, and the link. */
  #freeBelow(link: number, level: number): void {
    const page = this.halves[link * 2]!
    for (let at = page; at < page + this.#entries(level + 1); at++) {
      if (this.#isLink(at)) this.#freeBelow(at, level + 1)
      else if (this.halves[at * 2 + 1] !== 0) this.#leaves--
    }
    this.#freePage(page, level + 1)
    this.halves[link * 2] = 0
    this.halves[link * 2 + 1] = 0
    this.#epoch++
  }

  #freePage(page: number, level: number): void {
    const free = level === 3 ? 1 : 0
    this.halves.fill(0, page * 2, (page + this.#entries(level)) * 2)
    this.halves[page * 2] = this.#freePages[free]
    this.#freePages[free] = page
    this.#pages--
    this.#pageBytes -= this.#entries(level) * 8
    this.#gate?.givePages(1)
  }

  /** Allocates a page of zeros. Returns its position, 0 if there is no memory. */
  #allocatePage(level: number): number {
    if (this.#gate !== undefined && !this.#gate.takePage(this.#reserved)) return 0
    this.#reserved = false
    const free = level === 3 ? 1 : 0
    const entries = this.#entries(level)
    let page = this.#freePages[free]
    if (page !== 0) {
      this.#freePages[free] = this.halves[page * 2]!
      this.halves[page * 2] = 0
    } else {
      if ((this.#end + entries) * 2 > this.halves.length && !this.#grow()) {
        this.#gate?.givePages(1)
        return 0
      }
      page = this.#end
      this.#end += entries
    }
    this.#pages++
    this.#pageBytes += entries * 8
    return page
  }

  /** Grows the buffer to four times its size, as NodeHeap does. One growth is enough for any page. */
  #grow(): boolean {
    if (this.halves.length >= MAX_WORDS * 2) return false
    try {
      const halves = new Int32Array(Math.min(this.halves.length * 4, MAX_WORDS * 2))
      halves.set(this.halves)
      this.halves = halves
      return true
    } catch {
      return false // out of memory, like the kernel's allocator
    }
  }
}

function checkGpa(gpa: Gpa | bigint): Gpa {
  return toInteger('gpa', gpa, 0, MAX_GPA, 16)
}

/** The offset of an address in its leaf, in bytes. */
function offsetIn(gpa: Gpa, shift: number): number {
  return gpa & ~(-1 << shift)
}
