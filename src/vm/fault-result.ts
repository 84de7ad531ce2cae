/** How a nested fault can come out (spec 5). */
import type { Gfn, Gpa, LeafShift } from '../base/units'
import type { InsertOutcome } from '../rmap/memslot'

/** What a nested guest does to a page. */
export type Access = 'read' | 'write' | 'execute'

/** The shadow leaf was made, or its bits grew. */
export interface Mapped {
  readonly outcome: 'mapped'
  /** `'grown'`: a leaf of that size was there, and bits were OR-ed into it. No entry is inserted then (a quirk). */
  readonly change: 'made' | 'grown'
  /** The shadow leaf's first address in the nested guest, in bytes. */
  readonly gpa: Gpa
  /** log2 of its size. */
  readonly shift: LeafShift
  /** The gfn in whose slot its entry belongs (step 4). */
  readonly gfn: Gfn
  /** What the insert of its entry did; undefined where there was none. */
  readonly insert: Exclude<InsertOutcome, 'no-memory'> | undefined
  /** What Linux would warn of, or ought to: two frames mixed in one leaf, leaves found below a larger one. */
  readonly warning: string | undefined
}

/** What Linux would warn of, or ought to, in a fault that made no shadow leaf. */
interface Warned {
  readonly warning?: string
}

/** The access needs no fault: the shadow leaf allows it, or has all the bits of what the fault would have made. */
export interface Present extends Warned {
  readonly outcome: 'present'
}

/**
 * The nested guest runs on and faults again.
 *
 * - `refused`: the guest table does not allow what a shadow leaf was there for; that leaf is cleared
 * - `mmu-seq`: the host invalidated something meanwhile, or is at it (section 7)
 * - `no-node`: no list node was to be had
 * - `no-table-page`: a larger leaf stands there, and the page to put below it was not to be had
 * - `no-backing`: the host has no page to give just now
 * - `dropped`: the nested guest was dropped between the halves of the fault (section 9)
 * - `tlbie`: L1 took mappings of the nested guest away between the halves. Linux holds the L2's own lock over both, so
 *   that the tlbie comes before or after; here it has come before, and the fault starts anew
 * - `host-leaf`, `shadow-leaf`: set-rc could not set the bits there; the shadow leaf is cleared (section 6)
 */
export interface Retry extends Warned {
  readonly outcome: 'retry'
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

/**
 * L1 is given the fault: its table has no root, no translation, is malformed, does not allow the access, or (set-rc)
 * lacks the referenced or changed bit.
 */
export interface ForwardToL1 {
  readonly outcome: 'forward-to-l1'
  readonly reason: 'no-root' | 'no-translation' | 'malformed' | 'not-allowed' | 'no-rc'
}

/** No memslot has the address, or one that is being deleted or moved: an emulated device of L1. */
export interface Mmio {
  readonly outcome: 'mmio'
  /** L1's address, in bytes; exact below 2^53. */
  readonly gpa: Gpa
}

/** A write to a read-only memslot. */
export interface FaultToL2 {
  readonly outcome: 'fault-to-l2'
  /** L1's address, in bytes. */
  readonly gpa: Gpa
}

/** The guest leaf is smaller than L0's base page. */
export interface Invalid {
  readonly outcome: 'invalid'
  /** log2 of its size. */
  readonly shift: LeafShift
}

/** A table page could not be had; the leaf and the rmap are unchanged. */
export interface NoMemory extends Warned {
  readonly outcome: 'no-memory'
}

/** How a nested fault came out. */
export type FaultResult = Mapped | Present | Retry | ForwardToL1 | Mmio | FaultToL2 | Invalid | NoMemory

/** How set-rc came out; `set`: the bits are set in the host leaf and the shadow leaf. */
export type SetRcResult = { readonly outcome: 'set' } | Retry | ForwardToL1
