/**
 * The state of one L1 that the operations of spec 5 to 10 share, and what all of them ask of it: which memslot has a gfn,
 * and has the host invalidated something?
 *
 * Plain data: nothing here decides anything. A reader of an operation's file need only know these fields.
 */
import type { Gfn, Lpid, PageShift } from '../base/units'
import { AllocationGate } from '../page-table/allocation-gate'
import { RadixTable } from '../page-table/radix-table'
import { RangeCounters } from '../rmap/invalidate'
import { InsertCounters } from '../rmap/insert-counters'
import { NodeHeap } from '../rmap/node-heap'
import { EventQueue } from './event-queue'
import type { FaultResult } from './fault-result'
import type { GuestTable } from './guest-table'
import type { GuestWalker } from './guest-walker'
import type { NestedGuest } from './nested-guest'
import type { VmSettings } from './options'
import type { VmMemslot } from './vm-memslot'

/** @internal TLB flushes, by whose entries are flushed (spec 12). */
export class FlushCounters {
  l1 = 0
  l2 = 0
  wrongPartition = 0
}

/** @internal Walks that clear referenced or changed bits and detach nothing (spec 12). What is not stale is flushed. */
export class RcWalkCounters {
  /** Rmap slots that were not empty. */
  slots = 0
  /** Entries visited. */
  entries = 0
  staleNoGuest = 0
  staleNoLeaf = 0
  staleOtherFrame = 0
}

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
  /** The registry: which nested guest has which LPID now. */
  readonly guests = new Map<Lpid, NestedGuest>()
  /** Nested guests that left the registry and are still held. */
  readonly held = new Set<NestedGuest>()
  /** L1's partition table: its entries that are not empty. */
  readonly partition = new Map<Lpid, GuestTable | GuestWalker>()
  /** The size of the partition table. */
  partitionEntries = 4096
  readonly shadowLpids = new Set<number>()

  /** The next host frame, in base pages, where the caller leaves the backing to the model. */
  nextPage = 1

  /** KVM: `mmu_invalidate_seq` (spec 7). */
  mmuSeq = 0
  /** KVM: `mmu_invalidate_in_progress`. */
  invalidationsInProgress = 0
  /** List nodes that faults between their halves have allocated. */
  nodesHeld = 0

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
  /** Entries that release all freed. */
  released = 0
  /** List nodes that were still in use after the flush of a memslot that was then deleted. */
  leaked = 0
  /** What the inserts of deleted memslots did. */
  readonly retired = new InsertCounters()

  readonly events = new EventQueue()
  /** The next number for what events name by address. */
  nextId = 1
  /** Bytes of the arrays of slot words that events have named. */
  nextArray = 0

  #lastSlot: VmMemslot | undefined

  constructor(settings: VmSettings) {
    this.settings = settings
    this.pageShift = settings.pageShift
    this.gate = new AllocationGate(settings.maxTablePages)
    this.nodes = new NodeHeap({ limit: settings.maxNodes })
    this.gate.pages = 1
    this.host = new RadixTable({ pageShift: this.pageShift }, this.gate)
  }

  /** An empty table whose pages count; undefined if there is no page for its root. */
  newTable(): RadixTable | undefined {
    return this.gate.takePage(false) ? new RadixTable({ pageShift: this.pageShift }, this.gate) : undefined
  }

  /** Frees a table, its root included. */
  freeTable(table: RadixTable): void {
    table.clearAll()
    this.gate.givePages(1)
  }

  /** The memslot that has a gfn, invalid or not. */
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

  /** Whether the host has invalidated something since `mmuSeq` was `seq`, or an invalidation is in progress (spec 7). */
  invalidatedSince(seq: number): boolean {
    return this.invalidationsInProgress > 0 || this.mmuSeq !== seq
  }
}
