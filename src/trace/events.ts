/**
 * The vocabulary of a recording: the events of the kernel's nested-rmap code, and the fields of each that a reader
 * needs.
 */

/**
 * The events, and the fields that each must carry. `kvm` may be missing; other fields are passed over. What they mean is
 * in the README, "Recordings".
 */
export const EVENT_FIELDS = {
  rmap_insert: ['rmapp', 'old', 'node', 'new'],
  rmap_insert_empty: ['rmapp', 'slot'],
  rmap_insert_duplicate: ['rmapp', 'node', 'new'],
  rmap_insert_node: ['old', 'node', 'next', 'rmap'],
  rmap_remove_range: ['memslot', 'gpa', 'hpa', 'nbytes', 'base_gfn', 'npages', 'rmap'],
  rmap_take: ['slotp', 'old', 'idx'],
  rmap_take_node: ['node', 'next', 'gp', 'rmap'],
  rmap_update_rc: ['rmapp', 'old', 'clr', 'set', 'hpa', 'nbytes'],
  pte_create: ['pgtable', 'pte', 'gpa', 'level', 'mmu_seq', 'lpid', 'rmapp'],
  pte_create_ret: ['ret'],
  pte_unmap: ['ptep', 'pteval', 'gpa', 'shift', 'memslot', 'lpid'],
  tlb_invalidate: ['instr', 'rs', 'rb'],
  rpt_invalidate: ['lpid', 'type', 'pg_sizes', 'start', 'end'],
  table_free: ['pgd', 'lpid'],
  nested_update: ['l1_lpid', 'shadow_lpid'],
  nested_release: ['l1_lpid', 'shadow_lpid'],
  memslot_free: ['base_gfn', 'npages', 'rmap'],
  memslot_commit: ['old', 'new', 'change', 'base_gfn', 'npages', 'rmap', 'uaddr', 'flags'],
  nested_fault: ['l1_lpid', 'gpa4', 'dsisr', 'dar', 'trap'],
  nested_walk: ['ret', 'ngpa', 'raddr', 'perm', 'rc', 'pshift'],
  nested_fault_ret: ['ret'],
  set_rc: ['nested', 'writing', 'gpa', 'lpid'],
  set_rc_ret: ['ret'],
} as const

/** The name of an event. */
export type EventName = keyof typeof EVENT_FIELDS

/** The name of a field. */
export type FieldName = (typeof EVENT_FIELDS)[EventName][number] | 'kvm'

/** @internal The fields, each once. */
export const FIELD_NAMES: readonly FieldName[] = [...new Set<FieldName>(['kvm', ...Object.values(EVENT_FIELDS).flat()])]

/** @internal Every field's place in {@link FIELD_NAMES}, and in the arrays of a {@link TraceEvent}. */
export const FIELD = Object.fromEntries(FIELD_NAMES.map((name, index) => [name, index])) as Readonly<
  Record<FieldName, number>
>
