/**
 * L1 invalidates mappings of a nested guest (spec 8): it changes its guest table, then tells L0.
 *
 * None of this touches the rmap: the entries stay, stale. A later fault of the same page finds its entry still there
 * (duplicate), so stale entries do not accumulate.
 */
import type { LeafShift, Lpid, NestedGpa } from '../base/units'
import { hiOfNumber, pow2 } from '../base/word'
import { AP_SHIFT } from '../page-table/leaf'
import { NONE } from '../page-table/radix-table'
import { clearShadowLeaf } from './clear-leaf'
import { clearAllLeaves, dropGuest, readPartitionEntry } from './guest-life'
import type { NestedGuest } from './nested-guest'
import type { CheckedTlbie, Ric, RptInvalidateOperands } from './options'
import type { VmState } from './state'

/** What a hypercall returns: success, or which parameter is wrong (`H_PARAMETER` does not say which). */
export type HcallStatus = 'H_SUCCESS' | 'H_PARAMETER' | 'H_P2' | 'H_P4' | 'H_P5'

/** A range of more pages than this, of one size, is treated as all of the LPID. */
const MAX_RANGE_PAGES = 33n

const TWO_52 = 1n << 52n
const ALL_ONES = (1n << 64n) - 1n

/** Invalidates what L1 says. An LPID that no nested guest has: nothing is done. */
function tlbie(vm: VmState, what: CheckedTlbie): void {
  if (what.kind === 'all') {
    for (const guest of [...vm.guests.values()].sort((a, b) => a.lpid - b.lpid)) invalidateLpid(vm, guest, what.ric)
    return
  }
  const guest = guestOf(vm, what.lpid)
  if (what.kind === 'lpid') invalidateLpid(vm, guest, what.ric)
  else if (guest !== undefined) invalidatePage(vm, guest, what.gpa, what.shift)
}

/**
 * Clears every shadow leaf in the page. Linux steps by the size of the leaf found, by the base page where there is none;
 * the model steps from leaf to leaf, which clears the same leaves.
 */
function invalidatePage(vm: VmState, guest: NestedGuest, gpa: NestedGpa, shift: number): void {
  guest.tlbies++
  const first = gpa - (gpa % pow2(shift))
  if (shift === vm.pageShift) {
    clearAt(vm, guest, first)
    return
  }
  for (const leaf of guest.shadow.leavesBetween(first, first + pow2(shift))) {
    clearAt(vm, guest, Math.max(first, leaf.gpa))
  }
}

function clearAt(vm: VmState, guest: NestedGuest, gpa: NestedGpa): void {
  const hi = hiOfNumber(gpa)
  const ref = guest.shadow.find(hi, gpa | 0)
  if (ref !== NONE) clearShadowLeaf(vm, guest, ref, hi, gpa | 0, 'L1')
}

function invalidateLpid(vm: VmState, guest: NestedGuest | undefined, ric: Ric): void {
  if (guest === undefined || ric === 1) return // no page walk cache is kept
  guest.tlbies++
  clearAllLeaves(vm, guest, 'L1')
  if (ric === 0) return
  readPartitionEntry(vm, guest)
  if (guest.root === undefined) dropGuest(vm, guest, 'dropped')
}

/** @internal What L1 says, as the operands of H_TLB_INVALIDATE. */
export function tlbieByOperands(vm: VmState, what: CheckedTlbie): void {
  if (what.kind === 'page') {
    const ap = [...AP_SHIFT].find(([, shift]) => shift === what.shift)![0]
    tlbInvalidate(vm, R, BigInt(what.lpid), (BigInt(what.gpa) & ~0xfffn) | (BigInt(ap) << 5n))
    return
  }
  const instr = R | (BigInt(what.ric) << 18n)
  if (what.kind === 'lpid') tlbInvalidate(vm, instr, BigInt(what.lpid), 2n << 10n)
  else tlbInvalidate(vm, instr, 0n, 3n << 10n)
}

/** R of the instruction: the radix form. */
const R = 1n << 16n

/**
 * @internal H_TLB_INVALIDATE, decoded.
 *
 *     instr   19 18   17    16          rS   31       0      rB   63    12 11 10    7 5
 *            | RIC | PRS |  R |             |   LPID   |         |  EPN  |  IS  |  | AP |
 */
