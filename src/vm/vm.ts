/**
 * An L1: a guest hypervisor as the host sees it, with its memory, its nested guests and their tables. The whole of
 * spec 5 to 12 behind one class; each operation has a file of its own, which reads like its section.
 *
 * Every operation is whole when it returns. The observer is called last, and the caller's backing before anything has
 * changed: both may call the L1.
 */
import { checkBoolean, checkFunction, checkInteger, checkObject, checkOneOf, wrongType } from '../base/args'
import { INSPECT } from '../base/inspect'
import { type Gfn, type Gpa, type LeafShift, type Lpid, MAX_GPA, MAX_LPID, type PageShift } from '../base/units'
import { hex, hiOfNumber } from '../base/word'
import type { RadixTable } from '../page-table/radix-table'
import { type Entry } from '../rmap/entry'
import { RangeCounters, type RangeVisitor } from '../rmap/invalidate'
import { check, type BrokenLaw } from './check'
import type { TakenEntry } from './clear-leaf'
import { readCounters, type VmCounters } from './counters'
import type { NewLeaf } from './create-leaf'
import type { Task, VmObserver } from './events'
import { commitLeaf, finishFault, planLeaf } from './fault'
import type { Access, FaultResult, SetRcResult } from './fault-result'
import { findOrMakeGuest, putGuest, releaseAll } from './guest-life'
import { GuestTable } from './guest-table'
import { harvestDirty } from './harvest'
import {
  addMemslot,
  flushMemslot,
  invalidateMemslot,
  moveMemslot,
  overlapped,
  removeMemslot,
  setLogDirty,
} from './memslot-life'
import { NestedGuest } from './nested-guest'
import { age, beginUnmap, endUnmap, testAge } from './notifier'
import { checkOperand, checkOptions, type AnyRequest, type FaultRequest, type Operand, type VmOptions } from './options'
import { PendingFault, PendingUnmap } from './pending'
import { setRc } from './set-rc'
import { VmState, type Placement } from './state'
import { rptInvalidate, tlbie, tlbInvalidate, type HcallStatus, type Tlbie } from './tlbie'
import { VmMemslot } from './vm-memslot'

const ACCESSES: readonly Access[] = ['read', 'write', 'execute']

