/**
 * What an observer of an L1 is shown: the events of the recordings of a real kernel, with the names and fields of its
 * probes, and four of the model's own that no probe shows (`tlb_flush`, `warning`, `fault`, `set_rc_result`).
 *
 * Words and kernel addresses are BigInts, in plain order; a recorder turns table words into the big-endian bytes that a
 * probe sees. Guest addresses are numbers. Kernel addresses are invented ({@link VmState}); those of list nodes are the
 * ones in the heap.
 */
import type { Gfn, Gpa, LeafShift, Lpid, NestedGpa } from '../base/units'
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

/** In which task: a fault or hypercall of a vCPU of L1, or the host (its memory management, requests of L1's owner). */
export type Task = 'vcpu' | 'host'

/** The task that an event belongs to. */
export interface TaskOfEvent {
  /** A vCPU of L1, or the host. */
  readonly task: Task
  /** Its process number in a recording: 2 is the host; each vCPU has its own, and a fault between its halves keeps one. */
  readonly pid: number
}

/** One event, and in which task it happened. */
export type VmEvent = HappeningEvent & TaskOfEvent

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
  /**
   * A nested fault begins, as the hardware reports it: the address in `gpa4`, and its low 12 bits in `dar` as well;
   * `dsisr` 0x02000000 a store, 0x08000000 refused, 0x40000000 a miss, 0x40000 set-rc; `trap` 0xe00 data, 0xe20
   * instruction.
   */
  | {
      readonly event: 'nested_fault'
      readonly vcpu: bigint
      readonly l1_lpid: Lpid
      readonly gpa4: NestedGpa
      readonly dsisr: number
      readonly dar: NestedGpa
      readonly trap: number
    }
  /**
   * L0 has walked L1's table: `ret` 0 found, -2 no translation, -22 malformed; `raddr` L1's address; `perm` bits 1 read, 2
   * write, 4 execute; `rc` the guest leaf's bits 0x180; `pshift` log2 of its size.
   */
  | {
      readonly event: 'nested_walk'
      readonly ret: 0 | -2 | -22
      readonly ngpa: NestedGpa
      readonly raddr: bigint
      readonly perm: number
      readonly rc: number
      readonly pshift: number
    }
  /** A nested fault ends: `ret` 0 the L2 resumes, 2 L1 gets it (or a device of L1), -22 invalid, -12 no memory. */
  | { readonly event: 'nested_fault_ret'; readonly ret: 0 | 2 | -22 | -12 }
  /** Set-rc in L1's own table (`nested` 0, `gpa` L1's) or in a shadow table (`nested` 1, `lpid` L1's number). */
  | ({
      readonly event: 'set_rc'
      readonly nested: 0 | 1
      readonly writing: 0 | 1
      readonly gpa: bigint
      readonly lpid: number
    } & OfVm)
  /** Its result: 1 done, 0 no leaf, or for a write none that is writable. */
  | { readonly event: 'set_rc_ret'; readonly ret: 0 | 1 }
  /** The model's own: a TLB entry, or with no `gpa` all of a partition's, is flushed under the number `lpid`. */
  | { readonly event: 'tlb_flush'; readonly lpid: number; readonly gpa?: Gpa; readonly shift?: LeafShift }
  /** The model's own: Linux would warn here, or ought to. */
  | { readonly event: 'warning'; readonly message: string }
  /** The model's own: the result of a fault of a nested guest. */
  | { readonly event: 'fault'; readonly lpid: Lpid; readonly gpa: Gpa; readonly result: FaultResult }
  /** The model's own: the result of set-rc. */
  | { readonly event: 'set_rc_result'; readonly lpid: Lpid; readonly gpa: Gpa; readonly result: SetRcResult }

/** Gets the events of an operation, in order, when the operation is done: it may call the L1 itself. */
export interface VmObserver {
  (event: VmEvent): void
  /** It must see everything, as a recorder must: an L1 that has a history refuses it. */
  readonly fromBeginning?: boolean
}
