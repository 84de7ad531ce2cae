/**
 * L1 takes a mapping away (spec 8): it changes its guest table, then tells L0.
 *
 * None of this touches the rmap: entries stay behind, stale. A refault of the same page finds its entry still there
 * (duplicate), which is why stale entries do not pile up.
 */
import type { Gpa, LeafShift, Lpid } from '../base/units'
import { hiOfNumber, pow2 } from '../base/word'
import { AP_SHIFT } from '../page-table/leaf'
import { NONE } from '../page-table/radix-table'
import { clearShadowLeaf } from './clear-leaf'
import { clearAllLeaves, dropGuest, readPartitionEntry } from './guest-life'
import type { NestedGuest } from './nested-guest'
import type { VmState } from './state'

/** What of an LPID a tlbie invalidates: 0 the TLB, 1 the page walk cache, 2 both and the partition table entry. */
export type Ric = 0 | 1 | 2

/** What L1 says: one page, one LPID, or all of them. */
export type Tlbie =
  | { readonly kind: 'page'; readonly lpid: Lpid; readonly gpa: Gpa; readonly shift: LeafShift }
  | { readonly kind: 'lpid'; readonly lpid: Lpid; readonly ric: Ric }
  | { readonly kind: 'all'; readonly ric: Ric }

/** What a hypercall returns: success, or which parameter was wrong (`H_PARAMETER` does not say which). */
export type HcallStatus = 'H_SUCCESS' | 'H_PARAMETER' | 'H_P2' | 'H_P4' | 'H_P5'

/** More pages of one size than this, and the range is the whole LPID. */
const MAX_RANGE_PAGES = 33n

const TWO_52 = 1n << 52n
const ALL_ONES = (1n << 64n) - 1n

/** @internal Does what L1 says. An LPID that no nested guest has: nothing. */
export function tlbie(vm: VmState, what: Tlbie): void {
  if (what.kind === 'all') {
    for (const guest of [...vm.guests.values()].sort((a, b) => a.lpid - b.lpid)) invalidateLpid(vm, guest, what.ric)
    return
  }
  const guest = guestOf(vm, what.lpid)
  if (guest === undefined) return
  if (what.kind === 'page') invalidatePage(vm, guest, what.gpa, what.shift)
  else invalidateLpid(vm, guest, what.ric)
}

/**
 * Every shadow leaf in the page goes. Linux steps by the size of the leaf found, by the base page where there is none;
 * the model goes from leaf to leaf, which clears the same.
 */
function invalidatePage(vm: VmState, guest: NestedGuest, gpa: Gpa, shift: number): void {
  guest.tlbies++
  if (shift === vm.pageShift) {
    clearAt(vm, guest, gpa)
    return
  }
  const first = gpa - (gpa % pow2(shift))
  for (const leaf of guest.shadow.leavesBetween(first, first + pow2(shift))) clearAt(vm, guest, leaf.gpa)
}

function clearAt(vm: VmState, guest: NestedGuest, gpa: Gpa): void {
  const hi = hiOfNumber(gpa)
  const ref = guest.shadow.find(hi, gpa | 0)
  if (ref !== NONE) clearShadowLeaf(vm, guest, ref, hi, gpa | 0, 'L1')
}

function invalidateLpid(vm: VmState, guest: NestedGuest, ric: Ric): void {
  if (ric === 1) return // no page walk cache is kept
  guest.tlbies++
  clearAllLeaves(vm, guest, 'L1')
  if (ric === 0) return
  readPartitionEntry(vm, guest)
  if (guest.root === undefined) dropGuest(vm, guest, 'dropped')
}

/**
 * @internal H_TLB_INVALIDATE, decoded.
 *
 *     instr   19 18   17    16          rS   31       0      rB   63    12 11 10    7 5
 *            | RIC | PRS |  R |             |   LPID   |         |  EPN  |  IS  |  | AP |
 */
export function tlbInvalidate(vm: VmState, instr: bigint, rs: bigint, rb: bigint): HcallStatus {
  if (vm.observer !== undefined) vm.emit({ event: 'tlb_invalidate', instr, rs, rb })
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

/** What an H_RPT_INVALIDATE is to invalidate: a bit each. */
export const RptType = { NESTED: 1, TLB: 2, WALK_CACHE: 4, PARTITION_TABLE: 8 } as const

/** H_RPT_INVALIDATE's page sizes, smallest first: 4 KiB, 64 KiB, 2 MiB, 1 GiB. */
const RPT_SIZES: readonly (readonly [bit: bigint, shift: LeafShift])[] = [
  [1n, 12],
  [2n, 16],
  [4n, 21],
  [8n, 30],
]

const ALL_NESTED = BigInt(RptType.TLB | RptType.WALK_CACHE | RptType.PARTITION_TABLE)
const TARGET_CORE_MMU = 1n

/** @internal The operands of H_RPT_INVALIDATE. */
export interface RptOperands {
  readonly lpid: bigint
  readonly target: bigint
  readonly type: bigint
  readonly pageSizes: bigint
  readonly start: bigint
  readonly end: bigint
}

/** @internal H_RPT_INVALIDATE, for nested guests. Without the nested type it is about L1's own processes: not ours. */
export function rptInvalidate(vm: VmState, operands: RptOperands): HcallStatus {
  const { lpid, target, type, pageSizes, start, end } = operands
  if (vm.observer !== undefined) vm.emit({ event: 'rpt_invalidate', lpid, type, pg_sizes: pageSizes, start, end })
  if (end < start) return 'H_P5'
  if ((type & BigInt(RptType.NESTED)) === 0n) return 'H_SUCCESS'
  if (target !== TARGET_CORE_MMU) return 'H_P2'
  const guest = guestOf(vm, Number(lpid))
  if (guest === undefined) return 'H_SUCCESS'
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
    if (shift < vm.pageShift) return 'H_P4' // Linux: a negative shift, undefined
    let at = start
    do {
      invalidatePage(vm, guest, Number(at % TWO_52), shift)
      at += 1n << BigInt(shift)
    } while (at < end)
  }
  return 'H_SUCCESS'
}

/** The nested guest that L1 means: an LPID beyond its partition table does not exist (spec 9). */
function guestOf(vm: VmState, lpid: Lpid): NestedGuest | undefined {
  return lpid < vm.partitionEntries ? vm.guests.get(lpid) : undefined
}
