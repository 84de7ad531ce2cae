/** The result of a replay: what it counted and what differs. `nested-rmap replay --json` prints this object. */
import type { Difference } from './differences'
import type { FaultOutcome } from './fault-outcome'
import type { UnreadLine } from './parser'

/** What a replay counted and found: the object that `nested-rmap replay --json` prints. All numbers are counts. */
export interface ReplayResult {
  /**
   * `match`: all was read, and the model matches the recording. `differences`: all was read, and they differ. `incomplete`: there
   * is no event, or lines could not be read (`unread`), or the recording says that events were lost (`lost`); what was
   * read is compared all the same, and `differences` counts what differs.
   */
  verdict: 'match' | 'differences' | 'incomplete'
  /** Lines that were read as events of the nested rmap (the names in `EVENT_FIELDS`). */
  events: number
  /** Lines of other events and of other VMs, and lines that are not events. They are passed over. */
  skipped: number
  /** Lines that name an event of `EVENT_FIELDS` and could not be read as one. */
  unread: number
  /** The first ten of these lines, and why they could not be read. */
  firstUnread: UnreadLine[]
  /** The number of the last line, from 1, if it has no line end and is cut off: it was not read. Null for other recordings. */
  cutLine: number | null
  /** Whether the recording itself says that events were lost. Differences may then be no fault of the kernel. */
  lost: boolean
  /** Why the verdict is `incomplete`, in words; null for another verdict. */
  incomplete: string | null
  /** Inserts into rmap slots, by outcome (spec 3). */
  inserts: {
    /** The slot was empty: the entry went into its word. */
    empty: number
    /** The slot held one entry in its word: the first node was linked. */
    second: number
    /** The slot held a list: a node was linked at its head. */
    list: number
    /** The entry was in the slot already: nothing was stored. */
    duplicate: number
  }
  /** Entries that the kernel compared in its inserts, looking for a duplicate (spec 12). */
  scanSteps: number
  /** Rmap range removals: one for each host leaf in a memslot that the host took away (spec 6). */
  ranges: number
  /** What the range removals detached. */
  taken: {
    /** Rmap slots that were not empty. */
    slots: number
    /** Entries in them. */
    entries: number
  }
  /** Entries whose shadow leaf a range removal cleared. */
  cleared: number
  /** Entries that a range removal found stale, by reason (spec 6). */
  stale: {
    /** No nested guest has the entry's LPID. */
    noGuest: number
    /** The guest's shadow table has no leaf at the entry's address. */
    noLeaf: number
    /** The shadow leaf there maps another host page. */
    otherFrame: number
  }
  /** Rmap slots that ageing or dirty harvest reached (spec 6). */
  rcUpdates: number
  /** Most entries that one rmap slot ever held. */
  longestList: number
  /** How many different LPIDs were ever inserted. */
  lpids: number
  /** The rmap slots that ever had an insert, by what they hold at the end. */
  slots: {
    /** Nothing. */
    empty: number
    /** One entry, in the slot's word. */
    single: number
    /** A list of two entries or more. */
    list: number
  }
  /** List nodes in use at the end. */
  nodes: number
  /** Most list nodes that were in use at once. */
  peakNodes: number
  /**
   * Nested faults that returned, where the recording has their events (`nested_fault` to `nested_fault_ret`); each
   * outcome is predicted and compared where it has `nested_walk` too.
   */
  faults: {
    /** All of them. */
    total: number
    /** By outcome, in the words of `FaultResult`; `set` is set-rc, `error` a fault that could not be handled. */
    byOutcome: Record<FaultOutcome, number>
  }
  /** Creations of shadow leaves whose word, size, address and rmap slot were predicted and compared. */
  creations: number
  /** Set-rc results that were predicted and compared. */
  setRc: number
  /**
   * Shadow leaves that were cleared for no reason that the recording shows. Without `nested_fault` events a refused
   * access is such a reason, so these are no differences; with them it is always 0.
   */
  unexplained: number
  /** The comparison of the shadow tables with a radix dump; null where there was none. */
  radix: {
    /** Shadow leaves in the dump. */
    leaves: number
    /** Shadow leaves that differ, that only the model has, or that only the dump has. */
    differences: number
  } | null
  /** All differences between model and kernel, those of the radix dump included. */
  differences: number
  /** The first ten differences, in the order of the recording; then those of the radix dump. */
  first: Difference[]
  /** Known causes outside the kernel that may explain the differences: a sentence each. */
  hints: string[]
}
