/**
 * Checks the completeness invariant in a dump (spec 1, 6): compares its rmap slots with its page tables.
 *
 * Every shadow leaf must have an entry in the rmap slot of the first gfn of its host leaf (spec 5, step 4, as today's
 * kernels do). The reverse need not be true: an entry without such a leaf is stale, which is legal. Slots and tables
 * must be from the same moment: if the kernel ran between the two reads, the check can report missing entries wrongly.
 */
import { checkHas, checkInteger, checkIterable, checkObject, checkOptionNames, wrongType } from '../base/args'
import type { Gfn, Hpa, Lpid } from '../base/units'
import { hex, hiOf, loOf } from '../base/word'
import { leafHpa } from '../page-table/leaf'
import { RadixTable, type Leaf } from '../page-table/radix-table'
import { packEntry, type Entry } from '../rmap/entry'
import { count, formatEntry } from './format'
import type { Slot } from './slot'

/**
 * Why an entry is stale. `no-guest`: no shadow table has its LPID. `no-leaf`: the shadow table has no leaf at its
 * address. `other-frame`: the shadow leaf maps another page than the slot's. `no-host-leaf`: L1's own table has no leaf
 * at the slot's gfn.
 */
export type StaleReason = 'no-guest' | 'no-leaf' | 'other-frame' | 'no-host-leaf'

/** A stale entry: it leads to no shadow leaf of its slot's page. */
export interface StaleEntry {
  /** The gfn of the slot that has it. */
  readonly gfn: Gfn
  /** The entry. */
  readonly entry: Entry
  /** Why it is stale. */
  readonly reason: StaleReason
}

/** A shadow leaf whose entry is missing. */
export interface LackingLeaf {
  /** L1's number for the nested guest. */
  readonly lpid: Lpid
  /** The shadow leaf. */
  readonly leaf: Leaf
  /** The gfns whose slots were searched for the entry: those at which L1 maps the frame; empty if there is none. */
  readonly gfns: readonly Gfn[]
}

/** The result of {@link checkDump}. */
export interface DumpCheck {
  /** Shadow leaves that were checked. */
  readonly leaves: number
  /** Shadow leaves that were not checked, because their slots are outside the array, in another memslot. */
  readonly elsewhere: number
  /** Shadow leaves without their entry: these break the completeness invariant. */
  readonly lacking: readonly LackingLeaf[]
  /** Entries that were checked. */
  readonly entries: number
  /** Stale entries, which are legal. */
  readonly stale: readonly StaleEntry[]
}

/** A dump to check: rmap slots and page tables of one moment. */
export interface Dump {
  /** The slots that are not empty: from `RawSlots`, `slotsOf` or `slotsOfReplay`. Slots without a gfn are ignored. */
  readonly slots: Iterable<Slot>
  /** The gfn of the slot array's first slot: 0..2^52-1. */
  readonly baseGfn: Gfn
  /** The number of slots in the array: 1..2^52-baseGfn. */
  readonly npages: number
  /** L0's table for L1: gpa -> hpa. */
  readonly host: RadixTable
  /** The shadow tables, by L1's number for the nested guest (LPID). */
  readonly shadows: ReadonlyMap<Lpid, RadixTable>
}

/**
 * Checks that each shadow leaf of a dump has its entry, and finds stale entries. Cost: the leaves and the entries.
 *
 * @throws RangeError, TypeError
 */
export function checkDump(dump: Dump): DumpCheck {
  const names = ['slots', 'baseGfn', 'npages', 'host', 'shadows'] as const
  const { slots, baseGfn, npages, host, shadows } = checkOptionNames('dump', dump, names)
  checkInteger('baseGfn', baseGfn, 0, 2 ** 52 - 1, 16)
  checkInteger('npages', npages, 1, 2 ** 52 - baseGfn)
  if (!(host instanceof RadixTable)) throw wrongType('host', 'a RadixTable', host)
  checkIterable('slots', slots)
  checkIterable('shadows', checkHas('shadows', shadows, 'get'))

  const recorded = new Map<Gfn, Set<bigint>>()
  const stale: StaleEntry[] = []
  let entries = 0
  for (const { gfn, entries: list } of slots) {
    if (gfn === undefined) continue // nothing to compare it with
    recorded.set(gfn, new Set(list.map(({ lpid, gpa }) => packEntry(lpid, gpa))))
    for (const entry of list) {
      entries++
      const reason = staleReason(gfn, entry, host, shadows)
      if (reason !== undefined) stale.push({ gfn, entry, reason })
    }
  }

  const gfnsOf = pagesByFrame(host)
  const lacking: LackingLeaf[] = []
  let leaves = 0
  let elsewhere = 0
  for (const [lpid, table] of shadows) {
    for (const leaf of table) {
      const gfns = gfnsOf(hpaOf(leaf))
      const ours = gfns.filter((gfn) => gfn >= baseGfn && gfn < baseGfn + npages)
      if (gfns.length > 0 && ours.length === 0) {
        elsewhere++
        continue
      }
      leaves++
      const key = packEntry(lpid, leaf.gpa)
      if (!ours.some((gfn) => recorded.get(gfn)?.has(key))) lacking.push({ lpid, leaf, gfns: ours })
    }
  }
  return { leaves, elsewhere, lacking, entries, stale }
}

