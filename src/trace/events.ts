/**
 * The events of a recording and the fields of each.
 *
 * The parser knows only this table. To read another event or field, add it here, a sample to event-samples.ts, and a
 * row to the README's table: a test compares the three. A field is *required* if a check uses it: a line without it is
 * not read. *Optional* fields are read if they are present. Other fields are ignored.
 */

/** The events, and the fields of each. The README, "Recordings", says what they mean. */
export const EVENT_FIELDS = {
  rmap_insert: { required: ['rmapp', 'old', 'node', 'new'], optional: ['kvm'] },
  rmap_insert_empty: { required: ['rmapp', 'slot'], optional: ['kvm'] },
  rmap_insert_duplicate: { required: ['rmapp', 'node', 'new'], optional: ['kvm'] },
  rmap_insert_node: { required: ['old', 'node', 'next', 'rmap'], optional: ['kvm'] },
  rmap_remove_range: {
    required: ['gpa', 'hpa', 'nbytes', 'base_gfn', 'npages', 'rmap'],
    optional: ['kvm', 'memslot'],
  },
  rmap_take: { required: ['slotp', 'old', 'idx'], optional: ['kvm'] },
  rmap_take_node: { required: ['node', 'next', 'gp', 'rmap'], optional: ['kvm'] },
  rmap_update_rc: { required: ['rmapp', 'old', 'hpa'], optional: ['kvm', 'clr', 'set', 'nbytes'] },
  pte_create: {
    required: ['pte', 'gpa', 'level', 'lpid', 'rmapp'],
    optional: ['kvm', 'pgtable', 'mmu_seq'],
  },
  pte_create_ret: { required: ['ret'], optional: ['kvm'] },
  pte_unmap: { required: ['pteval', 'gpa', 'shift', 'memslot', 'lpid'], optional: ['kvm', 'ptep'] },
  tlb_invalidate: { required: ['instr', 'rs', 'rb'], optional: ['kvm'] },
  rpt_invalidate: { required: ['lpid', 'type', 'pg_sizes', 'start', 'end'], optional: ['kvm'] },
  table_free: { required: ['lpid'], optional: ['kvm', 'pgd'] },
  nested_update: { required: ['l1_lpid', 'shadow_lpid'], optional: ['kvm'] },
  nested_release: { required: ['l1_lpid', 'shadow_lpid'], optional: ['kvm'] },
  memslot_free: { required: ['npages', 'rmap'], optional: ['kvm', 'base_gfn'] },
  memslot_commit: {
    required: ['new', 'base_gfn', 'npages', 'rmap'],
    optional: ['kvm', 'old', 'change', 'uaddr', 'flags'],
  },
  nested_fault: { required: ['l1_lpid', 'gpa4', 'dsisr', 'dar', 'trap'], optional: ['kvm'] },
  nested_walk: { required: ['ret', 'ngpa', 'raddr', 'perm', 'rc', 'pshift'], optional: ['kvm'] },
  nested_fault_ret: { required: ['ret'], optional: ['kvm'] },
  set_rc: { required: ['nested', 'writing', 'gpa', 'lpid'], optional: ['kvm'] },
  set_rc_ret: { required: ['ret'], optional: ['kvm'] },
} as const

/** The name of an event. */
export type EventName = keyof typeof EVENT_FIELDS

/** The name of a field that an event requires or may have. */
export type FieldName = (typeof EVENT_FIELDS)[EventName]['required' | 'optional'][number]

/** @internal The names of all events. */
export const EVENT_NAMES = Object.keys(EVENT_FIELDS) as readonly EventName[]

/** @internal The fields, each once. */
export const FIELD_NAMES: readonly FieldName[] = [
  ...new Set<FieldName>(
    Object.values(EVENT_FIELDS).flatMap(({ required, optional }): readonly FieldName[] => [...required, ...optional]),
  ),
]

/** @internal Each field's index in {@link FIELD_NAMES}, and in the arrays of a {@link TraceEvent}. */
export const FIELD = Object.fromEntries(FIELD_NAMES.map((name, index) => [name, index])) as Readonly<
  Record<FieldName, number>
>
