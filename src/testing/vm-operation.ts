/**
 * The operations of level `vm`: what is asked of an L1, of its host and of its nested guests, and what it comes to.
 *
 * Memslots, tables, held guests and halves that are open are named by numbers that the caller chooses, since an operation
 * is plain data. An operand that is a 64-bit word is a string in hex.
 *
 * (This file is over 300 lines: most of it documents the fields of each operation and answer.)
 */
import type { Gfn, Gpa, Hpa, LeafShift, Lpid, NestedGpa, PageShift } from '../base/units'
import type { EntryFate } from '../rmap/invalidate'
import type { InsertOutcome } from '../rmap/memslot'
import type { Access, FaultResult, SetRcResult } from '../vm/fault-result'
import type { HcallStatus } from '../vm/tlbie'
import type { OperationAbout } from './operation'

/** The name of an operation. */
interface Named<N extends string> {
  /** What is done. */
  readonly op: N
}

/** Of a memslot. */
interface OfMemslot {
  /** The number by which operations call the memslot; chosen by `addMemslot`. */
  readonly memslot: number
}

/** A memslot that is added. */
interface NewMemslot extends OfMemslot {
  /** Its first gfn, 0..2^(52 - page shift)-1. */
  readonly baseGfn: Gfn
  /** How many gfns it has, 1..2^28. */
  readonly npages: number
  /** Whether L1 may only read it. */
  readonly readOnly: boolean
  /** Whether it logs dirty pages from the start. */
  readonly logDirty: boolean
}

/** A memslot that is moved. */
interface MovedMemslot extends OfMemslot {
  /** Its new first gfn. */
  readonly baseGfn: Gfn
}

/** A memslot whose dirty logging is switched. */
interface LoggedMemslot extends OfMemslot {
  /** Whether it logs dirty pages from now on. */
  readonly on: boolean
}

/** Of a change of dirty logging in two halves. */
interface OfChange {
  /** The number by which operations call the change between its halves; chosen by `beginSetLogDirty`. */
  readonly change: number
}

/** One gfn. */
interface OfGfn {
  /** The gfn: an address of L1 in base pages. */
  readonly gfn: Gfn
}

/** A range of gfns. */
interface OfGfns extends OfGfn {
  /** How many gfns, from `gfn` on. */
  readonly npages: number
}

/** What backs gfns from now on. */
interface BackedGfns extends OfGfns {
  /** The host address of the first, in bytes, a multiple of the base page, below 2^53. */
  readonly hpa: Hpa
  /** log2 of the size of the host pages: the page shift, 21 or 30. `gfn` and `npages` are multiples of such a page. */
  readonly shift: LeafShift
  /** Where the host copies the pages to when they are written, in bytes; left out: they may be written. Base pages only. */
  readonly copy?: Hpa
}

/** Of a page table of L1. */
interface OfTable {
  /** The number by which operations call the table; chosen by `addTable`. */
  readonly table: number
}

/** A page table that L1 makes. */
interface NewTable extends OfTable {
  /** log2 of its smallest leaf: 16 or 12. */
  readonly pageShift: PageShift
  /** log2 of the entries of its root: 5..16. L0 walks tables with 13 only. */
  readonly rootBits: number
}

/** An address of a nested guest. */
interface OfNestedGpa {
  /** The address, in bytes: 0..2^52-1 (of a fault 0..2^53-1: L0 drops bit 52). */
  readonly gpa: NestedGpa
}

/** A mapping of a guest table. */
interface Mapping extends OfTable, OfNestedGpa {
  /** L1's address that `gpa` maps to, in bytes; both are multiples of the leaf's size. */
  readonly to: Gpa
  /** log2 of the size of the leaf: the table's page shift, 21 or 30. */
  readonly shift: LeafShift
  /** Bits 11..0 of the leaf: 0..0xfff. */
  readonly flags: number
}

/** A leaf word of a guest table, valid or not. */
interface RawLeaf extends OfTable, OfNestedGpa {
  /** log2 of the size of the leaf: the table's page shift, 21 or 30, or 39 for a leaf in the root. */
  readonly shift: LeafShift | 39
  /** The word, with its present and its leaf bit, as a string in hex. */
  readonly word: string
}

/** Other flags for a guest leaf. */
interface Protection extends OfTable, OfNestedGpa {
  /** Bits 11..0 of the leaf: 0..0xfff. */
  readonly flags: number
}

