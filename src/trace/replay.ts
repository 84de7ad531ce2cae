/**
 * Replays a recording of a real kernel: drives the model with what the kernel was asked, and compares with what the
 * kernel did, event by event.
 *
 * Asked: a leaf to create (`pte_create`), an entry to insert (`rmap_insert`), a range to remove
 * (`rmap_remove_range`). Done: the words before and after, the nodes, their order, and the leaves that went. A task's
 * events belong together; those of others may stand between them, so what is expected next is kept for each task.
 * After a difference the model takes over the kernel's state, as far as the event tells it, and goes on.
 */
import { checkInteger, checkObject, checkOneOf } from '../base/args'
import { LineError, LineSplitter } from '../base/lines'
import type { LeafShift, Lpid, PageShift } from '../base/units'
import { hex, hiOfNumber } from '../base/word'
import { AllocationGate, MAX_READER_PAGES } from '../page-table/allocation-gate'
import type { RadixTable } from '../page-table/radix-table'
import { TAG } from '../rmap/entry'
import type { EntryFate } from '../rmap/invalidate'
import type { InsertOutcome } from '../rmap/memslot'
import { Differences, type Difference } from './differences'
import { FIELD, type EventName } from './events'
import { Inserts, OUTCOMES } from './inserts'
import { KernelArrays } from './kernel-arrays'
import { KernelSlots } from './kernel-slots'
import { KernelTables } from './kernel-tables'
import { TraceParser, type TraceEvent } from './parser'
import { RangeRemovals } from './range-removal'
import { SlotChecks } from './slot-checks'
import { Tasks, type Task } from './tasks'

/** What a replay counted: the object that `nested-rmap replay --json` prints. */
export interface ReplayResult {
  /** Lines of known events. */
  events: number
  /** Lines of other events. */
  skipped: number
  /** Whether the recording says that events were lost. */
  lost: boolean
  /** Inserts by outcome. */
  inserts: { empty: number; second: number; list: number; duplicate: number }
  /** Entries that the kernel compared in its inserts. */
  scanSteps: number
  /** Ranges removed. */
  ranges: number
  /** What the ranges took: slots that were not empty, and entries. */
  taken: { slots: number; entries: number }
  /** Shadow leaves that the ranges cleared. */
  cleared: number
  /** Entries that the ranges found stale, by reason. */
  stale: { noGuest: number; noLeaf: number; otherFrame: number }
  /** Slots that ageing or dirty harvest reached. */
  rcUpdates: number
  /** Most entries that a slot ever held. */
  longestList: number
  /** How many different LPIDs were ever inserted. */
  lpids: number
  /** What the slots hold now, of those that ever had an insert. */
  slots: { empty: number; single: number; list: number }
  /** Nodes in use now. */
  nodes: number
  /** Most nodes that were in use at once. */
  peakNodes: number
  /** Shadow leaves of the radix dump and how many differ; null without a dump. */
  radix: { leaves: number; differences: number } | null
  /** All differences, those of the radix dump included. */
  differences: number
  /** The first ten. */
  first: Difference[]
}

/** What happens under the one lock that guards slots and tables. */
const UNDER_LOCK: ReadonlySet<EventName> = new Set([
  ...OUTCOMES,
  'rmap_insert',
  'rmap_remove_range',
  'rmap_take',
  'rmap_take_node',
  'rmap_update_rc',
  'pte_unmap',
])

/** @internal Shown what a replay does, as it does it: what a report is made of. */
export interface ReplayObserver {
  /** An event comes. It is the same object for all. */
  before(event: TraceEvent): void
  /** The model's insert, at this event. */
  insert(slot: bigint, outcome: InsertOutcome): void
  /** A range removal, at this event, took an entry from a slot. */
  taken(slot: bigint, fate: EntryFate): void
  /** The event was dealt with. */
  after(event: TraceEvent): void
}

