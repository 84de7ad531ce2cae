/**
 * The tasks of a recording. The events of one task belong together, and events of other tasks may come between them: so
 * what is expected next is kept for each task.
 */
import { LineError } from '../base/lines'
import type { InsertOutcome } from '../rmap/memslot'
import type { Creation } from './creations'
import type { Chunk } from './kernel-slots'
import type { UnmappedHostLeaf } from './kernel-tables'
import type { PendingInvalidation } from './l1-invalidations'
import type { NestedFault } from './nested-faults'
import type { TraceEvent } from './trace-event'
import type { Removal } from './range-removal'
import type { PendingSetRc } from './set-rcs'

/** What the outcome event of an insert must say. */
export interface PendingOutcome {
  readonly line: number
  readonly outcome: InsertOutcome
  readonly chunk: Chunk
  readonly index: number
  readonly slotHi: number
  readonly slotLo: number
  /** The node that the kernel brought along. */
  readonly nodeHi: number
  readonly nodeLo: number
  /** The slot's word before the insert, as the kernel has it: what a node's next holds. */
  readonly beforeHi: number
  readonly beforeLo: number
  /** The entry, with tag 0. */
  readonly entryHi: number
  readonly entryLo: number
}

/** Most tasks known at once: far more than an L1 has vCPUs. */
const MAX_TASKS = 2 ** 16

/**
 * What a task is in the middle of. Each field is set by one event and cleared by another:
 *
 *     fault          nested_fault .. nested_fault_ret
 *     setRc          set_rc .. set_rc_ret; in a fault, or alone for a fault of L1's own
 *     creation       pte_create .. pte_create_ret; in a fault, or alone for a host leaf of L1's own fault
 *     outcome        rmap_insert .. its outcome event, the task's next; only inside a creation
 *     unmapped       pte_unmap of a host leaf .. the task's next event, which is rmap_remove_range
 *     removal        rmap_remove_range .. the first event that is no part of it
 *     invalidation   tlb_invalidate, rpt_invalidate .. the first event that is no part of it
 *
 * At most one of outcome, unmapped and removal is set: each ends where another begins. Each of the three may occur inside
 * a creation (a larger host leaf in its way is cleared with its range), and the last two inside a fault (the host takes a
 * page away to give it another). An invalidation is never inside a fault or a creation, nor a set-rc inside a creation.
 */
export interface TraceTask {
  readonly pid: number
  /** An event of it was seen before. */
  begun: boolean
  /** A nested_fault of it was seen before. */
  hasFaulted: boolean
  /** The nested fault that it handles. */
  fault: NestedFault | undefined
  /** The set-rc that it does. */
  setRc: PendingSetRc | undefined
  /** The leaf that it is creating. */
  creation: Creation | undefined
  /** How its insert must have ended. */
  outcome: PendingOutcome | undefined
  /** What it still has to do in the range that it removes. */
  removal: Removal | undefined
  /** The host leaf that it has just unmapped. */
  unmapped: UnmappedHostLeaf | undefined
  /** What L1 has just asked it to invalidate. */
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

  /** Forgets the tasks that are in the middle of nothing. */
  #forget(line: number): void {
    for (const [pid, { fault, setRc, creation, outcome, removal, unmapped, invalidation }] of this.#tasks) {
      if ((fault ?? setRc ?? creation ?? outcome ?? removal ?? unmapped ?? invalidation) === undefined)
        this.#tasks.delete(pid)
    }
    if (this.#tasks.size <= MAX_TASKS / 2) return
    throw new LineError(line, `more than ${MAX_TASKS / 2} tasks are in the middle of something`)
  }
}
