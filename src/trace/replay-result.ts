/** The result of a replay: what it counted and what differs. `nested-rmap replay --json` prints this object. */
import type { Difference } from './differences'
import type { FaultOutcome } from './fault-outcome'
import type { UnreadLine } from './parser'

/** What a replay counted and found: the object that `nested-rmap replay --json` prints. All numbers are counts. */
export interface ReplayResult {
  /**
   * `match`: all events were read, and the model matches the recording. `differences`: all events were read, and the
   * model differs. `incomplete`: no event was found, or lines could not be read (`unread`), or the recording says that
   * events were lost (`lost`). The events that were read are compared in any case, and `differences` counts their
   * differences.
   */
  verdict: 'match' | 'differences' | 'incomplete'
  /** Lines that were read as events of the nested rmap (the names in `EVENT_FIELDS`). */
  events: number
  /** Lines of other events and of other VMs, and lines that are not events. They are ignored. */
  skipped: number
  /** Lines that name an event of `EVENT_FIELDS` but could not be read. */
  unread: number
  /** The first ten of these lines, and why they could not be read. */
  firstUnread: UnreadLine[]
  /** The number of the last line, from 1, if it was not read because it is cut off (it has no line end); else null. */
  cutLine: number | null
  /** Whether the recording itself says that events were lost. Lost events can cause differences. */
  lost: boolean
  /**
   * Entries that ftrace's header (`entries-in-buffer`, `latency: ... #N/M`) counts and whose lines were not read: the
   * recording was cut or filtered. 0 if there are none, if the recording has no header, and before it has ended. Every line that is
   * not empty, a header or a report of lost events counts as an entry, and of several headers the largest count is used,
   * so the real number can be larger. It does not change the verdict, which is about the lines that were read.
   */
  missing: number
  /** Why the verdict is `incomplete`, in words; null for another verdict. */
  incomplete: string | null
  /** Inserts into rmap slots, by outcome (spec 3). */
  inserts: {
    /** The slot was empty: the entry was stored in its word. */
    empty: number
    /** The slot had one entry, in its word: the first node was linked. */
    second: number
    /** The slot had a list: a node was linked at its head. */
    list: number
    /** The slot already had the entry: nothing was stored. */
    duplicate: number
  }
  /** Entries that the kernel compared in its inserts, to find a duplicate (spec 12). */
  scanSteps: number
  /** Rmap range removals: one for each host leaf in a memslot that the host cleared (spec 6). */
  ranges: number
  /** What the rmap range removals detached. */
  taken: {
    /** Rmap slots that were not empty. */
    slots: number
    /** Entries in them. */
    entries: number
  }
  /** Entries whose shadow leaf an rmap range removal cleared. */
  cleared: number
  /** Entries that an rmap range removal found stale, by reason (spec 6). */
  stale: {
    /** No nested guest has the entry's LPID. */
    noGuest: number
    /** The guest's shadow table has no leaf at the entry's address. */
    noLeaf: number
    /** The shadow leaf at the entry's address maps another host page. */
    otherFrame: number
  }
  /** Rmap slots that ageing or dirty harvest reached (spec 6). */
  rcUpdates: number
  /** Most entries that one rmap slot ever had. */
  longestList: number
  /** Different LPIDs that were inserted. */
  lpids: number
  /** The rmap slots that ever had an insert, by their state at the end. */
  slots: {
    /** No entry. */
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
   * Nested faults that returned, if the recording has their events (`nested_fault` to `nested_fault_ret`). If it has
   * `nested_walk` too, each outcome is predicted and compared.
   */
  faults: {
    /** All of them. */
    total: number
    /** By outcome, in the words of `FaultResult`; `set`: by set-rc; `error`: the fault could not be handled. */
    byOutcome: Record<FaultOutcome, number>
  }
  /** Creations of shadow leaves whose word, size, address and rmap slot were predicted and compared. */
  creations: number
  /** Set-rc results that were predicted and compared. */
  setRc: number
  /**
   * Shadow leaves that were cleared for no reason that the recording shows. Without `nested_walk` events these are not
   * differences, because a refused access may be the reason. With them it is always 0.
   */
  unexplained: number
  /** The comparison of the shadow tables with a radix dump; null without a dump. */
  radix: {
    /** Shadow leaves in the dump. */
    leaves: number
    /** Shadow leaves that differ, that only the model has, or that only the dump has. */
    differences: number
  } | null
  /** All differences between model and kernel, including those of the radix dump. */
  differences: number
  /** The first ten differences, in the order of the recording; then those of the radix dump. */
  first: Difference[]
  /** Known causes outside the kernel that may explain the differences, a sentence for each. */
  hints: string[]
}

/** What a comparison with a radix dump found. */
export interface RadixResult {
  /** Shadow leaves in the dump. */
  readonly leaves: number
  /** Shadow leaves that differ, that only the model has, or that only the dump has. */
  readonly differences: number
  /** The first ten of these differences. `line` is a line of the dump. */
  readonly first: readonly Difference[]
  /** Known causes outside the kernel that may explain the differences, a sentence for each. */
  readonly hints: readonly string[]
  /** L1's own table, for information: none of this counts as a difference. */
  readonly host: {
    /** Leaves that are equal in both. */
    readonly same: number
    /** Leaves that both have at the same address, but with another word or size. */
    readonly different: number
    /** Leaves that only the model has: the kernel cleared them after the recording. */
    readonly onlyModel: number
    /** Leaves that only the dump has: created before the recording began, or after it ended. */
    readonly onlyKernel: number
  }
}
