/** What the report needs to know of a replay while it runs. Not part of the public API. */
import type { EntryFate } from '../rmap/invalidate'
import type { InsertOutcome } from '../rmap/memslot'
import type { TraceEvent } from './trace-event'

/** Is called by a replay for each event and each step. */
export interface ReplayObserver {
  /** Before an event. All events are the same object. */
  before(event: TraceEvent): void
  /** The model's insert for this event. */
  insert(slot: bigint, outcome: InsertOutcome): void
  /** The rmap range removal of this event has detached an entry from a slot. */
  taken(slot: bigint, fate: EntryFate): void
  /** After the event. */
  after(event: TraceEvent): void
}
