/**
 * The model that a recording drives, event by event: each event is one thing that the kernel was asked, or one thing
 * that it did, and goes to the part of the model that it is about.
 *
 * Asked: a leaf to create (`pte_create`), an entry to insert (`rmap_insert`), a range to remove (`rmap_remove_range`).
 * Done: the words before and after, the nodes, their order, and the leaves that were cleared. After a difference the
 * model takes over the kernel's state, as far as the event shows it, and goes on.
 */
import type { LeafShift, PageShift } from '../base/units'
import { hex, hiOfNumber } from '../base/word'
import type { AllocationGate } from '../page-table/allocation-gate'
import { Creations } from './creations'
import { Differences } from './differences'
import { FIELD, type EventName } from './events'
import { Inserts, OUTCOMES } from './inserts'
import { KernelArrays } from './kernel-arrays'
import { KernelGuests } from './kernel-guests'
import { KernelSlots } from './kernel-slots'
import { KernelTables } from './kernel-tables'
import { pendingInvalidation } from './l1-invalidations'
import type { TraceEvent } from './parser'
import { RangeRemovals } from './range-removal'
import { SlotChecks } from './slot-checks'
import { TraceTasks, type TraceTask } from './tasks'

/** What happens under the one lock that guards rmap slots and tables. */
const UNDER_LOCK: ReadonlySet<EventName> = new Set([
  ...OUTCOMES,
  'rmap_insert',
  'rmap_remove_range',
  'rmap_take',
  'rmap_take_node',
  'rmap_update_rc',
  'pte_unmap',
])

/** The rmap slots and page tables of a recording, as far as it has been read. */
export class TraceModel {
  readonly slots: KernelSlots
  readonly arrays = new KernelArrays()
  readonly found = new Differences()
  readonly guests: KernelGuests
  readonly inserts: Inserts
  readonly removals: RangeRemovals
  /** Range removals so far. */
  ranges = 0
  /** Rmap slots that ageing or harvest reached so far. */
  rcUpdates = 0

  readonly #pageShift: PageShift
  readonly #creations: Creations
  readonly #tables: KernelTables
  readonly #checks: SlotChecks
  readonly #tasks = new TraceTasks()
  /** The task that was last in the middle of something under the lock: it holds the lock until another task shows that it does. */
  #holder: TraceTask | undefined

  /** `gate` counts the pages of tables and slots. */
  constructor(pageShift: PageShift, gate: AllocationGate) {
    this.#pageShift = pageShift
    this.slots = new KernelSlots(gate)
    this.guests = new KernelGuests(pageShift, this.found, gate)
    this.#creations = new Creations(this.guests, this.found)
    this.#tables = new KernelTables(this.guests, this.#creations, this.found)
    this.#checks = new SlotChecks(this.slots, this.arrays, this.guests.host, this.found)
    this.inserts = new Inserts(this.slots, this.#creations, this.#checks, this.found)
    this.removals = new RangeRemovals(this.guests, this.#tables, this.#creations, this.slots, this.found)
  }

  /** The next event. @throws LineError */
  onEvent(event: TraceEvent): void {
    const task = this.#tasks.of(event)
    const holder = this.#holder
    if (holder !== undefined && holder !== task && UNDER_LOCK.has(event.name)) this.#releaseLock(event, holder)
    if (task.removal !== undefined && this.removals.continues(event, task.removal)) return
    this.#finishPending(event, task)
    this.#dispatch(event, task)
    task.begun = true
    if ((task.removal ?? task.outcome ?? task.unmapped) !== undefined) this.#holder = task
  }

  /** The recording has ended. */
  end(): void {
    this.guests.end()
  }

  /** Another task has the lock now: this one has shown all that it did under the lock. */
  #releaseLock(event: TraceEvent, task: TraceTask): void {
    if (task.outcome !== undefined) this.inserts.missed(event, task.outcome)
    task.outcome = undefined
    this.#finishPending(event, task)
    this.#holder = undefined
  }

  /** Ends what a task had in progress, at an event that is no part of it: what is missing is a difference. */
  #finishPending(event: TraceEvent, task: TraceTask): void {
    const { removal, outcome, unmapped } = task
    task.removal = undefined
    if (removal !== undefined) this.removals.end(event, removal)
    if (outcome !== undefined && !OUTCOMES.has(event.name)) {
      this.inserts.missed(event, outcome)
      task.outcome = undefined
    }
    if (unmapped === undefined || (event.name === 'rmap_remove_range' && event.pid === task.pid)) return
    task.unmapped = undefined
    if (unmapped.inMemslot)
      this.found.at(event, `L1's leaf unmapped in line ${unmapped.line}, so an rmap_remove_range`, 'none')
  }

