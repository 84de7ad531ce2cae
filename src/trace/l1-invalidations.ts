/**
 * L1's invalidations (spec 8): after `tlb_invalidate` or `rpt_invalidate` the task must clear what L1 requested before
 * its next event of another kind.
 *
 * A request by page clears every shadow leaf in the page. A request by LPID clears the whole table, which `table_free`
 * shows. A leaf that another task clears first need not be cleared again. A leaf that another task creates meanwhile
 * may be cleared or not.
 *
 * Nothing is expected if L1's request is an error, or if no nested guest has the LPID. The same holds from the first page
 * size of a request that is below the base page: Linux's result is undefined there.
 */
import { type Gpa, type LeafShift, MAX_GPA } from '../base/units'
import { hex, hiOfNumber, numberOf, pow2 } from '../base/word'
import { AP_SHIFT } from '../page-table/leaf'
import { NONE, type RadixTable } from '../page-table/radix-table'
import { entryGpa } from '../rmap/entry'
import type { Differences } from './differences'
import { FIELD, type EventName } from './events'
import type { KernelGuests, TraceGuest } from './kernel-guests'
import type { TraceEvent } from './trace-event'

/** A request of L1, and what must still be cleared for it. */
export interface PendingInvalidation {
  readonly line: number
  readonly name: string
  /** The guest and the addresses of a request by page: any leaf there may be cleared, also one that need not be. */
  guest: TraceGuest | undefined
  from: Gpa
  to: Gpa
  /** The first leaf that must be cleared: its first address, and the address that the kernel uses; -1 if none. */
  leaf: Gpa
  leafNamed: Gpa
  /** The other leaves that must be cleared, in the same form; most requests have none. */
  others: Map<Gpa, Gpa> | undefined
  /** The guests whose whole tables must be freed. L0 may read their partition entries again, and drop the guests. */
  tables: Set<TraceGuest> | undefined
}

/** The bits of H_RPT_INVALIDATE's `type`. */
const NESTED = 1
const TLB = 2
const ALL_NESTED = 2 | 4 | 8
/** The bits of H_RPT_INVALIDATE's `pg_sizes`, smallest page first. */
const RPT_SIZES: readonly (readonly [bit: number, shift: LeafShift])[] = [
  [1, 12],
  [2, 16],
  [4, 21],
  [8, 30],
]
/** A range with more pages than this invalidates the whole LPID. */
const MAX_RANGE_PAGES = 33

/** L1's requests that are not finished. */
export class L1Invalidations {
  readonly #guests: KernelGuests
  readonly #differences: Differences
  readonly #pending = new Set<PendingInvalidation>()

  constructor(guests: KernelGuests, differences: Differences) {
    this.#guests = guests
    this.#differences = differences
  }

  /** `tlb_invalidate`, `rpt_invalidate` */
  begin(event: TraceEvent): PendingInvalidation | undefined {
    const { line, name } = event
    const request: PendingInvalidation = {
      line,
      name,
      guest: undefined,
      from: 0,
      to: 0,
      leaf: -1,
      leafNamed: -1,
      others: undefined,
      tables: undefined,
    }
    if (name === 'tlb_invalidate') this.#tlbInvalidate(event, request)
    else this.#rptInvalidate(event, request)
    if (request.guest === undefined && request.tables === undefined) return undefined
    this.#pending.add(request)
    return request
  }

  /** `pte_unmap` of a shadow leaf, by the task of the request. @returns whether it belongs to the request */
  unmaps(event: TraceEvent, guest: TraceGuest, request: PendingInvalidation): boolean {
    const gpa = event.numberAt(FIELD.gpa)
    if (guest !== request.guest || gpa < request.from || gpa >= request.to) return false
    guest.maybeDropped = false // found by its LPID
    return true
  }

  /** A leaf was cleared, by any task: no request needs to clear it any more. */
  cleared(table: RadixTable, hi: number, lo: number): void {
    if (this.#pending.size === 0) return
    for (const request of this.#pending) {
      if (request.guest?.shadow !== table) continue
      const gpa = numberOf(hi & 0xfffff, lo)
      if (request.leaf === gpa) request.leaf = -1
      else request.others?.delete(gpa)
    }
  }

  /** All leaves of a table were cleared. */
  clearedAll(table: RadixTable): void {
    for (const request of this.#pending) {
      if (request.guest?.shadow === table) {
        request.leaf = -1
        request.others = undefined
      }
      for (const guest of request.tables ?? []) {
        if (guest.shadow !== table) continue
        request.tables!.delete(guest)
        guest.maybeDropped = false // found by its LPID
      }
    }
  }

  /** The task has another event now: everything that L1 requested must be cleared. */
  end(event: TraceEvent, request: PendingInvalidation): void {
    this.#pending.delete(request)
    const { line, name, leaf, leafNamed, others, tables } = request
    if (leaf >= 0) this.#missed(event, request, leaf, leafNamed)
    if (others !== undefined) for (const [gpa, named] of others) this.#missed(event, request, gpa, named)
    if (tables === undefined) return
    for (const guest of tables) {
      if (this.#guests.byLpid.get(guest.lpid) !== guest || this.#wasDropped(guest)) continue
      this.#differences.at(
        event,
        `the ${name} of line ${line} invalidates all of LPID ${guest.lpid}, so its table is freed`,
        'it is not freed',
      )
    }
  }

  /**
   * The kernel has not cleared what L1 requested: if the guest may have been dropped, it was.
   *
   * @returns whether it was
   */
  #wasDropped(guest: TraceGuest): boolean {
    if (guest.maybeDropped) this.#guests.unregister(guest)
    return guest.maybeDropped
  }

