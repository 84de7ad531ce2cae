/**
 * Set rc: the hardware found the shadow leaf, but could not set its referenced or changed bit (spec 6). L0 sets the bits,
 * first in the host leaf, then in the shadow leaf.
 */
import { hiOfNumber, numberOf } from '../base/word'
import { LeafFlag } from '../page-table/leaf'
import { NONE, type RadixTable } from '../page-table/radix-table'
import { clearShadowLeaf } from './clear-leaf'
import { GPA_HI, ISA_FRAME_HI, walkGuestTable } from './fault'
import type { Access, Retry, SetRcResult } from './fault-result'
import { findOrMakeGuest } from './guest-life'
import type { NestedGuest } from './nested-guest'
import type { AnyRequest } from './options'
import type { VmState } from './state'

const SET: SetRcResult = Object.freeze({ outcome: 'set' })

/** @internal Does it, and emits its event. */
export function setRc(vm: VmState, request: AnyRequest): SetRcResult {
  const guest = request.guest ?? findOrMakeGuest(vm, request.lpid!)
  if (guest === undefined) return { outcome: 'retry', reason: 'shadow-leaf' }
  const hi = hiOfNumber(request.gpa) & GPA_HI
  const lo = request.gpa | 0
  const result = trySet(vm, guest, hi, lo, request.access)
  if (vm.events.observed) vm.events.emit({ event: 'set_rc', lpid: guest.lpid, gpa: numberOf(hi, lo), result })
  return result
}

/** After the permission check, the guest leaf must have the bits; then they are set in host leaf and shadow leaf. */
function trySet(vm: VmState, guest: NestedGuest, hi: number, lo: number, access: Access): SetRcResult {
  const write = access === 'write'
  const bits = LeafFlag.REFERENCED | (write ? LeafFlag.CHANGED : 0)
  const walked = walkGuestTable(vm, guest, hi, lo, access)
  if (typeof walked === 'string') return { outcome: 'forward-to-l1', reason: walked } // not a refusal: the shadow leaf stays

  const { tree } = guest.root!
  const guestHi = tree.hiAt(walked)
  const guestLo = tree.loAt(walked)
  if ((guestLo & bits) !== bits) return { outcome: 'forward-to-l1', reason: 'no-rc' }

  const offset = (1 << tree.shiftOf(walked)) - 1
  const gpaHi = guestHi & ISA_FRAME_HI
  if (gpaHi > GPA_HI || !setBits(vm.host, gpaHi, (guestLo & ~offset) | (lo & offset), bits, write)) {
    return clearAndRetry(vm, guest, hi, lo, 'host-leaf')
  }
  if (!setBits(guest.shadow, hi, lo, bits, write)) return clearAndRetry(vm, guest, hi, lo, 'shadow-leaf')
  return SET
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
  const ref = guest.shadow.find(hi, lo)
  if (ref !== NONE) clearShadowLeaf(vm, guest, ref, hi, lo, 'L0')
  return { outcome: 'retry', reason }
}
