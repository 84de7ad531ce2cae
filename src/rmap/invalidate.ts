/**
 * The invalidation walker: the host takes a page away, and every shadow leaf that maps it is cleared (spec 6,
 * "remove rmap range").
 *
 *     for every gfn of the range: detach the list; for each of its entries, newest first:
 *         no nested guest has that LPID            -> stale
 *         its shadow table has no leaf PTE there   -> stale
 *         the leaf maps a page outside the range   -> stale
 *         else                                     -> clear the leaf
 *
 * Frames are compared under the mask of the host leaf that was cleared, so any base page of a large page matches. The
 * walk removes every entry of the range, stale or not. Without a visitor it must never allocate per slot or per entry.
 */
import {
  badInteger,
  checkHas,
  checkObject,
  checkOneOf,
  checkOptionNames,
  checkWord,
  toInteger,
  wrongType,
} from '../base/args'
import { type Gfn, type Hpa, type LeafShift, type Lpid, MAX_HPA, type NestedGpa } from '../base/units'
import { hiOf, hiOfNumber, loOf } from '../base/word'
import { LeafHi } from '../page-table/leaf'
import { RadixTable, Ref, type Leaf, type LeafRef } from '../page-table/radix-table'
import { EntryBits, entryGpa, entryHi, entryLo, entryLpid, type Entry } from './entry'
import { freeRest, takeList } from './list'
import { Memslot } from './memslot'
import type { NodeHeap } from './node-heap'

const RANGE = ['memslot', 'gfn', 'npages', 'hpa', 'shift'] as const
const LEAF_SHIFTS: readonly LeafShift[] = [12, 16, 21, 30]

/**
 * What the walk needs of a shadow table. {@link RadixTable} is one, and the fast case; a table of your own needs these
 * two functions.
 */
export interface ShadowTable {
  /** The leaf that maps `gpa`, whatever its size; undefined if there is none. Its `word` is in plain order (spec 4). */
  lookup(gpa: NestedGpa): Leaf | undefined
  /** Clears the leaf that maps `gpa`, whatever its size. What it returns is ignored. */
  clear(gpa: NestedGpa): unknown
}

/** A nested guest, as far as the walk is concerned. */
export interface Shadowed {
  /** The nested guest's shadow table. */
  readonly shadow: ShadowTable
}

/** Finds the nested guest that has an LPID now (spec 9). A `Map<Lpid, { shadow }>` is one. */
export interface GuestLookup {
  /** The nested guest, or undefined if no guest has this LPID. */
  get(lpid: Lpid): Shadowed | undefined
}

/**
 * The range of a memslot that one host leaf mapped. All fields are needed: if one is missing, the error names the one that
 * was misspelled. A further field is ignored, as a walk must be fast.
 */
export interface RmapRange {
  /** The memslot that has the whole range. */
  readonly memslot: Memslot
  /** The first gfn. */
  readonly gfn: Gfn | bigint
  /** How many gfns: the base pages of the host leaf, `2^shift` bytes in pages of 64 KiB or 4 KiB. */
  readonly npages: number | bigint
  /** The host address that the leaf mapped, in bytes: 0..2^53-1. Bits below `shift` are ignored. */
  readonly hpa: Hpa | bigint
  /** log2 of the leaf's size in bytes. */
  readonly shift: LeafShift
}

/** What became of an entry: its leaf was cleared, or why it was stale. */
export type EntryFate = 'cleared' | 'no-guest' | 'no-leaf' | 'other-frame'

/** Is shown the entries of a range, in the order of the walk, after the walk: what it does or throws cannot disturb it. */
export interface RangeVisitor {
  /**
   * An entry was removed from this gfn's rmap slot.
   *
   * @param leaf the shadow leaf that was cleared; undefined for a stale entry
   */
  entry(gfn: Gfn, entry: Entry, fate: EntryFate, leaf: Leaf | undefined): void
}

/** What walks did (spec 12). */
export class RangeCounters {
  /** Ranges walked. */
  ranges = 0
  /** Rmap slots that were not empty. */
  slots = 0
  /** Of those, rmap slots that had a list. */
  lists = 0
  /** Entries removed. */
  entries = 0
  /** Shadow leaves cleared. */
  cleared = 0
  /** Entries with an LPID that no nested guest has. */
  staleNoGuest = 0
  /** Entries for which the shadow table has no leaf. */
  staleNoLeaf = 0
  /** Entries with a leaf that maps a page outside the range. */
  staleOtherFrame = 0
}