/** The size of L1's partition table. */
interface PartitionTableSize {
  /** log2 of its entries, less 8: 0..4. */
  readonly sizeField: number
}

/** The nested guest that has an LPID. */
interface ByLpid {
  /** Its LPID. */
  readonly lpid: Lpid
}

/** A nested guest that is held. */
interface ByHold {
  /** The number by which operations call a held nested guest; chosen by `enter`. */
  readonly held: number
}

/** An entry of L1's partition table. */
interface PartitionEntry extends ByLpid {
  /** The table's number; `null`: an empty entry. */
  readonly table: number | null
}

/** Who faults: the nested guest that has an LPID, or one that is held since an `enter`. */
export type Faulting = ByLpid | ByHold

/** What a nested guest does, and where. */
interface OfAccess extends OfNestedGpa {
  /** `read`, `write` or `execute`. */
  readonly access: Access
}

/** Of a fault in two halves. */
interface OfFault {
  /** The number by which operations call the fault between its halves; chosen by `beginFault`. */
  readonly fault: number
}

/** Of an unmap in two halves. */
interface OfUnmap {
  /** The number by which operations call the unmap between its halves; chosen by `beginUnmap`. */
  readonly unmap: number
}

/** The operands of H_TLB_INVALIDATE: 64-bit words as strings in hex (spec 8). */
interface TlbOperands {
  /** RIC in bits 19..18, PRS in bit 17, R in bit 16. */
  readonly instr: string
  /** The LPID in bits 31..0. */
  readonly rs: string
  /** The address from bit 12 up, IS in bits 11..10, the page size in bits 7..5. */
  readonly rb: string
}

/** The operands of H_RPT_INVALIDATE: 64-bit words as strings in hex (spec 8). */
interface RptOperands {
  /** The LPID in bits 31..0. */
  readonly lpid: string
  /** 1: the core's MMU. */
  readonly target: string
  /** What is to be invalidated: bits of `RptType`. */
  readonly type: string
  /** Of which page sizes: 1 = 4 KiB, 2 = 64 KiB, 4 = 2 MiB, 8 = 1 GiB, or several. */
  readonly pageSizes: string
  /** The first nested address of the range, in bytes. */
  readonly start: string
  /** The first nested address after the range, in bytes. */
  readonly end: string
}

/** An operation on an L1: plain data. The first line of a vector file says what each does. */
export type VmOperation =
  | (Named<'addMemslot'> & NewMemslot)
  | (Named<'invalidateMemslot' | 'flushMemslot' | 'removeMemslot' | 'harvestDirty'> & OfMemslot)
  | (Named<'moveMemslot'> & MovedMemslot)
  | (Named<'setLogDirty'> & LoggedMemslot)
  | (Named<'beginSetLogDirty'> & OfChange & LoggedMemslot)
  | (Named<'endSetLogDirty'> & OfChange)
  | (Named<'back'> & BackedGfns)
  | (Named<'addTable'> & NewTable)
  | (Named<'map'> & Mapping)
  | (Named<'write'> & RawLeaf)
  | (Named<'unmapGuest'> & OfTable & OfNestedGpa)
  | (Named<'protect'> & Protection)
  | (Named<'setPartitionTable'> & PartitionTableSize)
  | (Named<'setGuestTable'> & PartitionEntry)
  | (Named<'enter'> & ByHold & ByLpid)
  | (Named<'leave'> & ByHold)
  | (Named<'fault' | 'setRc'> & OfAccess & Faulting)
  | (Named<'beginFault'> & OfFault & OfAccess & Faulting)
  | (Named<'commit' | 'abandon'> & OfFault)
  | (Named<'unmap'> & OfGfns)
  | (Named<'beginUnmap'> & OfUnmap & OfGfns)
  | (Named<'endUnmap'> & OfUnmap)
  | (Named<'age' | 'testAge'> & OfGfn)
  | (Named<'tlbInvalidate'> & TlbOperands)
  | (Named<'rptInvalidate'> & RptOperands)
  | Named<'releaseAll'>

/** An entry that an unmap took: the gfn of its slot, what it says, and what became of its shadow leaf. */
export type WalkedEntry = readonly [gfn: Gfn, lpid: Lpid, gpa: NestedGpa, fate: EntryFate]

