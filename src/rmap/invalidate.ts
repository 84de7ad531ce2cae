/**
 * The invalidation walker: the host takes a page away, and every shadow leaf that reaches it is cleared (spec 6,
 * "remove rmap range").
 *
 *     for every gfn of the range: take all; for each entry, newest first:
 *         no nested guest has that LPID        -> stale
 *         its shadow table has no leaf there   -> stale
 *         the leaf maps a page outside         -> stale
 *         else                                 -> clear the leaf
 *
 * The frames are compared under the mask of the host leaf that went, so any base page of a large one matches. The
 * walk takes every entry out of the range, stale or not: what it does not clear needs no clearing.
 */
import { checkHas, checkInteger, checkObject, checkOneOf, wrongType } from '../base/args'
import { type Gfn, type Hpa, type LeafShift, type Lpid, MAX_GPA } from '../base/units'
import { hiOfNumber } from '../base/word'
import { FRAME_HI } from '../page-table/leaf'
import { NONE, type Leaf, type LeafRef, type RadixTable } from '../page-table/radix-table'
import { entryOf, entryLpid, type Entry } from './entry'
import { Memslot } from './memslot'

const LEAF_SHIFTS: readonly LeafShift[] = [12, 16, 21, 30]

/** Where the walk finds the nested guest that has an LPID now: a `Map`, say (spec 9). */
export interface GuestLookup {
  get(lpid: Lpid): { readonly shadow: RadixTable } | undefined
}

/** The range of a memslot that one host leaf mapped. */
export interface RmapRange {
  readonly memslot: Memslot
  /** The first gfn. */
  readonly gfn: Gfn
  /** How many gfns: as many base pages as the host leaf had. */
  readonly npages: number
  /** The host address that the leaf mapped, in bytes, 0..2^53-1. */
  readonly hpa: Hpa
  /** log2 of the leaf's size. */
  readonly shift: LeafShift
}

/** What became of an entry: its leaf was cleared, or why it was stale. */
export type EntryFate = 'cleared' | 'no-guest' | 'no-leaf' | 'other-frame'

/** Shown what the walk met, in its order, when the walk is done: whatever a visitor does or throws, it is whole. */
export interface RangeVisitor {
  /** An entry was taken from this gfn's slot; `leaf` is what was cleared, undefined for a stale entry. */
  entry(gfn: Gfn, entry: Entry, fate: EntryFate, leaf: Leaf | undefined): void
}

/** What walks did (spec 12). */
export class RangeCounters {
  /** Ranges walked. */
  ranges = 0
  /** Slots that were not empty. */
  slots = 0
  /** Of those, slots that held a list. */
  lists = 0
  /** Entries taken. */
  entries = 0
  /** Shadow leaves cleared. */
  cleared = 0
  /** Entries of which no nested guest has the LPID. */
  staleNoGuest = 0
  /** Entries whose shadow table has no leaf there. */
  staleNoLeaf = 0
  /** Entries whose leaf maps a page outside the range. */
  staleOtherFrame = 0
}

/**
 * Walks a range, and clears what reaches it (spec 6). Cost: the gfns of the range and the entries met; without a
 * visitor it allocates nothing that grows with them.
 *
 * @param guests who has which LPID
 * @param range wholly inside its memslot
 * @param visitor shown each entry
 * @param counters added to
 * @returns the counters
 * @throws RangeError, TypeError; nothing has changed then
 */
export function removeRmapRange(
  guests: GuestLookup,
  range: RmapRange,
  visitor?: RangeVisitor,
  counters: RangeCounters = new RangeCounters(),
): RangeCounters {
  const { memslot, gfn, npages, hpa, shift } = checkObject('range', range)
  if (!(memslot instanceof Memslot)) throw wrongType('memslot', 'a Memslot', memslot)
  const first = memslot.indexOf(gfn)
  checkInteger('npages', npages, 1, memslot.npages - first)
  checkInteger('hpa', hpa, 0, 2 * MAX_GPA + 1, 16)
  checkOneOf('shift', shift, LEAF_SHIFTS)
  checkHas('guests', guests, 'get')
  if (visitor !== undefined) checkHas('visitor', visitor, 'entry')
  checkObject('counters', counters)

  const page = hostPage(hpa, shift)
  const reports: (() => void)[] | undefined = visitor && []
  counters.ranges++
  for (let index = first; index < first + npages; index++) {
    if (memslot.isEmptyAt(index)) continue
    counters.slots++
    if (memslot.isListAt(index)) counters.lists++
    const list = memslot.take(index)
    try {
      while (list.next()) {
        const { hi, lo } = list
        const shadow = guests.get(entryLpid(hi))?.shadow
        const ref = followEntry(page, shadow, hi, lo, counters)
        if (visitor !== undefined) reports!.push(reportOf(visitor, memslot.baseGfn + index, hi, lo, shadow, ref))
        if (ref === NONE) continue
        shadow!.clearAt(ref)
        counters.cleared++
      }
    } finally {
      list.end() // a lookup of guests that throws
    }
  }
  reports?.forEach((report) => report())
  return counters
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

/** @internal The leaf of a shadow table that an entry stands for; {@link NONE} where it is stale. Counts it. */
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
    return NONE
  }
  const ref = shadow.find(hi, lo)
  if (ref === NONE) {
    counters.staleNoLeaf++
    return NONE
  }
  if ((((shadow.hiAt(ref) ^ page.hi) & FRAME_HI) | ((shadow.loAt(ref) ^ page.lo) & page.maskLo)) !== 0) {
    counters.staleOtherFrame++
    return NONE
  }
  return ref
}

/** Shows a visitor an entry that is about to be dealt with, once that is done. */
function reportOf(
  visitor: RangeVisitor,
  gfn: Gfn,
  hi: number,
  lo: number,
  shadow: RadixTable | undefined,
  ref: LeafRef,
): () => void {
  const entry = entryOf(hi, lo)
  const there = shadow?.lookup(entry.gpa)
  const leaf = ref === NONE ? undefined : there
  const fate =
    leaf !== undefined ? 'cleared' : shadow === undefined ? 'no-guest' : there === undefined ? 'no-leaf' : 'other-frame'
  return () => visitor.entry(gfn, entry, fate, leaf)
}
