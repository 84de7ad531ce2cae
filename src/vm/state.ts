/**
 * The state of one L1, as plain data that the operations of section 5 to 10 share, and the few things all of them do:
 * find a memslot, ask whether the host has invalidated something, count, and tell the observer.
 *
 * Nothing here decides anything; who reads the files of the operations need only know these fields.
 */
import type { Gfn, HostFrame, LeafShift, Lpid, PageShift } from '../base/units'
import { AllocationGate } from '../page-table/allocation-gate'
import { RadixTable } from '../page-table/radix-table'
import { RangeCounters } from '../rmap/invalidate'
import { InsertCounters } from '../rmap/memslot'
import { NodeHeap } from '../rmap/node-heap'
import type { HappeningEvent, Task, VmEvent, VmObserver } from './events'
import type { FaultResult } from './fault-result'
import type { GuestTable } from './guest-table'
import type { NestedGuest } from './nested-guest'
import type { VmMemslot } from './vm-memslot'

/** Which slot gets the entry: of the host leaf's first gfn (today), or of the faulting one (2018); spec 5 step 4. */
export type Placement = 'head' | 'faulting'

/** What backs a gfn in the host. */
export interface Backing {
  /** The host frame of the gfn's first byte, in units of 4 KiB, 0..2^41-1, aligned to the base page. */
  readonly frame: HostFrame
  /** log2 of the host page it lies in: the page shift (the default), 21 or 30. */
  readonly shift?: LeafShift
  /** Whether the host may write it (the default). */
  readonly writable?: boolean
  /** More bits of the host leaf: cache attributes, software bits, privileged; 0..0xfff without `0x187` (default 0). */
  readonly attributes?: number
}

/**
 * Says what backs a gfn now; undefined: nothing just now (the fault is retried). For a write the host would break a
 * sharing first: it may call `unmap` here, and answer with the new page. What backs a gfn whose leaf the host table
 * holds may change only after an `unmap` of it, as in a host.
 */
export type BackingOf = (gfn: Gfn, write: boolean) => Backing | undefined

/** @internal What an L1 is made with, checked. */
export interface VmSettings {
  readonly pageShift: PageShift
  readonly placement: Placement
  readonly lpid: number
  /** None: frames in order. */
  readonly backing: BackingOf | undefined
  readonly allowLpidZero: boolean
  readonly allowDroppedFaults: boolean
  readonly maxNodes: number
  readonly maxTablePages: number
  readonly maxNpages: number
}

/** @internal TLB flushes, by whose entries go (spec 12). */
export class FlushCounters {
  l1 = 0
  l2 = 0
  wrongPartition = 0
}

/** @internal Walks that clear referenced or changed bits, and take nothing (spec 12). What is not stale is flushed. */
export class RcWalkCounters {
  /** Slots that were not empty. */
  slots = 0
  /** Entries visited. */
  entries = 0
  staleNoGuest = 0
  staleNoLeaf = 0
  staleOtherFrame = 0
}

/** @internal Words and addresses that events call the L1's things by. */
const KVM_ADDRESS = 0xc000_0000_0100_0000n
const HOST_TABLE_ADDRESS = 0xc000_0000_0200_0000n
const SHADOW_TABLE_BASE = 0xc000_0001_0000_0000n
const GUEST_BASE = 0xc000_0002_0000_0000n
const MEMSLOT_BASE = 0xc000_0003_0000_0000n
const ARRAY_BASE = 0xc008_0000_0000_0000n
const ARRAY_ALIGNMENT = 0x10000

/** @internal The state of one L1. */
export class VmState {
  readonly settings: VmSettings
  readonly pageShift: PageShift
  readonly gate: AllocationGate
  readonly nodes: NodeHeap
  /** L0's table for L1: gpa -> hpa. */
  readonly host: RadixTable
  /** By base gfn, ascending; none overlap. */
  readonly memslots: VmMemslot[] = []
  /** The registry: who has which LPID now. */
  readonly guests = new Map<Lpid, NestedGuest>()
  /** Out of the registry, and still held. */
  readonly held = new Set<NestedGuest>()
  /** L1's partition table: its entries that are not empty. */
  readonly partition = new Map<Lpid, GuestTable>()
  /** The size of the partition table. */
  partitionEntries = 4096
  readonly shadowLpids = new Set<number>()

  /** The next host frame, in base pages, where the caller leaves the backing to the model. */
  nextPage = 1

  mmuSeq = 0
  invalidationsInProgress = 0

