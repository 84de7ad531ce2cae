/**
 * The checks of what a caller gives to an L1, at its edge. Each throws a TypeError or a RangeError that names the
 * argument, the range and the value, or for a wrong state an Error that names the call to make; nothing has changed then.
 */
import {
  checkBoolean,
  checkFunction,
  checkObject,
  checkOneOf,
  checkOptionNames,
  checkWord,
  toInteger,
  wrongType,
} from '../base/args'
import { type Gfn, type LeafShift, type Lpid, MAX_GPA, MAX_LPID, type NestedGpa, type PageShift } from '../base/units'
import { hex } from '../base/word'
import type { RangeVisitor } from '../rmap/invalidate'
import { MAX_NPAGES } from '../rmap/memslot'
import { MAX_NODES } from '../rmap/node-heap'
import type { Access } from './fault-result'
import { NestedGuest } from './nested-guest'
import type {
  AnyRequest,
  CheckedTlbie,
  FaultRequest,
  GivenRequest,
  Operand,
  Placement,
  Ric,
  Tlbie,
  VmOptions,
  VmSettings,
} from './options'
import type { VmState } from './state'
import { VmMemslot } from './vm-memslot'

const ACCESSES: readonly Access[] = ['read', 'write', 'execute']
const MAX_SAFE = Number.MAX_SAFE_INTEGER
const OPTIONS = [
  'pageShift',
  'placement',
  'backing',
  'observer',
  'lpid',
  'maxNodes',
  'maxTablePages',
  'maxNpages',
  'allowLpidZero',
  'allowDroppedFaults',
  'strict',
] as const satisfies readonly (keyof VmOptions)[]
const REQUEST = ['lpid', 'guest', 'gpa', 'access'] as const
const TLBIE = {
  page: ['kind', 'lpid', 'gpa', 'shift'],
  lpid: ['kind', 'lpid', 'ric'],
  all: ['kind', 'ric'],
} as const satisfies Record<Tlbie['kind'], readonly (keyof AnyTlbie)[]>

/** @internal An L1's settings. */
export function checkOptions(options: VmOptions): VmSettings {
  const {
    pageShift = 16,
    placement = 'head',
    backing,
    lpid = 1,
    maxNodes = MAX_NODES,
  } = checkOptionNames('options', options, OPTIONS)
  const { maxTablePages = MAX_SAFE, maxNpages = MAX_NPAGES, allowLpidZero, allowDroppedFaults, strict } = options
  if (backing !== undefined) checkFunction('backing', backing)
  return {
    pageShift: checkOneOf<PageShift>('pageShift', pageShift, [16, 12]),
    placement: checkOneOf<Placement>('placement', placement, ['head', 'faulting']),
    lpid: toInteger('lpid', lpid, 1, MAX_LPID),
    backing,
    allowLpidZero: checkBoolean('allowLpidZero', allowLpidZero, false),
    allowDroppedFaults: checkBoolean('allowDroppedFaults', allowDroppedFaults, false),
    strict: checkBoolean('strict', strict, false),
    maxNodes: toInteger('maxNodes', maxNodes, 0, MAX_NODES),
    maxTablePages: toInteger('maxTablePages', maxTablePages, 1, MAX_SAFE),
    maxNpages: toInteger('maxNpages', maxNpages, 1, MAX_NPAGES),
  }
}

/** @internal A fault request: a copy, as the fields of the caller's object may have getters. */
export function checkRequest(vm: VmState, request: FaultRequest): AnyRequest {
  const { gpa, access, lpid, guest } = checkObject<GivenRequest>('request', request as GivenRequest)
  if (gpa === undefined || access === undefined || (lpid === undefined && guest === undefined)) {
    checkOptionNames<GivenRequest>('request', request as GivenRequest, REQUEST) // a misspelled name leaves one out
  }
  const address = toInteger('gpa', gpa, 0, MAX_SAFE, 16)
  checkOneOf<Access>('access', access, ACCESSES)
  let number: Lpid | undefined
  if (guest === undefined) {
    number = checkLpid(vm, lpid!)
  } else {
    if (lpid !== undefined) throw new TypeError('lpid: expected either lpid or guest, got both')
    checkGuest(vm, guest)
    if (guest.dropped && !vm.settings.allowDroppedFaults) {
      throw new Error(`guest: LPID ${guest.lpid} was dropped: call enter for its new nested guest`)
    }
  }
  return { gpa: address, access, lpid: number, guest }
}

/** @internal An LPID that L1's partition table has an entry for. */
export function checkLpid(vm: VmState, lpid: Lpid | bigint): Lpid {
  return toInteger('lpid', lpid, vm.settings.allowLpidZero ? 0 : 1, vm.partitionEntries - 1)
}

/** @internal A nested guest of this L1. */
export function checkGuest(vm: VmState, guest: NestedGuest): void {
  if (!(guest instanceof NestedGuest)) throw wrongType('guest', 'a NestedGuest', guest)
  if (vm.guests.get(guest.lpid) === guest || vm.held.has(guest)) return
  throw new Error('guest: it is freed, or belongs to another Vm: call enter')
}

