/** What an L1 has done and what it has in use, at one moment, as plain numbers (spec 12). */
import type { RangeCounters } from '../rmap/invalidate'
import type { InsertCounters } from '../rmap/insert-counters'
import type { FaultResult } from './fault-result'
import type { VmState } from './state'

/** The counters of an L1 (spec 12): a copy, which does not change when the L1 does. */
export interface VmCounters {
  /** Faults of nested guests, by outcome. */
  readonly faults: Readonly<Record<FaultResult['outcome'], number>>
  /** Inserts of entries, by outcome. */
  readonly inserts: {
    /** The rmap slot was empty. */
    readonly empty: number
    /** It had one entry. */
    readonly second: number
    /** It had a list. */
    readonly list: number
    /** It had the entry already. */
    readonly duplicate: number
  }
  /** Entries compared, as Linux would have paid for them. */
  readonly scanSteps: number
  /** Most entries that an rmap slot ever had. */
  readonly longestList: number
  /** Walks of the rmap ranges of host leaves that were cleared. */
  readonly walks: Readonly<RangeCounters>
  /** Walks of ageing and harvest, which detach nothing. Entries that were not stale were flushed, wrongly (a quirk). */
  readonly rcWalks: {
    /** Rmap slots visited that were not empty. */
    readonly slots: number
    /** Entries visited. */
    readonly entries: number
    /** Of these, entries whose LPID no nested guest has. */
    readonly staleNoGuest: number
    /** Entries whose shadow table has no leaf there. */
    readonly staleNoLeaf: number
    /** Entries whose shadow leaf maps another page. */
    readonly staleOtherFrame: number
  }
  /** Shadow leaves: created, and cleared by whom. */
  readonly leaves: {
    /** Created by faults. */
    readonly created: number
    /** Cleared by the host. */
    readonly clearedByL0: number
    /** Cleared because L1 invalidated them. */
    readonly clearedByL1: number
  }
  /** Leaves of the host table. */
  readonly hostLeaves: {
    /** Created by faults. */
    readonly created: number
    /** Cleared by the host. */
    readonly cleared: number
  }
  /** TLB flushes: of L1, of nested guests, and of nested guests under L1's LPID (a quirk, spec 6). */
  readonly flushes: {
    /** Of L1. */
    readonly l1: number
    /** Of a nested guest, under its shadow LPID. */
    readonly l2: number
    /** Of a nested guest, but under L1's number for it. */
    readonly wrongPartition: number
  }
  /** List nodes. */
  readonly nodes: {
    /** In use now. */
    readonly inUse: number
    /** In use at most. */
    readonly peak: number
  }
  /** Rmap slots by kind, now, over all memslots. */
  readonly slots: {
    /** Without an entry. */
    readonly empty: number
    /** With one entry, in the word itself. */
    readonly single: number
    /** With a list. */
    readonly list: number
  }
  /**
   * Bytes: 8 a gfn, 16 a list node, the pages of host and shadow tables (8 for each of their entries); and the indexes of
   * long lists, which Linux does not have.
   */
  readonly bytes: {
    /** Of the rmap arrays. */
    readonly slots: number
    /** Of the list nodes in use. */
    readonly nodes: number
    /** Of the pages of host and shadow tables. */
    readonly tables: number
    /** Of the indexes of long lists. */
    readonly indexes: number
  }
  /** Pages of host and shadow tables, the roots included. */
  readonly tablePages: number
  /** How often Linux would have warned, or ought to have. */
  readonly warnings: number
}

/** @internal Reads them. Cost: the memslots and nested guests, not what they hold. */
export function readCounters(vm: VmState): VmCounters {
  const inserts = { ...vm.retired }
  let gfns = 0
  let single = 0
  let list = 0
  let indexes = 0
  for (const slot of vm.memslots) {
    addInserts(inserts, slot.rmap.counters)
    indexes += slot.rmap.counters.indexBytes
    gfns += slot.npages
    single += slot.singles
    list += slot.lists
  }
  let tables = vm.host.pageBytes
  for (const guest of [...vm.guests.values(), ...vm.held]) tables += guest.shadow.pageBytes
  const { empty, second, list: lists, duplicate, scanSteps, longestList } = inserts
  return freeze({
    faults: { ...vm.faults },
    inserts: { empty, second, list: lists, duplicate },
    scanSteps,
    longestList,
    walks: { ...vm.walks },
    rcWalks: { ...vm.rcWalks },
    leaves: { created: vm.leavesCreated, clearedByL0: vm.leavesClearedByL0, clearedByL1: vm.leavesClearedByL1 },
    hostLeaves: { created: vm.hostLeavesCreated, cleared: vm.hostLeavesCleared },
    flushes: { ...vm.flushes },
    nodes: { inUse: vm.nodes.inUse, peak: vm.nodes.peak },
    slots: { empty: gfns - single - list, single, list },
    bytes: { slots: gfns * 8, nodes: vm.nodes.inUse * 16, tables, indexes },
    tablePages: vm.gate.pages,
    warnings: vm.events.warnings,
  })
}

/** Counters cannot be written: it would have no effect on the L1. */
function freeze<T extends object>(counters: T): T {
  for (const group of Object.values(counters)) Object.freeze(group)
  return Object.freeze(counters)
}

/** @internal Adds what one memslot's inserts did to a sum; not what the memslot holds. */
export function addInserts(sum: InsertCounters, of: Readonly<InsertCounters>): void {
  sum.empty += of.empty
  sum.second += of.second
  sum.list += of.list
  sum.duplicate += of.duplicate
  sum.scanSteps += of.scanSteps
  sum.longestList = Math.max(sum.longestList, of.longestList)
}
