/**
 * Referenced and changed bits are cleared in a host leaf, and through one gfn's slot in the shadow leaves behind it
 * (spec 6, ageing and dirty harvest). Nothing is taken from the slot, and mmuSeq stays.
 *
 * **Quirk**: the nested guest's TLB is flushed under the number in the entry, which is L1's, not under the shadow LPID
 * that the hardware knows it by: in the wrong partition.
 */
import type { Gfn } from '../base/units'
import { pow2 } from '../base/word'
import { leafHpa } from '../page-table/leaf'
import { NONE } from '../page-table/radix-table'
import { entryLpid } from '../rmap/entry'
import { followEntry, hostPage } from '../rmap/invalidate'
import type { VmState } from './state'

/**
 * @internal Clears a bit in the leaf that maps a gfn, if it is there and has it, and in the shadow leaves that the
 * gfn's own slot leads to and that map a page of it. Returns whether it was.
 */
export function clearBits(vm: VmState, gfn: Gfn, bits: number): boolean {
  const { host, pageShift } = vm
  const gpa = gfn * pow2(pageShift)
  const ref = host.refAt(gpa)
  if (ref === NONE) return false
  const hostHi = host.hiAt(ref)
  const hostLo = host.loAt(ref)
  if ((hostLo & bits) === 0) return false
  host.writeAt(ref, hostHi, hostLo & ~bits)

  const shift = host.shiftOf(ref)
  const hpa = leafHpa(hostHi, hostLo, shift)
  const slot = vm.memslotOf(gfn)!
  const index = gfn - slot.baseGfn
  if (vm.observer !== undefined) {
    vm.emit({
      event: 'rmap_update_rc',
      kvm: vm.kvmAddress,
      rmapp: slot.slotAddress(index),
      old: slot.rmap.words[index]!,
      clr: bits,
      set: 0,
      hpa: BigInt(hpa),
      nbytes: shift === pageShift ? 1 : pow2(shift),
    })
  }
  const { rcWalks } = vm
  const page = hostPage(hpa, shift)
  if (!slot.rmap.isEmptyAt(index)) rcWalks.slots++
  for (const list = slot.rmap.walk(index); list.next();) {
    const shadow = vm.guests.get(entryLpid(list.hi))?.shadow
    const leaf = followEntry(page, shadow, list.hi, list.lo, rcWalks)
    if (leaf === NONE) continue
    shadow!.writeAt(leaf, shadow!.hiAt(leaf), shadow!.loAt(leaf) & ~bits)
    vm.flushes.wrongPartition++
    if (vm.observer !== undefined) vm.emit({ event: 'tlb_flush', lpid: entryLpid(list.hi) })
  }
  return true
}
