/**
 * L1's page table for one nested guest: n_gpa -> gpa (spec 4, 5 step 1). L1 owns and edits it, L0 only reads it.
 *
 * L1 may write anything, and L0 must cope: a leaf in the root, frame bits below a leaf's size, another geometry than 13, 9,
 * 9 and a last level of 5 or 9 bits. {@link GuestTable.write} and `rootBits` make such tables.
 */
import { checkOneOf, checkOptionNames, checkWord, toInteger } from '../base/args'
import { inspectable } from '../base/inspect'
import { type Gpa, type LeafShift, MAX_GPA, type NestedGpa, type PageShift } from '../base/units'
import { hex, pow2 } from '../base/word'
import { LEAF, packLeaf, PRESENT, LeafFlag } from '../page-table/leaf'
import { NONE, RadixTable, type Leaf, type LeafRef } from '../page-table/radix-table'

/** @internal What {@link GuestTable.find} returns for a table that L0 cannot walk. */
export const MALFORMED = -1

/** log2 of what a leaf in the root would map: 512 GiB. L0 accepts no leaf there. */
const ROOT_SHIFT = 39
const ALL_FLAGS = LeafFlag.REFERENCED | LeafFlag.CHANGED | LeafFlag.READ | LeafFlag.WRITE | LeafFlag.EXECUTE

/** @internal A nested guest whose root this table is: it learns of edits, and so which shadow leaves are outdated. */
export interface TableReader {
  tableEdited(from: NestedGpa, to: NestedGpa): void
}

/** The options of {@link GuestTable}. */
export interface GuestTableOptions {
  /** log2 of its smallest leaf: 16 (the default) or 12. */
  readonly pageShift?: PageShift
  /** log2 of the root's entries: 5..16. The default is 13, the only one that L0 accepts. */
  readonly rootBits?: number
}

/** A page that L1 maps: the argument of {@link GuestTable.map}. */
export interface GuestMapping {
  /** The nested guest's address: in bytes, 0..2^52-1, a multiple of the leaf's size. */
  readonly gpa: NestedGpa | bigint
  /** L1's address that it maps to: in bytes, 0..2^52-1, a multiple of the leaf's size. */
  readonly to: Gpa | bigint
  /** log2 of the leaf's size: the table's page shift (the default), 21 or 30. */
  readonly shift?: LeafShift
  /** Bits 11..0 of the leaf ({@link LeafFlag}). The default allows all accesses, with referenced and changed set. */
  readonly flags?: number
}

/** L1's page table for one nested guest. L1 edits it at will, and then tells L0 with a tlbie (spec 8). */
export class GuestTable {
  /** log2 of its smallest leaf: 16 for a last level of 5 bits, 12 for one of 9, whatever L0's page shift is. */
  readonly pageShift: PageShift
  /** log2 of the root's entries. L0 walks tables of 13 alone; any other is malformed. */
  readonly rootBits: number

  /** @internal */
  readonly tree: RadixTable
  /** @internal The root entries, by index, that hold a leaf. */
  readonly rootLeaves = new Set<number>()
  /** @internal The nested guests that have this table as their root. */
  readonly readers = new Set<TableReader>()

  /** @throws RangeError, TypeError */
  constructor(options: GuestTableOptions = {}) {
    const { pageShift = 16, rootBits = 13 } = checkOptionNames('options', options, ['pageShift', 'rootBits'])
    this.tree = new RadixTable({ pageShift })
    this.pageShift = pageShift
    this.rootBits = toInteger('rootBits', rootBits, 5, 16)
    inspectable(this)
  }

  /** What `JSON.stringify` writes: the leaves, their words as hex strings. One in the root is not shown. */
  toJSON(): { rootBits: number } & ReturnType<RadixTable['toJSON']> {
    return { rootBits: this.rootBits, ...this.tree.toJSON() }
  }

  /** @internal What `console.log` shows. */
  inspect(): string {
    return `GuestTable { page shift: ${this.pageShift}, leaves: ${this.tree.leafCount + this.rootLeaves.size} }`
  }

  /**
   * Maps a page, and removes the leaves that it overlaps. O(1), and the removed leaves.
   *
   * @throws RangeError, TypeError
   */
  map(mapping: GuestMapping): void {
    const {
      gpa,
      to,
      shift = this.pageShift,
      flags = ALL_FLAGS,
    } = checkOptionNames('mapping', mapping, ['gpa', 'to', 'shift', 'flags'])
    this.#checkShift(shift, [this.pageShift, 21, 30])
    const first = this.#checkPlace(gpa, shift)
    const l1Gpa = toInteger('to', to, 0, MAX_GPA, 16)
    if (l1Gpa % pow2(shift) !== 0) throw this.#unaligned('to', l1Gpa, shift)
    this.write(first, shift, packLeaf({ hpa: l1Gpa, flags }))
  }

  /**
   * Removes the leaf that maps `gpa`, in full, whatever its size.
   *
   * @param gpa 0..2^52-1, in bytes
   * @returns the leaf, undefined where there was none
   * @throws RangeError, TypeError
   */
  unmap(gpa: NestedGpa | bigint): Leaf | undefined {
    const leaf = this.tree.clear(gpa)
    this.#removeRootLeaf(Number(gpa))
    if (leaf !== undefined) this.#edited(leaf.gpa, leaf.gpa + pow2(leaf.shift))
    return leaf
  }

