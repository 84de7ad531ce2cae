/** For `nested-rmap events`: when each event occurs, and a sample line of each as ftrace prints it. */
import type { EventName } from './events'

/** The description of an event. */
export interface EventSample {
  /** When it occurs. */
  readonly when: string
  /** A line with all fields of the kprobe definitions in `test/data/probes.txt`. */
  readonly line: string
}

const at = (time: string, name: string, where: string, fields: string): string =>
  ` qemu-system-ppc-196     [000] .....   ${time}: ${name}: (${where} [kvm_hv]) ${fields}`

/** A sample of every event. */
export const EVENT_SAMPLES: Readonly<Record<EventName, EventSample>> = {
  rmap_insert: {
    when: 'an insert begins: the slot word, the allocated node, the new entry',
    line: at(
      '249.544259',
      'rmap_insert',
      'kvmhv_insert_nest_rmap+0xc/0x140',
      'kvm=0xc000000032fc8000 rmapp=0xc0080000004c7d30 old=0x0 node=0xc00000002bf831b0 new=0x30000000000000',
    ),
  },
  rmap_insert_empty: {
    when: 'the slot was empty: the word that was stored',
    line: at(
      '249.544288',
      'rmap_insert_empty',
      'kvmhv_insert_nest_rmap+0x128/0x140',
      'rmapp=0xc0080000004c7d30 slot=0x30000000000001',
    ),
  },
  rmap_insert_duplicate: {
    when: 'the entry was already in the list: nothing was stored',
    line: at(
      '250.334884',
      'rmap_insert_duplicate',
      'kvmhv_insert_nest_rmap+0x108/0x140',
      'rmapp=0xc0080000004c7d60 node=0xc00000002bf814c0 new=0x300000402b0000',
    ),
  },
  rmap_insert_node: {
    when: 'the node was linked at the head of the list',
    line: at(
      '249.798490',
      'rmap_insert_node',
      'kvmhv_insert_nest_rmap+0x7c/0x140',
      'old=0x30000030260001 node=0xc00000002bf831b0 next=0x30000030260001 rmap=0x30000040260000',
    ),
  },
  rmap_remove_range: {
    when: 'an rmap range removal begins: the host leaf and its memslot',
    line: at(
      '262.343933',
      'rmap_remove_range',
      'kvmhv_remove_nest_rmap_range+0xc/0x2e0',
      'kvm=0xc000000032fc8000 memslot=0xc0000001aeb94300 gpa=0x2f000000 hpa=0x23070000 nbytes=0x10000 base_gfn=0x0 npages=0x4000 rmap=0xc0080000004b0000',
    ),
  },
  rmap_take: {
    when: 'the list of a slot in the range was detached',
    line: at(
      '262.344152',
      'rmap_take',
      'kvmhv_remove_nest_rmap_range+0xc8/0x2e0',
      'slotp=0xc0080000004c7800 old=0xc0000000028b8420 idx=0x2f00',
    ),
  },
  rmap_take_node: {
    when: 'one entry of a detached list was handled',
    line: at(
      '262.344432',
      'rmap_take_node',
      'kvmhv_remove_nest_rmap_range+0x110/0x2e0',
      'node=0xc0000000028b8420 next=0xc0000000028b82c0 gp=0xc00000002b4a0000 rmap=0x40000010200000',
    ),
  },
  rmap_update_rc: {
    when: 'ageing or dirty harvest reaches a slot',
    line: at(
      '256.689374',
      'rmap_update_rc',
      'kvmhv_update_nest_rmap_rc_list+0xc/0x2a0',
      'kvm=0xc000000032fc8000 rmapp=0xc0080000004c7fa8 old=0x0 clr=0x100 set=0x0 hpa=0x27740000 nbytes=0x1',
    ),
  },
  pte_create: {
    when: 'the creation of a leaf begins',
    line: at(
      '228.464931',
      'pte_create',
      'kvmppc_create_pte+0xc/0xa70',
      'kvm=0xc000000032fc8000 pgtable=0xc00000002f4e0000 pte=0x87034833000000c0 gpa=0x100 level=0 mmu_seq=0x0 lpid=1 rmapp=0x0',
    ),
  },
  pte_create_ret: {
    when: 'the creation returns: 0 or a negative errno',
    line: at('228.464984', 'pte_create_ret', 'kvmppc_book3s_instantiate_page+0x30c/0x5d0', 'ret=0'),
  },
  pte_unmap: {
    when: 'a present leaf is about to be cleared',
    line: at(
      '250.037603',
      'pte_unmap',
      'kvmppc_unmap_pte+0xc/0x1f0',
      'kvm=0xc000000032fc8000 ptep=0xc00000001ef88660 pteval=0x7032c2d000000c0 gpa=0x402c0000 shift=16 memslot=0x0 lpid=3',
    ),
  },
  tlb_invalidate: {
    when: 'L1 calls H_TLB_INVALIDATE',
    line: at(
      '249.336086',
      'tlb_invalidate',
      'kvmhv_do_nested_tlbie+0xc/0x2a0',
      'vcpu=0xc00000002b48b400 instr=0x90000 rs=0x1 rb=0x800',
    ),
  },
  rpt_invalidate: {
    when: 'L1 calls H_RPT_INVALIDATE for an L2',
    line: at(
      '2211.221455',
      'rpt_invalidate',
      'do_h_rpt_invalidate_pat+0xc/0x280',
      'vcpu=0xc0000000024b4800 lpid=0x5 type=0xf pg_sizes=0xf start=0x0 end=0xffffffffffffffff',
    ),
  },
  table_free: {
    when: 'all leaves of one table are freed',
    line: at(
      '258.851868',
      'table_free',
      'kvmppc_free_pgtable_radix+0xc/0x2c0',
      'kvm=0xc000000032fc8000 pgd=0xc00000002f460000 lpid=9',
    ),
  },
  nested_update: {
    when: "L0 reads L1's partition entry for an L2",
    line: at(
      '249.536257',
      'nested_update',
      'kvmhv_update_ptbl_cache+0xc/0x180',
      'gp=0xc0000001aebdc000 l1_lpid=3 shadow_lpid=2 shadow_pgtable=0xc00000002f530000',
    ),
  },
  nested_release: {
    when: 'a nested guest is freed',
    line: at(
      '258.855954',
      'nested_release',
      'kvmhv_release_nested+0xc/0x110',
      'gp=0xc0000001aebca000 l1_lpid=9 shadow_lpid=9 shadow_pgtable=0xc00000002f460000',
    ),
  },
  memslot_free: {
    when: "a memslot's array of slot words is freed",
    line: at(
      '262.343933',
      'memslot_free',
      'kvmppc_core_free_memslot_hv+0xc/0x80',
      'memslot=0xc0000001aeb94300 base_gfn=0x0 npages=0x4000 rmap=0xc0080000004b0000',
    ),
  },
  memslot_commit: {
    when: 'a memslot is created, deleted, moved, or its flags change',
    line: at(
      '193.114804',
      'memslot_commit',
      'kvmppc_core_commit_memory_region_hv+0xc/0x80',
      'kvm=0xc000000032c78000 old=0x0 new=0xc000000004139700 change=0 base_gfn=0x0 npages=0x2000 rmap=0xc008000000a00000 uaddr=0x7fff6fe00000 flags=0x0',
    ),
  },
  nested_fault: {
    when: 'a nested page fault begins: what the hardware reported',
    line: at(
      '2210.670615',
      'nested_fault',
      'kvmhv_nested_page_fault+0xc/0x9c0',
      'vcpu=0xc0000000024b4800 l1_lpid=103 gpa4=0x0 dsisr=0x0 dar=0x0 trap=0xe20',
    ),
  },
  nested_walk: {
    when: "L0 has walked L1's table",
    line: at(
      '2210.670666',
      'nested_walk',
      'kvmhv_nested_page_fault+0xf4/0x9c0',
      'ret=-2 ngpa=0x0 raddr=0x0 perm=0x0 rc=0x0 pshift=0',
    ),
  },
  nested_fault_ret: {
    when: 'the nested page fault returns',
    line: at('2210.670714', 'nested_fault_ret', 'kvmhv_run_single_vcpu+0x1124/0x19f0', 'ret=2'),
  },
  set_rc: {
    when: 'software is about to set referenced and changed bits',
    line: at(
      '2210.738664',
      'set_rc',
      'kvmppc_hv_handle_set_rc+0xc/0x150',
      'kvm=0xc00000002b528000 nested=0 writing=0 gpa=0x20176c0 lpid=1',
    ),
  },
  set_rc_ret: {
    when: 'the result: 1 if they were set',
    line: at('2210.738696', 'set_rc_ret', 'kvmhv_nested_page_fault+0x5f0/0x9c0', 'ret=1'),
  },
}
