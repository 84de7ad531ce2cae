/**
 * What the host's memory management asks of an L1 (spec 6): take a page away, and say whether it was used.
 *
 * Taking away runs in two halves: from its begin to its end the invalidation counts as in progress, and at the end
 * mmuSeq moves (section 7). Ageing does neither.
 */
import type { Gfn, Gpa } from '../base/units'
import { hiOfNumber, pow2 } from '../base/word'
import { LeafFlag } from '../page-table/leaf'
import { NONE } from '../page-table/radix-table'
import { clearHostLeaf, type TakenEntry } from './clear-leaf'
import type { VmState } from './state'
import { clearBits } from './update-rc'

/** @internal Begins to take gfns away: their host leaves go, each whole, with the walk. */
export function beginUnmap(vm: VmState, gfn: Gfn, npages: number, taken: TakenEntry[] | undefined): void {
  vm.invalidationsInProgress++
  unmapRange(vm, gfn, npages, taken)
}

/** @internal Ends it. */
export function endUnmap(vm: VmState): void {
  vm.mmuSeq++
  vm.invalidationsInProgress--
}

/** @internal Clears the host leaves of a range. One that only begins or ends in it goes too. */
export function unmapRange(vm: VmState, gfn: Gfn, npages: number, taken: TakenEntry[] | undefined): void {
  const size = 1 << vm.pageShift
  const from = gfn * size
  if (npages === 1) {
    unmapAt(vm, from, gfn, taken)
    return
  }
  for (const { gpa } of vm.host.leavesBetween(from, from + npages * size)) {
    const named = Math.max(gpa, from)
    unmapAt(vm, named, named / size, taken)
  }
}

function unmapAt(vm: VmState, gpa: Gpa, named: Gfn, taken: TakenEntry[] | undefined): void {
  const hi = hiOfNumber(gpa)
  const lo = gpa | 0
  const ref = vm.host.find(hi, lo)
  if (ref !== NONE) clearHostLeaf(vm, ref, hi, lo, named, taken)
}

/**
 * @internal Clears the referenced bit of the host leaf and of the shadow leaves behind that gfn's slot. **Quirk**: only
 * the named gfn's slot is visited, so ageing that starts in the middle of a large page misses the list at its head. The
 * host's TLB is not flushed.
 */
export function age(vm: VmState, gfn: Gfn): boolean {
  return clearBits(vm, gfn, LeafFlag.REFERENCED)
}

/** @internal The host leaf's referenced bit. */
export function testAge(vm: VmState, gfn: Gfn): boolean {
  const gpa = gfn * pow2(vm.pageShift)
  const ref = vm.host.refAt(gpa)
  return ref !== NONE && (vm.host.loAt(ref) & LeafFlag.REFERENCED) !== 0
}