  /**
   * Changes the flags of the leaf that maps `gpa`: what it allows, referenced, changed. Its frame stays.
   *
   * @param gpa 0..2^52-1, in bytes
   * @param flags 0..0xfff (`LeafFlag`)
   * @returns whether there was a leaf
   * @throws RangeError, TypeError
   */
  protect(gpa: NestedGpa | bigint, flags: number): boolean {
    toInteger('flags', flags, 0, 0xfff, 16)
    const leaf = this.tree.lookup(gpa)
    if (leaf === undefined) return false
    this.write(leaf.gpa, leaf.shift, (leaf.word & ~0xfffn) | BigInt(flags))
    return true
  }

  /**
   * Writes any leaf word, as L1 may: also with frame bits below the leaf's size, or in the root (`shift` 39), which L0
   * finds malformed. Removes the leaves that it overlaps.
   *
   * @param gpa 0..2^52-1, in bytes, a multiple of the leaf's size
   * @param shift log2 of its size: this table's page shift, 21, 30 or 39
   * @param word a leaf word: present bit and leaf bit set
   * @throws RangeError, TypeError
   */
  write(gpa: NestedGpa | bigint, shift: LeafShift | typeof ROOT_SHIFT, word: bigint): void {
    const first = this.#checkPlace(gpa, shift)
    checkWord('word', word)
    if ((word & (PRESENT | LEAF)) !== (PRESENT | LEAF)) {
      throw new RangeError(`word: expected a present leaf, got ${hex(word)}`)
    }
    let from = first
    let to = first + pow2(shift)
    for (const leaf of [...this.tree.leavesBetween(from, to)]) {
      if (leaf.gpa === first && leaf.shift === shift) {
        if (leaf.word === word) return
        continue
      }
      this.tree.clear(leaf.gpa)
      from = Math.min(from, leaf.gpa)
      to = Math.max(to, leaf.gpa + pow2(leaf.shift))
    }
    this.#removeRootLeaf(first)
    if (shift === ROOT_SHIFT) this.rootLeaves.add(first / 2 ** ROOT_SHIFT)
    else if (!this.tree.set(first, shift, word)) throw new RangeError('table: no memory for another of its pages')
    this.#edited(from, to)
  }

  /**
   * The leaf that maps `gpa`. One in the root is not shown.
   *
   * @param gpa 0..2^52-1, in bytes
   * @throws RangeError, TypeError
   */
  lookup(gpa: NestedGpa | bigint): Leaf | undefined {
    return this.tree.lookup(gpa)
  }

  /** The leaves in address order. One in the root is not shown. See {@link RadixTable.leaves}. */
  leaves(): Generator<Leaf, void, undefined> {
    return this.tree.leaves()
  }

  /** @internal L0's walk: the leaf that maps an address given as halves, {@link NONE} or {@link MALFORMED}. */
  find(hi: number, lo: number): LeafRef {
    if (this.rootBits !== 13 || (this.rootLeaves.size > 0 && this.rootLeaves.has((hi >>> 7) & 0x1fff))) return MALFORMED
    const ref = this.tree.find(hi, lo)
    if (ref === NONE) return NONE
    const below = (1 << this.tree.shiftOf(ref)) - 1
    return (this.tree.loAt(ref) & below & ~0xfff) === 0 ? ref : MALFORMED
  }

  /** Where a leaf begins. */
  #checkPlace(gpa: NestedGpa | bigint, shift: number): NestedGpa {
    this.#checkShift(shift, [this.pageShift, 21, 30, ROOT_SHIFT])
    const first = toInteger('gpa', gpa, 0, MAX_GPA, 16)
    if (first % pow2(shift) === 0) return first
    throw this.#unaligned('gpa', first, shift)
  }

  /** The error for an address that is not a multiple of the leaf's size, with the likely reason. */
  #unaligned(name: string, address: number, shift: number): RangeError {
    let hint = ''
    if (shift === this.pageShift) {
      if (address % 4096 === 0) {
        hint = ': this table has pages of 2^16 bytes; for pages of 2^12, use new GuestTable({ pageShift: 12 })'
      } else if (address < pow2(shift)) {
        hint = ` (a page number? Its address in bytes is ${hex(address * pow2(shift))})`
      }
    }
    return new RangeError(`${name}: expected a multiple of ${hex(2 ** shift)}, got ${hex(address)}${hint}`)
  }

  #checkShift(shift: number, allowed: readonly number[]): void {
    if (shift === (this.pageShift === 16 ? 12 : 16)) {
      const { pageShift } = this
      throw new RangeError(
        `shift: expected one of ${allowed.join(', ')}, got ${shift}: this table has pageShift ${pageShift}`,
      )
    }
    checkOneOf('shift', shift, allowed)
  }

  /** No shadow leaf was made while it was there, and those from before are outdated since it was written. */
  #removeRootLeaf(gpa: NestedGpa): void {
    this.rootLeaves.delete(Math.floor(gpa / 2 ** ROOT_SHIFT))
  }

  #edited(from: NestedGpa, to: NestedGpa): void {
    for (const reader of this.readers) reader.tableEdited(from, to)
  }
}