/** A leaf as an answer has it: its first address in bytes, log2 of its size, its word; `null`: the leaf was removed. */
export type ChangedLeaf = readonly [gpa: number, shift: LeafShift, word: string | null]

/** What an operation on an L1 came to. Which properties there are depends on the operation and on what it changed. */
export interface VmAnswer {
  /** Of a fault or one of its halves: how it ended; `pending`: it waits for its second half; `set`: of setRc. */
  readonly outcome?: FaultResult['outcome'] | SetRcResult['outcome'] | 'pending' | 'outside-memslot'
  /** Of a fault that ended with `retry` or `forward-to-l1`: why. */
  readonly reason?: string
  /** Of a fault that ended with `mapped`: whether the shadow leaf was made, or its bits grew. */
  readonly change?: 'made' | 'grown'
  /** Of a fault that ended with `mapped`: the first address of the shadow leaf, in bytes. */
  readonly gpa?: NestedGpa
  /** Of a fault that ended with `mapped` or `invalid`: log2 of the size of the shadow leaf, or of the guest leaf. */
  readonly shift?: LeafShift
  /** Of a fault that ended with `mapped`: the gfn whose slot has the entry. */
  readonly gfn?: Gfn
  /** Of a fault that ended with `mapped` and made a leaf: what the insert of its entry did. */
  readonly insert?: Exclude<InsertOutcome, 'no-memory'>
  /** Of a fault that ended with `mmio` or `fault-to-l2`: the address in L1, in bytes. */
  readonly l1Gpa?: Gpa
  /** Of an invalidation by L1: what the hypercall returns. */
  readonly status?: HcallStatus
  /** Of `age` and `testAge`: whether the page was referenced. */
  readonly referenced?: boolean
  /** Of `harvestDirty`: the dirty gfns, ascending. */
  readonly dirty?: readonly Gfn[]
  /** Of `unmap` and `beginUnmap`: the entries that the walk took, in its order. */
  readonly walk?: readonly WalkedEntry[]
  /** Nested guests that were made, as [number, LPID], or freed, as [number, null]. They are numbered 1, 2, ... as made. */
  readonly guests?: readonly (readonly [guest: number, lpid: Lpid | null])[]
  /** Host leaves that changed, in address order. */
  readonly host?: readonly ChangedLeaf[]
  /** Shadow leaves that changed, by the number of their nested guest; those of a freed guest are not listed. */
  readonly shadow?: readonly (readonly [guest: number, leaves: readonly ChangedLeaf[]])[]
  /** The slots that changed: the gfn, and all of its entries as [LPID, nested address], newest first. */
  readonly slots?: readonly (readonly [gfn: Gfn, entries: readonly (readonly [lpid: Lpid, gpa: NestedGpa])[]])[]
  /** KVM's mmu_invalidate_seq, if it changed. */
  readonly mmuSeq?: number
}

