/**
 * Selects the events of one VM: a host can run several L1, a replay is of one. The field `kvm` identifies the VM.
 *
 * Not all events have it. An event without it belongs to the VM that its task named last: a vCPU belongs to one VM, and
 * a thread of the host names the VM (`pte_unmap`, `rmap_remove_range`) before its rmap slots. If the task has named no
 * VM yet (a vCPU's first `nested_update`), this event and all later ones wait until it does, so that their order is
 * kept.
 */
import { LineError } from '../base/lines'
import { hex } from '../base/word'
import { FIELD } from './events'
import type { TraceEvent } from './trace-event'

/** Limits: the VMs and tasks that are remembered, and the events that wait. */
const MOST_VMS = 1024
const MOST_TASKS = 2 ** 16
const MOST_WAITING = 4096

interface VmEvents {
  readonly kvm: bigint
  events: number
}

/** Forwards the events of one VM. */
export class KvmFilter {
  /** Events forwarded. */
  events = 0
  /** Events of other VMs. */
  others = 0

  readonly #kvm: bigint | undefined
  readonly #onEvent: (event: TraceEvent) => void
  readonly #vms = new Map<bigint, VmEvents>()
  /** The VM that an event named last, and its address as halves. */
  #last: VmEvents | undefined
  #hi = 0
  #lo = 0
  /** The VM that a task named last. Not kept while there is only one VM. */
  readonly #tasks = new Map<number, VmEvents>()
  /** The line of the first event of a second VM. */
  #secondAt = 0
  #waiting: { readonly event: TraceEvent; vm: VmEvents | undefined }[] = []

  /** @param kvm the address of the VM; undefined for a recording of a single VM */
  constructor(kvm: bigint | undefined, onEvent: (event: TraceEvent) => void) {
    this.#kvm = kvm
    this.#onEvent = onEvent
  }

  /** Whether there are several VMs and none was chosen: none is forwarded from the second VM's first event on. */
  get isMixed(): boolean {
    return this.#kvm === undefined && this.#secondAt > 0
  }

  /** The next event of the recording. */
  add(event: TraceEvent): void {
    const hasKvm = event.hasAt(FIELD.kvm)
    if (hasKvm && (event.hi[FIELD.kvm] !== this.#hi || event.lo[FIELD.kvm] !== this.#lo || this.#last === undefined)) {
      this.#name(event)
    }
    if (this.#kvm === undefined && this.#secondAt === 0) return this.#pass(event)
    this.#choose(event, hasKvm)
  }

  /**
   * The recording has ended.
   *
   * @throws LineError if it has events of several VMs and none was chosen; RangeError if it has no event of the chosen VM
   */
  end(): void {
    const list = [...this.#vms.values()]
      .map(({ kvm, events }) => `${hex(kvm)} (${events} ${events === 1 ? 'event' : 'events'})`)
      .join(', ')
    if (this.isMixed) {
      throw new LineError(
        this.#secondAt,
        `two different kvm: the recording has several VMs: choose one with kvm (--kvm ADDRESS): ${list}`,
      )
    }
    this.#release(0)
    if (this.#kvm !== undefined && list !== '' && !this.#vms.has(this.#kvm)) {
      throw new RangeError(`kvm: expected one of the recording's, ${list}, got ${hex(this.#kvm)}`)
    }
  }

  /** An event names another VM than the event before it. */
  #name(event: TraceEvent): void {
    const kvm = event.wordAt(FIELD.kvm)
    let vm = this.#vms.get(kvm)
    if (vm === undefined) {
      vm = { kvm, events: 0 }
      if (this.#vms.size < MOST_VMS) this.#vms.set(kvm, vm)
      if (this.#vms.size === 2 && this.#secondAt === 0) {
        this.#secondAt = event.line
        if (this.#kvm === undefined) this.#last!.events = this.events // all events up to here
      }
    }
    this.#last = vm
    this.#hi = event.hi[FIELD.kvm]!
    this.#lo = event.lo[FIELD.kvm]!
  }

  /** Finds the VM of an event, counts the event, and forwards it if its VM is the chosen one. */
  #choose(event: TraceEvent, hasKvm: boolean): void {
    if (hasKvm) this.#learn(event.pid, this.#last!)
    const vm = this.#tasks.get(event.pid)
    if (this.#kvm === undefined) {
      // Nothing is replayed any more. A task that has named no VM since the second one appeared belongs to the first.
      ;(vm ?? this.#vms.values().next().value!).events++
    } else if (this.#waiting.length === 0 && vm !== undefined) {
      this.#decide(event, vm)
    } else {
      this.#waiting.push({ event: event.clone(), vm })
      this.#release(MOST_WAITING)
    }
  }

  #learn(pid: number, vm: VmEvents): void {
    if (this.#tasks.size >= MOST_TASKS) this.#tasks.clear()
    if (!this.#tasks.has(pid)) {
      for (const waiting of this.#waiting) if (waiting.event.pid === pid) waiting.vm ??= vm
    }
    this.#tasks.set(pid, vm)
  }

  /** Forwards waiting events up to the first whose VM is unknown; also that one while more than `most` events wait. */
  #release(most: number): void {
    let done = 0
    for (const { event, vm } of this.#waiting) {
      if (vm === undefined && this.#waiting.length - done <= most) break
      this.#decide(event, vm)
      done++
    }
    if (done > 0) this.#waiting = this.#waiting.slice(done)
  }

  /** Forwards an event of the chosen VM, or of a task that named no VM. */
  #decide(event: TraceEvent, vm: VmEvents | undefined): void {
    if (vm !== undefined) vm.events++
    if (vm === undefined || vm.kvm === this.#kvm) this.#pass(event)
    else this.others++
  }

  #pass(event: TraceEvent): void {
    this.events++
    this.#onEvent(event)
  }
}
