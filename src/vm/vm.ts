/**
 * An L1: a guest hypervisor as the host sees it, with its memory, its nested guests and their tables (spec 5 to 12).
 *
 * This class is the edge: it documents and checks every call, and runs it as one operation. What the operation does is in
 * the file of its reason, which reads like its section of the specification. (That is why the file is long: one method
 * each, most of it documentation.)
 *
 * Operations are atomic: the observer is called last, and the caller's backing and walk before anything has changed. All of
 * them may call the L1.
 */
import { checkBoolean, checkFunction, checkOptionNames, toInteger, wrongType } from '../base/args'
import { inspectable } from '../base/inspect'
import { type Gfn, type Lpid, MAX_LPID, type PageShift } from '../base/units'
import type { RadixTable } from '../page-table/radix-table'
import { type Entry } from '../rmap/entry'
import { RangeCounters } from '../rmap/invalidate'
import { check, type BrokenInvariant } from './check'
import {
  checkGfns,
  checkGuest,
  checkHostGfns,
  checkLpid,
  checkMemslot,
  checkMemslotOf,
  checkNpages,
  checkOperand,
  checkOptions,
  checkPlace,
  checkRequest,
  checkTlbie,
  checkVisitor,
} from './checks'
import type { TakenEntry } from './clear-leaf'
import { age, harvestDirty, testAge } from './clear-rc'
import { readCounters, type VmCounters } from './counters'
import type { Task, VmObserver } from './events'
import { beginFault, fault } from './fault'
import type { FaultResult, SetRcResult } from './fault-result'
import { enterGuest, putGuest, releaseAll } from './guest-life'
import { GuestTable } from './guest-table'
import type { GuestWalker } from './guest-walker'
import {
  addMemslot,
  beginSetLogDirty,
  endSetLogDirty,
  flushMemslot,
  invalidateMemslot,
  moveMemslot,
  removeMemslot,
} from './memslot-life'
import { tableJson, type NestedGuest } from './nested-guest'
import { beginUnmap, endUnmap } from './notifier'
import type {
  FaultRequest,
  VmMemslotOptions,
  Placement,
  RptInvalidateOperands,
  TlbInvalidateOperands,
  Tlbie,
  UnmapOptions,
  VmOptions,
} from './options'
import { PendingLogDirty, PendingUnmap, type PendingFault } from './pending'
import { setRc } from './set-rc'
import { VmState } from './state'
import { rptInvalidate, tlbieByOperands, tlbInvalidate, type HcallStatus } from './tlbie'
import type { VmMemslot } from './vm-memslot'

function isWalker(table: GuestWalker): boolean {
  return typeof table === 'object' && table !== null && typeof table.walk === 'function'
}

/** An L1 with its memslots, its host table and its nested guests. */
export class Vm {
  /** log2 of L0's base page size: 16 or 12. */
  readonly pageShift: PageShift
  /** Which rmap slot gets an entry. */
  readonly placement: Placement

  /** @internal */
  readonly state: VmState

  /**
   * Cost: 64 KiB for the root of the host table.
   *
   * @throws RangeError, TypeError
   */
  constructor(options: VmOptions = {}) {
    const settings = checkOptions(options)
    this.state = new VmState(settings)
    this.pageShift = settings.pageShift
    this.placement = settings.placement
    this.observe(options.observer)
    inspectable(this)
  }

  // ---- memslots (spec 10) ----

  /**
   * Adds a memslot. Cost: 8 bytes a gfn, which the platform backs with memory only where a gfn is touched.
   *
   * @throws RangeError, also when it overlaps another memslot; TypeError
   */
  addMemslot(options: VmMemslotOptions): VmMemslot {
    const names = ['baseGfn', 'npages', 'readOnly', 'logDirty'] as const
    const { baseGfn, npages, readOnly, logDirty } = checkOptionNames('options', options, names)
    const count = toInteger('npages', npages, 1, this.state.settings.maxNpages)
    checkNpages(this.state, count)
    const first = checkPlace(this.state, 'baseGfn', baseGfn, count)
    const flags = {
      readOnly: checkBoolean('readOnly', readOnly, false),
      logDirty: checkBoolean('logDirty', logDirty, false),
    }
    return this.#run(() => addMemslot(this.state, first, count, flags), 'host')
  }

  /**
   * Makes a memslot invalid and flushes it, as the first step of deleting or moving it: until {@link removeMemslot} or
   * {@link moveMemslot}, faults find no memslot there (`mmio`).
   *
   * @throws TypeError; Error when the memslot was removed
   */
  invalidateMemslot(memslot: VmMemslot): void {
    checkMemslot(this.state, memslot)
    this.#run(() => invalidateMemslot(this.state, memslot), 'host')
  }

