/**
 * The events of an operation, kept until it is done: an observer that calls the L1 itself must find a consistent state.
 *
 * Building an event costs, so callers ask {@link EventQueue.observed} first. Without an observer nothing is kept.
 */
import { withJson } from '../base/json'
import type { HappeningEvent, Task, VmEvent, VmObserver } from './events'

/** @internal The queue of one L1. */
export class EventQueue {
  observer: VmObserver | undefined
  /** In which task the current operation runs. */
  task: Task = 'vcpu'
  /** On which vCPU; 0 in the host, and where nobody observes. */
  vcpu = 0
  /** How often Linux would have warned, or ought to have. */
  warnings = 0

  readonly #events: VmEvent[] = []
  readonly #busy = new Set<number>()
  #settling = false

  /** Whether anyone observes. */
  get observed(): boolean {
    return this.observer !== undefined
  }

  /** An operation begins in a task: for a vCPU on the first that is free. The caller keeps `task` and `vcpu` for the end. */
  begin(task: Task): void {
    this.task = task
    this.vcpu = 0
    if (task === 'host' || !this.observed) return
    for (this.vcpu = 1; this.#busy.has(this.vcpu);) this.vcpu++
    this.#busy.add(this.vcpu)
  }

  /** An operation ends, and the one around it goes on in its task. Then {@link settle}. */
  end(task: Task, vcpu: number): void {
    this.#busy.delete(this.vcpu)
    this.task = task
    this.vcpu = vcpu
    this.settle()
  }

  /** The vCPU of the current operation stays busy after its end, for {@link resumeVcpu}. */
  keepVcpu(): number {
    const { vcpu } = this
    this.vcpu = 0
    return vcpu
  }

  /** The current operation runs on a vCPU that was kept. */
  resumeVcpu(vcpu: number): void {
    this.#busy.delete(this.vcpu)
    this.vcpu = vcpu
  }

  /** Keeps an event until {@link settle}. */
  emit(event: HappeningEvent): void {
    const { task, vcpu } = this
    this.#events.push(withJson(event, { task, pid: task === 'host' ? 2 : vcpu <= 1 ? 1 : vcpu + 1 }))
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