/**
 * The result of a check as text: leaves without entry, stale entries, totals.
 *
 * @param most how many leaves and how many entries are listed at most: 0..2^30, 20 by default
 * @throws RangeError, TypeError
 */
export function formatDumpCheck(check: DumpCheck, most = 20): string {
  const { leaves, elsewhere, lacking, entries, stale } = checkObject('check', check)
  checkInteger('most', most, 0, 2 ** 30)
  const lines: string[] = []
  for (const { lpid, leaf, gfns } of lacking.slice(0, most)) {
    const where = gfns.length === 0 ? "L1's own table does not map that page" : `not in gfn ${gfns.map(hex).join(', ')}`
    lines.push(`  !! leaf without entry: ${formatEntry({ lpid, gpa: leaf.gpa })} -> ${hex(hpaOf(leaf))}: ${where}`)
  }
  if (lacking.length > most) lines.push(`  !! ... ${lacking.length - most} more ...`)
  for (const { gfn, entry, reason } of stale.slice(0, most)) {
    lines.push(`  stale entry: gfn ${hex(gfn)}  ${formatEntry(entry)}: ${REASONS[reason]}`)
  }
  if (stale.length > most) lines.push(`  ... ${stale.length - most} more stale entries ...`)
  const reasons = Object.entries(REASONS).map(
    ([reason, text]) => [stale.filter((one) => one.reason === reason).length, text] as const,
  )
  const why = reasons
    .filter(([many]) => many > 0)
    .map(([many, text]) => `${text}: ${many}`)
    .join('; ')
  lines.push(
    `${count(entries, 'entry', 'entries')}, ${stale.length} stale, which is legal${why === '' ? '' : ` (${why})`}`,
  )
  if (elsewhere > 0)
    lines.push(`${count(elsewhere, 'shadow leaf', 'shadow leaves')} outside the slot array: not checked`)
  lines.push(`${count(leaves, 'shadow leaf', 'shadow leaves')}, ${lacking.length} without their entry`)
  return lines.join('\n')
}

const REASONS: Record<StaleReason, string> = {
  'no-guest': 'no guest has that LPID',
  'no-leaf': 'no shadow leaf',
  'other-frame': 'the leaf maps another page',
  'no-host-leaf': 'no host leaf at that gfn',
}

function staleReason(
  gfn: Gfn,
  { lpid, gpa }: Entry,
  host: RadixTable,
  shadows: ReadonlyMap<Lpid, RadixTable>,
): StaleReason | undefined {
  const page = gfn < 2 ** (52 - host.pageShift) ? host.lookup(gfn * 2 ** host.pageShift) : undefined
  if (page === undefined) return 'no-host-leaf'
  const shadow = shadows.get(lpid)
  if (shadow === undefined) return 'no-guest'
  const leaf = shadow.lookup(gpa)
  if (leaf === undefined) return 'no-leaf'
  const size = 2 ** page.shift
  return Math.floor(hpaOf(leaf) / size) === Math.floor(hpaOf(page) / size) ? undefined : 'other-frame'
}

/** Finds the first gfns of the host leaves that map a host address. Several gfns can map the same frame. */
function pagesByFrame(host: RadixTable): (hpa: Hpa) => Gfn[] {
  const bySize = new Map<number, Map<number, Gfn[]>>()
  for (const page of host) {
    const size = 2 ** page.shift
    const pages = bySize.get(size) ?? new Map<number, Gfn[]>()
    bySize.set(size, pages)
    const frame = Math.floor(hpaOf(page) / size)
    const gfn = page.gpa / 2 ** host.pageShift
    const there = pages.get(frame)
    if (there === undefined) pages.set(frame, [gfn])
    else there.push(gfn)
  }
  return (hpa) => [...bySize].flatMap(([size, pages]) => pages.get(Math.floor(hpa / size)) ?? [])
}

function hpaOf({ word, shift }: Leaf): Hpa {
  return leafHpa(hiOf(word), loOf(word), shift)
}