/**
 * Walks the rmap range of a host leaf that was cleared, and clears the shadow leaves that map its page (spec 6). Cost:
 * the gfns of the range and their entries; without a visitor it allocates nothing per slot or per entry.
 *
 * @param guests which nested guest has which LPID. If it throws, the rmap slot being walked is empty, its nodes are
 *   freed, and the rest of the range is unchanged.
 * @param range must lie inside its memslot
 * @param visitor shown each entry
 * @param counters added to
 * @returns the counters
 * @throws RangeError, TypeError; the state is unchanged then
 * @example
 * const memslot = new Memslot({ baseGfn: 0, npages: 16 })
 * const shadow = new RadixTable({ pageShift: 16 })
 * // A fault of LPID 5 has mapped its page 0x20000 to gfn 7, which is at host address 0x340000.
 * memslot.insert(7, 5, 0x20000)
 * shadow.set(0x20000, 16, packLeaf({ hpa: 0x340000, flags: LeafFlag.READ }))
 * // The host takes the page away.
 * const guests = new Map([[5, { shadow }]])
 * const range = { memslot, gfn: 7, npages: 1, hpa: 0x340000, shift: 16 } as const
 * removeRmapRange(guests, range).cleared // 1
 * shadow.lookup(0x20000) // undefined
 */
export function removeRmapRange(
  guests: GuestLookup,
  range: RmapRange,
  visitor?: RangeVisitor,
  counters: RangeCounters = new RangeCounters(),
): RangeCounters {
  const { memslot, gfn, npages, hpa, shift } = checkObject('range', range)
  if (!(memslot instanceof Memslot) || !isLeafSize(npages, shift) || !isHpa(hpa) || gfn === undefined) {
    return removeRmapRange(guests, toRange(range), visitor, counters)
  }
  const first = memslot.indexOf(gfn)
  if (npages > memslot.npages - first) throw badInteger('npages', npages, 1, memslot.npages - first)
  if (typeof guests?.get !== 'function') throw wrongType('guests', 'a Map, or an object with a function get', guests)
  if (visitor !== undefined) checkHas('visitor', visitor, 'entry')
  if (typeof counters !== 'object' || counters === null) throw wrongType('counters', 'an object', counters)
  if (counters.ranges === 0 && guests instanceof Map) checkMap(guests) // once: it would be a fifth of a short walk
  return walkRange(guests, memslot, first, npages, hostPage(hpa, shift), visitor, counters)
}

/** Whether a leaf of this size has so many base pages, of 64 KiB or of 4 KiB. */
function isLeafSize(npages: number | bigint, shift: LeafShift): npages is number {
  if (shift === 12) return npages === 1
  return (
    (shift === 16 || shift === 21 || shift === 30) && (npages === 1 << (shift - 16) || npages === 1 << (shift - 12))
  )
}

/** Whether a host address is valid and a number. (On its own: {@link toInteger} makes a short walk slower.) */
function isHpa(hpa: Hpa | bigint): hpa is Hpa {
  return typeof hpa === 'number' && hpa >= 0 && hpa <= MAX_HPA && Math.floor(hpa) === hpa
}

/** Converts BigInts in a range to numbers, and throws if it is invalid. (Not in the short path of a valid one.) */
function toRange(range: RmapRange): RmapRange {
  if (RANGE.some((name) => range[name] === undefined)) checkOptionNames('range', range, RANGE) // a misspelled one?
  const { memslot, gfn, npages, hpa, shift } = range
  if (!(memslot instanceof Memslot)) throw notMemslot(memslot)
  const count = toInteger('npages', npages, 1, memslot.npages - memslot.indexOf(gfn))
  const address = toInteger('hpa', hpa, 0, MAX_HPA, 16)
  checkOneOf('shift', shift, LEAF_SHIFTS)
  if (!isLeafSize(count, shift)) throw contradiction(count, shift)
  return { memslot, gfn, npages: count, hpa: address, shift }
}

