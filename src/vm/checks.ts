/**
 * The checks of what a caller gives to an L1, at its edge. Each throws a TypeError or a RangeError that names the
 * argument, the range and the value, or for a wrong state an Error that names the call to make; nothing has changed then.
 */
import { checkBoolean, checkFunction, checkInteger, checkObject, checkOneOf, checkWord, wrongType } from '../base/args'
import { type Gfn, type LeafShift, type Lpid, MAX_GPA, MAX_LPID, type PageShift } from '../base/units'
import { hex } from '../base/word'
import type { RangeVisitor } from '../rmap/invalidate'
import { MAX_NPAGES } from '../rmap/memslot'
import { MAX_NODES } from '../rmap/node-heap'
import type { Access } from './fault-result'
import { NestedGuest } from './nested-guest'
import type { AnyRequest, FaultRequest, Operand, Placement, Ric, Tlbie, VmOptions, VmSettings } from './options'
import type { VmState } from './state'
import { VmMemslot } from './vm-memslot'

const ACCESSES: readonly Access[] = ['read', 'write', 'execute']
const MAX_SAFE = Number.MAX_SAFE_INTEGER

/** @internal An L1's settings. */
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

/** @internal A fault request: a copy, as the fields of the caller's object may have getters. */
export function checkRequest(vm: VmState, request: FaultRequest): AnyRequest {
  const { gpa, access, lpid, guest } = checkObject('request', request) as AnyRequest
  checkInteger('gpa', gpa, 0, MAX_SAFE, 16)
  checkOneOf<Access>('access', access, ACCESSES)
  if (guest === undefined) {
    checkLpid(vm, lpid!)
  } else {
    if (lpid !== undefined) throw new TypeError('lpid: expected either lpid or guest, got both')
    checkGuest(vm, guest)
    if (guest.dropped && !vm.settings.allowDroppedFaults) {
      throw new Error(`guest: LPID ${guest.lpid} was dropped: call enter for its new nested guest`)
    }
  }
  return { gpa: gpa + 0, access, lpid: lpid! + 0, guest }
}

/** @internal An LPID that L1's partition table has an entry for. */
export function checkLpid(vm: VmState, lpid: Lpid): Lpid {
  return checkInteger('lpid', lpid, vm.settings.allowLpidZero ? 0 : 1, vm.partitionEntries - 1)
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

/** @internal Gfns that addresses below 2^52 have. Returns the first. */
export function checkGfns(vm: VmState, name: string, gfn: Gfn, npages: number): Gfn {
  const gfns = 2 ** (52 - vm.pageShift)
  checkInteger('npages', npages, 1, gfns)
  return checkInteger(name, gfn, 0, gfns - npages, 16)
}

/** @internal A place for a memslot: gfns that no memslot has, `but` that one. Returns the first. */
export function checkPlace(vm: VmState, name: string, baseGfn: Gfn, npages: number, but?: VmMemslot): Gfn {
  const first = checkGfns(vm, name, baseGfn, npages)
  const other = vm.memslots.find(
    (slot) => slot !== but && slot.baseGfn < first + npages && first < slot.baseGfn + slot.npages,
  )
  if (other === undefined) return first
  throw new RangeError(
    `${name}: expected gfns that no other memslot has, got ${hex(first)}, which overlaps the memslot of gfns ` +
      `${hex(other.baseGfn)}..${hex(other.baseGfn + other.npages - 1)}`,
  )
}

/** @internal The memslot of a gfn. */
export function checkMemslotOf(vm: VmState, gfn: Gfn): VmMemslot {
  const slot = vm.memslotOf(checkGfns(vm, 'gfn', gfn, 1))
  if (slot === undefined) throw new RangeError(`gfn: expected a gfn of a memslot, got ${hex(gfn)}`)
  return slot
}

/** @internal A visitor's function, if there is one. */
export function checkVisitor(visitor: RangeVisitor | undefined): RangeVisitor['entry'] | undefined {
  return visitor === undefined ? undefined : checkFunction('visitor.entry', checkObject('visitor', visitor).entry)
}

/** @internal What a tlbie is to invalidate: a copy. */
export function checkTlbie(vm: VmState, what: Tlbie): Tlbie {
  const said = { ...checkObject('what', what) }
  checkOneOf('kind', said.kind, ['page', 'lpid', 'all'])
  if (said.kind !== 'all') checkInteger('lpid', said.lpid, 0, MAX_LPID)
  if (said.kind !== 'page') checkOneOf<Ric>('ric', said.ric, [0, 1, 2])
  if (said.kind === 'page') {
    checkInteger('gpa', said.gpa, 0, MAX_GPA, 16)
    checkOneOf<LeafShift>('shift', said.shift, vm.pageShift === 16 ? [16, 21, 30] : [12, 16, 21, 30])
  }
  return said
}

/** @internal An operand as a word. */
export function checkOperand(name: string, value: Operand): bigint {
  return typeof value === 'number' ? BigInt(checkInteger(name, value, 0, MAX_SAFE, 16)) : checkWord(name, value)
}
