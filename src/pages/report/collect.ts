/**
 * Gathers the data of a report while a recording is replayed: its steps, its rmap slots and its curves.
 *
 * Memory is bounded, however long the recording is. The curves and figures are of the complete recording; the steps may
 * begin at a later line and end at a limit. Omitted steps are counted.
 */
import { checkInteger, checkObject } from '../../base/args'
import type { Gfn } from '../../base/units'
import { hiOf, loOf } from '../../base/word'
import { unpackEntry } from '../../rmap/entry'
import type { EntryFate } from '../../rmap/invalidate'
import type { InsertOutcome } from '../../rmap/memslot'
import { FIELD, type FieldName } from '../../trace/events'
import type { TraceEvent } from '../../trace/parser'
import type { Replay, ReplayObserver } from '../../trace/replay'
import { readKernelSlot } from '../../view/replay-slots'
import type { ReportData } from './data'
import { encodeStep, type Held, type Step } from './steps'
import { Timeline } from './timeline'

/** Most text of steps in a report, in characters. */
const MOST_TEXT = 2 ** 25
/** Most rmap slots of a report. */
const MOST_SLOTS = 2 ** 16
/** Most steps that are marked as having differences. */
const MOST_MARKS = 2 ** 12

/** Observes one replay from its beginning. */
export class ReportCollector implements ReplayObserver {
  readonly #replay: Replay
  readonly #from: number
  readonly #mostSteps: number
  readonly #slots: { readonly address: bigint; gfn: Gfn | undefined; entries: number; peak: number }[] = []
  readonly #numbers = new Map<bigint, number>()
  readonly #initial: string[] = []
  readonly #steps: string[] = []
  readonly #leftOut = { before: 0, after: 0, between: 0 }
  readonly #marks = new Map<number, number>()
  readonly #timeline = new Timeline()
  readonly #lastSlot = new Map<number, bigint>() // by task: the slot of its last insert
  #text = 0
  #begun = false
  #entries = 0
  #differences = 0
  #longest: { entries: number; line: number; slot: number; step: number } | undefined
  #inserted: { slot: number; outcome: InsertOutcome } | undefined
  #taken: { slot: number; fates: EntryFate[] }[] = []

  /**
   * @param replay one that has read nothing yet
   * @param options.from the line at which the steps begin; 1 by default
   * @param options.steps most steps, 1..10^6; 200,000 by default
   * @throws RangeError, TypeError
   */
  constructor(replay: Replay, options: { from?: number; steps?: number } = {}) {
    const { from = 1, steps = 200_000 } = checkObject('options', options)
    this.#from = checkInteger('from', from, 1, Number.MAX_SAFE_INTEGER)
    this.#mostSteps = checkInteger('steps', steps, 1, 10 ** 6)
    this.#replay = replay
    replay.observe(this)
  }

