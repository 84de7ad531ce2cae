/**
 * The guests of a recording, and their tables: L1 with its own page table, and the nested guests with a shadow table
 * each (spec 9).
 *
 * Events name a table by the LPID that the hardware knows: L1's own, or a nested guest's shadow LPID. Entries hold the
 * number that L1 gave the guest. `nested_update` ties the two; `nested_release` ends a guest.
 *
 * This file never reads or changes a leaf, except to clear a whole table.
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
  /** L1's number for it. */
  readonly lpid: Lpid
  readonly shadowLpid: number
  readonly shadow: RadixTable
  /** The kernel's address of the table's root; 0 while no event has shown it. */
  readonly root: { hi: number; lo: number }
  /**
   * L0 has read its partition entry again, as it does before it drops a guest. A guest that is dropped while a vCPU
   * holds it is released later; only what the kernel looks up by LPID (a range removal, an invalidation by L1) tells the
   * two cases apart.
   */
  maybeDropped: boolean
}

/** A guest that a range removal met before any event had named it: its `nested_update` must follow. */
interface ExpectedGuest {
  readonly line: number
  readonly name: string
  readonly gp: bigint
}

/** The number of lines within which the `nested_update` of an expected guest must follow. */
const MOST_LINES_TO_UPDATE = 4096

/** L1, the nested guests, and who has which LPID. */
export class KernelGuests {
  readonly pageShift: PageShift
  /** L1's own table, as far as the recording shows it. */
  readonly host: RadixTable
  /** The nested guests by L1's number: where the walker looks them up. */
  readonly byLpid = new Map<Lpid, TraceGuest>()

  readonly #differences: Differences
  readonly #gate: AllocationGate
  readonly #byShadowLpid = new Map<number, TraceGuest>()
  /** Every shadow LPID that was ever released. */
  readonly #released = new Set<number>()
  readonly #expected = new Map<Lpid, ExpectedGuest>()
  /** A guest that two vCPUs made at once, and of which this task has just released the second one. */
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

  /** Notes that an event about L1's own table carries this LPID; the first one counts. */
  learnL1(lpid: number): void {
    this.#l1Lpid ??= lpid
  }

  /** The nested guest whose shadow table the event is about. */
  of(event: TraceEvent): TraceGuest | undefined {
    return this.#byShadowLpid.get(event.numberAt(FIELD.lpid))
  }

  /** Whether a nested guest has, or had when it was dropped and is still held, this number of L1's. */
  exists(lpid: Lpid): boolean {
    if (this.byLpid.has(lpid)) return true
    for (const guest of this.#byShadowLpid.values()) if (guest.lpid === lpid) return true
    return false
  }

  /**
   * An event names the root of a table. It stays where it is as long as the table exists.
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
        `numbers of 12 bits, and not L1's own`,
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
   * A range removal has met a guest that no event has named yet. The kernel registers a guest under the lock, and reads
   * its partition entry, which is what `nested_update` shows, a moment later.
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

  /** The recording has shown that no guest has this one's LPID: it was dropped, and a vCPU still holds it. */
  unregister(guest: TraceGuest): void {
    if (this.byLpid.get(guest.lpid) === guest) this.byLpid.delete(guest.lpid)
  }

  /** `nested_release` */
  release(event: TraceEvent): void {
    const lpid = event.numberAt(FIELD.l1_lpid)
    const shadowLpid = event.numberAt(FIELD.shadow_lpid)
    const guest = this.#byShadowLpid.get(shadowLpid)
    if (guest === undefined && this.byLpid.has(lpid) && shadowLpid <= MAX_LPID && shadowLpid !== this.#l1Lpid) {
      // Two vCPUs made this guest at once, and the second one is released: no other event names it. Its table_free follows.
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

  /** `table_free`. @returns the table whose leaves are freed; undefined where it has none that is known */
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
    if (guest === null) this.#l1Root.hi = this.#l1Root.lo = 0 // L1 ends, or gets another table
    const table = guest === null ? this.host : guest?.shadow
    if (table === undefined && !this.#released.has(lpid)) {
      this.#differences.at(event, `no table ever had lpid ${lpid}`, 'it is freed')
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