  #missed(event: TraceEvent, { line, name, guest }: PendingInvalidation, gpa: Gpa, named: Gpa): void {
    if (guest!.shadow.refAt(gpa) === NONE || this.#wasDropped(guest!)) return // released with its guest, or not found
    this.#differences.at(
      event,
      `the ${name} of line ${line} invalidates ${hex(named)} of LPID ${guest!.lpid}, so its leaf is cleared`,
      'it is not cleared',
    )
  }

  /**
   *     instr   19 18   17    16          rS   31       0      rB   63    12 11 10    7 5
   *            | RIC | PRS |  R |             |   LPID   |         |  EPN  |  IS  |  | AP |
   */
  #tlbInvalidate(event: TraceEvent, request: PendingInvalidation): void {
    const instr = event.lo[FIELD.instr]!
    const rb = event.lo[FIELD.rb]!
    const ric = (instr >>> 18) & 3
    const is = (rb >>> 10) & 3
    if (((instr >>> 16) & 3) !== 1 || ric === 3 || is === 1 || (is === 0 && ric !== 0)) return // H_PARAMETER
    if (is === 3) {
      for (const guest of this.#guests.byLpid.values()) askForTable(request, guest, ric)
      return
    }
    const guest = this.#guests.byLpid.get(event.lo[FIELD.rs]! >>> 0)
    if (guest === undefined) return
    if (is === 2) return askForTable(request, guest, ric)
    const shift = AP_SHIFT.get((rb >>> 5) & 7)
    if (shift !== undefined) this.#askForPage(request, guest, entryGpa(event.hi[FIELD.rb]!, rb), shift)
  }

  #rptInvalidate(event: TraceEvent, request: PendingInvalidation): void {
    const start = event.wordAt(FIELD.start)
    const end = event.wordAt(FIELD.end)
    const type = event.lo[FIELD.type]!
    const guest = this.#guests.byLpid.get(event.lo[FIELD.lpid]! >>> 0)
    if (end < start || (type & NESTED) === 0 || guest === undefined) return
    if ((type & ALL_NESTED) === ALL_NESTED) return askForTable(request, guest, 2)
    if (start === 0n && end === (1n << 64n) - 1n) return askForTable(request, guest, 0)
    if ((type & TLB) === 0) return
    let isDefined = true // until the first size below the base page, where Linux's result is undefined
    for (const [bit, shift] of RPT_SIZES) {
      if ((event.lo[FIELD.pg_sizes]! & bit) === 0) continue
      if ((end - start) >> BigInt(shift) > MAX_RANGE_PAGES)
        return isDefined ? askForTable(request, guest, 0) : undefined
      isDefined &&= shift >= this.#guests.pageShift
      let at = start
      do {
        this.#askForPage(request, guest, Number(at % 2n ** 52n), shift, isDefined)
        at += 1n << BigInt(shift)
      } while (at < end)
    }
  }

  /** Requests every shadow leaf in a page. The kernel names a larger leaf by the page, a smaller one by itself. */
  #askForPage(
    request: PendingInvalidation,
    guest: TraceGuest,
    gpa: Gpa,
    shift: LeafShift,
    isRequired = shift >= this.#guests.pageShift,
  ): void {
    const from = gpa - (gpa % pow2(shift))
    const to = from + pow2(shift)
    if (request.guest === undefined) request.from = from
    request.guest = guest
    request.from = Math.min(request.from, from)
    request.to = Math.max(request.to, to)
    const { shadow } = guest
    const { pageShift } = this.#guests
    if (!isRequired) return
    if (shift === pageShift) {
      const ref = shadow.find(hiOfNumber(from), from | 0)
      if (ref !== NONE) addLeaf(request, from - (from % pow2(shadow.shiftOf(ref))), from)
      return
    }
    for (const leaf of shadow.leavesBetween(from, Math.min(to, MAX_GPA + 1))) {
      addLeaf(request, leaf.gpa, Math.max(leaf.gpa, from))
    }
  }
}

function addLeaf(request: PendingInvalidation, gpa: Gpa, named: Gpa): void {
  if (request.leaf === gpa || request.others?.has(gpa) === true) return
  if (request.leaf < 0) {
    request.leaf = gpa
    request.leafNamed = named
  } else (request.others ??= new Map<Gpa, Gpa>()).set(gpa, named)
}

/** Whether an event may belong to a request. For all LPIDs, each guest in turn is freed, read again and released. */
export function isPartOf({ tables }: PendingInvalidation, name: EventName): boolean {
  return (
    name === 'pte_unmap' ||
    (tables !== undefined && (name === 'table_free' || name === 'nested_update' || name === 'nested_release'))
  )
}

/** Requests a whole table; nothing for RIC 1, which invalidates the page walk cache: L0 has none. */
function askForTable(request: PendingInvalidation, guest: TraceGuest, ric: number): void {
  if (ric === 1) return
  request.tables ??= new Set()
  request.tables.add(guest)
}
