/**
 * The layout of a snapshot: an L1 as bytes. Little-endian throughout; `integer` is 8 bytes, 0..2^53-1.
 *
 *     bytes   what
 *     0  8    magic "NRMAP-L1"
 *     8  4    version: 1
 *     12 4    CRC-32 (IEEE) of all bytes from 16 on
 *     16 8    length of the whole
 *     24 1    page shift: 16 or 12             |  the geometry
 *     25 1    placement: 0 head, 1 faulting    |
 *     26 1    flags: 1 allowLpidZero, 2 allowDroppedFaults
 *     27 1    0
 *     28 4    the hardware's LPID of L1
 *
 *     limits         maxNodes, maxTablePages, maxNpages: integer each
 *     numbers        those of {@link NUMBERS}, warnings, those of {@link FAULTS}, {@link WALKS}, {@link RC_WALKS}, {@link FLUSHES} and
 *                    {@link INSERTS} (of memslots that are gone), and which allocation is to fail: integer each
 *     nodes          count u32, the free list's first address u32, then the 16 bytes of each node, from address 16 up
 *     guest tables   count u32; each: page shift u8, root bits u8, root leaves (count u32, index u32 each), a table
 *     partition      count u32; each: LPID u32, number of its guest table u32 (from 0)
 *     host table     a table
 *     memslots       count u32; each: first gfn, gfns (integer), flags u8 (1 read-only, 2 logs, 4 invalid), addresses
 *                    of the memslot and of its array (u64), nodes (integer), {@link INSERTS}, marked pages (count u32,
 *                    index u32 each), slots that are not empty (count u32; index u32, word u64 each)
 *     nested guests  count u32, those of the registry first; each: LPID u32, shadow LPID u32, id, references that
 *                    callers hold (integer), state u8 (0 live, 1 dropped, 2 released), faulted when dropped u8, number of
 *                    its guest table plus 1 u32 (0: none), edited addresses (count u32, integer each), a table
 *
 * A table is its root page. A page is: how many entries are not 0 (u16), and each of them: its index (u16), then 0 (u8)
 * and the page below, or 1 (u8) and the leaf's word (u64). Where a page lies in memory is not kept, nor are free pages.
 */
import type { RangeCounters } from '../rmap/invalidate'
import type { InsertCounters } from '../rmap/memslot'
import type { FaultResult } from '../vm/fault-result'
import type { FlushCounters, RcWalkCounters, VmState } from '../vm/state'

/** @internal */
export const MAGIC = Uint8Array.from('NRMAP-L1', (char) => char.charCodeAt(0))
/** @internal */
export const VERSION = 1
/** @internal Bytes of the header up to and with the length. */
export const CHECKED_FROM = 16
/** @internal */
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

/** @internal What a nested guest's state is called in bytes. */
export const STATES = ['live', 'dropped', 'released'] as const

/** @internal Entries of a table's page at a level, root first. */
export function pageEntries(pageShift: number): readonly number[] {
  return [1 << 13, 1 << 9, 1 << 9, 1 << (21 - pageShift)]
}
