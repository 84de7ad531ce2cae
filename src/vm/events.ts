/**
 * What an observer of an L1 is shown: the events of the recordings of a real kernel, in their vocabulary, and four
 * of the model's own that no probe shows (`tlb_flush`, `warning`, `fault`, `set_rc`).
 *
 * All words and addresses are BigInts in plain order; a recorder turns table words into the big-endian bytes that a
 * probe sees. Addresses are the model's: unique and stable, with no meaning beyond that; those of list nodes are the
 * ones in its heap.
 */
import type { Gfn, Gpa, LeafShift, Lpid } from '../base/units'
import type { FaultResult, SetRcResult } from './fault-result'

/** Of which L1: in every event that the recordings have it in. */
interface OfVm {
  readonly kvm: bigint
}

/** A memslot's array, in the events that carry it. */
interface OfArray {
  readonly base_gfn: Gfn
  readonly npages: number
  readonly rmap: bigint
}

/** A nested guest: `gp` its address, `l1_lpid` L1's number, `shadow_lpid` the hardware's. */
interface OfGuest {
  readonly gp: bigint
  readonly l1_lpid: Lpid
  readonly shadow_lpid: number
  readonly shadow_pgtable: bigint
}

/**
 * In which task: the fault or hypercall of a vCPU of L1, or the host's memory management and its owner's requests.
 */
export type Task = 'vcpu' | 'host'

/** One event, and in which task it happened. */
export type VmEvent = HappeningEvent & { readonly task: Task }

/** One event. The field names are the recordings'. */
export type HappeningEvent =
  | ({
      readonly event: 'pte_create'
      readonly pgtable: bigint
      readonly pte: bigint
      readonly gpa: Gpa
      readonly level: 0 | 1 | 2
      readonly mmu_seq: number
      readonly lpid: number
      readonly rmapp: bigint
    } & OfVm)
  | { readonly event: 'pte_create_ret'; readonly ret: number }
  | ({
      readonly event: 'pte_unmap'
      readonly ptep: bigint
      readonly pteval: bigint
      readonly gpa: Gpa
      readonly shift: LeafShift
      readonly memslot: bigint
      readonly lpid: number
    } & OfVm)
  | ({
      readonly event: 'rmap_insert'
      readonly rmapp: bigint
      readonly old: bigint
      readonly node: bigint
      readonly new: bigint
    } & OfVm)
  | { readonly event: 'rmap_insert_empty'; readonly rmapp: bigint; readonly slot: bigint }
  | { readonly event: 'rmap_insert_duplicate'; readonly rmapp: bigint; readonly node: bigint; readonly new: bigint }
  | {
      readonly event: 'rmap_insert_node'
      readonly old: bigint
      readonly node: bigint
      readonly next: bigint
      readonly rmap: bigint
    }
  | ({
      readonly event: 'rmap_remove_range'
      readonly memslot: bigint
      readonly gpa: Gpa
      readonly hpa: bigint
      readonly nbytes: number
    } & OfVm &
      OfArray)
  | { readonly event: 'rmap_take'; readonly slotp: bigint; readonly old: bigint; readonly idx: number }
  | {
      readonly event: 'rmap_take_node'
      readonly node: bigint
      readonly next: bigint
      readonly gp: bigint
      readonly rmap: bigint
    }
  | ({
      readonly event: 'rmap_update_rc'
      readonly rmapp: bigint
      readonly old: bigint
      readonly clr: number
      readonly set: number
      readonly hpa: bigint
      readonly nbytes: number
    } & OfVm)
  | { readonly event: 'tlb_invalidate'; readonly instr: bigint; readonly rs: bigint; readonly rb: bigint }
  | {
      readonly event: 'rpt_invalidate'
      readonly lpid: bigint
      readonly type: bigint
      readonly pg_sizes: bigint
      readonly start: bigint
      readonly end: bigint
    }
  | ({ readonly event: 'table_free'; readonly pgd: bigint; readonly lpid: number } & OfVm)
  | ({ readonly event: 'nested_update' } & OfGuest)
  | ({ readonly event: 'nested_release' } & OfGuest)
  | ({ readonly event: 'memslot_free' } & OfArray)
  | ({
      readonly event: 'memslot_commit'
      readonly old: bigint
      readonly new: bigint
      readonly change: 0 | 1 | 2 | 3
      readonly uaddr: bigint
      readonly flags: number
    } & OfVm &
      OfArray)
  /** The model's own: a TLB entry, or with no `gpa` all of a partition's, is flushed under the number `lpid`. */
  | { readonly event: 'tlb_flush'; readonly lpid: number; readonly gpa?: Gpa; readonly shift?: LeafShift }
  /** The model's own: Linux would warn here, or ought to. */
  | { readonly event: 'warning'; readonly message: string }
  /** The model's own: how a fault of a nested guest came out. */
  | { readonly event: 'fault'; readonly lpid: Lpid; readonly gpa: Gpa; readonly result: FaultResult }
  /** The model's own: how set-rc came out. */
  | { readonly event: 'set_rc'; readonly lpid: Lpid; readonly gpa: Gpa; readonly result: SetRcResult }

/** Gets the events of an operation, in order, when it is done: it may call the L1 itself. */
export type VmObserver = (event: VmEvent) => void
