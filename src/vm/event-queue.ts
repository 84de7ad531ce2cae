/**
 * The events of an operation, kept until it is done: an observer that calls the L1 itself must find a consistent state.
 *
 * Building an event costs, so callers ask {@link EventQueue.observed} first. Without an observer nothing is kept.
 */
import type { HappeningEvent, Task, VmEvent, VmObserver } from './events'

/** @internal The queue of one L1. */
export class EventQueue {
  observer: VmObserver | undefined
  /** In which task the current operation runs. */
  task: Task = 'vcpu'
  /** How often Linux would have warned, or ought to have. */
  warnings = 0

  readonly #events: VmEvent[] = []
  #settling = false

  /** Whether anyone observes. */
  get observed(): boolean {
    return this.observer !== undefined
  }

  /** Keeps an event until {@link settle}. */
  emit(event: HappeningEvent): void {
    this.#events.push({ ...event, task: this.task })
  }

  /** Counts a warning and emits it. Returns the message. */
  warn(message: string): string {
    this.warnings++
    if (this.observed) this.emit({ event: 'warning', message })
    return message
  }

  /**
   * The end of an operation: passes its events to the observer. The events of what an observer calls here follow in turn.
   * Should the observer throw, the event it threw at counts as shown, and the later ones wait for the next operation.
   */
  settle(): void {
    if (this.#settling || this.#events.length === 0) return
    this.#settling = true
    let shown = 0
    try {
      for (; shown < this.#events.length; shown++) this.observer?.(this.#events[shown]!)
    } finally {
      this.#events.splice(0, shown + 1)
      this.#settling = false
    }
  }
}