  #dispatch(event: TraceEvent, task: TraceTask): void {
    if (event.name !== 'pte_unmap') task.invalidation = undefined
    switch (event.name) {
      case 'pte_create':
        return this.#pteCreate(event, task)
      case 'pte_create_ret':
        return this.#pteCreateRet(event, task)
      case 'rmap_insert':
        return this.inserts.insert(event, task)
      case 'rmap_insert_empty':
      case 'rmap_insert_duplicate':
      case 'rmap_insert_node':
        return this.inserts.outcome(event, task)
      case 'pte_unmap':
        task.unmapped = this.#tables.unmap(event, task.creation, task.invalidation)
        return
      case 'rmap_remove_range':
        return this.#rmapRemoveRange(event, task)
      case 'rmap_take':
      case 'rmap_take_node':
        return this.found.at(event, 'no range removal in progress', 'an entry is taken')
      case 'rmap_update_rc':
        return this.#rmapUpdateRc(event)
      case 'table_free':
        if (this.#tables.free(event)) this.slots.freeAll()
        return
      case 'nested_update':
        return this.guests.update(event)
      case 'nested_release':
        return this.guests.release(event)
      case 'memslot_free':
        this.arrays.forget(event.wordAt(FIELD.rmap))
        return this.slots.free(event.hi[FIELD.rmap]!, event.lo[FIELD.rmap]!, event.numberAt(FIELD.npages))
      case 'memslot_commit':
        // A memslot that is deleted (new 0) has no fields to read.
        if (!event.isZeroAt(FIELD.new)) this.#learnArray(event)
        return
      case 'tlb_invalidate':
      case 'rpt_invalidate':
        task.invalidation = pendingInvalidation(event, this.guests)
    }
  }

  #pteCreate(event: TraceEvent, task: TraceTask): void {
    if (task.creation !== undefined) {
      this.found.at(event, `the creation of line ${task.creation.line} returns first`, 'no pte_create_ret')
      this.#creations.abandon(task.creation)
    }
    task.creation = this.#creations.begin(event)
  }

  #pteCreateRet(event: TraceEvent, task: TraceTask): void {
    const { creation } = task
    task.creation = undefined
    if (creation === undefined) {
      if (task.begun) this.found.at(event, 'no creation in progress', 'it returns') // else it began before the recording
      return
    }
    this.#creations.finish(event, creation)
  }

  #rmapRemoveRange(event: TraceEvent, task: TraceTask): void {
    this.ranges++
    const { unmapped } = task
    task.unmapped = undefined
    let gpa = event.numberAt(FIELD.gpa)
    let hpa = event.numberAt(FIELD.hpa)
    let shift = ([this.#pageShift, 21, 30] as LeafShift[]).find((s) => event.wordAt(FIELD.nbytes) === 1n << BigInt(s))
    if (unmapped === undefined) {
      this.found.at(event, 'no leaf of L1 was unmapped', 'its range is removed')
    } else {
      ;({ gpa, hpa, shift } = unmapped)
      this.found.same(event, FIELD.gpa, hiOfNumber(gpa), gpa | 0)
      this.found.same(event, FIELD.hpa, hiOfNumber(hpa), hpa | 0)
      this.found.same(event, FIELD.nbytes, 0, 1 << shift)
    }
    const npages = event.numberAt(FIELD.npages)
    const other = this.arrays.contradicts(event.wordAt(FIELD.rmap), event.numberAt(FIELD.base_gfn), npages)
    if (other !== undefined) {
      this.found.at(
        event,
        `an array at ${hex(other.rmap)} of ${other.npages} pages from gfn ${hex(other.baseGfn)}`,
        `one at ${hex(event.wordAt(FIELD.rmap))} of ${npages} pages from gfn ${hex(event.wordAt(FIELD.base_gfn))}`,
      )
    }
    this.#learnArray(event)
    const first = gpa / (1 << this.#pageShift) - event.numberAt(FIELD.base_gfn)
    if (shift === undefined || hpa >= 2 ** 53 || !Number.isInteger(first) || first < 0 || first >= npages) {
      return this.found.at(
        event,
        'a leaf inside its memslot',
        `gpa ${hex(event.wordAt(FIELD.gpa))}, ${npages} pages from gfn ${hex(event.wordAt(FIELD.base_gfn))}`,
      )
    }
    task.removal = this.removals.run({
      address: event.wordAt(FIELD.rmap) + 8n * BigInt(first),
      first,
      npages: Math.min(1 << (shift - this.#pageShift), npages - first),
      hpa,
      shift,
    })
  }

  #rmapUpdateRc(event: TraceEvent): void {
    this.rcUpdates++
    const hi = event.hi[FIELD.rmapp]!
    const lo = event.lo[FIELD.rmapp]!
    this.#checks.word(event, this.slots.chunkAt(hi, lo), this.slots.indexAt(lo))
    this.#checks.frame(event, hi, lo, event.numberAt(FIELD.hpa), true)
  }

  #learnArray(event: TraceEvent): void {
    this.arrays.learn(event.wordAt(FIELD.rmap), event.numberAt(FIELD.base_gfn), event.numberAt(FIELD.npages))
  }
}
