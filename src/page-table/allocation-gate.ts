/**
 * The allocation gate: limits table pages, and makes a chosen allocation fail (spec 5 step 6 says what happens then).
 *
 * L0's tables for one L1 share a gate. Guest tables are in L1's memory and have none. Allocations of list nodes pass the
 * gate too, so a caller can make any allocation fail. The gate itself must never allocate.
 */

/** @internal The size of a table's root, in pages of 4 KiB: what it counts against a limit of memory. */
export const ROOT_PAGES = 16

/** @internal Most pages of 4 KiB that a reader of a file allocates by default: 1 GiB in total. */
export const MAX_READER_PAGES = 2 ** 18

/** @internal Counts table pages against a limit, and makes a chosen allocation fail. */
export class AllocationGate {
  /** Table pages in use, the roots included. */
  pages = 0

  /** 0: no allocation fails; n: the n-th from now fails. */
  failIn = 0

  constructor(readonly pageLimit: number) {}

  /** Counts an allocation of a node or a page; false if it is the one that fails. */
  pass(): boolean {
    return this.failIn === 0 || --this.failIn !== 0
  }

  /** Counts a page; false if its allocation fails or exceeds the limit. A reserved page never fails. */
  takePage(reserved: boolean): boolean {
    if (!reserved && (!this.pass() || this.pages >= this.pageLimit)) return false
    this.pages++
    return true
  }

  givePages(count: number): void {
    this.pages -= count
  }
}