export function tlbInvalidate(vm: VmState, instr: bigint, rs: bigint, rb: bigint): HcallStatus {
  if (vm.events.observed) vm.events.emit({ event: 'tlb_invalidate', instr, rs, rb })
  const ric = Number((instr >> 18n) & 3n)
  const prs = (instr >> 17n) & 1n
  const r = (instr >> 16n) & 1n
  const lpid = Number(rs & 0xffffffffn)
  const is = Number((rb >> 10n) & 3n)
  if (r === 0n || prs === 1n || ric === 3 || is === 1 || (is === 0 && ric !== 0)) return 'H_PARAMETER'
  if (is === 3) {
    tlbie(vm, { kind: 'all', ric: ric as Ric })
  } else if (is === 2) {
    tlbie(vm, { kind: 'lpid', lpid, ric: ric as Ric })
  } else {
    const shift = AP_SHIFT.get(Number((rb >> 5n) & 7n))
    if (shift === undefined) return 'H_PARAMETER'
    if (shift < vm.pageShift && guestOf(vm, lpid) !== undefined) return 'H_PARAMETER' // Linux: a negative shift, undefined
    tlbie(vm, { kind: 'page', lpid, gpa: Number((rb & ~0xfffn) % TWO_52), shift })
  }
  return 'H_SUCCESS'
}

/** What an H_RPT_INVALIDATE invalidates: a bit each (spec 8). */
export const RptType = {
  /** Translations of nested guests: without it the call concerns L1's own processes. */
  NESTED: 1,
  /** TLB entries. */
  TLB: 2,
  /** The page walk cache. */
  WALK_CACHE: 4,
  /** Partition table entries. */
  PARTITION_TABLE: 8,
} as const

/** H_RPT_INVALIDATE's page sizes, smallest first: 4 KiB, 64 KiB, 2 MiB, 1 GiB. */
const RPT_SIZES: readonly (readonly [bit: bigint, shift: LeafShift])[] = [
  [1n, 12],
  [2n, 16],
  [4n, 21],
  [8n, 30],
]

/** TLB, page walk cache and partition table entries ({@link RptType}). */
const ALL_NESTED = 14n
const TARGET_CORE_MMU = 1n

/** @internal H_RPT_INVALIDATE, for nested guests. Without the nested type it concerns L1's own processes: not modelled. */
export function rptInvalidate(vm: VmState, operands: Record<keyof RptInvalidateOperands, bigint>): HcallStatus {
  const { lpid, target, type, pageSizes, start, end } = operands
  if (end < start) return 'H_P5'
  if ((type & BigInt(RptType.NESTED)) === 0n) return 'H_SUCCESS'
  if (target !== TARGET_CORE_MMU) return 'H_P2'
  // Here Linux enters the function that the probe shows
  if (vm.events.observed) vm.events.emit({ event: 'rpt_invalidate', lpid, type, pg_sizes: pageSizes, start, end })
  const number = Number(lpid & 0xffffffffn)
  if (!vm.guests.has(number)) return 'H_SUCCESS'
  // Quirk: that look-up ignores the size of L1's partition table, and those of the invalidations do not
  const guest = guestOf(vm, number)
  if ((type & ALL_NESTED) === ALL_NESTED) {
    invalidateLpid(vm, guest, 2)
    return 'H_SUCCESS'
  }
  if (start === 0n && end === ALL_ONES) {
    invalidateLpid(vm, guest, 0)
    return 'H_SUCCESS'
  }
  if ((type & BigInt(RptType.TLB)) === 0n) return 'H_SUCCESS'

  const sizes = RPT_SIZES.filter(([bit]) => (pageSizes & bit) !== 0n)
  if (sizes.length === 0) return 'H_P4'
  for (const [, shift] of sizes) {
    if ((end - start) >> BigInt(shift) > MAX_RANGE_PAGES) {
      invalidateLpid(vm, guest, 0)
      return 'H_SUCCESS'
    }
    if (guest === undefined) continue
    if (shift < vm.pageShift) return 'H_P4' // Linux: a negative shift, undefined
    // A deviation: a range whose last step passes 2^64 ends there. Linux wraps, and goes on from 0 through 2^48 pages
    for (let at = start; at === start || at < end; at += 1n << BigInt(shift)) {
      invalidatePage(vm, guest, Number(at % TWO_52), shift)
    }
  }
  return 'H_SUCCESS'
}

/** The nested guest that L1 means: an LPID beyond L1's partition table does not exist (spec 9). */
function guestOf(vm: VmState, lpid: Lpid): NestedGuest | undefined {
  return lpid < vm.partitionEntries ? vm.guests.get(lpid) : undefined
}
