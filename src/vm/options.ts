/**
 * What a caller gives to an L1: options, requests and operands. Every property is documented where it stands; the checks
 * are in `checks.ts`.
 */
import type { Gfn, HostFrame, Hpa, LeafShift, Lpid, NestedGpa, PageShift } from '../base/units'
import type { RangeVisitor } from '../rmap/invalidate'
import type { VmObserver } from './events'
import type { Access } from './fault-result'
import type { NestedGuest } from './nested-guest'

/**
 * Which rmap slot gets an entry (spec 5 step 4): `'head'`, that of the first gfn of the host leaf (Linux today);
 * `'faulting'`, that of the gfn that faulted (Linux in 2018).
 */
export type Placement = 'head' | 'faulting'

/** The host page that backs a gfn, wherever it is. */
interface BackingPage {
  /** log2 of the size of the host page it lies in: the page shift (the default), 21 or 30. */
  readonly shift?: LeafShift
  /** Whether the host may write it. The default is true. */
  readonly writable?: boolean
  /** Further bits of the host leaf (cache attributes, software bits, privileged): 0..0xfff without `0x187`. Default 0. */
  readonly attributes?: number
}

/** A host page by its address. */
export interface BackingByHpa extends BackingPage {
  /** The host address of the gfn's first byte: in bytes, 0..2^53-1, a multiple of the base page. */
  readonly hpa: Hpa | bigint
  /** Not given: the address says it. */
  readonly frame?: undefined
}

/** A host page by its frame number. */
export interface BackingByFrame extends BackingPage {
  /**
   * The host address of the gfn's first byte, in units of 4 KiB: 0..2^41-1, a multiple of the base page. Recordings and
   * page-frame lists have frame numbers, so this is the one place where one may be given.
   */
  readonly frame: HostFrame | bigint
  /** Not given: the frame number says it. */
  readonly hpa?: undefined
}

/** What backs a gfn in the host: the answer of {@link BackingOf}. Either `hpa` or `frame` is given. */
export type Backing = BackingByHpa | BackingByFrame

/**
 * Says what backs a gfn now; undefined: the host has no page to give just now, and the fault is retried.
 *
 * For a write (`write` true) the host would break a sharing first: the function may call `unmap`, and answer with the new
 * page. What backs a gfn that the host table maps may change only after an `unmap` of it, as in a host. The function cannot
 * be async.
 */
export type BackingOf = (gfn: Gfn, write: boolean) => Backing | undefined

/** What an L1 is made with. */
export interface VmOptions {
  /** log2 of L0's base page size: 16 (64 KiB pages, the default) or 12 (4 KiB pages). */
  readonly pageShift?: PageShift
  /** Which rmap slot gets an entry: `'head'` (the default) or `'faulting'` (Linux in 2018). */
  readonly placement?: Placement
  /** Says what backs L1's memory, and how large its pages are. The default: base pages, with host frames in order. */
  readonly backing?: BackingOf
  /** Gets the events of every operation, when it is done. */
  readonly observer?: VmObserver
  /** The hardware's LPID of L1 itself: 1 (the default) .. 4095. Shadow LPIDs come after it. */
  readonly lpid?: number | bigint
  /** Most list nodes in use at once: 0..2^27-1 (the default: 2 GiB of nodes). */
  readonly maxNodes?: number | bigint
  /** Most pages of host and shadow tables in use at once, their roots included: 1..2^53-1 (the default: no limit). */
  readonly maxTablePages?: number | bigint
  /** Most gfns of one memslot: 1..2^28 (the default). */
  readonly maxNpages?: number | bigint
  /** Lets LPID 0 in, as Linux does: this breaks lists (a quirk, spec 11). The default is false. */
  readonly allowLpidZero?: boolean
  /** Lets a dropped nested guest fault, as Linux does: this breaks completeness (a quirk, spec 9). The default is false. */
  readonly allowDroppedFaults?: boolean
  /**
   * Makes `unmap`, `beginUnmap`, `age` and `testAge` of gfns that no memslot has a RangeError. The default is false: as
   * in Linux they find nothing, and the model counts a warning. A range is accepted if a memslot has one of its gfns.
   */
  readonly strict?: boolean
}

/** A new memslot. */
export interface VmMemslotOptions {
  /** Its first gfn: 0..2^(52 - pageShift) - npages. */
  readonly baseGfn: Gfn | bigint
  /** How many gfns it has: 1..`maxNpages`. */
  readonly npages: number | bigint
  /** L1 may only read it: a write is answered `'fault-to-l2'`. The default is false. */
  readonly readOnly?: boolean
  /** It logs dirty pages from the start: the host then maps base pages only. The default is false. */
  readonly logDirty?: boolean
}

/** What a nested guest does, and where. */
interface FaultingAccess {
  /** The nested guest's address: in bytes, 0..2^53-1, of which L0 drops bit 52. */
  readonly gpa: NestedGpa | bigint
  /** What it does there: `'read'`, `'write'` or `'execute'`. */
  readonly access: Access
}

/** A fault of the nested guest that has an LPID now; one is made if there is none, as if L1 had entered it. */
export interface FaultByLpid extends FaultingAccess {
  /** 1 (0 if allowed) up to the number of entries of the partition table minus 1. */
  readonly lpid: Lpid | bigint
}