/** An L1 with its memslots, its host table and its nested guests. */
export class Vm {
  /** log2 of L0's base page size. */
  readonly pageShift: PageShift
  /** Where entries go. */
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
  }

  // ---- memslots (spec 10) ----

  /**
   * Adds a memslot. Cost: 8 bytes a gfn, which the platform backs with memory where a gfn is touched.
   *
   * @param options.baseGfn the first gfn
   * @param options.npages how many, 1..`maxNpages`; they end at or below 2^(52 - pageShift)
   * @param options.readOnly L1 may only read it
   * @param options.logDirty it logs dirty pages from the start
   * @throws RangeError, TypeError; RangeError when it overlaps another
   */
  addMemslot(options: { baseGfn: Gfn; npages: number; readOnly?: boolean; logDirty?: boolean }): VmMemslot {
    const { baseGfn, npages, readOnly, logDirty } = checkObject('options', options)
    checkInteger('npages', npages, 1, this.state.settings.maxNpages)
    this.#checkRange('baseGfn', baseGfn, npages)
    const flags = {
      readOnly: checkBoolean('readOnly', readOnly, false),
      logDirty: checkBoolean('logDirty', logDirty, false),
    }
    return this.#run(() => addMemslot(this.state, baseGfn + 0, npages, flags), 'host')
  }

  /**
   * Makes a memslot invalid, as the first step of deleting or moving it, and flushes it: until {@link removeMemslot} or
   * {@link moveMemslot} faults find no memslot there (`mmio`).
   *
   * @throws TypeError; Error when the memslot is gone
   */
  invalidateMemslot(memslot: VmMemslot): void {
    this.#checkMemslot(memslot)
    this.#run(() => invalidateMemslot(this.state, memslot), 'host')
  }

  /**
   * Flushes a memslot: the host takes all its pages away, and mmuSeq moves once. A list node that is still in use then
   * is a leak, and gives a warning.
   *
   * @throws TypeError; Error when the memslot is gone
   */
  flushMemslot(memslot: VmMemslot): void {
    this.#checkMemslot(memslot)
    this.#run(() => flushMemslot(this.state, memslot), 'host')
  }

  /**
   * Deletes a memslot; it is flushed first.
   *
   * @throws TypeError; Error when the memslot is gone
   */
  removeMemslot(memslot: VmMemslot): void {
    this.#checkMemslot(memslot)
    this.#run(() => removeMemslot(this.state, memslot), 'host')
  }

  /**
   * Moves a memslot; it is flushed first. Its array of slot words stays.
   *
   * @param baseGfn the new first gfn
   * @throws RangeError, TypeError; RangeError when it would overlap another, Error when the memslot is gone
   */
  moveMemslot(memslot: VmMemslot, baseGfn: Gfn): void {
    this.#checkMemslot(memslot)
    this.#checkRange('baseGfn', baseGfn, memslot.npages, memslot)
    this.#run(() => moveMemslot(this.state, memslot, baseGfn + 0), 'host')
  }

  /**
   * Switches the logging of dirty pages on or off; the memslot is flushed first.
   *
   * @throws TypeError; Error when the memslot is gone
   */
  setLogDirty(memslot: VmMemslot, on: boolean): void {
    this.#checkMemslot(memslot)
    if (typeof on !== 'boolean') throw wrongType('on', 'a boolean', on)
    this.#run(() => setLogDirty(this.state, memslot, on), 'host')
  }

  /**
   * The memslot's dirty pages since the last harvest, ascending; their changed bits are cleared (spec 6).
   *
   * @throws TypeError; Error when the memslot is gone or does not log
   */
  harvestDirty(memslot: VmMemslot): Gfn[] {
    this.#checkMemslot(memslot)
    if (!memslot.logDirty) throw new Error('harvestDirty: the memslot does not log dirty pages: call setLogDirty first')
    return this.#run(() => harvestDirty(this.state, memslot), 'host')
  }

  /** The memslots, by base gfn. */
  get memslots(): VmMemslot[] {
    return [...this.state.memslots]
  }

  // ---- L1's tables and L0's nested guests (spec 9) ----

  /**
   * L1 sets its partition table: 2^(size field + 8) entries, of which those of {@link setGuestTable} are not empty. It
   * has 4096 from the start. An LPID beyond it does not exist.
   *
   * @param sizeField 0..4
   * @throws RangeError, TypeError
   */
  setPartitionTable(sizeField: number): void {
    this.state.partitionEntries = 2 ** (checkInteger('sizeField', sizeField, 0, 4) + 8)
  }

  /**
   * L1 writes its partition table entry for an LPID: its table for that nested guest, or none. L0 reads it when L1
   * enters the LPID, after a RIC 2 flush, and at a fault of a nested guest that has none.
   *
   * @param lpid 1 (0 where allowed) .. the entries of the partition table - 1
   * @returns the table
   * @throws RangeError, TypeError
   */
  setGuestTable<T extends GuestTable | undefined>(lpid: Lpid, table: T): T {
    this.#checkLpid(lpid)
    if (table === undefined) this.state.partition.delete(lpid)
    else if (table instanceof GuestTable) this.state.partition.set(lpid, table)
    else throw wrongType('table', 'a GuestTable or undefined', table)
    return table
  }

  /**
   * What L1's partition table has for an LPID now; undefined for an empty entry.
   *
   * @param lpid 0..4095
   * @throws RangeError, TypeError
   */
  guestTable(lpid: Lpid): GuestTable | undefined {
    return this.state.partition.get(checkInteger('lpid', lpid, 0, MAX_LPID))
  }

  /**
   * L1 enters an LPID: its nested guest, made if there is none, which the caller holds until {@link leave}.
   *
   * @param lpid 1 (0 where allowed) .. the entries of the partition table - 1
   * @throws RangeError, TypeError; Error when its table would pass `maxTablePages`
   */
  enter(lpid: Lpid): NestedGuest {
    this.#checkLpid(lpid)
    return this.#run(() => {
      const guest = findOrMakeGuest(this.state, lpid + 0)
      if (guest === undefined)
        throw new Error('enter: no table page for a new nested guest: give the Vm more maxTablePages')
      guest.refCount++
      guest.entered++
      return guest
    })
  }

  /**
   * Gives back a nested guest that was entered.
   *
   * @throws TypeError; Error when the caller does not hold it
   */
  leave(guest: NestedGuest): void {
    this.#checkGuest(guest)
    if (guest.entered === 0) throw new Error('leave: the nested guest is not held: call enter first')
    guest.entered--
    this.#run(() => putGuest(this.state, guest))
  }

  /**
   * The nested guest that has an LPID now, held or not; undefined where there is none.
   *
   * @param lpid 0..4095
   * @throws RangeError, TypeError
   */
  guest(lpid: Lpid): NestedGuest | undefined {
    return this.state.guests.get(checkInteger('lpid', lpid, 0, MAX_LPID))
  }

  /** The nested guests in the registry, by LPID. */
  get guests(): NestedGuest[] {
    return [...this.state.guests.values()].sort((a, b) => a.lpid - b.lpid)
  }

  /** The nested guests that left the registry and that callers still hold. */
  get droppedGuests(): NestedGuest[] {
    return [...this.state.held]
  }

  /** L1 goes (release all): its nested guests leave the registry, and all slots are emptied. */
  releaseAll(): void {
    this.#run(() => releaseAll(this.state), 'host')
  }

  // ---- faults (spec 5) ----

  /**
   * A nested guest's access, as the hardware and then L0 see it.
   *
   * @throws RangeError, TypeError, also for a bad backing; RangeError when the host would map a large leaf that reaches
   *   outside its memslot; Error for a nested guest that was dropped (unless allowed). Nothing has changed then
   */
  fault(request: FaultRequest): FaultResult {
    const { state } = this
    const { gpa, access, lpid, guest: held } = checkObject('request', request) as AnyRequest
    this.#checkRequest(gpa, access, lpid, held)
    const before = state.task
    state.task = 'vcpu'
    try {
      const guest = held ?? findOrMakeGuest(state, lpid! + 0)
      if (guest === undefined) return this.#noGuest(lpid!, gpa)
      const hi = hiOfNumber(gpa) & MAX_HI
      const lo = gpa | 0
      guest.refCount++
      try {
        const leaf = planLeaf(state, guest, hi, lo, access)
        return finishFault(state, guest.lpid, hi, lo, 'outcome' in leaf ? leaf : commitLeaf(state, leaf))
      } finally {
        putGuest(state, guest)
      }
    } finally {
      state.task = before
      state.settle()
    }
  }

  /**
   * The first half of a fault: all but making the shadow leaf. Its nested guest is held until the second.
   *
   * @returns how it came out, when it did without a leaf; else the fault, to be committed or abandoned
   * @throws as {@link fault}
   */
  beginFault(request: FaultRequest): PendingFault | FaultResult {
    const { state } = this
    const { gpa, access, lpid, guest: held } = checkObject('request', request) as AnyRequest
    this.#checkRequest(gpa, access, lpid, held)
    let pending: PendingFault | undefined
    try {
      return this.#run(() => {
        const guest = held ?? findOrMakeGuest(state, lpid! + 0)
        if (guest === undefined) return this.#noGuest(lpid!, gpa)
        const hi = hiOfNumber(gpa) & MAX_HI
        const lo = gpa | 0
        guest.refCount++
        try {
          const leaf = planLeaf(state, guest, hi, lo, access)
          if ('outcome' in leaf) return finishFault(state, guest.lpid, hi, lo, leaf)
          return (pending = this.#pendingFault(guest, hi, lo, leaf))
        } finally {
          if (pending === undefined) putGuest(state, guest)
        }
      })
    } catch (error) {
      // the observer's, maybe: nobody will commit it
      pending?.abandon()
      throw error
    }
  }

  /**
   * The hardware found the shadow leaf but could not set its referenced (and, for a write, changed) bit (spec 6).
   *
   * @throws RangeError, TypeError; Error for a nested guest that was dropped (unless allowed)
   */
  setRc(request: FaultRequest): SetRcResult {
    const { gpa, access, lpid, guest: held } = checkObject('request', request) as AnyRequest
    this.#checkRequest(gpa, access, lpid, held)
    return this.#run(() => {
      const guest = held ?? findOrMakeGuest(this.state, lpid! + 0)
      if (guest === undefined) return { outcome: 'retry', reason: 'shadow-leaf' }
      return setRc(this.state, guest, hiOfNumber(gpa) & MAX_HI, gpa | 0, access)
    })
  }

  // ---- the host (spec 6, 7) ----

  /**
   * The host takes pages away: their host leaves go, each whole, and every shadow leaf that reaches them.
   *
   * @param gfn the first gfn; where the host has no leaf, nothing is done
   * @param options.npages how many (default 1)
   * @param options.visitor shown each entry that was taken, when all is done
   * @returns what the walks met
   * @throws RangeError, TypeError
   */
  unmap(gfn: Gfn, options: { npages?: number; visitor?: RangeVisitor } = {}): RangeCounters {
    return this.#unmap(gfn, options, true)
  }

  /**
   * The first half of {@link unmap}: the pages are gone, and until the second every fault that would make a leaf is
   * retried.
   *
   * @throws as {@link unmap}
   */
  beginUnmap(gfn: Gfn, options: { npages?: number; visitor?: RangeVisitor } = {}): PendingUnmap {
    const walks = this.#unmap(gfn, options, false)
    return new PendingUnmap(walks, () => endUnmap(this.state))
  }

  /**
   * Whether the gfn's host leaf was referenced; its referenced bit is cleared, and so are those of the shadow leaves
   * behind that gfn's own slot. False where the host has no leaf, or no memslot has the gfn.
   *
   * @throws RangeError, TypeError
   */
  age(gfn: Gfn): boolean {
    this.#checkGfns('gfn', gfn, 1)
    return this.#run(() => age(this.state, gfn), 'host')
  }

  /**
   * Whether the gfn's host leaf is referenced. Nothing changes.
   *
   * @throws RangeError, TypeError
   */
  testAge(gfn: Gfn): boolean {
    this.#checkGfns('gfn', gfn, 1)
    return testAge(this.state, gfn)
  }

  // ---- L1's invalidations (spec 8) ----

  /**
   * L1 says that it has changed a guest table: one page, one LPID or all.
   *
   * @param what.kind `'page'` (with `lpid`, `gpa`, which is aligned down, and `shift`, log2 of the page's size, not
   *   below the base page), `'lpid'` (with `lpid` and `ric`) or `'all'` (with `ric`)
   * @throws RangeError, TypeError
   */
  tlbie(what: Tlbie): void {
    const said = { ...checkObject('what', what) }
    checkOneOf('kind', said.kind, ['page', 'lpid', 'all'])
    if (said.kind !== 'all') checkInteger('lpid', said.lpid, 0, MAX_LPID)
    if (said.kind !== 'page') checkOneOf('ric', said.ric, [0, 1, 2])
    if (said.kind === 'page') {
      checkInteger('gpa', said.gpa, 0, MAX_GPA, 16)
      checkOneOf<LeafShift>('shift', said.shift, this.pageShift === 16 ? [16, 21, 30] : [12, 16, 21, 30])
    }
    this.#run(() => tlbie(this.state, said))
  }

  /**
   * L1's H_TLB_INVALIDATE (spec 8).
   *
   * @param operands.instr RIC (as in {@link tlbie}) in bits 19..18, PRS (0) in bit 17, R (1) in bit 16
   * @param operands.rs the LPID in bits 31..0
   * @param operands.rb the address from bit 12 up; IS in bits 11..10 (0 that page, 2 the LPID, 3 all); the page's size
   *   in bits 7..5 (0 = 4 KiB, 1 = 2 MiB, 2 = 1 GiB, 5 = 64 KiB)
   * @throws RangeError, TypeError
   */
  tlbInvalidate(operands: { instr: Operand; rs: Operand; rb: Operand }): HcallStatus {
    const { instr, rs, rb } = checkObject('operands', operands)
    const [i, s, b] = [checkOperand('instr', instr), checkOperand('rs', rs), checkOperand('rb', rb)]
    return this.#run(() => tlbInvalidate(this.state, i, s, b))
  }

  /**
   * L1's H_RPT_INVALIDATE (spec 8).
   *
   * @param operands.target 1: the core's MMU
   * @param operands.type what is to go: bits of {@link RptType}
   * @param operands.pageSizes of which sizes: 1 = 4 KiB, 2 = 64 KiB, 4 = 2 MiB, 8 = 1 GiB, or several
   * @param operands.start, operands.end the range of nested addresses, in bytes; 0 and 2^64-1: all
   * @throws RangeError, TypeError
   */
  rptInvalidate(operands: {
    lpid: Operand
    target: Operand
    type: Operand
    pageSizes: Operand
    start: Operand
    end: Operand
  }): HcallStatus {
    const { lpid, target, type, pageSizes, start, end } = checkObject('operands', operands)
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

  // ---- looking at it ----

  /** L0's table for L1: gpa -> hpa. A view of the live state: to read. */
  get host(): RadixTable {
    return this.state.host
  }

  /** How often the host has invalidated something (section 7). */
  get mmuSeq(): number {
    return this.state.mmuSeq
  }

  /**
   * The gfn's slot word: 0; odd, an entry; even, the address of a list node.
   *
   * @throws RangeError when no memslot has the gfn; TypeError
   */
  word(gfn: Gfn): bigint {
    return this.#memslotOf(gfn).word(gfn)
  }

  /**
   * The gfn's entries, newest first, as the kernel's walk meets them: LPID 0 can hide some (spec 11).
   *
   * @throws RangeError when no memslot has the gfn; TypeError
   */
  entries(gfn: Gfn): Entry[] {
    return this.#memslotOf(gfn).entries(gfn)
  }

  /** @internal What `console.log` shows. */
  [INSPECT](): string {
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

  /** All counters at this moment (spec 12). Cost: the memslots and nested guests, not what they hold. */
  get counters(): VmCounters {
    return readCounters(this.state)
  }

  /** The laws that the state breaks; none, unless a quirk of the spec did. Cost: all of the state. */
  check(): BrokenLaw[] {
    return check(this.state)
  }

  /**
   * Sets, or with undefined removes, the observer. (A {@link recorder} must be there from the beginning.)
   *
   * @throws TypeError
   */
  observe(observer: VmObserver | undefined): void {
    if (observer !== undefined) checkFunction('observer', observer)
    this.state.observer = observer
  }

  /**
   * Makes one allocation fail, of a list node or of a page of a host or shadow table, to see what becomes of it.
   *
   * @param n which, from now on: 1 is the next; 0: none is to fail
   * @throws RangeError, TypeError
   */
  failAllocation(n: number): void {
    this.state.gate.failIn = checkInteger('n', n, 0, Number.MAX_SAFE_INTEGER)
  }

  #unmap(gfn: Gfn, options: { npages?: number; visitor?: RangeVisitor }, whole: boolean): RangeCounters {
    const { npages = 1, visitor } = checkObject('options', options)
    this.#checkGfns('gfn', gfn, npages)
    const visit =
      visitor === undefined ? undefined : checkFunction('visitor.entry', checkObject('visitor', visitor).entry)
    const { state } = this
    const taken: TakenEntry[] | undefined = visit === undefined ? undefined : []
    const walks = new RangeCounters()
    let inProgress = false
    try {
      this.#run(() => {
        const before = { ...state.walks }
        beginUnmap(state, gfn + 0, npages, taken)
        inProgress = true
        for (const name of Object.keys(before) as (keyof RangeCounters)[])
          walks[name] = state.walks[name] - before[name]
        if (!whole) return
        endUnmap(state)
        inProgress = false
      }, 'host')
      for (const { gfn, entry, fate, leaf } of taken ?? []) visit!.call(visitor, gfn, entry, fate, leaf)
    } catch (error) {
      // the observer's, or the visitor's: nobody will end it
      if (inProgress) endUnmap(state)
      throw error
    }
    return walks
  }

  /** Runs an operation, in a task of its own: it may stand within another, where the caller's backing calls back. */
  #run<T>(operation: () => T, task: Task = 'vcpu'): T {
    const { state } = this
    const before = state.task
    state.task = task
    try {
      return operation()
    } finally {
      state.task = before
      state.settle()
    }
  }

  #pendingFault(guest: NestedGuest, hi: number, lo: number, leaf: NewLeaf): PendingFault {
    const { state } = this
    const commit = (): FaultResult =>
      this.#run(() => {
        const result = finishFault(state, guest.lpid, hi, lo, commitLeaf(state, leaf))
        putGuest(state, guest)
        return result
      })
    return new PendingFault(commit, () => this.#run(() => putGuest(state, guest)))
  }

  /** A fault whose nested guest cannot be made: its table would pass the limit. */
  #noGuest(lpid: Lpid, gpa: Gpa): FaultResult {
    return finishFault(this.state, lpid, hiOfNumber(gpa) & MAX_HI, gpa | 0, { outcome: 'no-memory' })
  }

  #checkRequest(gpa: Gpa, access: Access, lpid: Lpid | undefined, guest: NestedGuest | undefined): void {
    checkInteger('gpa', gpa, 0, Number.MAX_SAFE_INTEGER, 16)
    checkOneOf<Access>('access', access, ACCESSES)
    if (guest === undefined) {
      this.#checkLpid(lpid!)
      return
    }
    if (lpid !== undefined) throw new TypeError('lpid: expected either lpid or guest, got both')
    this.#checkGuest(guest)
    if (guest.dropped && !this.state.settings.allowDroppedFaults) {
      throw new Error(`guest: LPID ${guest.lpid} was dropped: call enter for its new nested guest`)
    }
  }

  #checkGuest(guest: NestedGuest): void {
    if (!(guest instanceof NestedGuest)) throw wrongType('guest', 'a NestedGuest', guest)
    if (this.state.guests.get(guest.lpid) === guest || this.state.held.has(guest)) return
    throw new Error('guest: it is freed, or belongs to another Vm: call enter')
  }

  #checkMemslot(memslot: VmMemslot): void {
    if (!(memslot instanceof VmMemslot)) throw wrongType('memslot', 'a VmMemslot', memslot)
    if (!this.state.memslots.includes(memslot)) {
      throw new Error('memslot: it is removed, or belongs to another Vm: call addMemslot')
    }
  }

  #checkLpid(lpid: Lpid): void {
    checkInteger('lpid', lpid, this.state.settings.allowLpidZero ? 0 : 1, this.state.partitionEntries - 1)
  }

  #checkGfns(name: string, gfn: Gfn, npages: number): void {
    const gfns = 2 ** (52 - this.pageShift)
    checkInteger('npages', npages, 1, gfns)
    checkInteger(name, gfn, 0, gfns - npages, 16)
  }

  #checkRange(name: string, baseGfn: Gfn, npages: number, but?: VmMemslot): void {
    this.#checkGfns(name, baseGfn, npages)
    const other = overlapped(this.state, baseGfn, npages, but)
    if (other === undefined) return
    throw new RangeError(
      `${name}: expected gfns that no other memslot has, got ${hex(baseGfn)}, which overlaps the memslot of gfns ` +
        `${hex(other.baseGfn)}..${hex(other.baseGfn + other.npages - 1)}`,
    )
  }

  #memslotOf(gfn: Gfn): VmMemslot {
    this.#checkGfns('gfn', gfn, 1)
    const slot = this.state.memslotOf(gfn)
    if (slot === undefined) throw new RangeError(`gfn: expected a gfn of a memslot, got ${hex(gfn)}`)
    return slot
  }
}

/** Bits 51..32 of an address: L0 drops those above. */
const MAX_HI = 0xfffff
