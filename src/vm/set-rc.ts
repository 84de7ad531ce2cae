/**
 * Set rc: the hardware found the shadow leaf, but could not set its referenced or changed bit (spec 6). L0 sets the bits,
 * first in the host leaf, then in the shadow leaf.
 */
import { hiOfNumber, numberOf, wordOf } from '../base/word'
import { LeafFlag } from '../page-table/leaf'
import { NONE, type RadixTable } from '../page-table/radix-table'
import { KVM_ADDRESS } from './event-addresses'
import { clearByLpid, GPA_HI, ISA_FRAME_HI, walkGuestTable } from './fault'
import { emitFault, guestLeafAt } from './fault-events'
import type { Access, Retry, SetRcResult } from './fault-result'
import { findOrMakeGuest, putGuest } from './guest-life'
import { askWalker } from './ask-walker'
import type { NestedGuest } from './nested-guest'
import type { AnyRequest } from './options'
import type { VmState } from './state'

const DSISR_SET_RC = 0x4_0000

const SET: SetRcResult = /* @__PURE__ */ Object.freeze({ outcome: 'set' })

/** @internal Does it, and emits its event. */
export function setRc(vm: VmState, request: AnyRequest): SetRcResult {
  const guest = request.guest ?? findOrMakeGuest(vm, request.lpid!)
  if (guest === undefined) return { outcome: 'retry', reason: 'no-table-page' }
  const hi = hiOfNumber(request.gpa) & GPA_HI
  const lo = request.gpa | 0
  guest.refCount++
  try {
    return setRcOf(vm, guest, hi, lo, request.access)
  } finally {
    putGuest(vm, guest)
  }
}

function setRcOf(vm: VmState, guest: NestedGuest, hi: number, lo: number, access: Access): SetRcResult {
  const asked = guest.table === undefined ? askWalker(vm, guest, hi, lo) : undefined // before it begins: it may throw
  const { observed } = vm.events
  if (observed) emitFault(vm, guest.lpid, hi, lo, access, DSISR_SET_RC)
  const walked = walkGuestTable(vm, guest, hi, lo, access, asked)
  const result = trySet(vm, guest, hi, lo, access, walked)
  if (observed) {
    vm.events.emit({ event: 'nested_fault_ret', ret: result.outcome === 'forward-to-l1' ? 2 : 0 })
    vm.events.emit({ event: 'set_rc_result', lpid: guest.lpid, gpa: numberOf(hi, lo), result })
  }
  return result
}

/** After the permission check, the guest leaf must have the bits; then they are set in host leaf and shadow leaf. */
function trySet(
  vm: VmState,
  guest: NestedGuest,
  hi: number,
  lo: number,
  access: Access,
  walked: ReturnType<typeof walkGuestTable>,
): SetRcResult {
  const write = access === 'write'
  const bits = LeafFlag.REFERENCED | (write ? LeafFlag.CHANGED : 0)
  if (typeof walked === 'string') return { outcome: 'forward-to-l1', reason: walked } // not a refusal: the shadow leaf stays

  const {
    hi: guestHi,
    lo: guestLo,
    shift,
  } = typeof walked === 'number' ? guestLeafAt(guest.table!.tree, walked) : walked
  if ((guestLo & bits) !== bits) return { outcome: 'forward-to-l1', reason: 'no-rc' }

  const offset = (1 << shift) - 1
  // the look-up drops bits 52 and above of the guest leaf's address
  const gpaLo = (guestLo & ~offset) | (lo & offset)
  const { observed } = vm.events
  if (observed) emitSetRc(vm, 0, write, guestHi & ISA_FRAME_HI, gpaLo, vm.settings.lpid)
  const hostSet = setBits(vm.host, guestHi & GPA_HI, gpaLo, bits, write)
  if (observed) vm.events.emit({ event: 'set_rc_ret', ret: hostSet ? 1 : 0 })
  if (!hostSet) return clearAndRetry(vm, guest, hi, lo, 'host-leaf')
  // Quirk: Linux looks the nested guest up by its LPID, which for a dropped guest is now another's, or nobody's
  const shadow = vm.guests.get(guest.lpid)?.shadow
  if (observed) emitSetRc(vm, 1, write, hi, lo, guest.lpid)
  const shadowSet = shadow !== undefined && setBits(shadow, hi, lo, bits, write)
  if (observed) vm.events.emit({ event: 'set_rc_ret', ret: shadowSet ? 1 : 0 })
  return shadowSet ? SET : clearAndRetry(vm, guest, hi, lo, 'shadow-leaf')
}

function emitSetRc(vm: VmState, nested: 0 | 1, write: boolean, hi: number, lo: number, lpid: number): void {
  const gpa = wordOf(hi, lo)
  vm.events.emit({ event: 'set_rc', kvm: KVM_ADDRESS, nested, writing: write ? 1 : 0, gpa, lpid })
}

/** Sets bits in a leaf. Returns false if there is none, or for a write none that may be written. */
function setBits(table: RadixTable, hi: number, lo: number, bits: number, write: boolean): boolean {
  const ref = table.find(hi, lo)
  if (ref === NONE) return false
  const wordLo = table.loAt(ref)
  if (write && (wordLo & LeafFlag.WRITE) === 0) return false
  table.writeAt(ref, table.hiAt(ref), wordLo | bits)
  return true
}

function clearAndRetry(vm: VmState, guest: NestedGuest, hi: number, lo: number, reason: Retry['reason']): Retry {
  clearByLpid(vm, guest.lpid, hi, lo)
  return { outcome: 'retry', reason }
}