/** A fault of a nested guest that the caller holds. */
export interface FaultByGuest extends FaultingAccess {
  /** As `enter` returned it. It may be dropped only if the L1 was made with `allowDroppedFaults`. */
  readonly guest: NestedGuest
}

/**
 * Who faults, where, and how. If a field is missing, the error names the one that was misspelled; a further field is
 * ignored, as a fault must be fast.
 */
export type FaultRequest = FaultByLpid | FaultByGuest

/** How far an unmap reaches, and who sees what it meets. */
export interface UnmapOptions {
  /** How many gfns, from the first on: at least 1 (the default). */
  readonly npages?: number | bigint
  /** Is shown each entry that the walks took from a list, when all is done. */
  readonly visitor?: RangeVisitor
}

/** A 64-bit operand of a hypercall: a BigInt in 0..2^64-1, or an integer in 0..2^53-1. */
export type Operand = bigint | number

/** What of an LPID a tlbie invalidates: 0 the TLB, 1 the page walk cache, 2 both and the partition table entry. */
export type Ric = 0 | 1 | 2

/** One page. */
export interface TlbiePage {
  /** What is invalidated: one page. */
  readonly kind: 'page'
  /** L1's number for the nested guest: 0..4095. An LPID that no nested guest has: nothing is done. */
  readonly lpid: Lpid | bigint
  /** An address in the page: in bytes, 0..2^52-1. It is aligned down to the page's size. */
  readonly gpa: NestedGpa | bigint
  /** log2 of the page's size: 12, 16, 21 or 30, and not below the base page. */
  readonly shift: LeafShift
}

/** All pages of one LPID. */
export interface TlbieLpid {
  /** What is invalidated: one LPID. */
  readonly kind: 'lpid'
  /** L1's number for the nested guest: 0..4095. */
  readonly lpid: Lpid | bigint
  /** 0: its shadow leaves are cleared; 1: nothing; 2: as 0, and L0 reads L1's partition entry again. */
  readonly ric: Ric
}

/** All pages of all LPIDs. */
export interface TlbieAll {
  /** What is invalidated: everything. */
  readonly kind: 'all'
  /** As for one LPID. */
  readonly ric: Ric
}

/** What L1 invalidates: one page, one LPID, or all of them (spec 8). An operand that its kind does not have is refused. */
export type Tlbie = TlbiePage | TlbieLpid | TlbieAll

/** The operands of H_TLB_INVALIDATE (spec 8). */
export interface TlbInvalidateOperands {
  /** The instruction: RIC in bits 19..18, PRS (0) in bit 17, R (1) in bit 16. */
  readonly instr: Operand
  /** The LPID in bits 31..0. */
  readonly rs: Operand
  /**
   * The address from bit 12 up; IS in bits 11..10 (0 that page, 2 the LPID, 3 all); the page's size in bits 7..5 (0 =
   * 4 KiB, 1 = 2 MiB, 2 = 1 GiB, 5 = 64 KiB).
   */
  readonly rb: Operand
}

/** The operands of H_RPT_INVALIDATE (spec 8). */
export interface RptInvalidateOperands {
  /** L1's number for the nested guest, in bits 31..0. */
  readonly lpid: Operand
  /** 1: the MMU of the core. Any other is `'H_P2'`. */
  readonly target: Operand
  /** What to invalidate: bits of {@link RptType}. */
  readonly type: Operand
  /** Of which page sizes: 1 = 4 KiB, 2 = 64 KiB, 4 = 2 MiB, 8 = 1 GiB, or several. */
  readonly pageSizes: Operand
  /** The first nested address, in bytes. */
  readonly start: Operand
  /** The end of the range, in bytes; `start` 0 and `end` 2^64-1: all addresses. */
  readonly end: Operand
}

/** @internal What an L1 is made with, checked. */
export interface VmSettings {
  readonly pageShift: PageShift
  readonly placement: Placement
  readonly lpid: number
  /** None: frames in order. */
  readonly backing: BackingOf | undefined
  readonly allowLpidZero: boolean
  readonly allowDroppedFaults: boolean
  readonly strict: boolean
  readonly maxNodes: number
  readonly maxTablePages: number
  readonly maxNpages: number
}

/** @internal A tlbie, checked: with numbers only. */
export type CheckedTlbie =
  | { readonly kind: 'page'; readonly lpid: Lpid; readonly gpa: NestedGpa; readonly shift: LeafShift }
  | { readonly kind: 'lpid'; readonly lpid: Lpid; readonly ric: Ric }
  | { readonly kind: 'all'; readonly ric: Ric }

/** @internal A request before it is checked: one of `lpid` and `guest` must be given. */
export interface GivenRequest {
  readonly gpa: NestedGpa | bigint
  readonly access: Access
  readonly lpid?: Lpid | bigint
  readonly guest?: NestedGuest
}

/** @internal A request, checked: one of `lpid` and `guest` is given. */
export interface AnyRequest {
  readonly gpa: NestedGpa
  readonly access: Access
  readonly lpid: Lpid | undefined
  readonly guest: NestedGuest | undefined
}