  /**
   * Flushes a memslot: the host takes all its pages away, and mmuSeq moves once. A list node that is still in use after
   * that is a leak, and gives a warning.
   *
   * @throws TypeError; Error when the memslot was removed
   */
  flushMemslot(memslot: VmMemslot): void {
    checkMemslot(this.state, memslot)
    this.#run(() => flushMemslot(this.state, memslot), 'host')
  }

  /**
   * Deletes a memslot. It is flushed first.
   *
   * @throws TypeError; Error when the memslot was removed
   */
  removeMemslot(memslot: VmMemslot): void {
    checkMemslot(this.state, memslot)
    this.#run(() => removeMemslot(this.state, memslot), 'host')
  }

  /**
   * Moves a memslot. It is flushed first. Its array of slot words stays.
   *
   * @param baseGfn the new first gfn: 0..2^(52 - pageShift) - npages
   * @throws RangeError, also when it would overlap another memslot; TypeError; Error when the memslot was removed
   */
  moveMemslot(memslot: VmMemslot, baseGfn: Gfn | bigint): void {
    checkMemslot(this.state, memslot)
    const first = checkPlace(this.state, 'baseGfn', baseGfn, memslot.npages, memslot)
    this.#run(() => moveMemslot(this.state, memslot, first), 'host')
  }

