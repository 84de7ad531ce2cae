/** The results of a nested fault and of set-rc (spec 5, 6). */
import type { Gfn, Gpa, LeafShift, NestedGpa } from '../base/units'
import type { InsertOutcome } from '../rmap/memslot'

/** What a nested guest does to a page. */
export type Access = 'read' | 'write' | 'execute'

/** The shadow leaf was made, or bits were OR-ed into it. */
export interface Mapped {
  /** The outcome's name. */
  readonly outcome: 'mapped'
  /** Never given: a leaf was mapped. (It is declared so that the `reason` of any result can be read.) */
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

/** No shadow leaf was made or changed: the one that is needed is present. */
export interface Present extends Warned {
  /** The outcome's name. */
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
  /** The outcome's name. */
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
  /** The outcome's name. */
  readonly outcome: 'forward-to-l1'
  /**
   * What L1's table for the nested guest lacks:
   *
   * - `no-root`: L1's partition entry is empty
   * - `no-translation`: no leaf maps the address
   * - `malformed`: L0 cannot walk the table
   * - `not-allowed`: the leaf does not allow the access
   * - `no-rc`: for set-rc, the leaf has not the referenced or changed bit
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
  /** The outcome's name. */
  readonly outcome: 'mmio'
  /** Whether no memslot has the address, or one that is being deleted or moved. */
  readonly reason: 'no-memslot' | 'invalid-memslot'
}

/** A write to a read-only memslot: the nested guest gets a fault. */
export interface FaultToL2 extends AtL1Address {
  /** The outcome's name. */
  readonly outcome: 'fault-to-l2'
  /** The memslot is read-only. */
  readonly reason: 'read-only-memslot'
}

/** The guest leaf is smaller than L0's base page, which L0 refuses. */
export interface Invalid {
  /** The outcome's name. */
  readonly outcome: 'invalid'
  /** The guest leaf has 4 KiB, and L0's base page 64 KiB. */
  readonly reason: 'small-guest-leaf'
  /** log2 of the guest leaf's size in bytes: 12. */
  readonly shift: LeafShift
}

/**
 * There is no table page. The new leaf was not made and the rmap slot is unchanged; what was done before remains (spec 5
 * step 6): a larger leaf in the way has been cleared, and upper table pages stay linked.
 */
export interface NoMemory extends Warned {
  /** The outcome's name. */
  readonly outcome: 'no-memory'
  /**
   * Which page was missing:
   *
   * - `shadow-root`: the root of a new nested guest's shadow table; there is no such guest then
   * - `shadow-table`: a lower page of the shadow table
   * - `host-table`: a page of L0's table for L1
   */
  readonly reason: 'shadow-root' | 'shadow-table' | 'host-table'
}

/** The result of a nested fault (spec 5). */
export type FaultResult = Mapped | Present | Retry | ForwardToL1 | Mmio | FaultToL2 | Invalid | NoMemory

/** The bits are set in the host leaf and in the shadow leaf. */
export interface RcSet {
  /** The outcome's name. */
  readonly outcome: 'set'
  /** Never given: the bits were set. */
  readonly reason?: undefined
}

/** The result of set-rc (spec 6). */
export type SetRcResult = RcSet | Retry | ForwardToL1