  /** The data so far. @param name the name of the recording in the report @param source who wrote it */
  data(name: string, source: ReportData['source'] = 'kernel'): ReportData {
    const replay = this.#replay
    for (const slot of this.#slots) slot.gfn ??= replay.arrays.shownGfn(slot.address)
    const peaks = new Map<number, number>()
    for (const { peak } of this.#slots) if (peak > 0) peaks.set(peak, (peaks.get(peak) ?? 0) + 1)
    return {
      name,
      source,
      pageShift: replay.pageShift,
      result: replay.result(),
      lines: replay.lines,
      slots: this.#slots.slice(0, MOST_SLOTS).map(({ gfn, address }) => [gfn ?? null, address.toString(16)]),
      initial: this.#initial,
      steps: this.#steps,
      leftOut: this.#leftOut,
      marks: [...this.#marks],
      entries: this.#timeline.points(),
      lengths: replay.listLengths(),
      peaks: [...peaks].sort(([one], [other]) => one - other),
      longest:
        this.#longest === undefined
          ? null
          : {
              entries: this.#longest.entries,
              line: this.#longest.line,
              gfn: this.#slots[this.#longest.slot]!.gfn ?? null,
              step: this.#longest.step,
            },
    }
  }

  before(event: TraceEvent): void {
    if (this.#begun || event.line < this.#from) return
    this.#begun = true
    if (this.#from === 1) return
    for (const { address } of this.#replay.slots.filled()) {
      const text = encodeStep(this.#state(event.line, address))
      this.#text += text.length
      if (this.#text <= MOST_TEXT && this.#number(address) < MOST_SLOTS) this.#initial.push(text)
    }
  }

  insert(slot: bigint, outcome: InsertOutcome): void {
    this.#inserted = { slot: this.#number(slot), outcome }
  }

  taken(slot: bigint, fate: EntryFate): void {
    const number = this.#number(slot)
    const last = this.#taken.at(-1)
    if (last?.slot === number) last.fates.push(fate)
    else this.#taken.push({ slot: number, fates: [fate] })
  }

  after(event: TraceEvent): void {
    const step = this.#stepOf(event)
    if (step !== undefined) this.#add(step)
    const { count } = this.#replay.found
    if (count > this.#differences) this.#mark(event, count - this.#differences)
    this.#differences = count
    this.#timeline.add(event.line, this.#entries)
  }

  #stepOf(event: TraceEvent): Step | undefined {
    const { line } = event
    const field = (name: FieldName): number => event.numberAt(FIELD[name])
    switch (event.name) {
      case 'rmap_insert': {
        const { slot, outcome } = this.#inserted!
        this.#lastSlot.set(event.pid, event.wordAt(FIELD.rmapp))
        const linked = outcome === 'second' || outcome === 'list'
        const held = { ...unpackEntry(event.wordAt(FIELD.new)), node: linked ? event.wordAt(FIELD.node) : 0n }
        if (outcome !== 'duplicate') this.#grow(slot, line)
        return { kind: 'insert', line, slot, outcome, held }
      }
      case 'rmap_remove_range': {
        const taken = this.#taken
        this.#taken = []
        for (const { slot } of taken) this.#setEntries(slot, 0)
        const shift = Math.log2(field('nbytes'))
        if (!Number.isInteger(shift)) return undefined // the replay reports a difference
        return { kind: 'remove', line, gpa: field('gpa'), hpa: field('hpa'), shift, taken }
      }
      case 'rmap_update_rc':
        return { kind: 'rc', line, slot: this.#number(event.wordAt(FIELD.rmapp)), clear: field('clr') }
      case 'nested_update':
      case 'nested_release': {
        const kind = event.name === 'nested_update' ? 'guest' : 'release'
        return { kind, line, lpid: field('l1_lpid'), shadowLpid: field('shadow_lpid') }
      }
      case 'tlb_invalidate':
        return {
          kind: 'tlbie',
          line,
          lpid: event.lo[FIELD.rs]! >>> 0,
          what: `instr ${hex(event, 'instr')}, rB ${hex(event, 'rb')}`,
        }
      case 'rpt_invalidate': {
        const what = `${hex(event, 'start')} to ${hex(event, 'end')}, type ${hex(event, 'type')}, page sizes ${hex(event, 'pg_sizes')}`
        return { kind: 'tlbie', line, lpid: field('lpid'), what }
      }
      case 'memslot_free': {
        const first = event.wordAt(FIELD.rmap)
        const end = first + 8n * event.wordAt(FIELD.npages)
        const slots = [...this.#slots.keys()].filter((slot) => {
          const { address, entries } = this.#slots[slot]!
          return entries > 0 && address >= first && address < end
        })
        for (const slot of slots) this.#setEntries(slot, 0)
        return { kind: 'free', line, baseGfn: field('base_gfn'), npages: field('npages'), slots }
      }
      default:
        return undefined
    }
  }

  /** Adds a step, or counts it as omitted. */
  #add(step: Step): void {
    if (!this.#begun) {
      this.#leftOut.before++
      return
    }
    const slots =
      'slot' in step
        ? [step.slot]
        : step.kind === 'remove'
          ? step.taken.map(({ slot }) => slot)
          : 'slots' in step
            ? step.slots
            : []
    if (slots.some((slot) => slot >= MOST_SLOTS)) {
      this.#leftOut.between++
      return
    }
    if (this.#leftOut.after === 0 && this.#steps.length < this.#mostSteps) {
      const text = encodeStep(step)
      this.#text += text.length
      if (this.#text <= MOST_TEXT) {
        if (step.kind === 'insert' && this.#longest?.line === step.line) this.#longest.step = this.#steps.length
        this.#steps.push(text)
        return
      }
    }
    this.#leftOut.after++
  }

  /** Marks differences at the last step. If the model took over the kernel's slot, this becomes a step of its own. */
  #mark(event: TraceEvent, differences: number): void {
    const adopts =
      event.name === 'rmap_insert' || event.name === 'rmap_update_rc'
        ? event.wordAt(FIELD.rmapp)
        : event.name.startsWith('rmap_insert_')
          ? this.#lastSlot.get(event.pid)
          : undefined
    if (adopts !== undefined) {
      const state = this.#state(event.line, adopts)
      this.#setEntries(state.slot, state.list.length)
      this.#add(state)
    }
    const step = Math.max(this.#steps.length - 1, 0)
    if (this.#begun && this.#leftOut.after === 0 && (this.#marks.has(step) || this.#marks.size < MOST_MARKS)) {
      this.#marks.set(step, (this.#marks.get(step) ?? 0) + differences)
    }
  }

  /** A slot as it is now in the replay. */
  #state(line: number, address: bigint): Step & { kind: 'state' } {
    const { slots } = this.#replay
    const lo = loOf(address)
    const { nodes, entries } = readKernelSlot(slots, slots.chunkAt(hiOf(address), lo), slots.indexAt(lo))
    const list = entries.map((entry, i): Held => ({ ...entry, node: nodes[i]?.address ?? 0n }))
    return { kind: 'state', line, slot: this.#number(address), list }
  }

  /** The index of a slot. If its address now belongs to another array, it is a new slot. */
  #number(wordAddress: bigint): number {
    const address = wordAddress & ~7n // a damaged recording may have an unaligned address
    const gfn = this.#replay.arrays.shownGfn(address)
    let number = this.#numbers.get(address)
    const known = number === undefined ? undefined : this.#slots[number]!
    if (
      number === undefined ||
      (known!.entries === 0 && known!.gfn !== undefined && gfn !== undefined && known!.gfn !== gfn)
    ) {
      number = this.#slots.length
      this.#slots.push({ address, gfn, entries: 0, peak: 0 })
      this.#numbers.set(address, number)
    } else {
      known!.gfn ??= gfn
    }
    return number
  }

  #grow(slot: number, line: number): void {
    const entries = this.#slots[slot]!.entries + 1
    this.#setEntries(slot, entries)
    if (entries <= (this.#longest?.entries ?? 0)) return
    this.#longest = { entries, line, slot, step: -1 }
  }

  #setEntries(slot: number, entries: number): void {
    const state = this.#slots[slot]!
    this.#entries += entries - state.entries
    state.entries = entries
    state.peak = Math.max(state.peak, entries)
  }
}

function hex(event: TraceEvent, field: FieldName): string {
  return `0x${event.wordAt(FIELD[field]).toString(16)}`
}
