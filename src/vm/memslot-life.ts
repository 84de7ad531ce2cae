/**
 * Memslots are added, moved, changed and deleted (spec 10).
 *
 * Before one is deleted or moved it becomes invalid and is flushed: every present host leaf in it is unmapped, which
 * empties its lists. Deleting frees the array of slot words; a move, and a change of flags, keep it.
 */
import type { Gfn } from '../base/units'
import { hex } from '../base/word'
import { Memslot } from '../rmap/memslot'
import { addInserts } from './counters'
import { KVM_ADDRESS, newArrayAddress, newMemslotAddress } from './event-addresses'
import { unmapRange } from './notifier'
import type { VmState } from './state'
import { VmMemslot } from './vm-memslot'

const enum Change {
  Create,
  Delete,
  Move,
  Flags,
}

/** @internal A new memslot. The caller has checked that it overlaps none. */
export function addMemslot(
  vm: VmState,
  baseGfn: Gfn,
  npages: number,
  flags: { readOnly: boolean; logDirty: boolean },
): VmMemslot {
  const { allowLpidZero } = vm.settings
  const rmap = new Memslot({ baseGfn, npages, nodes: vm.nodes, allowLpidZero })
  const slot = new VmMemslot(rmap, flags, newMemslotAddress(vm), newArrayAddress(vm, npages))
  vm.memslots.push(slot)
  sortMemslots(vm)
  if (vm.events.observed) emitCommit(vm, slot, Change.Create, 0n)
  return slot
}

/** @internal Makes a memslot invalid, so that faults do not find it, and flushes it. */
export function invalidateMemslot(vm: VmState, slot: VmMemslot): void {
  if (slot.invalid) return
  slot.invalid = true
  flushMemslot(vm, slot)
}

/** @internal Unmaps all of a memslot. A list node that is still in use afterwards is a leak. */
export function flushMemslot(vm: VmState, slot: VmMemslot, marksDirty?: boolean): void {
  unmapRange(vm, slot.baseGfn, slot.npages, undefined, marksDirty)
  vm.mmuSeq++
  if (slot.nodes !== 0) {
    vm.events.warn(
      `memslot at gfn ${hex(slot.baseGfn)}: ${slot.nodes} list nodes are still in use after its flush: leaked`,
    )
  }
}

/** @internal Deletes a memslot. */
export function removeMemslot(vm: VmState, slot: VmMemslot): void {
  invalidateMemslot(vm, slot)
  slot.removed = true
  vm.memslots.splice(vm.memslots.indexOf(slot), 1)
  vm.leaked += slot.nodes
  addInserts(vm.retired, slot.rmap.counters)
  if (vm.events.observed) {
    emitCommit(vm, slot, Change.Delete, slot.address)
    vm.events.emit({ event: 'memslot_free', base_gfn: slot.baseGfn, npages: slot.npages, rmap: slot.arrayAddress })
  }
}

/** @internal Moves a memslot: its gfns change, its array stays. The caller has checked that it overlaps none there. */
export function moveMemslot(vm: VmState, slot: VmMemslot, baseGfn: Gfn): void {
  invalidateMemslot(vm, slot)
  slot.rmap.moveTo(baseGfn)
  sortMemslots(vm)
  slot.invalid = false
  const old = slot.address
  slot.address = newMemslotAddress(vm) // the kernel makes a new structure for the changed memslot
  if (vm.events.observed) emitCommit(vm, slot, Change.Move, old)
}

/**
 * @internal Begins to switch the logging of dirty pages: the changed memslot, with an empty dirty log, is visible to
 * faults. It is flushed by {@link endSetLogDirty}.
 */
export function beginSetLogDirty(vm: VmState, slot: VmMemslot, on: boolean): void {
  slot.changing = true
  slot.logDirty = on
  slot.marked.clear()
  const old = slot.address
  slot.address = newMemslotAddress(vm)
  if (vm.events.observed) emitCommit(vm, slot, Change.Flags, old)
}

/** @internal Ends it. The flush is one of the memslot as it was before: it marks nothing in the new dirty log. */
export function endSetLogDirty(vm: VmState, slot: VmMemslot): void {
  flushMemslot(vm, slot, false)
  slot.changing = false
}

function sortMemslots(vm: VmState): void {
  vm.memslots.sort((a, b) => a.baseGfn - b.baseGfn)
}

function emitCommit(vm: VmState, slot: VmMemslot, change: Change, old: bigint): void {
  vm.events.emit({
    event: 'memslot_commit',
    kvm: KVM_ADDRESS,
    old,
    new: change === Change.Delete ? 0n : slot.address,
    change,
    base_gfn: slot.baseGfn,
    npages: slot.npages,
    rmap: slot.arrayAddress,
    uaddr: 0n,
    flags: slot.logDirty ? 1 : 0,
  })
}