  readonly faults: Record<FaultResult['outcome'], number> = {
    mapped: 0,
    present: 0,
    retry: 0,
    'forward-to-l1': 0,
    mmio: 0,
    'fault-to-l2': 0,
    invalid: 0,
    'no-memory': 0,
  }
  readonly walks = new RangeCounters()
  readonly rcWalks = new RcWalkCounters()
  readonly flushes = new FlushCounters()
  leavesCreated = 0
  leavesClearedByL0 = 0
  leavesClearedByL1 = 0
  hostLeavesCreated = 0
  hostLeavesCleared = 0
  /** Entries that release all took. */
  released = 0
  /** List nodes that were still in use when their memslot had been flushed and deleted. */
  leaked = 0
  warnings = 0
  /** Inserts of memslots that are gone. */
  readonly retired = new InsertCounters()

  observer: VmObserver | undefined
  /** Who is at it: a vCPU of L1, or the host's own memory management. */
  task: Task = 'vcpu'
  /** The next number for what events name by address. */
  nextId = 1
  nextArray = 0

  readonly #events: VmEvent[] = []
  #settling = false
  #lastSlot: VmMemslot | undefined

  constructor(settings: VmSettings) {
    this.settings = settings
    this.pageShift = settings.pageShift
    this.gate = new AllocationGate(settings.maxTablePages)
    this.nodes = new NodeHeap({ limit: settings.maxNodes })
    this.gate.pages = 1
    this.host = new RadixTable({ pageShift: this.pageShift }, this.gate)
  }

  /** An empty table whose pages count; undefined where its root cannot be had. */
  newTable(): RadixTable | undefined {
    return this.gate.takePage(false) ? new RadixTable({ pageShift: this.pageShift }, this.gate) : undefined
  }

  /** Frees a table: its root too. */
  freeTable(table: RadixTable): void {
    table.clearAll()
    this.gate.givePages(1)
  }

  /** The memslot that has a gfn, be it invalid or not. */
  memslotOf(gfn: Gfn): VmMemslot | undefined {
    const last = this.#lastSlot
    if (last !== undefined && !last.removed && last.rmap.contains(gfn)) return last
    let low = 0
    let high = this.memslots.length
    while (low < high) {
      const middle = (low + high) >>> 1
      if (this.memslots[middle]!.baseGfn <= gfn) low = middle + 1
      else high = middle
    }
    const slot = this.memslots[low - 1]
    if (slot === undefined || !slot.rmap.contains(gfn)) return undefined
    this.#lastSlot = slot
    return slot
  }

  /** The gfn of an address given as halves. */
  gfnOf(hi: number, lo: number): Gfn {
    return hi * (1 << (32 - this.pageShift)) + (lo >>> this.pageShift)
  }

  /** Whether the host has invalidated something since `mmuSeq` was `seq`, or is at it (section 7). */
  invalidatedSince(seq: number): boolean {
    return this.invalidationsInProgress > 0 || this.mmuSeq !== seq
  }

  /** Tells the observer of an event, once the operation is done. Ask `observer` first: building an event costs. */
  emit(event: HappeningEvent): void {
    this.#events.push({ ...event, task: this.task })
  }

  /** Counts a warning, and tells the observer. */
  warn(message: string): string {
    this.warnings++
    if (this.observer !== undefined) this.emit({ event: 'warning', message })
    return message
  }

  /** The end of an operation: shows its events. What an observer calls here has its events shown in turn. */
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

  get kvmAddress(): bigint {
    return KVM_ADDRESS
  }

  /** The address, in events, of a nested guest's table, or with none of L1's. */
  tableAddress(guest: NestedGuest | undefined): bigint {
    return guest === undefined ? HOST_TABLE_ADDRESS : SHADOW_TABLE_BASE + BigInt(guest.id) * 0x10000n
  }

  /** The hardware's number for a nested guest, or with none for L1. */
  hardwareLpid(guest: NestedGuest | undefined): number {
    return guest === undefined ? this.settings.lpid : guest.shadowLpid
  }

  guestAddress(guest: NestedGuest): bigint {
    return GUEST_BASE + BigInt(guest.id) * 0x1000n
  }

  newMemslotAddress(): bigint {
    return MEMSLOT_BASE + BigInt(this.nextId++) * 0x100n
  }

  /** A place for an array of slot words; never used again, and with no end in sight. */
  newArrayAddress(npages: number): bigint {
    const address = ARRAY_BASE + BigInt(this.nextArray)
    this.nextArray += Math.ceil((npages * 8) / ARRAY_ALIGNMENT + 1) * ARRAY_ALIGNMENT
    return address
  }
}
