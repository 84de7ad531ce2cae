/**
 * The kernel addresses that events show. The model has no kernel memory, so they are invented: stable, with no meaning
 * beyond telling one thing from another. Nothing but events may depend on them.
 *
 *     0xc000000001000000   the L1 (`kvm`)
 *     0xc000000001800000   its vCPUs (`vcpu`), 8 KiB each
 *     0xc000000002000000   nested guests (`gp`), 4 KiB each
 *     0xc001000000000000   memslots, 256 bytes each
 *     0xc008000000000000   arrays of slot words, one after another, with a gap between
 *     0xc010000000000000   tables, 1 TiB each, L1's first: one byte for each 4 KiB of addresses, so that a leaf has one of
 *                          its own (`ptep`). After 2^21 nested guests the addresses repeat.
 */
import type { Gpa, NestedGpa } from '../base/units'
import type { NestedGuest } from './nested-guest'
import type { VmState } from './state'

/** @internal The L1, as events name it. */
export const KVM_ADDRESS = 0xc000_0000_0100_0000n

const VCPU_BASE = 0xc000_0000_0180_0000n
const GUEST_BASE = 0xc000_0000_0200_0000n
const MEMSLOT_BASE = 0xc001_0000_0000_0000n
const ARRAY_BASE = 0xc008_0000_0000_0000n
const ARRAY_ALIGNMENT = 0x10000
const TABLE_BASE = 0xc010_0000_0000_0000n
const TABLE_BYTES = 2n ** 40n
const TABLES = 2 ** 21

/** @internal The root of a nested guest's shadow table; without a guest, of L1's host table. */
export function tableAddress(guest: NestedGuest | undefined): bigint {
  return TABLE_BASE + (guest === undefined ? 0n : BigInt(1 + (guest.id % TABLES)) * TABLE_BYTES)
}

/** @internal The word of the leaf that begins at an address. */
export function leafAddress(guest: NestedGuest | undefined, first: Gpa | NestedGpa): bigint {
  return tableAddress(guest) + BigInt(first / 4096)
}

/** @internal A vCPU of L1. */
export function vcpuAddress(vcpu: number): bigint {
  return VCPU_BASE + BigInt(vcpu) * 0x2000n
}

/** @internal A nested guest. */
export function guestAddress(guest: NestedGuest): bigint {
  return GUEST_BASE + BigInt(guest.id) * 0x1000n
}

/** @internal The hardware's number for a nested guest; without a guest, for L1. */
export function hardwareLpid(vm: VmState, guest: NestedGuest | undefined): number {
  return guest === undefined ? vm.settings.lpid : guest.shadowLpid
}

/** @internal The address of a new memslot structure. */
export function newMemslotAddress(vm: VmState): bigint {
  return MEMSLOT_BASE + BigInt(vm.nextId++) * 0x100n
}

/** @internal The address of a new array of slot words. Arrays do not touch, so that an address tells which one it is in. */
export function newArrayAddress(vm: VmState, npages: number): bigint {
  const address = ARRAY_BASE + BigInt(vm.nextArray)
  vm.nextArray += Math.ceil((npages * 8) / ARRAY_ALIGNMENT + 1) * ARRAY_ALIGNMENT
  return address
}
