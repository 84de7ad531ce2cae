/** Who may watch a replay: the report is made of what an observer is shown. Not part of the public API. */
import type { EntryFate } from '../rmap/invalidate'
import type { InsertOutcome } from '../rmap/memslot'
import type { TraceEvent } from './trace-event'

/** Shown what a replay does, as it does it. */
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
