/** The results of a nested fault and of set-rc (spec 5, 6). */
import type { Gfn, Gpa, LeafShift, NestedGpa } from '../base/units'
import type { InsertOutcome } from '../rmap/memslot'

/** What a nested guest does to a page. */
export type Access = 'read' | 'write' | 'execute'

/** The shadow leaf was made, or bits were OR-ed into it. */
export interface Mapped {
  /** - `mapped`: the shadow leaf was made, or bits were OR-ed into it */
  readonly outcome: 'mapped'
  /** Why no leaf was mapped; undefined where one was. */
  readonly reason?: undefined
  /**
   * `'made'`: a new leaf. `'grown'`: a leaf of the same size was present, and bits were OR-ed into it; Linux then inserts
   * no entry (a quirk).
   */
  readonly change: 'made' | 'grown'
  /** The first address of the shadow leaf: the nested guest's, in bytes. */
  readonly gpa: NestedGpa
  /** log2 of the leaf's size in bytes. */
  readonly shift: LeafShift
  /** The gfn whose rmap slot gets the entry (spec 5 step 4). */
  readonly gfn: Gfn
  /** What the insert of the entry did; undefined if there was none. */
  readonly insert: Exclude<InsertOutcome, 'no-memory'> | undefined
  /** What Linux would warn of, or ought to: two frames mixed in one leaf, leaves cleared below a larger one. */
  readonly warning: string | undefined
}

/** A result without a new shadow leaf, that may have a warning. */
interface Warned {
  /** What Linux would warn of, or ought to. */
  readonly warning?: string
}

/** No shadow leaf was made or changed: one is present that allows the access, or has all bits that it would be given. */
export interface Present extends Warned {
  /** - `present`: a shadow leaf is present that allows the access, or has all bits that it would be given */
  readonly outcome: 'present'
  /**
   * - `allowed`: the shadow leaf allows the access, so the hardware reports no fault
   * - `same-bits`: when the new leaf was to be made, one of the same size was present that has all its bits: another vCPU
   *   was first, or guest leaf and host leaf together do not allow the access, and the nested guest faults again
   */
  readonly reason: 'allowed' | 'same-bits'
}

/** The nested guest resumes, and faults again. */
export interface Retry extends Warned {
  /** - `retry`: the nested guest resumes, and faults again */
  readonly outcome: 'retry'
  /**
   * - `refused`: the guest table no longer allows what the hardware refused; the shadow leaf is cleared
   * - `mmu-seq`: the host has invalidated something meanwhile, or an invalidation is in progress (spec 7)
   * - `no-node`: there is no list node; what was done to the host table remains
   * - `no-table-page`: a larger leaf is present, and there is no table page to put below it; for set-rc: there is none for
   *   the root of a new nested guest's shadow table
   * - `no-backing`: the host has no page to give just now
   * - `dropped`: the nested guest was dropped between the halves of the fault (spec 9)
   * - `tlbie`: L1 invalidated mappings of the nested guest between the halves. Linux holds the L2's own lock over both, so
   *   that the tlbie comes before or after; here it came before, and the fault starts again
   * - `host-leaf`, `shadow-leaf`: set-rc could not set the bits there; the shadow leaf is cleared (spec 6)
   */
  readonly reason:
    | 'refused'
    | 'mmu-seq'
    | 'no-node'
    | 'no-table-page'
    | 'no-backing'
    | 'dropped'
    | 'tlbie'
    | 'host-leaf'
    | 'shadow-leaf'
}

/** L1 gets the fault (KVM: it is reflected to L1). */
export interface ForwardToL1 {
  /** - `forward-to-l1`: L1 gets the fault */
  readonly outcome: 'forward-to-l1'
  /**
   * - `no-root`: L1's partition table entry is empty
   * - `no-translation`: no leaf of L1's table maps the address
   * - `malformed`: L0 cannot walk L1's table
   * - `not-allowed`: the guest leaf does not allow the access
   * - `no-rc`: for set-rc, the guest leaf lacks the referenced or changed bit
   */
  readonly reason: 'no-root' | 'no-translation' | 'malformed' | 'not-allowed' | 'no-rc'
}

/** A result about an address of L1. */
interface AtL1Address {
  /** L1's address: in bytes, 0..2^57-1 (exact below 2^53). */
  readonly l1Gpa: Gpa
  /** The same address. @deprecated use `l1Gpa`: elsewhere `gpa` is an address of the nested guest */
  readonly gpa: Gpa
}

/** An emulated device of L1: no memslot has the address, or one that is being deleted or moved. */
export interface Mmio extends AtL1Address {
  /** - `mmio`: L1 has no memory there: a device that it emulates */
  readonly outcome: 'mmio'
  /**
   * - `no-memslot`: no memslot has the address
   * - `invalid-memslot`: the memslot that has it is being deleted or moved
   */
  readonly reason: 'no-memslot' | 'invalid-memslot'
}

/** A write to a read-only memslot: the nested guest gets a fault. */
export interface FaultToL2 extends AtL1Address {
  /** - `fault-to-l2`: the nested guest gets the fault */
  readonly outcome: 'fault-to-l2'
  /** - `read-only-memslot`: the memslot is read-only, and this is a write */
  readonly reason: 'read-only-memslot'
}

/** The guest leaf is smaller than L0's base page, which L0 refuses. */
export interface Invalid {
  /** - `invalid`: L0 cannot map a guest leaf of this size */
  readonly outcome: 'invalid'
  /** - `small-guest-leaf`: the guest leaf has 4 KiB, and L0's base page 64 KiB */
  readonly reason: 'small-guest-leaf'
  /** log2 of the guest leaf's size in bytes: 12. */
  readonly shift: LeafShift
}

/**
 * There is no table page. The new leaf was not made and the rmap slot is unchanged; what was done before remains (spec 5
 * step 6): a larger leaf in the way has been cleared, and upper table pages stay linked.
 */
export interface NoMemory extends Warned {
  /** - `no-memory`: there is no table page */
  readonly outcome: 'no-memory'
  /**
   * - `shadow-root`: no page for the root of a new nested guest's shadow table; the guest was not made
   * - `shadow-table`: no page for a lower level of the shadow table
   * - `host-table`: no page for L0's table for L1
   */
  readonly reason: 'shadow-root' | 'shadow-table' | 'host-table'
}

/** The result of a nested fault (spec 5). */
export type FaultResult = Mapped | Present | Retry | ForwardToL1 | Mmio | FaultToL2 | Invalid | NoMemory

/** The bits are set in the host leaf and in the shadow leaf. */
export interface RcSet {
  /** - `set`: the bits are set in the host leaf and in the shadow leaf */
  readonly outcome: 'set'
  /** Why the bits were not set; undefined where they were. */
  readonly reason?: undefined
}

/** The result of set-rc (spec 6). */
export type SetRcResult = RcSet | Retry | ForwardToL1
