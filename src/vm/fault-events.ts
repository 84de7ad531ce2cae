/**
 * The events of the fault path that the probes of Linux 6.12 show: what the hardware reports, and what L0 finds in L1's
 * table (spec 5 step 1). They are built only if somebody observes.
 */
import type { LeafShift, Lpid } from '../base/units'
import { numberOf, wordOf } from '../base/word'
import { LeafFlag } from '../page-table/leaf'
import type { LeafRef, RadixTable } from '../page-table/radix-table'
import { vcpuAddress } from './event-addresses'
import type { Access } from './fault-result'
import type { NoGuestTranslation } from './guest-walker'
import type { VmState } from './state'

const DSISR_STORE = 0x0200_0000
const TRAP_DATA = 0xe00
const TRAP_INSTRUCTION = 0xe20
/** Bits 56..32 of the ISA's frame field. */
const FRAME_HI = 0x01ffffff

/** @internal `nested_fault`. @param why the bits of DSISR beside that of a store; those of a missed fetch are not shown */
export function emitFault(vm: VmState, lpid: Lpid, hi: number, lo: number, access: Access, why: number): void {
  const gpa = numberOf(hi, lo)
  vm.events.emit({
    event: 'nested_fault',
    vcpu: vcpuAddress(vm.events.vcpu),
    l1_lpid: lpid,
    gpa4: gpa,
    dsisr: access === 'write' ? why | DSISR_STORE : access === 'execute' ? why & ~0x4000_0000 : why,
    dar: gpa,
    trap: access === 'execute' ? TRAP_INSTRUCTION : TRAP_DATA,
  })
}

/** @internal A guest leaf: its word as halves, and log2 of its size. */
export interface FoundLeaf {
  readonly hi: number
  readonly lo: number
  readonly shift: LeafShift
}

/** @internal The guest leaf at a reference into L1's table. */
export function guestLeafAt(tree: RadixTable, ref: LeafRef): FoundLeaf {
  return { hi: tree.hiAt(ref), lo: tree.loAt(ref), shift: tree.shiftOf(ref) }
}

/** @internal `nested_walk`. @param found what the walk has found at the address */
export function emitWalk(vm: VmState, hi: number, lo: number, found: FoundLeaf | NoGuestTranslation): void {
  const ngpa = numberOf(hi, lo)
  if (typeof found === 'string') {
    const ret = found === 'no-translation' ? -2 : -22
    vm.events.emit({ event: 'nested_walk', ret, ngpa, raddr: 0n, perm: 0, rc: 0, pshift: 0 })
    return
  }
  const offset = (1 << found.shift) - 1
  const word = found.lo
  vm.events.emit({
    event: 'nested_walk',
    ret: 0,
    ngpa,
    raddr: wordOf(found.hi & FRAME_HI, (word & ~offset) | (lo & offset)),
    perm:
      ((word & LeafFlag.READ) !== 0 ? 1 : 0) |
      ((word & LeafFlag.WRITE) !== 0 ? 2 : 0) |
      ((word & LeafFlag.EXECUTE) !== 0 ? 4 : 0),
    rc: word & (LeafFlag.REFERENCED | LeafFlag.CHANGED),
    pshift: found.shift,
  })
}
