/**
 * The operations of level `vm`: what is asked of an L1, of its host and of its nested guests, and what it comes to.
 *
 * Memslots, tables, held guests and halves that are open are named by numbers that the caller chooses, since an operation
 * is plain data. An operand that is a 64-bit word is a string in hex.
 */
import type { Gfn, Gpa, Hpa, LeafShift, Lpid, NestedGpa, PageShift } from '../base/units'
import type { EntryFate } from '../rmap/invalidate'
import type { InsertOutcome } from '../rmap/memslot'
import type { Access, FaultResult, SetRcResult } from '../vm/fault-result'
import type { HcallStatus } from '../vm/tlbie'
import type { OperationAbout } from './operation'

/** Who faults: the nested guest that has an LPID, or one that is held since an `enter`. */
export type Faulting = { readonly lpid: Lpid } | { readonly held: number }

/** An operation on an L1. `VM_OPERATIONS` says what each does. */
export type VmOperation =
  | {
      readonly op: 'addMemslot'
      readonly memslot: number
      readonly baseGfn: Gfn
      readonly npages: number
      readonly readOnly: boolean
      readonly logDirty: boolean
    }
  | { readonly op: 'invalidateMemslot' | 'flushMemslot' | 'removeMemslot' | 'harvestDirty'; readonly memslot: number }
  | { readonly op: 'moveMemslot'; readonly memslot: number; readonly baseGfn: Gfn }
  | { readonly op: 'setLogDirty'; readonly memslot: number; readonly on: boolean }
  | {
      readonly op: 'back'
      readonly gfn: Gfn
      readonly npages: number
      readonly hpa: Hpa
      readonly shift: LeafShift
      readonly copy?: Hpa
    }
  | { readonly op: 'addTable'; readonly table: number; readonly pageShift: PageShift; readonly rootBits: number }
  | {
      readonly op: 'map'
      readonly table: number
      readonly gpa: NestedGpa
      readonly to: Gpa
      readonly shift: LeafShift
      readonly flags: number
    }
  | {
      readonly op: 'write'
      readonly table: number
      readonly gpa: NestedGpa
      readonly shift: LeafShift | 39
      readonly word: string
    }
  | { readonly op: 'unmapGuest'; readonly table: number; readonly gpa: NestedGpa }
  | { readonly op: 'protect'; readonly table: number; readonly gpa: NestedGpa; readonly flags: number }
  | { readonly op: 'setPartitionTable'; readonly sizeField: number }
  | { readonly op: 'setGuestTable'; readonly lpid: Lpid; readonly table: number | null }
  | { readonly op: 'enter'; readonly held: number; readonly lpid: Lpid }
  | { readonly op: 'leave'; readonly held: number }
  | ({ readonly op: 'fault' | 'setRc'; readonly gpa: NestedGpa; readonly access: Access } & Faulting)
  | ({ readonly op: 'beginFault'; readonly fault: number; readonly gpa: NestedGpa; readonly access: Access } & Faulting)
  | { readonly op: 'commit' | 'abandon'; readonly fault: number }
  | { readonly op: 'unmap'; readonly gfn: Gfn; readonly npages: number }
  | { readonly op: 'beginUnmap'; readonly unmap: number; readonly gfn: Gfn; readonly npages: number }
  | { readonly op: 'endUnmap'; readonly unmap: number }
  | { readonly op: 'age' | 'testAge'; readonly gfn: Gfn }
  | { readonly op: 'tlbInvalidate'; readonly instr: string; readonly rs: string; readonly rb: string }
  | {
      readonly op: 'rptInvalidate'
      readonly lpid: string
      readonly target: string
      readonly type: string
      readonly pageSizes: string
      readonly start: string
      readonly end: string
    }
  | { readonly op: 'releaseAll' }

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
