/**
 * The tasks of a recording. The events of one belong together, and those of others may stand between them: so what is
 * expected next is kept for each.
 */
import { LineError } from '../base/lines'
import type { InsertOutcome } from '../rmap/memslot'
import type { Chunk } from './kernel-slots'
import type { Asked, Creation, Unmapped } from './kernel-tables'
import type { TraceEvent } from './parser'
import type { Removal } from './range-removal'

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

/** What a task is in the middle of. */
export interface Task {
  readonly pid: number
  /** An event of it was seen before. */
  begun: boolean
  creation: Creation | undefined
  outcome: PendingOutcome | undefined
  removal: Removal | undefined
  unmapped: Unmapped | undefined
  /** What L1 has just asked to invalidate. */
  asked: Asked | undefined
}

/** The tasks, by pid. */
export class Tasks {
  readonly #tasks = new Map<number, Task>()
  #last: Task | undefined

  /** The task of an event. @throws LineError */
  of({ pid, line }: TraceEvent): Task {
    if (this.#last?.pid === pid) return this.#last
    let task = this.#tasks.get(pid)
    if (task === undefined) {
      task = {
        pid,
        begun: false,
        creation: undefined,
        outcome: undefined,
        removal: undefined,
        unmapped: undefined,
        asked: undefined,
      }
      if (this.#tasks.size === MAX_TASKS) this.#forget(line)
      this.#tasks.set(pid, task)
    }
    this.#last = task
    return task
  }

  /** Forgets the tasks that are in the middle of nothing. */
  #forget(line: number): void {
    for (const [pid, { creation, outcome, removal, unmapped }] of this.#tasks) {
      if ((creation ?? outcome ?? removal ?? unmapped) === undefined) this.#tasks.delete(pid)
    }
    if (this.#tasks.size <= MAX_TASKS / 2) return
    throw new LineError(line, `more than ${MAX_TASKS / 2} tasks are in the middle of something`)
  }
}