/** Feeds a recording to the model. Time goes with the bytes; memory with the slots, nodes and tables it names. */
export class Replay {
  /** L0's base page size. */
  readonly pageShift: PageShift
  /** @internal */
  readonly slots: KernelSlots
  /** @internal */
  readonly arrays = new KernelArrays()
  /** @internal */
  readonly found = new Differences()
  /** @internal What a comparison with a dump of the tables has found: part of the result. */
  radix: { leaves: number; differences: number } | null = null

  /** @internal Whether {@link end} was called. */
  ended = false

  readonly #gate = new AllocationGate(Infinity)
  readonly #maxPages: number
  readonly #lines = new LineSplitter()
  readonly #parser = new TraceParser()
  readonly #tables: KernelTables
  readonly #removals: RangeRemovals
  readonly #checks: SlotChecks
  readonly #inserts: Inserts
  readonly #tasks = new Tasks()
  /** The task that last had something to say that goes on: it holds the lock until another one shows that it does. */
  #holder: Task | undefined
  #observer: ReplayObserver | undefined
  #ranges = 0
  #rcUpdates = 0

  /**
   * @param options.pageShift 16 (the default) or 12
   * @param options.maxPages most pages of 4 KiB for its tables and slots, 1..2^53-1; 2^18 (1 GiB) by default
   * @throws RangeError, TypeError
   */
  constructor(options: { pageShift?: PageShift; maxPages?: number } = {}) {
    const { pageShift = 16, maxPages = MAX_READER_PAGES } = checkObject('options', options)
    this.pageShift = checkOneOf<PageShift>('pageShift', pageShift, [16, 12])
    this.#maxPages = checkInteger('maxPages', maxPages, 1, Number.MAX_SAFE_INTEGER)
    this.slots = new KernelSlots(this.#gate)
    this.#tables = new KernelTables(this.pageShift, this.found, this.#gate)
    this.#checks = new SlotChecks(this.slots, this.arrays, this.#tables.host, this.found)
    this.#inserts = new Inserts(this.slots, this.#tables, this.#checks, this.found)
    this.#removals = new RangeRemovals(this.#tables, this.slots, this.found)
  }

  /** @internal Sets who is shown what the replay does. */
  observe(observer: ReplayObserver): void {
    this.#observer = observer
    this.#inserts.onInsert = (slot, outcome) => observer.insert(slot, outcome)
    this.#removals.onTaken = (slot, fate) => observer.taken(slot, fate)
  }

  /** Known events so far. */
  get events(): number {
    return this.#parser.events
  }

  /** Lines read so far. */
  get lines(): number {
    return this.#lines.lines
  }

  /** L1's own table, as far as the recording shows it. */
  get host(): RadixTable {
    return this.#tables.host
  }

  /** The shadow tables now, by L1's number for the guest: a new map at each call. */
  shadows(): Map<Lpid, RadixTable> {
    return new Map([...this.#tables.guests].map(([lpid, { shadow }]) => [lpid, shadow]))
  }

  /** How many slots hold how many entries now, empty ones aside: [entries, slots], shortest first. */
  listLengths(): [entries: number, slots: number][] {
    const lengths = new Map<number, number>()
    for (const { memslot } of this.slots.chunks()) {
      for (let index = 0; index < memslot.npages; index++) {
        let entries = 0
        for (const list = memslot.walk(index); list.next();) entries++
        if (entries > 0) lengths.set(entries, (lengths.get(entries) ?? 0) + 1)
      }
    }
    return [...lengths].sort(([one], [other]) => one - other)
  }

  /**
   * The next bytes of the recording, cut anywhere.
   *
   * @throws LineError for a line that is longer than 1 MiB, a known event with a field that is missing or malformed,
   * or of another `kvm`, or that takes more than `maxPages`; the replay is of no use then. TypeError; Error when the
   * recording has ended
   */
  feed(chunk: Uint8Array): void {
    this.#checkOpen('feed')
    this.#lines.feed(chunk, this.#onLine)
  }

  /** The recording has ended. @throws LineError; Error when it had ended before */
  end(): void {
    this.#checkOpen('end')
    this.#lines.end(this.#onLine)
    this.#tables.end()
    this.ended = true
  }

  /** The counts up to now. */
  result(): ReplayResult {
    const slots = { empty: 0, single: 0, list: 0 }
    let scanSteps = 0
    let longestList = 0
    for (const { memslot, touched } of this.slots.chunks()) {
      scanSteps += memslot.counters.scanSteps
      longestList = Math.max(longestList, memslot.counters.longestList)
      touched.forEach((is, index) => {
        if (is !== 0)
          slots[memslot.isEmptyAt(index) ? 'empty' : (memslot.loAt(index) & TAG) !== 0 ? 'single' : 'list']++
      })
    }
    const range = this.#removals.counters
    return {
      events: this.#parser.events,
      skipped: this.#parser.skipped,
      lost: this.#parser.lost,
      inserts: { ...this.#inserts.counts },
      scanSteps,
      ranges: this.#ranges,
      taken: { slots: range.slots, entries: range.entries },
      cleared: range.cleared,
      stale: { noGuest: range.staleNoGuest, noLeaf: range.staleNoLeaf, otherFrame: range.staleOtherFrame },
      rcUpdates: this.#rcUpdates,
      longestList,
      lpids: this.#inserts.lpids.reduce((sum, is) => sum + is, 0),
      slots,
      nodes: this.slots.nodes.inUse,
      peakNodes: this.slots.nodes.peak,
      radix: this.radix === null ? null : { ...this.radix },
      differences: this.found.count,
      first: [...this.found.first],
    }
  }

  readonly #onLine = (bytes: Uint8Array, start: number, end: number, line: number): void => {
    const event = this.#parser.parseLine(bytes, start, end, line)
    if (event === undefined) return
    this.#observer?.before(event)
    this.#onEvent(event)
    this.#observer?.after(event)
    if (this.#gate.pages > this.#maxPages) {
      throw new LineError(
        line,
        `tables and slots take more than ${this.#maxPages} pages: give the replay more maxPages`,
      )
    }
  }

  #onEvent(event: TraceEvent): void {
    const task = this.#tasks.of(event)
    const holder = this.#holder
    if (holder !== undefined && holder !== task && UNDER_LOCK.has(event.name)) this.#release(event, holder)
    if (task.removal !== undefined && this.#removals.continues(event, task.removal)) return
    this.#goesOn(event, task)
    this.#dispatch(event, task)
    task.begun = true
    if ((task.removal ?? task.outcome ?? task.unmapped) !== undefined) this.#holder = task
  }

  /** Another task has the lock now: this one has said all that it had to say of what it did under it. */
  #release(event: TraceEvent, task: Task): void {
    if (task.outcome !== undefined) this.#inserts.missed(event, task.outcome)
    task.outcome = undefined
    this.#goesOn(event, task)
    this.#holder = undefined
  }

  /** What a task had under way ends with an event that is none of it. */
  #goesOn(event: TraceEvent, task: Task): void {
    const { removal, outcome, unmapped } = task
    task.removal = undefined
    if (removal !== undefined) this.#removals.end(event, removal)
    if (outcome !== undefined && !OUTCOMES.has(event.name)) {
      this.#inserts.missed(event, outcome)
      task.outcome = undefined
    }
    if (unmapped === undefined || (event.name === 'rmap_remove_range' && event.pid === task.pid)) return
    task.unmapped = undefined
    if (unmapped.inMemslot)
      this.found.at(event, `L1's leaf unmapped in line ${unmapped.line}, so an rmap_remove_range`, 'none')
  }

  #dispatch(event: TraceEvent, task: Task): void {
    if (event.name !== 'pte_unmap') task.asked = undefined
    switch (event.name) {
      case 'pte_create':
        return this.#pteCreate(event, task)
      case 'pte_create_ret':
        return this.#pteCreateRet(event, task)
      case 'rmap_insert':
        return this.#inserts.insert(event, task)
      case 'rmap_insert_empty':
      case 'rmap_insert_duplicate':
      case 'rmap_insert_node':
        return this.#inserts.outcome(event, task)
      case 'pte_unmap':
        task.unmapped = this.#tables.unmap(event, task.creation, task.asked)
        return
      case 'rmap_remove_range':
        return this.#rmapRemoveRange(event, task)
      case 'rmap_take':
      case 'rmap_take_node':
        return this.found.at(event, 'nothing to take', 'takes')
      case 'rmap_update_rc':
        return this.#rmapUpdateRc(event)
      case 'table_free':
        if (this.#tables.free(event)) this.slots.freeAll()
        return
      case 'nested_update':
        return this.#tables.update(event)
      case 'nested_release':
        return this.#tables.release(event)
      case 'memslot_free':
        this.arrays.forget(event.wordAt(FIELD.rmap))
        return this.slots.free(event.hi[FIELD.rmap]!, event.lo[FIELD.rmap]!, event.numberAt(FIELD.npages))
      case 'memslot_commit':
        // A memslot that goes (new 0) has no fields to read.
        if (!event.isZeroAt(FIELD.new)) this.#learnArray(event)
        return
      case 'tlb_invalidate':
      case 'rpt_invalidate': // what L1 asked for; what came of it are the pte_unmap
        task.asked = this.#tables.ask(event)
    }
  }

  #checkOpen(call: string): void {
    if (this.ended) throw new Error(`${call}: the recording has ended: make another Replay`)
  }

