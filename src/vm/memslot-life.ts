/**
 * Memslots come and go (spec 10).
 *
 * Before one is deleted or moved it is invalid, and flushed: every present host leaf in it is unmapped, which empties
 * its lists. Deleting frees the array of words; a move, and a change of flags, keep it.
 */
import type { Gfn } from '../base/units'
import { hex } from '../base/word'
import { Memslot } from '../rmap/memslot'
import { addInserts } from './counters'
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
  const slot = new VmMemslot(rmap, flags, vm.newMemslotAddress(), vm.newArrayAddress(npages))
  vm.memslots.push(slot)
  sortMemslots(vm)
  if (vm.observer !== undefined) emitCommit(vm, slot, Change.Create, 0n)
  return slot
}

/** @internal The memslot that overlaps a range, `but` one. */
export function overlapped(vm: VmState, baseGfn: Gfn, npages: number, but?: VmMemslot): VmMemslot | undefined {
  return vm.memslots.find((s) => s !== but && s.baseGfn < baseGfn + npages && baseGfn < s.baseGfn + s.npages)
}

/** @internal From now on faults do not see the memslot, and it is flushed. */
export function invalidateMemslot(vm: VmState, slot: VmMemslot): void {
  if (slot.invalid) return
  slot.invalid = true
  flushMemslot(vm, slot)
}

/** @internal Unmaps all of a memslot. No list may be left then: a node still in use is a leak. */
export function flushMemslot(vm: VmState, slot: VmMemslot): void {
  unmapRange(vm, slot.baseGfn, slot.npages, undefined)
  vm.mmuSeq++
  if (slot.nodes !== 0) {
    vm.warn(`memslot at gfn ${hex(slot.baseGfn)}: ${slot.nodes} list nodes are in use after its flush: leaked`)
  }
}

/** @internal Deletes a memslot. */
export function removeMemslot(vm: VmState, slot: VmMemslot): void {
  invalidateMemslot(vm, slot)
  slot.removed = true
  vm.memslots.splice(vm.memslots.indexOf(slot), 1)
  vm.leaked += slot.nodes
  addInserts(vm.retired, slot.rmap.counters)
  if (vm.observer !== undefined) {
    emitCommit(vm, slot, Change.Delete, slot.address)
    vm.emit({ event: 'memslot_free', base_gfn: slot.baseGfn, npages: slot.npages, rmap: slot.arrayAddress })
  }
}

/** @internal Moves a memslot: its gfns change, its array stays. The caller has checked that it overlaps none there. */
export function moveMemslot(vm: VmState, slot: VmMemslot, baseGfn: Gfn): void {
  invalidateMemslot(vm, slot)
  slot.rmap.moveTo(baseGfn)
  sortMemslots(vm)
  slot.invalid = false
  changed(vm, slot, Change.Move)
}

/** @internal Switches the logging of dirty pages; the memslot is flushed first. */
export function setLogDirty(vm: VmState, slot: VmMemslot, on: boolean): void {
  if (slot.logging === on) return
  const old = slot.address
  slot.address = vm.newMemslotAddress()
  if (vm.observer !== undefined) emitCommit(vm, slot, Change.Flags, old, on)
  flushMemslot(vm, slot)
  slot.logging = on
  slot.marked.clear()
}

/** The kernel makes a new memslot structure for the changed one. */
function changed(vm: VmState, slot: VmMemslot, change: Change): void {
  const old = slot.address
  slot.address = vm.newMemslotAddress()
  if (vm.observer !== undefined) emitCommit(vm, slot, change, old)
}

function sortMemslots(vm: VmState): void {
  vm.memslots.sort((a, b) => a.baseGfn - b.baseGfn)
}

function emitCommit(vm: VmState, slot: VmMemslot, change: Change, old: bigint, logging = slot.logging): void {
  vm.emit({
    event: 'memslot_commit',
    kvm: vm.kvmAddress,
    old,
    new: change === Change.Delete ? 0n : slot.address,
    change,
    base_gfn: slot.baseGfn,
    npages: slot.npages,
    rmap: slot.arrayAddress,
    uaddr: 0n,
    flags: logging ? 1 : 0,
  })
}
