/**
 * The mmu notifier: the host's memory management takes pages of an L1 away (spec 6, 7).
 *
 * It does so in two halves: from its begin to its end the invalidation counts as in progress, and at its end mmuSeq moves.
 */
import type { Gfn, Gpa } from '../base/units'
import { hiOfNumber } from '../base/word'
import { NONE } from '../page-table/radix-table'
import { RangeCounters } from '../rmap/invalidate'
import { clearHostLeaf, type TakenEntry } from './clear-leaf'
import type { VmState } from './state'

/**
 * @internal Begins to take gfns away: their host leaves are cleared, each one in full, with the walk.
 *
 * @param taken gets what the walks met
 * @returns what the walks counted
 */
export function beginUnmap(vm: VmState, gfn: Gfn, npages: number, taken: TakenEntry[] | undefined): RangeCounters {
  const before = { ...vm.walks }
  vm.invalidationsInProgress++
  unmapRange(vm, gfn, npages, taken)
  const walks = new RangeCounters()
  for (const name of Object.keys(before) as (keyof RangeCounters)[]) walks[name] = vm.walks[name] - before[name]
  return walks
}

/** @internal Ends it. */
export function endUnmap(vm: VmState): void {
  vm.mmuSeq++
  vm.invalidationsInProgress--
}

/**
 * @internal Clears the host leaves of a range, including one that only begins or ends in it.
 *
 * @param marksDirty whether dirty leaves mark their pages in the dirty log
 */
export function unmapRange(
  vm: VmState,
  gfn: Gfn,
  npages: number,
  taken?: TakenEntry[] | undefined,
  marksDirty?: boolean,
): void {
  const size = 1 << vm.pageShift
  const from = gfn * size
  if (npages === 1) {
    unmapAt(vm, from, gfn, taken, marksDirty)
    return
  }
  for (const { gpa } of vm.host.leavesBetween(from, from + npages * size)) {
    const named = Math.max(gpa, from)
    unmapAt(vm, named, named / size, taken, marksDirty)
  }
}

function unmapAt(
  vm: VmState,
  gpa: Gpa,
  named: Gfn,
  taken: TakenEntry[] | undefined,
  marksDirty: boolean | undefined,
): void {
  const hi = hiOfNumber(gpa)
  const lo = gpa | 0
  const ref = vm.host.find(hi, lo)
  if (ref !== NONE) clearHostLeaf(vm, ref, hi, lo, named, taken, marksDirty)
}
