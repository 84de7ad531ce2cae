/** What a caller gives to an L1: its options, requests and operands; and their checks. */
import { checkBoolean, checkFunction, checkInteger, checkObject, checkOneOf, checkWord } from '../base/args'
import { type Gpa, type Lpid, MAX_LPID, type PageShift } from '../base/units'
import { MAX_NPAGES } from '../rmap/memslot'
import { MAX_NODES } from '../rmap/node-heap'
import type { VmObserver } from './events'
import type { Access } from './fault-result'
import type { NestedGuest } from './nested-guest'
import type { BackingOf, Placement, VmSettings } from './state'

/** What an L1 is made with. */
export interface VmOptions {
  /** log2 of L0's base page size: 16 (the default) or 12. */
  readonly pageShift?: PageShift
  /** Where an entry goes: `'head'` (the default) or `'faulting'` (2018's). */
  readonly placement?: Placement
  /** What backs L1's memory, and how large its pages are. The default: base pages, with host frames in order. */
  readonly backing?: BackingOf
  /** Gets the events of every operation, at its end. */
  readonly observer?: VmObserver
  /** The hardware's number for L1 itself: 1 (the default) .. 4095. Shadow LPIDs come after it. */
  readonly lpid?: number
  /** Most list nodes in use at once, 0..2^27-1. */
  readonly maxNodes?: number
  /** Most pages of host and shadow tables in use at once, the roots included: 1..2^53-1. */
  readonly maxTablePages?: number
  /** Most gfns of one memslot, 1..2^28. */
  readonly maxNpages?: number
  /** Lets LPID 0 in, as Linux does: it breaks lists (a quirk of section 11). */
  readonly allowLpidZero?: boolean
  /** Lets a dropped nested guest fault, as Linux does: it breaks completeness (a quirk of section 9). */
  readonly allowDroppedFaults?: boolean
}

/** Who faults, where, and how: by LPID, which is entered if it was not, or by a nested guest that the caller holds. */
export type FaultRequest = {
  /** The nested guest's address, in bytes: 0..2^53-1, of which L0 drops bit 52. */
  readonly gpa: Gpa
  readonly access: Access
} & ({ readonly lpid: Lpid } | { readonly guest: NestedGuest })

/** A 64-bit operand: a BigInt, or an integer in 0..2^53-1. */
export type Operand = bigint | number

/** @internal A request before it is checked: one of `lpid` and `guest` is there. */
export interface AnyRequest {
  readonly gpa: Gpa
  readonly access: Access
  readonly lpid?: Lpid
  readonly guest?: NestedGuest
}

const MAX_SAFE = Number.MAX_SAFE_INTEGER

/** @internal An L1's settings. @throws RangeError, TypeError */
export function checkOptions(options: VmOptions): VmSettings {
  const {
    pageShift = 16,
    placement = 'head',
    backing,
    lpid = 1,
    maxNodes = MAX_NODES,
  } = checkObject('options', options)
  const { maxTablePages = MAX_SAFE, maxNpages = MAX_NPAGES, allowLpidZero, allowDroppedFaults } = options
  if (backing !== undefined) checkFunction('backing', backing)
  return {
    pageShift: checkOneOf<PageShift>('pageShift', pageShift, [16, 12]),
    placement: checkOneOf<Placement>('placement', placement, ['head', 'faulting']),
    lpid: checkInteger('lpid', lpid, 1, MAX_LPID),
    backing,
    allowLpidZero: checkBoolean('allowLpidZero', allowLpidZero, false),
    allowDroppedFaults: checkBoolean('allowDroppedFaults', allowDroppedFaults, false),
    maxNodes: checkInteger('maxNodes', maxNodes, 0, MAX_NODES),
    maxTablePages: checkInteger('maxTablePages', maxTablePages, 1, MAX_SAFE),
    maxNpages: checkInteger('maxNpages', maxNpages, 1, MAX_NPAGES),
  }
}

/** @internal An operand as a word. @throws RangeError, TypeError */
export function checkOperand(name: string, value: Operand): bigint {
  return typeof value === 'number' ? BigInt(checkInteger(name, value, 0, MAX_SAFE, 16)) : checkWord(name, value)
}
