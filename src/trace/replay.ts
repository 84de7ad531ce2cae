/**
 * Replays a recording of a real kernel: the model runs the operations that the recording shows, and is compared with
 * what the kernel did, event by event.
 *
 * This file turns bytes into events and adds up the result; {@link TraceModel} handles the events. A replay never stops
 * at a difference: the model adopts the kernel's state, as far as the event shows it, and continues.
 */
import { checkInteger, checkObject, checkOneOf, checkOptionNames, checkWord } from '../base/args'
import { withJson } from '../base/json'
import { LineError, LineSplitter } from '../base/lines'
import type { Gfn, Lpid, PageShift } from '../base/units'
import { AllocationGate, MAX_READER_PAGES } from '../page-table/allocation-gate'
import type { RadixTable } from '../page-table/radix-table'
import { TAG } from '../rmap/entry'
import { MOST_KEPT, type Differences } from './differences'
import { missingHint, parserHints } from './hints'
import type { KernelArrays } from './kernel-arrays'
import type { KernelSlots } from './kernel-slots'
import { KvmFilter } from './kvm-filter'
import type { ReplayObserver } from './observer'
import { TraceParser } from './parser'
import type { RcBits } from './rc-bits'
import type { RadixResult, ReplayResult } from './replay-result'
import type { TraceEvent } from './trace-event'
import { TraceModel } from './trace-model'

export type { ReplayObserver } from './observer'
export type { ReplayResult } from './replay-result'

/** Options of a {@link Replay}. */
export interface ReplayOptions {
  /** log2 of L0's base page size in bytes: 16 (64 KiB, the default) or 12 (4 KiB). */
  pageShift?: PageShift
  /** Most memory for the model's tables and rmap slots, in pages of 4 KiB: 1..2^53-1; 2^18 (1 GiB) by default. */
  maxPages?: number
  /**
   * The VM to replay: the value of the field `kvm`, 0..2^64-1. Needed if the recording has several VMs; the events of
   * the others are skipped.
   */
  kvm?: bigint
}

/**
 * The array of slot words of one memslot (KVM: `rmap[]` of the memslot's arch part), as the recording shows it.
 * `JSON.stringify` writes its address as a hex string.
 */
export interface KnownArray {
  /** The kernel's address of the first word. */
  readonly rmap: bigint
  /** The memslot's first gfn: the first word is that of this gfn. */
  readonly baseGfn: Gfn
  /** The number of gfns, which is the number of 8-byte words. */
  readonly npages: number
}

/**
 * Replays a recording. Time is proportional to the bytes, memory to the rmap slots, nodes and tables in the recording.
 *
 * @example
 * const replay = new Replay({ pageShift: 16 })
 * replay.feed(new TextEncoder().encode('# the bytes of a recording, in chunks of any size'))
 * replay.end()
 * replay.result().differences // 0: the model matches the recording exactly
 */
export class Replay {
  /** log2 of L0's base page size in bytes. */
  readonly pageShift: PageShift

  /** @internal Whether {@link end} was called. */
  ended = false

  readonly #gate = new AllocationGate(Infinity)
  readonly #maxPages: number
  readonly #lines = new LineSplitter()
  readonly #parser = new TraceParser()
  readonly #filter: KvmFilter
  readonly #model: TraceModel
  #observer: ReplayObserver | undefined

  /** @throws RangeError, TypeError */
  constructor(options: ReplayOptions = {}) {
    const names = ['pageShift', 'maxPages', 'kvm'] as const
    const { pageShift = 16, maxPages = MAX_READER_PAGES, kvm } = checkOptionNames('options', options, names)
    this.#filter = new KvmFilter(kvm === undefined ? undefined : checkWord('kvm', kvm), this.#take)
    this.pageShift = checkOneOf<PageShift>('pageShift', pageShift, [16, 12])
    this.#maxPages = checkInteger('maxPages', maxPages, 1, Number.MAX_SAFE_INTEGER)
    this.#model = new TraceModel(this.pageShift, this.#gate)
  }

  /** @internal */
  get slots(): KernelSlots {
    return this.#model.slots
  }

  /** @internal */
  get arrays(): KernelArrays {
    return this.#model.arrays
  }

  /** @internal Which referenced and changed bits of the tables are known. */
  get rc(): RcBits {
    return this.#model.rc
  }

  /** @internal */
  get found(): Differences {
    return this.#model.found
  }

  /** @internal Sets the observer of the replay. */
  observe(observer: ReplayObserver): void {
    this.#observer = observer
    this.#model.inserts.onInsert = (slot, outcome) => observer.insert(slot, outcome)
    this.#model.removals.onTaken = (slot, fate) => observer.taken(slot, fate)
  }

  /** Known events so far. */
  get events(): number {
    return this.#filter.events
  }

  /** Lines read so far. */
  get lines(): number {
    return this.#lines.lines
  }

  /** @internal The entries that ftrace's header counts; 0 without a header. */
  get headerEntries(): number {
    return this.#parser.headerEntries
  }

  /** L1's own table, as far as the recording shows it. */
  get host(): RadixTable {
    return this.#model.guests.host
  }