/** @internal */
export const VM_OPERATIONS: Readonly<Record<VmOperation['op'], OperationAbout>> = {
  addMemslot: {
    operands: ['memslot', 'baseGfn', 'npages', 'readOnly', 'logDirty'],
    about: 'a memslot, called by the number memslot from now on',
  },
  invalidateMemslot: {
    operands: ['memslot'],
    about: 'first step of a removal or a move: faults do not see it; it is flushed',
  },
  flushMemslot: { operands: ['memslot'], about: 'all its pages are unmapped' },
  removeMemslot: { operands: ['memslot'], about: 'it is removed; invalidated first, if it was not' },
  moveMemslot: {
    operands: ['memslot', 'baseGfn'],
    about: 'its gfns begin at baseGfn; invalidated first, if it was not',
  },
  setLogDirty: {
    operands: ['memslot', 'on'],
    about: 'its logging of dirty pages is switched; it is flushed, if that is a change',
  },
  beginSetLogDirty: {
    operands: ['change', 'memslot', 'on'],
    about:
      'the same, up to its end: faults see the changed memslot, which is not flushed yet; until the end there is no other ' +
      'operation on the memslot',
  },
  endSetLogDirty: { operands: ['change'], about: 'its end: the memslot is flushed, if that was a change' },
  harvestDirty: { operands: ['memslot'], about: 'dirty: the dirty gfns, ascending; their changed bits are cleared' },
  back: {
    operands: ['gfn', 'npages', 'hpa', 'shift', 'copy?'],
    about:
      'the host unmaps these gfns and backs them at hpa from now on, with host pages of 2^shift bytes; what is left of an ' +
      'older large page has base pages then. With copy (base pages only) the pages may not be written: when a write asks ' +
      'for one, in the middle of its fault, the host unmaps that gfn and backs it by a writable base page, at copy plus ' +
      "the page's offset in the range. A gfn that was never backed: retry, no-backing",
  },
  addTable: {
    operands: ['table', 'pageShift', 'rootBits'],
    about: "a page table of L1's, empty, called by the number table from now on; L0 walks those with 13 root bits only",
  },
  map: {
    operands: ['table', 'gpa', 'to', 'shift', 'flags'],
    about:
      'L1 maps 2^shift bytes of its nested guest to its address to; flags: bits 11..0 of the leaf; what it overlaps is removed',
  },
  write: {
    operands: ['table', 'gpa', 'shift', 'word'],
    about: 'L1 writes this leaf word there, valid or not; shift 39: in the root',
  },
  unmapGuest: { operands: ['table', 'gpa'], about: 'L1 removes the leaf that maps gpa' },
  protect: { operands: ['table', 'gpa', 'flags'], about: 'L1 gives the leaf that maps gpa other flags' },
  setPartitionTable: { operands: ['sizeField'], about: 'L1 has a partition table of 2^(sizeField + 8) entries' },
  setGuestTable: {
    operands: ['lpid', 'table'],
    about: 'L1 writes its partition table entry for lpid; table null: an empty one',
  },
  enter: {
    operands: ['held', 'lpid'],
    about: 'L1 enters lpid; its nested guest is held, called by the number held, until leave',
  },
  leave: { operands: ['held'], about: 'it is held no longer' },
  fault: {
    operands: ['lpid?', 'held?', 'gpa', 'access'],
    about: 'an access of a nested guest, by its LPID or held: outcome and what belongs to it',
  },
  setRc: {
    operands: ['lpid?', 'held?', 'gpa', 'access'],
    about: 'the hardware could not set the referenced or changed bit: outcome and reason',
  },
  beginFault: {
    operands: ['fault', 'lpid?', 'held?', 'gpa', 'access'],
    about: 'the first half of a fault; outcome pending: it waits for commit',
  },
  commit: { operands: ['fault'], about: 'its second half: outcome and what belongs to it' },
  abandon: { operands: ['fault'], about: 'it is given up' },
  unmap: {
    operands: ['gfn', 'npages'],
    about: 'the host takes pages away. walk: [gfn, lpid, gpa, fate] of each entry taken, in order',
  },
  beginUnmap: {
    operands: ['unmap', 'gfn', 'npages'],
    about: 'the same, up to its end: faults that would make a leaf are retried',
  },
  endUnmap: { operands: ['unmap'], about: 'its end' },
  age: { operands: ['gfn'], about: 'referenced: whether the host leaf was; the bit is cleared' },
  testAge: { operands: ['gfn'], about: 'referenced: whether the host leaf is' },
  tlbInvalidate: { operands: ['instr', 'rs', 'rb'], about: "L1's H_TLB_INVALIDATE. status: what it returns" },
  rptInvalidate: {
    operands: ['lpid', 'target', 'type', 'pageSizes', 'start', 'end'],
    about: "L1's H_RPT_INVALIDATE. status: what it returns",
  },
  releaseAll: { operands: [], about: 'L1 ends: its nested guests are dropped and all slots are emptied' },
}

/** @internal */
export const VM_ANSWERS: Readonly<Record<string, string>> = {
  'answer.guests':
    'nested guests that were made, [number, lpid], or freed, [number, null]; numbered 1, 2, ... as they are made',
  'answer.host': 'host leaves that changed, [gpa, shift, word]; word null: removed',
  'answer.shadow':
    'shadow leaves that changed, [number of the nested guest, [[gpa, shift, word], ...]]; a freed guest has none left',
  'answer.slots': 'slots that changed, [gfn, [[lpid, gpa], ...]]: all entries, newest first',
  'answer.mmuSeq': "KVM's mmu_invalidate_seq, if it changed",
  'answer.outcome':
    'outside-memslot: the model refuses a large host leaf that reaches outside its memslot (Linux: out of bounds)',
}