/** @internal {@link removeRmapRange} by slot index, unchecked: `count` may be a part of the range of a leaf. */
export function walkRange(
  guests: GuestLookup,
  memslot: Memslot,
  first: number,
  count: number,
  page: HostPage,
  visitor: RangeVisitor | undefined,
  counters: RangeCounters,
): RangeCounters {
  counters.ranges++
  if (visitor !== undefined) {
    walkAndReport(guests, memslot, first, count, page, visitor, counters)
    return counters
  }
  for (let index = first; index < first + count; index++) {
    const hi = memslot.hiAt(index)
    const lo = memslot.loAt(index)
    if (lo === 0) continue
    detach(memslot, index, lo, counters)
    clearList(memslot.nodes, hi, lo, guests, page, counters)
  }
  return counters
}

/** {@link walkRange} with a visitor: it allocates, so it is on its own. */
function walkAndReport(
  guests: GuestLookup,
  memslot: Memslot,
  first: number,
  count: number,
  page: HostPage,
  visitor: RangeVisitor,
  counters: RangeCounters,
): void {
  const reports: Report[] = []
  for (let index = first; index < first + count; index++) {
    const hi = memslot.hiAt(index)
    const lo = memslot.loAt(index)
    if (lo === 0) continue
    detach(memslot, index, lo, counters)
    takeList(memslot.nodes, hi, lo, (lpid, gpa) => {
      reports.push(clearAndReport(memslot.baseGfn + index, { lpid, gpa }, guests.get(lpid), page, counters))
    })
  }
  reports.forEach(({ gfn, entry, fate, leaf }) => visitor.entry(gfn, entry, fate, leaf))
}

/** Empties a slot; its list is the caller's. */
function detach(memslot: Memslot, index: number, lo: number, counters: RangeCounters): void {
  counters.slots++
  if ((lo & EntryBits.TAG) === 0) counters.lists++
  memslot.writeAt(index, 0, 0)
}

/** A memslot of a Vm counts its entries, so the Vm must empty its rmap slots. */
function notMemslot(memslot: unknown): TypeError {
  const isOfVm = (memslot as { rmap?: unknown } | null | undefined)?.rmap instanceof Memslot
  return isOfVm
    ? new TypeError('memslot: expected a Memslot, got a memslot of a Vm: call unmap of the Vm')
    : wrongType('memslot', 'a Memslot', memslot)
}

function contradiction(npages: number, shift: LeafShift): RangeError {
  const in64KiB = shift < 16 ? '' : `${2 ** (shift - 16)} of 64 KiB or `
  return new RangeError(
    `npages: expected the pages of a leaf of shift ${shift}, ${in64KiB}${2 ** (shift - 12)} of 4 KiB, got ${npages}`,
  )
}

/** {@link takeList}, for the walk without a visitor: the same loop with {@link clearEntry} in place of a function given. */
function clearList(
  heap: NodeHeap,
  wordHi: number,
  wordLo: number,
  guests: GuestLookup,
  page: HostPage,
  counters: RangeCounters,
): void {
  let nextHi = wordHi | 0
  let next = wordLo | 0
  let node = 0
  try {
    while ((next & EntryBits.TAG) === 0) {
      const { words } = heap
      const at = next >>> 2
      const lo = words[at + 2]!
      const hi = words[at + 3]!
      if ((lo | hi) === 0) return // the quirk of LPID 0
      node = next
      next = words[at]!
      nextHi = words[at + 1]!
      clearEntry(guests.get(entryLpid(hi)), page, hi, lo, counters)
      heap.free(node)
    }
    node = 0
    const oldest = next
    next = 0
    clearEntry(guests.get(entryLpid(nextHi)), page, nextHi, oldest, counters)
  } catch (error) {
    freeRest(heap, node, next)
    throw error
  }
}

/** Clears the leaf that an entry leads to, unless the entry is stale. */
function clearEntry(
  guest: Shadowed | undefined,
  page: HostPage,
  hi: number,
  lo: number,
  counters: RangeCounters,
): void {
  const shadow = guest?.shadow
  if (guest !== undefined && !(shadow instanceof RadixTable)) {
    clearForeign(foreignShadow(guest, entryLpid(hi)), page, entryGpa(hi, lo), counters)
    return
  }
  const table = shadow as RadixTable | undefined
  const ref = followEntry(page, table, hi, lo, counters)
  if (ref === Ref.NONE) return
  table!.clearAt(ref)
  counters.cleared++
}

