/**
 * Compares the rmap slots of a dump with its page tables: completeness, checked from outside (spec 1, 6).
 *
 * Every shadow leaf must have its entry in the slot of the page that it maps: the slot of the first base page of the host
 * leaf around it (spec 5 step 4, as today's kernels do). The reverse need not be true: an entry without such a leaf is
 * stale, and legal. Slots and tables must be from the same moment: if the kernel ran between the two reads, the check
 * reports differences that are not the kernel's fault.
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
 * Why an entry is stale: `no-guest` no shadow table has its LPID; `no-leaf` the shadow table has no leaf at its address;
 * `other-frame` the leaf maps another page than the slot's; `no-host-leaf` L1's own table has no leaf at the slot's gfn.
 */
export type StaleReason = 'no-guest' | 'no-leaf' | 'other-frame' | 'no-host-leaf'

/** An entry that leads to no shadow leaf of its slot's page. */
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
  /** The slots where the entry was looked for: several if L1 has the frame at several gfns, none if at no gfn. */
  readonly gfns: readonly Gfn[]
}

/** What the check found. */
export interface DumpCheck {
  /** Shadow leaves that were checked. */
  readonly leaves: number
  /** Shadow leaves of pages whose slots are not in the array, but in another memslot's: not checked. */
  readonly elsewhere: number
  /** Shadow leaves without their entry: these break completeness. */
  readonly lacking: readonly LackingLeaf[]
  /** Entries that were checked. */
  readonly entries: number
  /** Stale entries, which are legal. */
  readonly stale: readonly StaleEntry[]
}

/** A dump to check: rmap slots and page tables of one moment. */
export interface Dump {
  /** The slots that are not empty: from `RawSlots`, `slotsOf` or `slotsOfReplay`. Those without a gfn are passed over. */
  readonly slots: Iterable<Slot>
  /** The gfn of the slot array's first slot: 0..2^52-1. */
  readonly baseGfn: Gfn
  /** How many slots the array has: at least 1. */
  readonly npages: number
  /** L0's table for L1: gpa -> hpa. */
  readonly host: RadixTable
  /** The shadow tables, by L1's number for the nested guest (LPID). */
  readonly shadows: ReadonlyMap<Lpid, RadixTable>
}

/**
 * Checks a dump. Cost: the leaves and the entries, once each.
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
 * The result of a check as text: at most `most` of each kind, then the totals.
 *
 * @param most 0..2^30, 20 by default
 * @throws RangeError, TypeError
 */
export function formatDumpCheck(check: DumpCheck, most = 20): string {
  const { leaves, elsewhere, lacking, entries, stale } = checkObject('check', check)
  checkInteger('most', most, 0, 2 ** 30)
  const lines: string[] = []
  for (const { lpid, leaf, gfns } of lacking.slice(0, most)) {
    const where = gfns.length === 0 ? "L1's table has that frame nowhere" : `not in gfn ${gfns.map(hex).join(', ')}`
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
    lines.push(`${count(elsewhere, 'shadow leaf', 'shadow leaves')} outside the slot array: not judged`)
  lines.push(`${count(leaves, 'shadow leaf', 'shadow leaves')}, ${lacking.length} without their entry`)
  return lines.join('\n')
}

const REASONS: Record<StaleReason, string> = {
  'no-guest': 'no guest has that LPID',
  'no-leaf': 'no leaf there',
  'other-frame': 'the leaf there maps another page',
  'no-host-leaf': "L1's own table has no leaf at that gfn",
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

/** Finds the first gfns of the host leaves around a host address. Several gfns can share a frame. */
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
