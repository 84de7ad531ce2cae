export { MAX_GPA, MAX_HPA, MAX_LPID } from './base/units'
export { packEntry, unpackEntry, packEntryPair, unpackEntryPair } from './rmap/entry'
export { packLeaf, unpackLeaf, LeafFlag, PRESENT, LEAF } from './page-table/leaf'
export { NodeHeap, MAX_NODES } from './rmap/node-heap'
export { InsertCounters } from './rmap/insert-counters'
export { Memslot, MAX_NPAGES } from './rmap/memslot'
export { MEMSLOT_INVARIANTS } from './rmap/memslot-check'
export { RadixTable } from './page-table/radix-table'
export { removeRmapRange, RangeCounters } from './rmap/invalidate'
export { Vm } from './vm/vm'
export { GuestTable } from './vm/guest-table'
export { INVARIANTS } from './vm/check'
export { RptType } from './vm/tlbie'
export { recorder } from './vm/recorder'
export { snapshot } from './snapshot/write'
export { restore } from './snapshot/read'
export { SnapshotError } from './snapshot/bytes'

export type { WordPair } from './base/word'
export type { Gfn, Gpa, HostFrame, Hpa, LeafShift, Lpid, NestedGpa, PageShift } from './base/units'
export type { Entry } from './rmap/entry'
export type { LeafFields } from './page-table/leaf'
export type { NodeAddress, NodeHeapOptions, NodeWords } from './rmap/node-heap'
export type { InsertOutcome, ListNode, MemslotOptions } from './rmap/memslot'
export type { BrokenMemslotInvariant, MemslotJson } from './rmap/memslot-check'
export type { Leaf, RadixTableOptions } from './page-table/radix-table'
export type { RestoreOptions } from './snapshot/read'
export type { NestedGuest } from './vm/nested-guest'
export type { PendingFault, PendingLogDirty, PendingUnmap } from './vm/pending'
export type { VmMemslot } from './vm/vm-memslot'
export type { EntryFate, GuestLookup, RangeVisitor, RmapRange, Shadowed, ShadowTable } from './rmap/invalidate'
export type {
  Backing,
  BackingByFrame,
  BackingByHpa,
  BackingOf,
  FaultByGuest,
  FaultByLpid,
  FaultRequest,
  VmMemslotOptions,
  Operand,
  Placement,
  Ric,
  RptInvalidateOperands,
  TlbInvalidateOperands,
  Tlbie,
  TlbieAll,
  TlbieLpid,
  TlbiePage,
  UnmapOptions,
  VmOptions,
} from './vm/options'
export type { GuestMapping, GuestTableOptions } from './vm/guest-table'
export type { GuestTranslation, GuestWalker, NoGuestTranslation } from './vm/guest-walker'
export type {
  Access,
  FaultResult,
  FaultToL2,
  ForwardToL1,
  Invalid,
  Mapped,
  Mmio,
  NoMemory,
  RcSet,
  Present,
  Retry,
  SetRcResult,
} from './vm/fault-result'
export type { BrokenInvariant } from './vm/check'
export type { VmCounters } from './vm/counters'
export type { HappeningEvent, Task, VmEvent, VmObserver } from './vm/events'
export type { HcallStatus } from './vm/tlbie'