/** {@link clearEntry} for a shadow table that is not the package's. */
function clearForeign(shadow: ShadowTable, page: HostPage, gpa: NestedGpa, counters: RangeCounters): void {
  const leaf = shadow.lookup(gpa)
  const word = leaf && checkWord('shadow.lookup(gpa).word', checkObject('shadow.lookup(gpa)', leaf).word)
  counters.entries++
  if (word === undefined) {
    counters.staleNoLeaf++
  } else if (!isOnPage(page, hiOf(word), loOf(word))) {
    counters.staleOtherFrame++
  } else {
    shadow.clear(gpa)
    counters.cleared++
  }
}

interface Report {
  readonly gfn: Gfn
  readonly entry: Entry
  readonly fate: EntryFate
  readonly leaf: Leaf | undefined
}

/** {@link clearEntry} for the walk with a visitor. */
function clearAndReport(
  gfn: Gfn,
  entry: Entry,
  guest: Shadowed | undefined,
  page: HostPage,
  counters: RangeCounters,
): Report {
  const leaf = guest && shadowOf(guest, entry.lpid).lookup(entry.gpa)
  const { cleared } = counters
  clearEntry(guest, page, entryHi(entry.lpid, entry.gpa), entryLo(entry.gpa), counters)
  if (counters.cleared > cleared) return { gfn, entry, fate: 'cleared', leaf }
  const fate = guest === undefined ? 'no-guest' : leaf === undefined ? 'no-leaf' : 'other-frame'
  return { gfn, entry, fate, leaf: undefined }
}

/** A nested guest's shadow table. @throws TypeError */
function shadowOf(guest: Shadowed, lpid: Lpid): ShadowTable {
  return guest?.shadow instanceof RadixTable ? guest.shadow : foreignShadow(guest, lpid)
}

/** Refuses a Map of bare tables before anything changes. The first one tells. @throws TypeError */
function checkMap(guests: ReadonlyMap<Lpid, Shadowed>): void {
  for (const [lpid, guest] of guests) {
    if (!(guest?.shadow instanceof RadixTable)) foreignShadow(guest, lpid)
    return
  }
}

/** {@link shadowOf} for a shadow table that is not the package's. @throws TypeError */
function foreignShadow(guest: Shadowed, lpid: Lpid): ShadowTable {
  const name = `guests.get(${lpid})`
  if (guest instanceof RadixTable) {
    throw new TypeError(
      `${name}: expected an object { shadow }, got a RadixTable: give { shadow: table } for each LPID`,
    )
  }
  const { shadow } = checkObject(name, guest)
  checkHas(`${name}.shadow`, shadow, 'lookup')
  return checkHas(`${name}.shadow`, shadow, 'clear')
}

/** What a walk counts of the entries it meets, and of those it finds stale, by reason. */
interface EntryCounters {
  entries: number
  staleNoGuest: number
  staleNoLeaf: number
  staleOtherFrame: number
}

/** @internal The host page that entries must lead to: its address, and the mask under which frames are compared. */
export interface HostPage {
  readonly hi: number
  readonly lo: number
  readonly maskLo: number
}

/** @internal */
export function hostPage(hpa: Hpa, shift: LeafShift): HostPage {
  return { hi: hiOfNumber(hpa), lo: hpa | 0, maskLo: -1 << shift }
}

/** @internal The leaf that an entry leads to in a shadow table; {@link Ref.NONE} for a stale entry. Counts the entry. */
export function followEntry(
  page: HostPage,
  shadow: RadixTable | undefined,
  hi: number,
  lo: number,
  counters: EntryCounters,
): LeafRef {
  counters.entries++
  if (shadow === undefined) {
    counters.staleNoGuest++
    return Ref.NONE
  }
  const ref = shadow.find(hi, lo)
  if (ref === Ref.NONE) {
    counters.staleNoLeaf++
    return Ref.NONE
  }
  if (!isOnPage(page, shadow.hiAt(ref), shadow.loAt(ref))) {
    counters.staleOtherFrame++
    return Ref.NONE
  }
  return ref
}

function isOnPage(page: HostPage, hi: number, lo: number): boolean {
  return (((hi ^ page.hi) & LeafHi.FRAME) | ((lo ^ page.lo) & page.maskLo)) === 0
}
