/**
 * Nested guests come and go (spec 9).
 *
 * One exists from the first time L1 enters its LPID. It is dropped when L1 clears its partition entry and flushes, or
 * when L1 goes. Its shadow table is freed at the last put; its rmap entries stay, stale, and a new nested guest with
 * the same LPID inherits them.
 */
import type { Lpid } from '../base/units'
import { NestedGuest, type GuestState } from './nested-guest'
import type { VmState } from './state'

/** @internal The nested guest that has an LPID, made if there is none; undefined where its table cannot be had. */
export function findOrMakeGuest(vm: VmState, lpid: Lpid): NestedGuest | undefined {
  const found = vm.guests.get(lpid)
  if (found !== undefined) return found
  const shadow = vm.newTable()
  if (shadow === undefined) return undefined
  const guest = new NestedGuest(lpid, takeShadowLpid(vm), vm.nextId++, shadow)
  vm.guests.set(lpid, guest)
  readPartitionEntry(vm, guest)
  return guest
}

/** @internal L0 reads L1's partition table entry for a nested guest. */
export function readPartitionEntry(vm: VmState, guest: NestedGuest): void {
  guest.setRoot(guest.lpid < vm.partitionEntries ? vm.partition.get(guest.lpid) : undefined)
  if (vm.observer !== undefined) emitGuest(vm, guest, 'nested_update')
}

/** @internal Takes a nested guest out of the registry. */
export function dropGuest(vm: VmState, guest: NestedGuest, state: Exclude<GuestState, 'live'>): void {
  vm.guests.delete(guest.lpid)
  vm.held.add(guest)
  guest.state = state
  putGuest(vm, guest)
}

/** @internal Gives a reference back. At the last, the shadow table is freed. */
export function putGuest(vm: VmState, guest: NestedGuest): void {
  if (--guest.refCount > 0) return
  if (vm.observer !== undefined) emitGuest(vm, guest, 'nested_release')
  clearAllLeaves(vm, guest, 'L0')
  vm.freeTable(guest.shadow)
  guest.setRoot(undefined)
  vm.held.delete(guest)
  vm.shadowLpids.delete(guest.shadowLpid)
}

/** @internal All leaves of a nested guest's shadow table go, and its TLB is flushed. */
export function clearAllLeaves(vm: VmState, guest: NestedGuest, by: 'L0' | 'L1'): void {
  const lpid = guest.shadowLpid
  if (vm.observer !== undefined) {
    vm.emit({ event: 'table_free', kvm: vm.kvmAddress, pgd: vm.tableAddress(guest), lpid })
    vm.emit({ event: 'tlb_flush', lpid })
  }
  if (by === 'L0') vm.leavesClearedByL0 += guest.shadow.leafCount
  else vm.leavesClearedByL1 += guest.shadow.leafCount
  guest.shadow.clearAll()
  guest.edited.clear()
  vm.flushes.l2++
}

/** @internal L1 goes (release all): its nested guests, and every slot of every memslot. */
export function releaseAll(vm: VmState): void {
  for (const guest of [...vm.guests.values()]) dropGuest(vm, guest, 'released')
  for (const slot of vm.memslots) {
    const before = vm.nodes.inUse
    for (let index = 0; slot.singles + slot.lists > 0 && index < slot.npages; index++) {
      if (slot.rmap.isEmptyAt(index)) continue
      if (slot.rmap.isListAt(index)) slot.lists--
      else slot.singles--
      for (const list = slot.rmap.take(index); list.next();) vm.released++
    }
    slot.nodes -= before - vm.nodes.inUse
  }
}

/** The lowest number that no nested guest has, above L1's own. */
function takeShadowLpid(vm: VmState): number {
  let lpid = vm.settings.lpid + 1
  while (vm.shadowLpids.has(lpid)) lpid++
  vm.shadowLpids.add(lpid)
  return lpid
}

function emitGuest(vm: VmState, guest: NestedGuest, event: 'nested_update' | 'nested_release'): void {
  vm.emit({
    event,
    gp: vm.guestAddress(guest),
    l1_lpid: guest.lpid,
    shadow_lpid: guest.shadowLpid,
    shadow_pgtable: vm.tableAddress(guest),
  })
}
