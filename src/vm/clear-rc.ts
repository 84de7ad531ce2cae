/**
 * Clearing referenced and changed bits: ageing and dirty harvest (spec 6). The counterpart of `set-rc.ts`.
 *
 * A bit is cleared in a host leaf and, through one gfn's rmap slot, in the shadow leaves behind it. Nothing is detached
 * from the slot, and mmuSeq does not move.
 *
 * **Quirk**: Linux flushes the nested guest's TLB under the number in the entry, which is L1's LPID, instead of the shadow
 * LPID, which the hardware uses: in the wrong partition.
 */
import type { Gfn } from '../base/units'
import { pow2 } from '../base/word'
import { LeafFlag, leafHpa } from '../page-table/leaf'
import { NONE } from '../page-table/radix-table'
import { entryLpid } from '../rmap/entry'
import { followEntry, hostPage } from '../rmap/invalidate'
import { KVM_ADDRESS } from './event-addresses'
import type { VmState } from './state'
import type { VmMemslot } from './vm-memslot'

/**
 * @internal Clears the referenced bit of a gfn's host leaf, and of the shadow leaves behind that gfn's rmap slot. Returns
 * whether it was set. **Quirk**: Linux visits only the named gfn's slot, so ageing that starts in the middle of a large
 * page misses the list at its first gfn. The host's TLB is not flushed.
 */
export function age(vm: VmState, gfn: Gfn): boolean {
  return clearBits(vm, gfn, LeafFlag.REFERENCED)
}

/** @internal The referenced bit of a gfn's host leaf. */
export function testAge(vm: VmState, gfn: Gfn): boolean {
  const ref = vm.host.refAt(gfn * pow2(vm.pageShift))
  return ref !== NONE && (vm.host.loAt(ref) & LeafFlag.REFERENCED) !== 0
}

/**
 * @internal The dirty pages of a memslot, ascending: those that an unmap marked, and those whose host leaf is changed. The
 * marks and the changed bits are cleared, the bits in the shadow leaves as well.
 *
 * While a memslot logs dirty pages the host maps base pages only, and a harvest cannot come before the flush that ends the
 * switching of the logging: so every leaf that a harvest meets is a base page.
 */
export function harvestDirty(vm: VmState, slot: VmMemslot): Gfn[] {
  const size = 2 ** vm.pageShift
  const dirty = new Set<Gfn>()
  for (const index of slot.marked) dirty.add(slot.baseGfn + index)
  slot.marked.clear()
  const from = slot.baseGfn * size
  for (const { gpa } of vm.host.leavesBetween(from, from + slot.npages * size)) {
    const gfn = gpa / size
    if (!clearBits(vm, gfn, LeafFlag.CHANGED)) continue
    vm.flushes.l1++
    if (vm.events.observed) {
      vm.events.emit({ event: 'tlb_flush', lpid: vm.settings.lpid, gpa, shift: vm.pageShift })
    }
    dirty.add(gfn)
  }
  return [...dirty].sort((a, b) => a - b)
}

/** Clears a bit in a gfn's host leaf, if it is set, and in the shadow leaves behind it. Returns whether it was set. */
function clearBits(vm: VmState, gfn: Gfn, bits: number): boolean {
  const { host, pageShift } = vm
  const ref = host.refAt(gfn * pow2(pageShift))
  if (ref === NONE) return false
  const hostHi = host.hiAt(ref)
  const hostLo = host.loAt(ref)
  if ((hostLo & bits) === 0) return false
  host.writeAt(ref, hostHi, hostLo & ~bits)

  const shift = host.shiftOf(ref)
  const hpa = leafHpa(hostHi, hostLo, shift)
  const slot = vm.memslotOf(gfn)!
  const index = gfn - slot.baseGfn
  if (vm.events.observed) {
    vm.events.emit({
      event: 'rmap_update_rc',
      kvm: KVM_ADDRESS,
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
    if (vm.events.observed) vm.events.emit({ event: 'tlb_flush', lpid: entryLpid(list.hi) })
  }
  return true
}