  /**
   * Switches the logging of dirty pages on or off, and flushes the memslot. Nothing is done if it is so already.
   *
   * @throws TypeError; Error when the memslot was removed
   */
  setLogDirty(memslot: VmMemslot, on: boolean): void {
    const { state } = this
    if (!this.#switchesLog(memslot, on)) return
    this.#run(() => {
      beginSetLogDirty(state, memslot, on)
      endSetLogDirty(state, memslot)
    }, 'host')
  }

  /**
   * The first half of {@link setLogDirty}: faults see the changed memslot, which is not yet flushed. Other operations on
   * the memslot are refused until the second half.
   *
   * @throws as {@link setLogDirty}
   * @example
   * const l1 = new Vm()
   * const memslot = l1.addMemslot({ baseGfn: 0, npages: 16, logDirty: true })
   * const change = l1.beginSetLogDirty(memslot, false)
   * // A fault here can create a large host leaf over base ones (a quirk, spec 5 step 3).
   * change.end()
   */
  beginSetLogDirty(memslot: VmMemslot, on: boolean): PendingLogDirty {
    const { state } = this
    if (!this.#switchesLog(memslot, on)) return new PendingLogDirty(() => {})
    const end = (): void => this.#run(() => endSetLogDirty(state, memslot), 'host')
    try {
      this.#run(() => beginSetLogDirty(state, memslot, on), 'host')
      return new PendingLogDirty(end)
    } catch (error) {
      end() // the observer has thrown: nobody will end it
      throw error
    }
  }

  /**
   * The memslot's dirty pages since the last harvest, ascending. Their changed bits are cleared (spec 6).
   *
   * @throws TypeError; Error when the memslot was removed or does not log dirty pages
   */
  harvestDirty(memslot: VmMemslot): Gfn[] {
    checkMemslot(this.state, memslot)
    if (!memslot.logDirty) throw new Error('harvestDirty: the memslot does not log dirty pages: call setLogDirty first')
    return this.#run(() => harvestDirty(this.state, memslot), 'host')
  }

  /** The memslots, by base gfn. */
  get memslots(): VmMemslot[] {
    return [...this.state.memslots]
  }

  // ---- L1's tables and L0's nested guests (spec 9) ----

  /**
   * L1 sets the size of its partition table: 2^(sizeField + 8) entries. It has 4096 from the start. An LPID beyond it does
   * not exist. The entries that {@link setGuestTable} has set stay.
   *
   * @param sizeField 0..4
   * @throws RangeError, TypeError
   */
  setPartitionTable(sizeField: number | bigint): void {
    this.state.partitionEntries = 2 ** (toInteger('sizeField', sizeField, 0, 4) + 8)
  }

  /**
   * L1 writes its partition table entry for an LPID: its table for that nested guest, or undefined for none. L0 reads it
   * when L1 enters the LPID, after a RIC 2 flush, and at a fault of a nested guest that has no table yet.
   *
   * @param lpid 1 (0 if allowed) up to the number of entries of the partition table minus 1
   * @param table a GuestTable, or an object with a function `walk`, which walks page tables of your own
   * @returns the table
   * @throws RangeError, TypeError
   */
  setGuestTable<T extends GuestTable | GuestWalker | undefined>(lpid: Lpid | bigint, table: T): T {
    const { partition } = this.state
    const entry = checkLpid(this.state, lpid)
    if (table === undefined) partition.delete(entry)
    else if (table instanceof GuestTable || isWalker(table)) partition.set(entry, table)
    else throw wrongType('table', 'a GuestTable, an object with a function walk, or undefined', table)
    return table
  }

  /**
   * The table in L1's partition table entry for an LPID, as {@link setGuestTable} was given it; undefined for an empty entry.
   *
   * @param lpid 0..4095
   * @throws RangeError, TypeError
   */
  guestTable(lpid: Lpid | bigint): GuestTable | GuestWalker | undefined {
    return this.state.partition.get(toInteger('lpid', lpid, 0, MAX_LPID))
  }

  /**
   * L1 enters an LPID. Returns its nested guest, made if there is none, which the caller holds until {@link leave}. While the
   * guest has no table, each entry reads L1's partition entry again; a table once read stays until a flush with RIC 2.
   *
   * @param lpid 1 (0 if allowed) up to the number of entries of the partition table minus 1
   * @throws RangeError, TypeError; Error when its table would pass `maxTablePages`
   */
  enter(lpid: Lpid | bigint): NestedGuest {
    const entry = checkLpid(this.state, lpid)
    return this.#run(() => {
      const guest = enterGuest(this.state, entry)
      if (guest !== undefined) return guest
      throw new Error('enter: no table page for a new nested guest: give the Vm more maxTablePages')
    })
  }

  /**
   * Gives back a nested guest that was entered.
   *
   * @throws TypeError; Error when the caller does not hold it
   */
  leave(guest: NestedGuest): void {
    checkGuest(this.state, guest)
    if (guest.entered === 0) throw new Error('leave: the nested guest is not held: call enter first')
    guest.entered--
    this.#run(() => putGuest(this.state, guest))
  }

  /**
   * The nested guest that has an LPID now, held or not; undefined if there is none.
   *
   * @param lpid 0..4095
   * @throws RangeError, TypeError
   */
  guest(lpid: Lpid | bigint): NestedGuest | undefined {
    return this.state.guests.get(toInteger('lpid', lpid, 0, MAX_LPID))
  }

  /** The nested guests in the registry, by LPID. */
  get guests(): NestedGuest[] {
    return [...this.state.guests.values()].sort((a, b) => a.lpid - b.lpid)
  }

  /** The nested guests that left the registry and are still held. */
  get droppedGuests(): NestedGuest[] {
    return [...this.state.held]
  }

  /** Release all: L1 ends. Its nested guests leave the registry, and all rmap slots are emptied. */
  releaseAll(): void {
    this.#run(() => releaseAll(this.state), 'host')
  }

  // ---- faults (spec 5) ----

  /**
   * A nested guest's access, as the hardware and then L0 handle it.
   *
   * @returns the `outcome`; if no leaf was mapped, also the `reason`
   * @throws RangeError, TypeError, also for a bad answer of the backing or of a `walk`; RangeError when the host would map a
   *   large leaf that reaches outside its memslot; Error for a nested guest that was dropped (unless allowed). The state is
   *   unchanged; but L1 has entered a nested guest that is named by its LPID
   */
  fault(request: FaultRequest): FaultResult {
    const { state } = this
    const checked = checkRequest(state, request)
    const { events } = state
    const { task, vcpu } = events
    events.begin('vcpu')
    try {
      return fault(state, checked) // as #run does, without its closure: that costs a sixth of a fault
    } finally {
      events.end(task, vcpu)
    }
  }

  /**
   * The first half of a fault: everything but making the shadow leaf. Its nested guest is held until the second half.
   *
   * @returns the fault, to be committed or abandoned; or the result, if the fault ended without a leaf to make
   * @throws as {@link fault}
   */
  beginFault(request: FaultRequest): PendingFault | FaultResult {
    const { state } = this
    const checked = checkRequest(state, request)
    let begun: PendingFault | FaultResult | undefined
    try {
      return this.#run(() => (begun = beginFault(state, checked, (operation) => this.#run(operation))))
    } catch (error) {
      if (begun?.outcome === 'pending') begun.abandon() // the observer has thrown: nobody will commit it
      throw error
    }
  }

  /**
   * Set rc: the hardware found the shadow leaf but could not set its referenced (and, for a write, changed) bit (spec 6).
   *
   * @throws RangeError, TypeError, also for a bad answer of a `walk`; Error for a nested guest that was dropped (unless
   *   allowed). The state is unchanged; but L1 has entered a nested guest that is named by its LPID
   */
  setRc(request: FaultRequest): SetRcResult {
    const { state } = this
    const checked = checkRequest(state, request)
    return this.#run(() => setRc(state, checked))
  }

  // ---- the host (spec 6, 7) ----

  /**
   * The host takes pages away: their host leaves are cleared, each in full, and every shadow leaf that maps them. If no
   * memslot has any gfn of the range, there is nothing to clear: the model counts a warning, or with `strict` throws.
   *
   * @param gfn the first gfn. A gfn that the host does not map, or that no memslot has, is passed over
   * @returns what the walks met
   * @throws RangeError, with `strict` also when no memslot has any of the gfns; TypeError
   */
  unmap(gfn: Gfn | bigint, options: UnmapOptions = {}): RangeCounters {
    return this.#unmap(gfn, options, true)
  }

  /**
   * The first half of {@link unmap}: the leaves are cleared, and until the second half every fault that would make a leaf
   * is retried. If no memslot has any gfn of the range, there is a warning, or with `strict` a RangeError, as there.
   *
   * @throws as {@link unmap}
   */
  beginUnmap(gfn: Gfn | bigint, options: UnmapOptions = {}): PendingUnmap {
    return new PendingUnmap(this.#unmap(gfn, options, false), () => endUnmap(this.state))
  }

  /**
   * Returns whether the gfn's host leaf is referenced, and clears its referenced bit and those of the shadow leaves behind
   * that gfn's own rmap slot. False if the host does not map it. Also false if no memslot has it: the model counts a
   * warning then, or with `strict` throws.
   *
   * @throws RangeError, with `strict` also when no memslot has the gfn; TypeError
   */
  age(gfn: Gfn | bigint): boolean {
    return this.#run(() => age(this.state, checkHostGfns(this.state, 'age', gfn, 1)), 'host')
  }

  /**
   * Returns whether the gfn's host leaf is referenced. Nothing changes. False if no memslot has the gfn: the model counts
   * a warning then, or with `strict` throws.
   *
   * @throws RangeError, with `strict` also when no memslot has the gfn; TypeError
   */
  testAge(gfn: Gfn | bigint): boolean {
    return this.#run(() => testAge(this.state, checkHostGfns(this.state, 'testAge', gfn, 1)), 'host')
  }

  // ---- L1's invalidations (spec 8) ----

  /**
   * L1 has changed a guest table and says so: for one page, one LPID or all. The same as {@link tlbInvalidate}, whose event
   * observers see, with operands that one can read.
   *
   * @throws RangeError, TypeError
   */
  tlbie(what: Tlbie): void {
    const checked = checkTlbie(this.state, what)
    this.#run(() => tlbieByOperands(this.state, checked))
  }

  /**
   * L1's H_TLB_INVALIDATE (spec 8).
   *
   * @throws RangeError, TypeError
   */
  tlbInvalidate(operands: TlbInvalidateOperands): HcallStatus {
    const { instr, rs, rb } = checkOptionNames('operands', operands, ['instr', 'rs', 'rb'])
    const [i, s, b] = [checkOperand('instr', instr), checkOperand('rs', rs), checkOperand('rb', rb)]
    return this.#run(() => tlbInvalidate(this.state, i, s, b))
  }

  /**
   * L1's H_RPT_INVALIDATE (spec 8).
   *
   * @throws RangeError, TypeError
   */
  rptInvalidate(operands: RptInvalidateOperands): HcallStatus {
    const names = ['lpid', 'target', 'type', 'pageSizes', 'start', 'end'] as const
    const { lpid, target, type, pageSizes, start, end } = checkOptionNames('operands', operands, names)
    const checked = {
      lpid: checkOperand('lpid', lpid),
      target: checkOperand('target', target),
      type: checkOperand('type', type),
      pageSizes: checkOperand('pageSizes', pageSizes),
      start: checkOperand('start', start),
      end: checkOperand('end', end),
    }
    return this.#run(() => rptInvalidate(this.state, checked))
  }

  // ---- inspection ----

  /** L0's table for L1: gpa -> hpa. A view of the live state, to read. */
  get host(): RadixTable {
    return this.state.host
  }

  /** How often the host has invalidated something (KVM: `mmu_invalidate_seq`; spec 7). */
  get mmuSeq(): number {
    return this.state.mmuSeq
  }

  /**
   * The gfn's slot word: 0; odd, an entry; even, the address of a list node.
   *
   * @throws RangeError when no memslot has the gfn; TypeError
   */
  word(gfn: Gfn | bigint): bigint {
    return checkMemslotOf(this.state, gfn).word(gfn)
  }

  /**
   * The gfn's entries, newest first, as the kernel's walk meets them: LPID 0 can hide some (spec 11).
   *
   * @throws RangeError when no memslot has the gfn; TypeError
   */
  entries(gfn: Gfn | bigint): Entry[] {
    return checkMemslotOf(this.state, gfn).entries(gfn)
  }

  /** @internal What `console.log` shows. */
  inspect(): string {
    const {
      memslots,
      guests,
      pageShift,
      placement,
      counters: { slots, nodes },
    } = this
    return (
      `Vm { page shift: ${pageShift}, placement: ${placement}, memslots: ${memslots.length}, nested guests: ${guests.length}, ` +
      `singles: ${slots.single}, lists: ${slots.list}, nodes: ${nodes.inUse} }`
    )
  }

  /**
   * What `JSON.stringify` shows: settings, memslots and nested guests with what they hold, counters; words as hex strings.
   * Cost: reads all of the state.
   */
  toJSON(): object {
    const { pageShift, placement, mmuSeq, memslots, guests, droppedGuests, counters } = this
    return { pageShift, placement, mmuSeq, memslots, host: tableJson(this.host), guests, droppedGuests, counters }
  }

  /** All counters at this moment, as a copy (spec 12). Cost: the number of memslots and nested guests. */
  get counters(): VmCounters {
    return readCounters(this.state)
  }

  /**
   * The invariants that the state breaks: none, unless a quirk of the spec broke one. Cost: reads all of the state.
   *
   * Of a nested guest whose table is a {@link GuestWalker} all but `composition` are checked: L1's edits are not seen there,
   * so a leaf may be outdated.
   */
  check(): BrokenInvariant[] {
    return check(this.state)
  }

  /**
   * Sets the observer, or with undefined removes it.
   *
   * @throws TypeError; Error for one that must observe from the beginning ({@link recorder}) if the L1 has a history
   */
  observe(observer: VmObserver | undefined): void {
    if (observer !== undefined) checkFunction('observer', observer)
    if (observer?.fromBeginning === true && this.state.nextId > 1) {
      throw new Error('observer: a recorder must observe from the beginning: give it to the options of a new Vm')
    }
    this.state.events.observer = observer
  }

  /**
   * Makes one allocation fail, of a list node or of a page of a host or shadow table, to see what happens then.
   *
   * @param n which one, from now on: 1 is the next; 0: none is to fail
   * @throws RangeError, TypeError
   */
  failAllocation(n: number | bigint): void {
    this.state.gate.failIn = toInteger('n', n, 0, Number.MAX_SAFE_INTEGER)
  }

  /** Whether the logging of dirty pages changes. */
  #switchesLog(memslot: VmMemslot, on: boolean): boolean {
    checkMemslot(this.state, memslot)
    if (typeof on !== 'boolean') throw wrongType('on', 'a boolean', on)
    return memslot.logDirty !== on
  }

  /** Unmaps, and with `end` ends the invalidation. Shows the visitor last, when the state is consistent again. */
  #unmap(gfn: Gfn | bigint, options: UnmapOptions, end: boolean): RangeCounters {
    const { state } = this
    const { npages = 1, visitor } = checkOptionNames('options', options, ['npages', 'visitor'])
    const count = checkNpages(state, npages)
    checkGfns(state, 'gfn', gfn, count)
    const visit = checkVisitor(visitor)
    const taken: TakenEntry[] | undefined = visit === undefined ? undefined : []
    let begun = false
    try {
      const walks = this.#run(() => {
        const walks = beginUnmap(state, checkHostGfns(state, 'unmap', gfn, count), count, taken)
        if (end) endUnmap(state)
        else begun = true
        return walks
      }, 'host')
      for (const { gfn, entry, fate, leaf } of taken ?? []) visit!.call(visitor, gfn, entry, fate, leaf)
      return walks
    } catch (error) {
      if (begun) endUnmap(state) // the observer or the visitor has thrown: nobody will end it
      throw error
    }
  }

  /** Runs an operation in its task. It may run within another, where the caller's backing calls the L1. */
  #run<T>(operation: () => T, task: Task = 'vcpu'): T {
    const { events } = this.state
    const before = events.task
    const { vcpu } = events
    events.begin(task)
    try {
      return operation()
    } finally {
      events.end(before, vcpu)
    }
  }
}
