/**
 * The tasks of a recording. The events of one operation come from one task, and events of other tasks may come between
 * them. So the expected next event is kept for each task.
 */
import { LineError } from '../base/lines'
import type { InsertOutcome } from '../rmap/memslot'
import type { Creation } from './creations'
import type { Chunk } from './kernel-slots'
import type { UnmappedHostLeaf } from './kernel-tables'
import type { PendingInvalidation } from './l1-invalidations'
import type { NestedFault } from './nested-fault'
import type { TraceEvent } from './trace-event'
import type { Removal } from './range-removal'
import type { PendingSetRc } from './set-rcs'

/** What the outcome event of an insert must show. */
export interface PendingOutcome {
  readonly line: number
  readonly outcome: InsertOutcome
  readonly chunk: Chunk
  readonly index: number
  readonly slotHi: number
  readonly slotLo: number
  /** The address of the node that the kernel allocated for the insert. */
  readonly nodeHi: number
  readonly nodeLo: number
  /** The kernel's slot word before the insert: the new node's `next`. */
  readonly beforeHi: number
  readonly beforeLo: number
  /** The entry, with tag 0. */
  readonly entryHi: number
  readonly entryLo: number
}

/** Most tasks known at once: far more than an L1 has vCPUs. */
const MAX_TASKS = 2 ** 16

/**
 * The operations that a task has in progress. Each field is set by one event and cleared by another:
 *
 *     fault          nested_fault .. nested_fault_ret
 *     setRc          set_rc .. set_rc_ret; in a fault, or alone for a fault of L1's own
 *     creation       pte_create .. pte_create_ret; in a fault, or alone for a host leaf of L1's own fault
 *     outcome        rmap_insert .. its outcome event, the task's next; only inside a creation
 *     unmapped       pte_unmap of a host leaf .. the task's next event, which is rmap_remove_range
 *     removal        rmap_remove_range .. the first event that does not belong to it
 *     invalidation   tlb_invalidate, rpt_invalidate .. the first event that does not belong to it
 *
 * At most one of outcome, unmapped and removal is set: each ends where another begins. All three may occur inside a
 * creation: a larger host leaf in its way is cleared, with its rmap range. The last two may occur inside a fault: the
 * host replaces a page. An invalidation is never inside a fault or a creation, and set-rc is never inside a creation.
 */
export interface TraceTask {
  readonly pid: number
  /** Whether the recording had an event of it before. */
  begun: boolean
  /** Whether the recording had a `nested_fault` of it before. */
  hasFaulted: boolean
  /** The nested fault that it is handling. */
  fault: NestedFault | undefined
  /** The set-rc in progress. */
  setRc: PendingSetRc | undefined
  /** The leaf that it is creating. */
  creation: Creation | undefined
  /** The outcome that its insert must have. */
  outcome: PendingOutcome | undefined
  /** What its rmap range removal must still show. */
  removal: Removal | undefined
  /** The host leaf that it has just unmapped. */
  unmapped: UnmappedHostLeaf | undefined
  /** The invalidation that L1 has just requested. */
  invalidation: PendingInvalidation | undefined
}

/** The tasks, by pid. */
export class TraceTasks {
  readonly #tasks = new Map<number, TraceTask>()
  #last: TraceTask | undefined

  /** The task of an event. @throws LineError */
  of({ pid, line }: TraceEvent): TraceTask {
    if (this.#last?.pid === pid) return this.#last
    let task = this.#tasks.get(pid)
    if (task === undefined) {
      task = {
        pid,
        begun: false,
        hasFaulted: false,
        fault: undefined,
        setRc: undefined,
        creation: undefined,
        outcome: undefined,
        removal: undefined,
        unmapped: undefined,
        invalidation: undefined,
      }
      if (this.#tasks.size === MAX_TASKS) this.#forget(line)
      this.#tasks.set(pid, task)
    }
    this.#last = task
    return task
  }

  /** Forgets the tasks that have no operation in progress. */
  #forget(line: number): void {
    for (const [pid, { fault, setRc, creation, outcome, removal, unmapped, invalidation }] of this.#tasks) {
      if ((fault ?? setRc ?? creation ?? outcome ?? removal ?? unmapped ?? invalidation) === undefined)
        this.#tasks.delete(pid)
    }
    if (this.#tasks.size <= MAX_TASKS / 2) return
    throw new LineError(line, `more than ${MAX_TASKS / 2} tasks have an operation in progress`)
  }
}
