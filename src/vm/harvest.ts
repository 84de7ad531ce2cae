/**
 * Dirty logging of a memslot, and its harvest (spec 6).
 *
 * While a memslot logs dirty pages the host maps base pages only, and switching the logging flushes it first: so every
 * leaf that a harvest meets is a base page.
 */
import type { Gfn } from '../base/units'
import { LeafFlag } from '../page-table/leaf'
import type { VmState } from './state'
import { clearBits } from './update-rc'
import type { VmMemslot } from './vm-memslot'

/**
 * @internal The pages that are dirty, ascending: those that an unmap marked, and those whose host leaf has its changed
 * bit, which is cleared, there and in the shadow leaves.
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
    if (vm.observer !== undefined) {
      vm.emit({ event: 'tlb_flush', lpid: vm.settings.lpid, gpa, shift: vm.pageShift })
    }
    dirty.add(gfn)
  }
  return [...dirty].sort((a, b) => a - b)
}
