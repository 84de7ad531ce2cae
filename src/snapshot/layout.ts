/**
 * The layout of a snapshot: an L1 as bytes. All numbers are little-endian; `integer` has 8 bytes, 0..2^53-1.
 *
 *     bytes   what
 *     0  8    magic "NRMAP-L1"
 *     8  4    version: 1
 *     12 4    CRC-32 (IEEE) of all bytes from 16 on
 *     16 8    length of the snapshot in bytes
 *     24 1    page shift: 16 or 12
 *     25 1    placement: 0 head, 1 faulting
 *     26 1    flags: 1 allowLpidZero, 2 allowDroppedFaults
 *     27 1    0
 *     28 4    LPID of L1 in the hardware
 *
 *     limits         maxNodes, maxTablePages, maxNpages: integer each
 *     numbers        those of {@link NUMBERS}, warnings, those of {@link FAULTS}, {@link WALKS}, {@link RC_WALKS}, {@link FLUSHES} and
 *                    {@link INSERTS} (of removed memslots), and the allocation that is to fail: integer each
 *     nodes          count u32, address of the first free node u32, then the 16 bytes of each node, from address 16 on
 *     guest tables   count u32; each: page shift u8, root bits u8, root leaves (count u32, index u32 each), a table
 *     partition      count u32; each: LPID u32, number of its guest table u32 (from 0)
 *     host table     a table
 *     memslots       count u32; each: first gfn, number of gfns (integer each), flags u8 (1 read-only, 2 logs dirty pages,
 *                    4 invalid), addresses of the memslot and of its array (u64 each), nodes (integer), {@link INSERTS},
 *                    pages marked dirty (count u32, index u32 each), rmap slots that are not empty (count u32; index
 *                    u32, word u64 each)
 *     nested guests  count u32, those of the registry first; each: LPID u32, shadow LPID u32, id, references that
 *                    callers hold (integer each), state u8 (0 live, 1 dropped, 2 released), 1 if it faulted after it was
 *                    dropped u8, number of its guest table plus 1 u32 (0: none), edited addresses (count u32, integer
 *                    each), shadow table
 *
 * A table is its root page. A page has the number of its entries that are not 0 (u16), and for each of them: its index
 * (u16), then 0 (u8) and the page below, or 1 (u8) and the leaf's word (u64). Positions in memory and free pages are not
 * written.
 */
import type { RangeCounters } from '../rmap/invalidate'
import type { InsertCounters } from '../rmap/insert-counters'
import type { FaultResult } from '../vm/fault-result'
import type { FlushCounters, RcWalkCounters, VmState } from '../vm/state'

/** @internal */
export const MAGIC = Uint8Array.from('NRMAP-L1', (char) => char.charCodeAt(0))
/** @internal */
export const VERSION = 1
/** @internal The position of the first byte that the checksum covers. */
export const CHECKED_FROM = 16
/** @internal The length of the header. */
export const HEADER_BYTES = 32

/** @internal The plain numbers of a state, in order. */
export const NUMBERS = [
  'mmuSeq',
  'partitionEntries',
  'nextPage',
  'nextId',
  'nextArray',
  'leavesCreated',
  'leavesClearedByL0',
  'leavesClearedByL1',
  'hostLeavesCreated',
  'hostLeavesCleared',
  'released',
  'leaked',
] as const satisfies readonly (keyof VmState)[]

/** @internal */
export const FAULTS = [
  'mapped',
  'present',
  'retry',
  'forward-to-l1',
  'mmio',
  'fault-to-l2',
  'invalid',
  'no-memory',
] as const satisfies readonly FaultResult['outcome'][]

/** @internal */
export const WALKS = [
  'ranges',
  'slots',
  'lists',
  'entries',
  'cleared',
  'staleNoGuest',
  'staleNoLeaf',
  'staleOtherFrame',
] as const satisfies readonly (keyof RangeCounters)[]

/** @internal */
export const RC_WALKS = [
  'slots',
  'entries',
  'staleNoGuest',
  'staleNoLeaf',
  'staleOtherFrame',
] as const satisfies readonly (keyof RcWalkCounters)[]

/** @internal */
export const FLUSHES = ['l1', 'l2', 'wrongPartition'] as const satisfies readonly (keyof FlushCounters)[]

/** @internal */
export const INSERTS = [
  'empty',
  'second',
  'list',
  'duplicate',
  'scanSteps',
  'longestList',
] as const satisfies readonly (keyof InsertCounters)[]

/** @internal The states of a nested guest, in the order of their numbers. */
export const STATES = ['live', 'dropped', 'released'] as const

/** @internal The number of entries of a table page, by level, root first. */
export function pageEntries(pageShift: number): readonly number[] {
  return [1 << 13, 1 << 9, 1 << 9, 1 << (21 - pageShift)]
}
