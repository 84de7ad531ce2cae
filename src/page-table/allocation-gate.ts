/**
 * The allocation gate: a limit on table pages, and failures on demand (spec 5 step 6: what a missing page or node does).
 *
 * The tables that L0 has for one L1 share a gate; guest tables are in L1's memory and have none. Allocations of list nodes
 * pass it too, so that a caller can make any one allocation of a run fail. It must never allocate anything itself.
 */

/** @internal Pages that a root counts for where memory is limited: its size in pages of 4 KiB. */
export const ROOT_PAGES = 16

/** @internal Most pages of 4 KiB that a reader of a file allocates by default: 1 GiB. */
export const MAX_READER_PAGES = 2 ** 18

/** @internal Counts table pages against a limit, and lets one chosen allocation fail. */
export class AllocationGate {
  /** Table pages in use, the roots included. */
  pages = 0

  /** 0: no allocation will fail; n: the n-th from now will. */
  failIn = 0

  constructor(readonly pageLimit: number) {}

  /** Counts an allocation, of a node or of a page; false if it is the one that fails. */
  pass(): boolean {
    return this.failIn === 0 || --this.failIn !== 0
  }

  /** Counts one page, if the limit allows it or if it was reserved; else false. */
  takePage(reserved: boolean): boolean {
    if (!reserved && (!this.pass() || this.pages >= this.pageLimit)) return false
    this.pages++
    return true
  }

  givePages(count: number): void {
    this.pages -= count
  }
}
