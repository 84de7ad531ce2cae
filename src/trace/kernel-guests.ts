/**
 * The guests of a recording, and their tables: L1 with its own page table, and the nested guests with a shadow table
 * each (spec 9).
 *
 * Events name a table by the LPID that the hardware uses: that of L1, or the shadow LPID of a nested guest. Entries
 * contain L1's number for the guest. `nested_update` shows both numbers; `nested_release` ends a guest.
 *
 * This file changes no leaf, except that it clears all leaves of a guest that ends.
 */
import { type Lpid, MAX_LPID, type PageShift } from '../base/units'
import { hex, wordOf } from '../base/word'
import { ROOT_PAGES, type AllocationGate } from '../page-table/allocation-gate'
import { RadixTable } from '../page-table/radix-table'
import type { Differences } from './differences'
import { FIELD } from './events'
import type { TraceEvent } from './trace-event'

/** A nested guest, as the recording shows it. */
export interface TraceGuest {
  /** L1's number for the guest. */
  readonly lpid: Lpid
  readonly shadowLpid: number
  readonly shadow: RadixTable
  /** The kernel's address of the table's root; 0 while no event has shown it. */
  readonly root: { hi: number; lo: number }
  /**
   * L0 has read its partition entry again, so it may have dropped the guest. If a vCPU holds the guest, its release
   * comes later. Until then only a lookup by LPID (an rmap range removal, an invalidation by L1) shows whether it was
   * dropped.
   */
  maybeDropped: boolean
}

/** A guest that an rmap range removal found before any event named it: its `nested_update` must follow. */
interface ExpectedGuest {
  readonly line: number
  readonly name: string
  readonly gp: bigint
}

/** The number of lines within which the `nested_update` of an expected guest must follow. */
const MOST_LINES_TO_UPDATE = 4096

/** L1, the nested guests and their LPIDs. */
export class KernelGuests {
  readonly pageShift: PageShift
  /** L1's own table, as far as the recording shows it. */
  readonly host: RadixTable
  /** The nested guests by L1's number: the walker looks them up here. */
  readonly byLpid = new Map<Lpid, TraceGuest>()

  readonly #differences: Differences
  readonly #gate: AllocationGate
  readonly #byShadowLpid = new Map<number, TraceGuest>()
  /** Every shadow LPID that was ever released. */
  readonly #released = new Set<number>()
  readonly #expected = new Map<Lpid, ExpectedGuest>()
  /** A duplicate guest, made by a second vCPU at the same time, which this task has just released. */
  #duplicate: { readonly pid: number; readonly line: number; readonly shadowLpid: number } | undefined
  #l1Lpid: number | undefined
  readonly #l1Root = { hi: 0, lo: 0 }

  /** `gate` counts the tables' pages. */
  constructor(pageShift: PageShift, differences: Differences, gate: AllocationGate) {
    this.pageShift = pageShift
    this.#differences = differences
    this.#gate = gate
    this.host = this.#newTable()
  }

  /** The LPID of L1's own table; undefined while no event has shown it. */
  get l1Lpid(): number | undefined {
    return this.#l1Lpid
  }

  /** Whether the event is about L1's own table. */
  isL1(event: TraceEvent): boolean {
    return event.numberAt(FIELD.lpid) === this.#l1Lpid
  }

  /** An event about L1's own table has this LPID. The first call sets it. */
  learnL1(lpid: number): void {
    this.#l1Lpid ??= lpid
  }

  /** The nested guest whose shadow table the event is about. */
  of(event: TraceEvent): TraceGuest | undefined {
    return this.#byShadowLpid.get(event.numberAt(FIELD.lpid))
  }

