/**
 * Who may allocate: a limit on table pages, and failures on demand (spec 5 step 6: what a missing page or node does).
 *
 * The tables that L0 keeps for one L1 share a gate; L1's own guest tables lie in L1's memory and pass none. A list
 * node asks it too, so that a caller can make any one allocation of a run fail.
 */

/** @internal Pages that a root counts for where memory is what is limited. */
export const ROOT_PAGES = 16

/** @internal Most pages of 4 KiB that a reader of a file makes of it, unless it is told otherwise: 1 GiB. */
export const MAX_READER_PAGES = 2 ** 18

/** @internal Counts table pages against a limit, and lets one chosen allocation fail. */
export class AllocationGate {
  /** Table pages in use, the roots included. */
  pages = 0

  /** 0: none is to fail; n: the n-th allocation from now. */
  failIn = 0

  constructor(readonly pageLimit: number) {}

  /** Whether this allocation, of a node or of a page, is not the one that was to fail. */
  pass(): boolean {
    return this.failIn === 0 || --this.failIn !== 0
  }

  /** Takes one page of the limit, if there is one, or if it was promised. */
  takePage(promised: boolean): boolean {
    if (!promised && (!this.pass() || this.pages >= this.pageLimit)) return false
    this.pages++
    return true
  }

  givePages(count: number): void {
    this.pages -= count
  }
}