  /** The shadow tables now, by L1's number for the guest: a new map at each call. */
  shadows(): Map<Lpid, RadixTable> {
    return new Map([...this.#model.guests.byLpid].map(([lpid, { shadow }]) => [lpid, shadow]))
  }

  /** The arrays of slot words that the recording has shown and that are not freed: a new list at each call. */
  knownArrays(): KnownArray[] {
    return this.arrays.known.map(({ rmap, baseGfn, npages }) => withJson({ rmap, baseGfn, npages }))
  }

  /** The rmap slots with entries now, by length, shortest first: pairs of [entries of a slot, slots]. */
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
   * Reads the next bytes of the recording, in chunks of any size.
   *
   * @throws LineError for a line that is longer than 1 MiB or needs more than `maxPages`: the replay cannot be used after
   *   that. TypeError; Error if the recording has ended
   */
  feed(chunk: Uint8Array): void {
    this.#checkOpen('feed')
    this.#lines.feed(chunk, this.#onLine)
  }

  /**
   * The recording has ended.
   *
   * @throws LineError if it has events of several VMs and `kvm` was not given; RangeError if it has no event of that VM;
   *   Error if it had ended before
   */
  end(): void {
    this.#checkOpen('end')
    this.#lines.end(this.#onLastLine)
    this.#filter.end()
    this.#model.end()
    this.ended = true
  }

  /**
   * The counts and differences up to now.
   *
   * @param radix the result of a comparison with a radix dump: its differences are included
   * @throws TypeError
   */
  result(radix?: RadixResult): ReplayResult {
    if (radix !== undefined) checkObject('radix', radix)
    const { removals, inserts, faults, found, unexplained } = this.#model
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
    const range = removals.counters
    const differences = found.count + (radix?.differences ?? 0)
    const { unread, lost, cutAt } = this.#parser
    const missing = this.ended ? this.#parser.missing : 0
    const incomplete = [
      ...(this.events === 0 ? ['no event was found'] : []),
      ...(unread > 0 ? [`${unread} ${unread === 1 ? 'line' : 'lines'} could not be read`] : []),
      ...(lost ? ['events were lost'] : []),
      ...(this.#filter.isMixed ? ['there are events of several VMs, and none was chosen'] : []),
    ].join(', ')
    return {
      verdict: incomplete !== '' ? 'incomplete' : differences > 0 ? 'differences' : 'match',
      events: this.events,
      skipped: this.#parser.skipped + this.#filter.others,
      unread,
      firstUnread: [...this.#parser.firstUnread],
      cutLine: cutAt === 0 ? null : cutAt,
      lost,
      missing,
      incomplete: incomplete === '' ? null : incomplete,
      inserts: { ...inserts.counts },
      scanSteps,
      ranges: this.#model.ranges,
      taken: { slots: range.slots, entries: range.entries },
      cleared: range.cleared,
      stale: { noGuest: range.staleNoGuest, noLeaf: range.staleNoLeaf, otherFrame: range.staleOtherFrame },
      rcUpdates: this.#model.rcUpdates.count,
      longestList,
      lpids: inserts.lpids.reduce((sum, is) => sum + is, 0),
      slots,
      nodes: this.slots.nodes.inUse,
      peakNodes: this.slots.nodes.peak,
      faults: {
        total: Object.values(faults.byOutcome).reduce((sum, count) => sum + count, 0),
        byOutcome: { ...faults.byOutcome },
      },
      creations: faults.creations,
      setRc: this.#model.setRcs.count,
      unexplained,
      radix: radix === undefined ? null : { leaves: radix.leaves, differences: radix.differences },
      differences,
      first: [...found.first, ...(radix?.first ?? [])].slice(0, MOST_KEPT),
      hints: [
        ...(differences > 0 && found.mainHint !== undefined ? [found.mainHint] : []),
        ...(differences > 0 && missing > 0 ? [missingHint(this.#parser.headerEntries, missing)] : []),
        ...unexplainedHint(unexplained),
        ...(differences === 0 ? [] : [...found.hints, ...(radix?.hints ?? []), ...parserHints(this.#parser)]),
      ],
    }
  }

  readonly #onLine = (bytes: Uint8Array, start: number, end: number, line: number): void => {
    const event = this.#parser.parseLine(bytes, start, end, line)
    if (event !== undefined) this.#filter.add(event)
  }

  readonly #onLastLine = (bytes: Uint8Array, start: number, end: number, line: number): void => {
    const event = this.#parser.parseCutLine(bytes, start, end, line)
    if (event !== undefined) this.#filter.add(event)
  }

  readonly #take = (event: TraceEvent): void => {
    this.#observer?.before(event)
    this.#model.onEvent(event)
    this.#observer?.after(event)
    if (this.#gate.pages > this.#maxPages) {
      throw new LineError(
        event.line,
        `the tables and slots need more than ${this.#maxPages} pages: give the replay a larger maxPages`,
      )
    }
  }

  #checkOpen(call: string): void {
    if (this.ended) throw new Error(`${call}: the recording has ended: make another Replay`)
  }
}

function unexplainedHint(unexplained: number): string[] {
  if (unexplained === 0) return []
  return [
    `${unexplained} shadow leaves were cleared for no reason that the recording shows. Refused accesses may be the reason, or ` +
      'invalidations by L1 that are missing or name another page: a recording with nested_fault and nested_walk shows which',
  ]
}