  /** Whether a nested guest has this number of L1; also one that was dropped and that a vCPU still holds. */
  exists(lpid: Lpid): boolean {
    if (this.byLpid.has(lpid)) return true
    for (const guest of this.#byShadowLpid.values()) if (guest.lpid === lpid) return true
    return false
  }

  /**
   * An event names the root of a table, whose address must not change while the table exists.
   *
   * @param guest null for L1
   */
  checkRoot(event: TraceEvent, guest: TraceGuest | null, field: number): void {
    const hi = event.hi[field]!
    const lo = event.lo[field]!
    const root = guest === null ? this.#l1Root : guest.root
    if (root.lo === lo && root.hi === hi) return
    if ((root.lo | root.hi) !== 0) {
      this.#differences.at(event, `a table with its root at ${hex(wordOf(root.hi, root.lo))}`, hex(wordOf(hi, lo)))
    }
    root.hi = hi
    root.lo = lo
  }

  /** Whether a guest that had this shadow LPID was released. */
  wasReleased(shadowLpid: number): boolean {
    return this.#released.has(shadowLpid)
  }

  /** `nested_update` */
  update(event: TraceEvent): void {
    const lpid = event.numberAt(FIELD.l1_lpid)
    const shadowLpid = event.numberAt(FIELD.shadow_lpid)
    if (lpid > MAX_LPID || shadowLpid > MAX_LPID || shadowLpid === this.#l1Lpid) {
      return this.#differences.at(
        event,
        `numbers of 12 bits, and a shadow LPID that is not L1's`,
        `l1_lpid ${lpid}, shadow_lpid ${shadowLpid}`,
      )
    }
    const other = this.#byShadowLpid.get(shadowLpid)
    if (other?.lpid === lpid) {
      other.maybeDropped = true
      return
    }
    if (other !== undefined) {
      this.#differences.at(event, `shadow LPID ${shadowLpid} belongs to LPID ${other.lpid}`, `to LPID ${lpid}`)
      this.#drop(other)
    }
    const guest: TraceGuest = {
      lpid,
      shadowLpid,
      maybeDropped: false,
      shadow: this.#newTable(),
      root: { hi: 0, lo: 0 },
    }
    this.byLpid.set(lpid, guest)
    const expected = this.#expected.get(lpid)
    if (expected !== undefined && event.line - expected.line < MOST_LINES_TO_UPDATE) this.#expected.delete(lpid)
    this.#byShadowLpid.set(shadowLpid, guest)
  }

  /**
   * An rmap range removal has found a guest that no event has named yet. The kernel registers a guest under the lock,
   * and reads its partition entry after that: `nested_update` shows the read.
   */
  expect(event: TraceEvent, lpid: Lpid): void {
    if (this.byLpid.has(lpid) || this.#expected.has(lpid)) return
    this.#expected.set(lpid, { line: event.line, name: event.name, gp: event.wordAt(FIELD.gp) })
  }

  /** The recording has ended: an expected guest that no event has named is a difference. */
  end(): void {
    for (const [lpid, { line, name, gp }] of this.#expected) {
      this.#differences.add(line, name, `model: no guest has LPID ${lpid}; kernel: gp ${hex(gp)}`)
    }
  }

  /** The recording has shown that the guest was dropped: no guest has its LPID now. A vCPU may still hold the guest. */
  unregister(guest: TraceGuest): void {
    if (this.byLpid.get(guest.lpid) === guest) this.byLpid.delete(guest.lpid)
  }

  /** `nested_release` */
  release(event: TraceEvent): void {
    const lpid = event.numberAt(FIELD.l1_lpid)
    const shadowLpid = event.numberAt(FIELD.shadow_lpid)
    const guest = this.#byShadowLpid.get(shadowLpid)
    if (guest === undefined && this.byLpid.has(lpid) && shadowLpid <= MAX_LPID && shadowLpid !== this.#l1Lpid) {
      // A duplicate guest, made by a second vCPU at the same time: no other event names it. Its table_free follows.
      this.#duplicate = { pid: event.pid, line: event.line, shadowLpid }
      this.#released.add(shadowLpid)
      return
    }
    if (guest?.lpid !== lpid) {
      const owner = guest === undefined ? 'no guest' : `LPID ${guest.lpid}`
      return this.#differences.at(event, `shadow LPID ${shadowLpid} belongs to ${owner}`, `to LPID ${lpid}`)
    }
    this.#released.add(shadowLpid)
    this.#drop(guest)
  }

  /** `table_free`. @returns the table whose leaves are freed; undefined for an unknown table */
  freed(event: TraceEvent): RadixTable | undefined {
    const lpid = event.numberAt(FIELD.lpid)
    const duplicate = this.#duplicate
    this.#duplicate = undefined
    if (duplicate !== undefined && duplicate.pid === event.pid && duplicate.shadowLpid !== lpid) {
      this.#differences.at(
        event,
        `shadow LPID ${duplicate.shadowLpid} was released in line ${duplicate.line}`,
        `the table of ${lpid} is freed`,
      )
    }
    const guest = this.isL1(event) ? null : this.of(event)
    if (guest !== undefined && event.hasAt(FIELD.pgd)) this.checkRoot(event, guest, FIELD.pgd)
    if (guest === null) this.#l1Root.hi = this.#l1Root.lo = 0 // L1 ends, or gets a new table
    const table = guest === null ? this.host : guest?.shadow
    if (table === undefined && !this.#released.has(lpid)) {
      this.#differences.at(event, `no table ever had lpid ${lpid}`, 'frees it')
    }
    return table
  }

  #newTable(): RadixTable {
    this.#gate.pages += ROOT_PAGES
    return new RadixTable({ pageShift: this.pageShift }, this.#gate)
  }

  #drop(guest: TraceGuest): void {
    this.#byShadowLpid.delete(guest.shadowLpid)
    this.unregister(guest)
    guest.shadow.clearAll()
    this.#gate.givePages(ROOT_PAGES)
  }
}
