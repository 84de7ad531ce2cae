/**
 * Nested guests are made and dropped (spec 9).
 *
 * One exists from the first time L1 enters its LPID. It is dropped when L1 clears its partition entry and flushes, or when
 * L1 itself is released. Its shadow table is freed at the last put; its rmap entries stay, stale, and a new nested guest
 * with the same LPID inherits them.
 */
import type { Lpid } from '../base/units'
import { guestAddress, KVM_ADDRESS, tableAddress } from './event-addresses'
import type { GuestTable } from './guest-table'
import type { GuestWalker } from './guest-walker'
import { NestedGuest, type GuestState } from './nested-guest'
import type { VmState } from './state'

/** @internal The nested guest that has an LPID, made if there is none; undefined if there is no page for its table. */
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

/**
 * @internal L1 enters a nested guest: {@link findOrMakeGuest}, for the caller to hold. While the guest has no root, each
 * entry reads L1's partition entry again; a root once read stays until a flush with RIC 2.
 */
export function enterGuest(vm: VmState, lpid: Lpid): NestedGuest | undefined {
  const isNew = !vm.guests.has(lpid)
  const guest = findOrMakeGuest(vm, lpid)
  if (guest === undefined) return undefined
  if (guest.root === undefined && !isNew) readPartitionEntry(vm, guest)
  guest.refCount++
  guest.entered++
  return guest
}

/** @internal L1's partition table entry for an LPID. */
export function partitionEntry(vm: VmState, lpid: Lpid): GuestTable | GuestWalker | undefined {
  return lpid < vm.partitionEntries ? vm.partition.get(lpid) : undefined
}

/** @internal L0 reads L1's partition table entry for a nested guest. */
export function readPartitionEntry(vm: VmState, guest: NestedGuest): void {
  guest.setRoot(partitionEntry(vm, guest.lpid))
  if (vm.events.observed) emitGuest(vm, guest, 'nested_update')
}

/** @internal Removes a nested guest from the registry. */
export function dropGuest(vm: VmState, guest: NestedGuest, state: Exclude<GuestState, 'live'>): void {
  vm.guests.delete(guest.lpid)
  vm.held.add(guest)
  guest.state = state
  putGuest(vm, guest)
}

/** @internal Gives a reference back. With the last one the shadow table is freed. */
export function putGuest(vm: VmState, guest: NestedGuest): void {
  if (--guest.refCount > 0) return
  if (vm.events.observed) emitGuest(vm, guest, 'nested_release')
  clearAllLeaves(vm, guest, 'L0')
  vm.freeTable(guest.shadow)
  guest.setRoot(undefined)
  vm.held.delete(guest)
  vm.shadowLpids.delete(guest.shadowLpid)
}

/** @internal Clears all leaves of a nested guest's shadow table, and flushes its TLB. */
export function clearAllLeaves(vm: VmState, guest: NestedGuest, by: 'L0' | 'L1'): void {
  const lpid = guest.shadowLpid
  if (vm.events.observed) {
    vm.events.emit({ event: 'table_free', kvm: KVM_ADDRESS, pgd: tableAddress(guest), lpid })
    vm.events.emit({ event: 'tlb_flush', lpid })
  }
  if (by === 'L0') vm.leavesClearedByL0 += guest.shadow.leafCount
  else vm.leavesClearedByL1 += guest.shadow.leafCount
  guest.shadow.clearAll()
  guest.edited.clear()
  vm.flushes.l2++
}

/** @internal Release all: drops every nested guest, then empties every rmap slot of every memslot. */
export function releaseAll(vm: VmState): void {
  for (const guest of [...vm.guests.values()]) dropGuest(vm, guest, 'released')
  for (const slot of vm.memslots) {
    const before = vm.nodes.inUse
    for (let index = 0; slot.singles + slot.lists > 0 && index < slot.npages; index++) {
      if (slot.rmap.isEmptyAt(index)) continue
      if (slot.rmap.isListAt(index)) slot.lists--
      else slot.singles--
      vm.released += slot.rmap.take(index)
    }
    slot.nodes -= before - vm.nodes.inUse
  }
}

/** The lowest LPID of the hardware that no nested guest has, above L1's own. */
function takeShadowLpid(vm: VmState): number {
  let lpid = vm.settings.lpid + 1
  while (vm.shadowLpids.has(lpid)) lpid++
  vm.shadowLpids.add(lpid)
  return lpid
}

function emitGuest(vm: VmState, guest: NestedGuest, event: 'nested_update' | 'nested_release'): void {
  vm.events.emit({
    event,
    gp: guestAddress(guest),
    l1_lpid: guest.lpid,
    shadow_lpid: guest.shadowLpid,
    shadow_pgtable: tableAddress(guest),
  })
}
