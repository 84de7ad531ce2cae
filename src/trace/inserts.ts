/**
 * The inserts of a recording (spec 3). The kernel's entry and slot must follow from the leaf that the task is creating.
 * The outcome of the model's insert must be the kernel's.
 */
import { LineError } from '../base/lines'
import { MAX_LPID } from '../base/units'
import { wordOf } from '../base/word'
import { leafHpa } from '../page-table/leaf'
import { entryGpa, entryHi, entryLo, entryLpid, TAG } from '../rmap/entry'
import type { InsertOutcome } from '../rmap/memslot'
import type { Creation, Creations } from './creations'
import { entryText, type Differences } from './differences'
import { FIELD, type EventName } from './events'
import type { KernelSlots } from './kernel-slots'
import type { TraceEvent } from './trace-event'
import type { SlotChecks } from './slot-checks'
import type { PendingOutcome, TraceTask } from './tasks'

/** The events that show the outcome of an insert. */
export const OUTCOMES: ReadonlySet<EventName> = new Set([
  'rmap_insert_empty',
  'rmap_insert_duplicate',
  'rmap_insert_node',
])

/** The inserts of a recording. */
export class Inserts {
  /** Inserts by outcome. */
  readonly counts = { empty: 0, second: 0, list: 0, duplicate: 0 }
  /** By LPID: 1 if it was ever inserted. */
  readonly lpids = new Uint8Array(MAX_LPID + 1)
  /** Called for each insert, with the address of the slot and the model's outcome. */
  onInsert: ((slot: bigint, outcome: InsertOutcome) => void) | undefined

  readonly #slots: KernelSlots
  readonly #creations: Creations
  readonly #checks: SlotChecks
  readonly #found: Differences
  /** Whether the recording has the outcome events of inserts; undefined until its first insert shows it. */
  #hasOutcomes: boolean | undefined

  constructor(slots: KernelSlots, creations: Creations, checks: SlotChecks, found: Differences) {
    this.#slots = slots
    this.#creations = creations
    this.#checks = checks
    this.#found = found
  }

  /** `rmap_insert`. @throws LineError */
  insert(event: TraceEvent, task: TraceTask): void {
    const slotHi = event.hi[FIELD.rmapp]!
    const slotLo = event.lo[FIELD.rmapp]!
    const newHi = event.hi[FIELD.new]!
    const newLo = event.lo[FIELD.new]! & ~0xfff
    this.#checkCreation(event, task.creation)
    const nodeHi = event.hi[FIELD.node]!
    const nodeLo = event.lo[FIELD.node]!
    const chunk = this.#slots.chunkAt(slotHi, slotLo)
    const index = this.#slots.indexAt(slotLo)
    this.#checks.word(event, chunk, index)
    const outcome = this.#slots.insert(chunk, index, newHi, newLo, nodeHi, nodeLo)
    if (outcome === 'no-memory') throw new LineError(event.line, 'no memory for the list nodes')
    this.counts[outcome]++
    this.onInsert?.(event.wordAt(FIELD.rmapp), outcome)
    this.lpids[entryLpid(newHi)] = 1
    chunk.touched[index] = 1
    if (this.#hasOutcomes === false) return
    task.outcome = {
      line: event.line,
      outcome,
      chunk,
      index,
      slotHi,
      slotLo,
      nodeHi,
      nodeLo,
      beforeHi: event.hi[FIELD.old]!,
      beforeLo: event.lo[FIELD.old]!,
      entryHi: newHi,
      entryLo: newLo,
    }
  }

  /** `rmap_insert_empty`, `_duplicate`, `_node` */
  outcome(event: TraceEvent, task: TraceTask): void {
    const want = task.outcome
    task.outcome = undefined
    this.#hasOutcomes ??= true
    if (want === undefined) return this.#found.at(event, 'no insert in progress', event.name)
    const { chunk, index, outcome, slotHi, slotLo, nodeHi, nodeLo, beforeHi, beforeLo } = want
    const name = outcome === 'empty' || outcome === 'duplicate' ? `rmap_insert_${outcome}` : 'rmap_insert_node'
    if (event.name !== name) {
      this.#found.at(event, `${name} at slot ${this.#checks.name(wordOf(slotHi, slotLo))}`, event.name)
      if (event.name === 'rmap_insert_duplicate') this.#slots.adoptPop(chunk, index)
      else if (outcome === 'duplicate') this.#slots.adoptPush(chunk, index, want.entryHi, want.entryLo, nodeHi, nodeLo)
      return
    }
    switch (event.name) {
      case 'rmap_insert_empty':
        this.#found.same(event, FIELD.rmapp, slotHi, slotLo)
        if (!this.#found.same(event, FIELD.slot, want.entryHi, want.entryLo | TAG)) {
          this.#slots.adoptWord(chunk, index, event.hi[FIELD.slot]!, event.lo[FIELD.slot]!)
        }
        return
      case 'rmap_insert_duplicate':
        this.#found.same(event, FIELD.rmapp, slotHi, slotLo)
        this.#found.same(event, FIELD.node, nodeHi, nodeLo)
        this.#found.same(event, FIELD.new, want.entryHi, want.entryLo)
        return
      default:
        this.#found.same(event, FIELD.old, beforeHi, beforeLo)
        this.#found.same(event, FIELD.node, nodeHi, nodeLo)
        this.#found.same(event, FIELD.next, beforeHi, beforeLo)
        this.#found.same(event, FIELD.rmap, want.entryHi, want.entryLo)
    }
  }

  /** The task's next event is not the outcome of its insert: a difference, if the recording has outcomes. */
  missed(event: TraceEvent, { line, outcome }: PendingOutcome): void {
    this.#hasOutcomes ??= false
    if (this.#hasOutcomes) this.#found.at(event, `the insert of line ${line} was ${outcome}`, 'no outcome event')
  }

  /** The entry and the slot must be those of the leaf that is being created. The leaf is set just before. */
  #checkCreation(event: TraceEvent, creation: Creation | undefined): void {
    if (creation === undefined || creation.guest === null || creation.inserted) {
      return this.#found.at(event, 'no leaf of a nested guest is being created', 'an insert')
    }
    const gpa = entryGpa(creation.gpaHi, creation.gpaLo)
    const hi = entryHi(creation.guest.lpid, gpa)
    const lo = entryLo(gpa)
    if (event.hi[FIELD.new] !== hi || event.lo[FIELD.new] !== lo) {
      this.#found.at(event, `new ${entryText(wordOf(hi, lo))}`, entryText(event.wordAt(FIELD.new)))
    }
    if (event.hi[FIELD.rmapp] !== creation.slotHi || event.lo[FIELD.rmapp] !== creation.slotLo) {
      this.#found.at(
        event,
        `rmapp ${this.#checks.name(wordOf(creation.slotHi, creation.slotLo))}`,
        this.#checks.name(event.wordAt(FIELD.rmapp)),
      )
    }
    this.#creations.insert(event, creation)
    this.#checks.frame(
      event,
      creation.slotHi,
      creation.slotLo,
      leafHpa(creation.wordHi, creation.wordLo, creation.table.pageShift),
      false,
    )
  }
}