/** @internal A memslot of this L1. */
export function checkMemslot(vm: VmState, memslot: VmMemslot): void {
  if (!(memslot instanceof VmMemslot)) throw wrongType('memslot', 'a VmMemslot', memslot)
  if (!vm.memslots.includes(memslot)) {
    throw new Error('memslot: it is removed, or belongs to another Vm: call addMemslot')
  }
  // Linux holds a lock (slots_lock) over both halves
  if (memslot.changing) throw new Error('memslot: its dirty logging is being switched: call end of that change first')
}

/** @internal How many gfns there are, of those that addresses below 2^52 have. */
export function checkNpages(vm: VmState, npages: number | bigint): number {
  return toInteger('npages', npages, 1, 2 ** (52 - vm.pageShift))
}

/** @internal Gfns that addresses below 2^52 have. Returns the first. */
export function checkGfns(vm: VmState, name: string, gfn: Gfn | bigint, npages: number): Gfn {
  return toInteger(name, gfn, 0, 2 ** (52 - vm.pageShift) - npages, 16)
}

/**
 * @internal Gfns that the host is to invalidate or age. Returns the first. Linux's code does nothing for one that no memslot
 * has, and so does the model, with a warning; if `strict`, this is a RangeError.
 */
export function checkHostGfns(vm: VmState, what: string, gfn: Gfn | bigint, npages: number): Gfn {
  const first = checkGfns(vm, 'gfn', gfn, npages)
  if (npages === 1 ? vm.memslotOf(first) !== undefined : vm.memslots.some((slot) => overlaps(slot, first, npages))) {
    return first
  }
  const range = (npages === 1 ? hex(first) : `${hex(first)}..${hex(first + npages - 1)}`) + addressHint(vm, first)
  if (vm.settings.strict) throw new RangeError(`gfn: expected a gfn of a memslot, got ${range}`)
  vm.events.warn(`${what}: no memslot has gfn ${range}`)
  return first
}

/** A gfn that no memslot has may be an address, given in place of its gfn. */
function addressHint(vm: VmState, gfn: Gfn | bigint): string {
  const meant = Number(gfn) / 2 ** vm.pageShift
  const isAddress = meant > 0 && Number.isInteger(meant) && vm.memslotOf(meant) !== undefined
  return isAddress ? ` (an address? Its gfn is ${hex(meant)})` : ''
}

function overlaps(slot: VmMemslot, first: Gfn, npages: number): boolean {
  return slot.baseGfn < first + npages && first < slot.baseGfn + slot.npages
}

/** @internal A place for a memslot: gfns that no memslot has, `but` that one. Returns the first. */
export function checkPlace(vm: VmState, name: string, baseGfn: Gfn | bigint, npages: number, but?: VmMemslot): Gfn {
  const first = checkGfns(vm, name, baseGfn, npages)
  const other = vm.memslots.find((slot) => slot !== but && overlaps(slot, first, npages))
  if (other === undefined) return first
  throw new RangeError(
    `${name}: expected gfns that no other memslot has, got ${hex(first)}, which overlaps the memslot of gfns ` +
      `${hex(other.baseGfn)}..${hex(other.baseGfn + other.npages - 1)}`,
  )
}

/** @internal The memslot of a gfn. */
export function checkMemslotOf(vm: VmState, gfn: Gfn | bigint): VmMemslot {
  const slot = vm.memslotOf(checkGfns(vm, 'gfn', gfn, 1))
  if (slot === undefined)
    throw new RangeError(`gfn: expected a gfn of a memslot, got ${hex(gfn)}${addressHint(vm, gfn)}`)
  return slot
}

/** @internal A visitor's function, if there is one. */
export function checkVisitor(visitor: RangeVisitor | undefined): RangeVisitor['entry'] | undefined {
  return visitor === undefined ? undefined : checkFunction('visitor.entry', checkObject('visitor', visitor).entry)
}

/** @internal What a tlbie is to invalidate: a copy. */
export function checkTlbie(vm: VmState, what: Tlbie): CheckedTlbie {
  const { kind } = checkObject('what', what)
  if (kind === undefined) checkOptionNames<AnyTlbie>('what', what, [...TLBIE.page, 'ric'])
  checkOneOf('kind', kind, ['page', 'lpid', 'all'])
  const { lpid, gpa, shift, ric } = checkOptionNames<AnyTlbie>('what', what, TLBIE[kind]) // 'all' has no LPID, say
  if (kind === 'all') return { kind, ric: checkOneOf<Ric>('ric', ric!, [0, 1, 2]) }
  const number = toInteger('lpid', lpid!, 0, MAX_LPID)
  if (kind === 'lpid') return { kind, lpid: number, ric: checkOneOf<Ric>('ric', ric!, [0, 1, 2]) }
  return {
    kind,
    lpid: number,
    gpa: toInteger('gpa', gpa!, 0, MAX_GPA, 16),
    shift: checkOneOf<LeafShift>('shift', shift!, vm.pageShift === 16 ? [16, 21, 30] : [12, 16, 21, 30]),
  }
}

/** Any of the three, before it is checked. */
interface AnyTlbie {
  readonly kind: Tlbie['kind']
  readonly lpid?: Lpid | bigint
  readonly gpa?: NestedGpa | bigint
  readonly shift?: LeafShift
  readonly ric?: Ric
}

/** @internal An operand as a word. */
export function checkOperand(name: string, value: Operand): bigint {
  return typeof value === 'number' ? BigInt(toInteger(name, value, 0, MAX_SAFE, 16)) : checkWord(name, value)
}