  #pteCreate(event: TraceEvent, task: Task): void {
    if (task.creation !== undefined) {
      this.found.at(event, `the creation of line ${task.creation.line} returns first`, 'no pte_create_ret')
      this.#tables.abandon(task.creation)
    }
    task.creation = this.#tables.begin(event)
  }

  #pteCreateRet(event: TraceEvent, task: Task): void {
    const { creation } = task
    task.creation = undefined
    if (creation === undefined) {
      if (task.begun) this.found.at(event, 'no creation under way', 'it returns') // else it began before the recording
      return
    }
    this.#tables.finish(event, creation)
  }

  #rmapRemoveRange(event: TraceEvent, task: Task): void {
    this.#ranges++
    const { unmapped } = task
    task.unmapped = undefined
    let gpa = event.numberAt(FIELD.gpa)
    let hpa = event.numberAt(FIELD.hpa)
    let shift = ([this.pageShift, 21, 30] as LeafShift[]).find((s) => event.wordAt(FIELD.nbytes) === 1n << BigInt(s))
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
    const first = gpa / (1 << this.pageShift) - event.numberAt(FIELD.base_gfn)
    if (shift === undefined || hpa >= 2 ** 53 || !Number.isInteger(first) || first < 0 || first >= npages) {
      return this.found.at(
        event,
        'a leaf inside its memslot',
        `gpa ${hex(event.wordAt(FIELD.gpa))}, ${npages} pages from gfn ${hex(event.wordAt(FIELD.base_gfn))}`,
      )
    }
    task.removal = this.#removals.run({
      address: event.wordAt(FIELD.rmap) + 8n * BigInt(first),
      first,
      npages: Math.min(1 << (shift - this.pageShift), npages - first),
      hpa,
      shift,
    })
  }

  #rmapUpdateRc(event: TraceEvent): void {
    this.#rcUpdates++
    const hi = event.hi[FIELD.rmapp]!
    const lo = event.lo[FIELD.rmapp]!
    this.#checks.word(event, this.slots.chunkAt(hi, lo), this.slots.indexAt(lo))
    this.#checks.frame(event, hi, lo, event.numberAt(FIELD.hpa), true)
  }

  #learnArray(event: TraceEvent): void {
    this.arrays.learn(event.wordAt(FIELD.rmap), event.numberAt(FIELD.base_gfn), event.numberAt(FIELD.npages))
  }
}
