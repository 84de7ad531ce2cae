/**
 * What an observer of an L1 is shown: the events of the recordings of a real kernel, with the names and fields of its
 * probes, and four of the model's own that no probe shows (`tlb_flush`, `warning`, `fault`, `set_rc_result`).
 *
 * Words and kernel addresses are BigInts, in plain order; a recorder turns table words into the big-endian bytes that a
 * probe sees. Guest addresses are numbers. Kernel addresses are invented ({@link VmState}); those of list nodes are the
 * ones in the heap.
 *
 * The file is long because each field has its own comment, for an editor to show.
 */
import type { Gfn, Gpa, LeafShift, Lpid, NestedGpa } from '../base/units'
import type { FaultResult, SetRcResult } from './fault-result'

/** Of which L1: in every event that the recordings have it in. */
interface OfVm {
  /** The kernel address of the L1's structure. */
  readonly kvm: bigint
}

/** A memslot's array, in the events that carry it. */
interface OfArray {
  /** The memslot's first gfn. */
  readonly base_gfn: Gfn
  /** How many gfns it has. */
  readonly npages: number
  /** The kernel address of its rmap array. */
  readonly rmap: bigint
}

/** A nested guest, in the events that tie its two numbers. */
interface OfGuest {
  /** The kernel address of its structure. */
  readonly gp: bigint
  /** L1's number for it. */
  readonly l1_lpid: Lpid
  /** Its shadow LPID: the number that the hardware uses. */
  readonly shadow_lpid: number
  /** The kernel address of its shadow table. */
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

/** One event, and in which task it happened. `JSON.stringify` writes each BigInt in it as a hex string of 16 digits. */
export type VmEvent = HappeningEvent & TaskOfEvent

/** One event. The field names are the recordings'. */
export type HappeningEvent =
  | ({
      readonly event: 'pte_create'
      /** The kernel address of the table. */
      readonly pgtable: bigint
      /** The word of the new leaf. */
      readonly pte: bigint
      /** The address of the leaf, in bytes: L1's for its own table, the nested guest's for a shadow table. */
      readonly gpa: Gpa | NestedGpa
      /** The size of the leaf: 0 a base page, 1 2 MiB, 2 1 GiB. */
      readonly level: 0 | 1 | 2
      /** The sample of `mmuSeq` (spec 7). */
      readonly mmu_seq: number
      /** The shadow LPID, or the number of L1 for its own table. */
      readonly lpid: number
      /** The kernel address of the rmap slot that gets its entry; 0 for L1's own table. */
      readonly rmapp: bigint
    } & OfVm)
  | {
      readonly event: 'pte_create_ret'
      /** 0, or a negative errno: -11 the race of spec 7 is lost, -12 no memory. */
      readonly ret: number
    }
  | ({
      readonly event: 'pte_unmap'
      /** The kernel address of the leaf word. */
      readonly ptep: bigint
      /** The leaf word. */
      readonly pteval: bigint
      /** The first address of the leaf, in bytes: L1's or the nested guest's. */
      readonly gpa: Gpa | NestedGpa
      /** log2 of the leaf's size in bytes. */
      readonly shift: LeafShift
      /** The kernel address of the memslot; 0 for a shadow leaf. */
      readonly memslot: bigint
      /** The shadow LPID, or the number of L1 for its own table. */
      readonly lpid: number
    } & OfVm)
  | ({
      readonly event: 'rmap_insert'
      /** The kernel address of the rmap slot. */
      readonly rmapp: bigint
      /** The word of the rmap slot before. */
      readonly old: bigint
      /** The kernel address of the list node that is brought along. */
      readonly node: bigint
      /** The entry, with tag 0. */
      readonly new: bigint
    } & OfVm)
  | {
      readonly event: 'rmap_insert_empty'
      /** The kernel address of the rmap slot. */
      readonly rmapp: bigint
      /** The word of the rmap slot now. */
      readonly slot: bigint
    }
  | {
      readonly event: 'rmap_insert_duplicate'
      /** The kernel address of the rmap slot. */
      readonly rmapp: bigint
      /** The kernel address of the list node. */
      readonly node: bigint
      /** The entry, with tag 0. */
      readonly new: bigint
    }
  | {
      readonly event: 'rmap_insert_node'
      /** The word of the rmap slot before. */
      readonly old: bigint
      /** The kernel address of the list node. */
      readonly node: bigint
      /** The `next` of the node. */
      readonly next: bigint
      /** The entry in the node. */
      readonly rmap: bigint
    }
  | ({
      readonly event: 'rmap_remove_range'
      /** The kernel address of the memslot. */
      readonly memslot: bigint
      /** The first address of the host leaf in L1, in bytes. */
      readonly gpa: Gpa
      /** The host address that the host leaf maps, in bytes. */
      readonly hpa: bigint
      /** The size of the host leaf in bytes. */
      readonly nbytes: number
    } & OfVm &
      OfArray)
  | {
      readonly event: 'rmap_take'
      /** The kernel address of the rmap slot. */
      readonly slotp: bigint
      /** The word of the rmap slot before. */
      readonly old: bigint
      /** The index of the rmap slot in the memslot's array. */
      readonly idx: number
    }
  | {
      readonly event: 'rmap_take_node'
      /** The kernel address of the list node; 0 for the tagged last entry. */
      readonly node: bigint
      /** Its `next`; 0 for the tagged last entry. */
      readonly next: bigint
      /** The kernel address of the nested guest that has the LPID; 0 if none has. */
      readonly gp: bigint
      /** The entry. */
      readonly rmap: bigint
    }
  | ({
      readonly event: 'rmap_update_rc'
      /** The kernel address of the rmap slot. */
      readonly rmapp: bigint
      /** The word of the rmap slot before. */
      readonly old: bigint
      /** The bits to clear: 0x100 referenced, 0x080 changed. */
      readonly clr: number
      /** The bits to set. */
      readonly set: number
      /** The host address that the host leaf maps, in bytes. */
      readonly hpa: bigint
      /** The size of the host leaf in bytes; 1 for a base page. */
      readonly nbytes: number
    } & OfVm)
  | {
      readonly event: 'tlb_invalidate'
      /** The instruction: RIC, PRS and R (spec 8). */
      readonly instr: bigint
      /** Its operand RS: the LPID. */
      readonly rs: bigint
      /** Its operand RB: IS, AP and EPN. */
      readonly rb: bigint
    }
  | {
      readonly event: 'rpt_invalidate'
      /** L1's number for the nested guest. */
      readonly lpid: bigint
      /** What to invalidate: bits of {@link RptType}. */
      readonly type: bigint
      /** Page sizes: 1 = 4 KiB, 2 = 64 KiB, 4 = 2 MiB, 8 = 1 GiB. */
      readonly pg_sizes: bigint
      /** The start of the range, in bytes. */
      readonly start: bigint
      /** The end of the range, in bytes. */
      readonly end: bigint
    }
  | ({
      readonly event: 'table_free'
      /** The kernel address of the table's root. */
      readonly pgd: bigint
      /** The shadow LPID, or the number of L1 for its own table. */
      readonly lpid: number
    } & OfVm)
  | ({ readonly event: 'nested_update' } & OfGuest)
  | ({ readonly event: 'nested_release' } & OfGuest)
  | ({ readonly event: 'memslot_free' } & OfArray)
  | ({
      readonly event: 'memslot_commit'
      /** The kernel address of the memslot before; 0 if it is new. */
      readonly old: bigint
      /** The kernel address of the memslot now; 0 if it is deleted. */
      readonly new: bigint
      /** 0 created, 1 deleted, 2 moved, 3 flags changed. */
      readonly change: 0 | 1 | 2 | 3
      /** Its address in the host process. */
      readonly uaddr: bigint
      /** 1: it logs dirty pages. */
      readonly flags: number
    } & OfVm &
      OfArray)
  /** A nested fault begins, as the hardware reports it. */
  | {
      readonly event: 'nested_fault'
      /** The kernel address of the vCPU. */
      readonly vcpu: bigint
      /** L1's number for the nested guest. */
      readonly l1_lpid: Lpid
      /** The nested guest's address, in bytes. */
      readonly gpa4: NestedGpa
      /** 0x02000000 a store, 0x08000000 refused, 0x40000000 a miss, 0x40000 set-rc. */
      readonly dsisr: number
      /** The same address with its low 12 bits. */
      readonly dar: NestedGpa
      /** 0xe00 data, 0xe20 instruction. */
      readonly trap: number
    }
  /** L0 has walked L1's table. */
  | {
      readonly event: 'nested_walk'
      /** 0 found, -2 no translation, -22 malformed. */
      readonly ret: 0 | -2 | -22
      /** The nested guest's address, in bytes. */
      readonly ngpa: NestedGpa
      /** L1's address, in bytes. */
      readonly raddr: bigint
      /** The guest leaf allows: 1 read, 2 write, 4 execute. */
      readonly perm: number
      /** The guest leaf's bits 0x180. */
      readonly rc: number
      /** log2 of the guest leaf's size in bytes. */
      readonly pshift: number
    }
  /** A nested fault ends. */
  | {
      readonly event: 'nested_fault_ret'
      /** 0 the L2 resumes, 2 L1 gets the fault, -22 invalid, -12 no memory. */
      readonly ret: 0 | 2 | -22 | -12
    }
  /** Set-rc in L1's own table or in a shadow table. */
  | ({
      readonly event: 'set_rc'
      /** 1 a shadow table, 0 L1's own. */
      readonly nested: 0 | 1
      /** 1 for a write. */
      readonly writing: 0 | 1
      /** The address, in bytes: the nested guest's or L1's. */
      readonly gpa: bigint
      /** L1's number for the nested guest; for L1's own table the number of L1. */
      readonly lpid: number
    } & OfVm)
  /** Its result. */
  | {
      readonly event: 'set_rc_ret'
      /** 1 done, 0 no leaf, or for a write none that is writable. */
      readonly ret: 0 | 1
    }
  /** The model's own: a TLB entry, or with no `gpa` all of a partition's, is flushed under the number `lpid`. */
  | {
      readonly event: 'tlb_flush'
      /** The number that the TLB entries are flushed under. */
      readonly lpid: number
      /** The address, in bytes; undefined for all of a partition. */
      readonly gpa?: Gpa | NestedGpa
      /** log2 of the page's size in bytes. */
      readonly shift?: LeafShift
    }
  /** The model's own: Linux would warn here, or ought to. */
  | {
      readonly event: 'warning'
      /** What Linux would say, or ought to. */
      readonly message: string
    }
  /** The model's own: the result of a fault of a nested guest. */
  | {
      readonly event: 'fault'
      /** L1's number for the nested guest. */
      readonly lpid: Lpid
      /** The nested guest's address, in bytes. */
      readonly gpa: NestedGpa
      /** The result. */
      readonly result: FaultResult
    }
  /** The model's own: the result of set-rc. */
  | {
      readonly event: 'set_rc_result'
      /** L1's number for the nested guest. */
      readonly lpid: Lpid
      /** The nested guest's address, in bytes. */
      readonly gpa: NestedGpa
      /** The result. */
      readonly result: SetRcResult
    }

/** Gets the events of an operation, in order, when the operation is done: it may call the L1 itself. */
export interface VmObserver {
  (event: VmEvent): void
  /** It must see everything, as a recorder must: an L1 that has a history refuses it. */
  readonly fromBeginning?: boolean
}
