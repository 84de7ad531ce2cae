/**
 * Holds the slots of a dump against its page tables: the law of completeness, looked at from outside (spec 1, 6).
 *
 * Every shadow leaf must have its entry in the slot of the page it maps: the slot of the first base page of the host
 * leaf that it lies in (spec 5 step 4, as today's kernels do). The reverse need not hold: an entry without such a leaf
 * is stale, and legal. Slots and tables must be of one moment; a kernel that went on between the two reads shows as
 * differences that are none of its own.
 */
import { checkHas, checkInteger, checkIterable, checkObject, wrongType } from '../base/args'
import type { Gfn, Hpa, Lpid } from '../base/units'
import { hex, hiOf, loOf } from '../base/word'
import { leafHpa } from '../page-table/leaf'
import { RadixTable, type Leaf } from '../page-table/radix-table'
import { packEntry, type Entry } from '../rmap/entry'
import { count, formatEntry } from './format'
import type { Slot } from './slot'

/**
 * Why an entry is stale: no table has its LPID; the table has no leaf there; the leaf maps another page than the slot's;
 * L1's own table has no leaf at the slot's gfn.
 */
export type StaleReason = 'no-guest' | 'no-leaf' | 'other-frame' | 'no-host-leaf'

/** An entry that no leaf answers to. */
export interface StaleEntry {
  readonly gfn: Gfn
  readonly entry: Entry
  readonly reason: StaleReason
}

/** A shadow leaf whose entry is missing. */
export interface LackingLeaf {
  readonly lpid: Lpid
  readonly leaf: Leaf
  /** The slots where the entry was looked for: more than one where L1 has the frame at several gfns; none where at no gfn. */
  readonly gfns: readonly Gfn[]
}

/** What the check found. */
export interface DumpCheck {
  /** Shadow leaves looked at, those outside the slot array not counted. */
  readonly leaves: number
  /** Shadow leaves of pages whose slots are not in the array (another memslot's): not judged. */
  readonly elsewhere: number
  /** Shadow leaves without their entry: what breaks completeness. */
  readonly lacking: readonly LackingLeaf[]
  /** Entries looked at. */
  readonly entries: number
  /** Entries that no leaf answers to. */
  readonly stale: readonly StaleEntry[]
}

/**
 * Checks a dump. Cost: the leaves and the entries, once each.
 *
 * @param dump.slots the slots that are not empty: from `RawSlots`, `slotsOf` or `slotsOfReplay`; those of no gfn are passed over
 * @param dump.baseGfn the gfn of the array's first slot
 * @param dump.npages slots of the array
 * @param dump.host L1's own table
 * @param dump.shadows the shadow tables, by L1's number for the guest
 * @throws RangeError, TypeError
 */
export function checkDump(dump: {
  readonly slots: Iterable<Slot>
  readonly baseGfn: Gfn
  readonly npages: number
  readonly host: RadixTable
  readonly shadows: ReadonlyMap<Lpid, RadixTable>
}): DumpCheck {
  const { slots, baseGfn, npages, host, shadows } = checkObject('dump', dump)
  checkInteger('baseGfn', baseGfn, 0, 2 ** 52 - 1, 16)
  checkInteger('npages', npages, 1, 2 ** 52 - baseGfn)
  if (!(host instanceof RadixTable)) throw wrongType('host', 'a RadixTable', host)
  checkIterable('slots', slots)
  checkIterable('shadows', checkHas('shadows', shadows, 'get'))

  const recorded = new Map<Gfn, Set<bigint>>()
  const stale: StaleEntry[] = []
  let entries = 0
  for (const { gfn, entries: list } of slots) {
    if (gfn === undefined) continue // nothing to hold it against
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

/** What a check found as text: at most `most` of each kind by name, then the totals. */
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

/** Finds the head gfns of the host leaves that a host address lies in. Several gfns can share a frame. */
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
