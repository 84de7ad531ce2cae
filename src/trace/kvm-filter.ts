/**
 * Chooses the events of one VM. A replay is of one L1, and a host can run several: the field `kvm` tells them apart.
 *
 * Not all events have it. One that has none belongs to the VM that its task named last: a vCPU has one VM, and a host's
 * thread names the VM first (`pte_unmap`, `rmap_remove_range`) and its rmap slots after that. If its task has named none
 * yet (a vCPU's first `nested_update`), it and all later events wait until it does, so that their order is kept.
 */
import { LineError } from '../base/lines'
import { hex } from '../base/word'
import { FIELD } from './events'
import type { TraceEvent } from './trace-event'

/** Most VMs and tasks that are remembered, and events that wait. */
const MOST_VMS = 1024
const MOST_TASKS = 2 ** 16
const MOST_WAITING = 4096

interface VmEvents {
  readonly kvm: bigint
  events: number
}

/** Passes on the events of one VM. */
export class KvmFilter {
  /** Events passed on. */
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

  /** @param kvm the address of the VM; undefined for a recording of a single one */
  constructor(kvm: bigint | undefined, onEvent: (event: TraceEvent) => void) {
    this.#kvm = kvm
    this.#onEvent = onEvent
  }

  /** Whether there are events of several VMs and none was chosen: none is passed on from the second VM's first one. */
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
   * @throws LineError if it has events of several VMs and none was chosen; RangeError if it has none of the chosen one
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

  /** An event names another VM than the one before it. */
  #name(event: TraceEvent): void {
    const kvm = event.wordAt(FIELD.kvm)
    let vm = this.#vms.get(kvm)
    if (vm === undefined) {
      vm = { kvm, events: 0 }
      if (this.#vms.size < MOST_VMS) this.#vms.set(kvm, vm)
      if (this.#vms.size === 2 && this.#secondAt === 0) {
        this.#secondAt = event.line
        if (this.#kvm === undefined) this.#last!.events = this.events // all up to here
      }
    }
    this.#last = vm
    this.#hi = event.hi[FIELD.kvm]!
    this.#lo = event.lo[FIELD.kvm]!
  }

  /** The VM of an event: then it is counted, and passed on if its VM is the chosen one. */
  #choose(event: TraceEvent, hasKvm: boolean): void {
    if (hasKvm) this.#learn(event.pid, this.#last!)
    const vm = this.#tasks.get(event.pid)
    if (this.#kvm === undefined) {
      // Nothing is replayed: a task that has named none since the second VM appeared is the first one's.
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

  /** Passes on what waits, up to the first event whose VM is not known; with more than `most` waiting, that one too. */
  #release(most: number): void {
    let done = 0
    for (const { event, vm } of this.#waiting) {
      if (vm === undefined && this.#waiting.length - done <= most) break
      this.#decide(event, vm)
      done++
    }
    if (done > 0) this.#waiting = this.#waiting.slice(done)
  }

  /** Passes on an event of the chosen VM, or of a task that named none. */
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
