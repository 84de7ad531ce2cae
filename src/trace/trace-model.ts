/**
 * The model of a replay: passes each event to the part of the model that handles it.
 *
 * Some events begin an operation: the creation of a leaf (`pte_create`), an insert (`rmap_insert`), an rmap range
 * removal (`rmap_remove_range`). The model runs the operation. The other events show what the kernel did: words before
 * and after, nodes and their order, cleared leaves. The model is compared with them. After a difference it adopts the
 * kernel's state, as far as the event shows it, and continues.
 *
 * (This file is over 300 lines: one short method for each event; all use the same tasks.)
 */
import type { LeafShift, PageShift } from '../base/units'
import { hex, hiOfNumber } from '../base/word'
import type { AllocationGate } from '../page-table/allocation-gate'
import { Creations } from './creations'
import { Differences } from './differences'
import { FIELD, type EventName } from './events'
import { Inserts, OUTCOMES } from './inserts'
import { KernelArrays } from './kernel-arrays'
import { KernelGuests, type TraceGuest } from './kernel-guests'
import { KernelSlots } from './kernel-slots'
import { KernelTables } from './kernel-tables'
import { isPartOf, L1Invalidations } from './l1-invalidations'
import { LeafWatches } from './leaf-watch'
import type { NestedFault } from './nested-fault'
import { NestedFaults } from './nested-faults'
import type { TraceEvent } from './trace-event'
import { RangeRemovals } from './range-removal'
import { RcBits } from './rc-bits'
import { RcUpdates } from './rc-updates'
import { SetRcs } from './set-rcs'
import { SlotChecks } from './slot-checks'
import { TraceTasks, type TraceTask } from './tasks'

/** The events that occur under the lock of rmap slots and tables (KVM: `mmu_lock`). */
const UNDER_LOCK: ReadonlySet<EventName> = new Set([
  ...OUTCOMES,
  'rmap_insert',
  'rmap_remove_range',
  'rmap_take',
  'rmap_take_node',
  'rmap_update_rc',
  'pte_unmap',
])

/** The flag of a read-only memslot (KVM: `KVM_MEM_READONLY`). */
const MEM_READONLY = 2
/** `change`: only the flags change (KVM: `KVM_MR_FLAGS_ONLY`). The leaves stay; a new or moved memslot has none. */
const FLAGS_ONLY = 3

/** The rmap slots and page tables, as far as the recording has shown them. */
export class TraceModel {
  readonly slots: KernelSlots
  readonly arrays = new KernelArrays()
  readonly found = new Differences()
  readonly guests: KernelGuests
  readonly inserts: Inserts
  readonly removals: RangeRemovals
  readonly faults: NestedFaults
  readonly setRcs: SetRcs
  readonly rcUpdates: RcUpdates
  readonly rc = new RcBits()
  /** Rmap range removals so far. */
  ranges = 0
  /** Shadow leaves that were cleared for a reason that the recording does not show. */
  unexplained = 0

  readonly #pageShift: PageShift
  readonly #creations: Creations
  readonly #invalidations: L1Invalidations
  readonly #tables: KernelTables
  readonly #tasks = new TraceTasks()
  /** The task that last began an operation under the lock. It holds the lock until another task shows an event. */
  #holder: TraceTask | undefined

  /** `gate` counts the pages of tables and slots. */
  constructor(pageShift: PageShift, gate: AllocationGate) {
    this.#pageShift = pageShift
    this.slots = new KernelSlots(gate)
    this.guests = new KernelGuests(pageShift, this.found, gate)
    const { slots, arrays, found, guests, rc } = this
    const watches = new LeafWatches(rc)
    const creations = new Creations(guests, rc, watches, found)
    this.#creations = creations
    this.#invalidations = new L1Invalidations(guests, found)
    this.#tables = new KernelTables(guests, creations, rc, watches, this.#invalidations, found)
    const checks = new SlotChecks(slots, arrays, guests.host, found)
    this.inserts = new Inserts(slots, creations, checks, found)
    this.removals = new RangeRemovals(guests, this.#tables, creations, rc, slots, found)
    this.rcUpdates = new RcUpdates({ guests, creations, rc, watches, slots, arrays, checks, found })
    this.faults = new NestedFaults({ guests, arrays, creations, watches, rc, found })
    this.setRcs = new SetRcs(guests, arrays, creations, rc, watches, found)
  }

  /** Handles the next event. @throws LineError */
  onEvent(event: TraceEvent): void {
    const task = this.#tasks.of(event)
    const holder = this.#holder
    if (holder !== undefined && holder !== task && UNDER_LOCK.has(event.name)) this.#releaseLock(event, holder)
    if (task.removal !== undefined && this.removals.continues(event, task.removal)) return
    this.#finishPending(event, task)
    this.#dispatch(event, task)
    task.begun = true
    if ((task.removal ?? task.outcome ?? task.unmapped) !== undefined) this.#holder = task
  }

  /** The recording has ended. */
  end(): void {
    this.guests.end()
    for (const { line, event, message } of this.arrays.waiting()) this.found.add(line, event, message)
  }

  /** Another task holds the lock now, so `task` has released it: a missing event is a difference. */
  #releaseLock(event: TraceEvent, task: TraceTask): void {
    if (task.outcome !== undefined) this.inserts.missed(event, task.outcome)
    task.outcome = undefined
    this.#finishPending(event, task)
    this.#holder = undefined
  }

  /** Ends the task's operation, at an event that does not belong to it: a missing event is a difference. */
  #finishPending(event: TraceEvent, task: TraceTask): void {
    const { removal, outcome, unmapped } = task
    task.removal = undefined
    if (removal !== undefined) this.removals.end(event, removal)
    if (outcome !== undefined && !OUTCOMES.has(event.name)) {
      this.inserts.missed(event, outcome)
      task.outcome = undefined
    }
    if (unmapped === undefined || (event.name === 'rmap_remove_range' && event.pid === task.pid)) return
    task.unmapped = undefined
    if (unmapped.inMemslot)
      this.found.at(event, `a host leaf was unmapped in line ${unmapped.line}, so an rmap_remove_range`, 'none')
  }

  #dispatch(event: TraceEvent, task: TraceTask): void {
    if (task.invalidation !== undefined && !isPartOf(task.invalidation, event.name)) this.#endInvalidation(event, task)
    switch (event.name) {
      case 'pte_create':
        return this.#pteCreate(event, task)
      case 'pte_create_ret':
        return this.#pteCreateRet(event, task)
      case 'rmap_insert':
        return this.inserts.insert(event, task)
      case 'rmap_insert_empty':
      case 'rmap_insert_duplicate':
      case 'rmap_insert_node':
        return this.inserts.outcome(event, task)
      case 'pte_unmap':
        return this.#pteUnmap(event, task)
      case 'rmap_remove_range':
        return this.#rmapRemoveRange(event, task)
      case 'rmap_take':
      case 'rmap_take_node':
        return this.found.at(event, 'no rmap range removal in progress', event.name)
      case 'rmap_update_rc':
        return this.rcUpdates.update(event)
      case 'table_free':
        return this.#tableFree(event, task)
      case 'nested_update':
        if (task.fault !== undefined && task.fault.lpid === event.numberAt(FIELD.l1_lpid)) task.fault.updated = true
        return this.guests.update(event)
      case 'nested_release':
        return this.guests.release(event)
      case 'memslot_free':
        this.arrays.forget(event.wordAt(FIELD.rmap))
        return this.slots.free(event.hi[FIELD.rmap]!, event.lo[FIELD.rmap]!, event.numberAt(FIELD.npages))
      case 'memslot_commit':
        // A memslot that is deleted (new 0) has no fields to read.
        if (!event.isZeroAt(FIELD.new)) {
          const readOnly = event.hasAt(FIELD.flags) ? (event.lo[FIELD.flags]! & MEM_READONLY) !== 0 : undefined
          this.#learnArray(event, readOnly, event.hasAt(FIELD.change) && event.numberAt(FIELD.change) !== FLAGS_ONLY)
        }
        return
      case 'tlb_invalidate':
      case 'rpt_invalidate':
        task.invalidation = this.#invalidations.begin(event)
        return
      case 'nested_fault':
        return this.#nestedFault(event, task)
      case 'nested_walk':
        if (task.fault !== undefined) this.faults.walk(event, task.fault)
        else if (task.hasFaulted) this.found.at(event, 'no nested fault in progress', event.name)
        return
      case 'nested_fault_ret':
        if (task.fault !== undefined) this.#nestedFaultRet(event, task, task.fault)
        else if (task.hasFaulted) this.found.at(event, 'no nested fault in progress', event.name)
        return
      case 'set_rc':
        return this.#setRc(event, task)
      case 'set_rc_ret':
        return this.#setRcRet(event, task)
    }
  }

  #pteCreate(event: TraceEvent, task: TraceTask): void {
    if (task.creation !== undefined) {
      this.found.at(event, `the creation of line ${task.creation.line} returns first`, 'no pte_create_ret')
      this.#creations.abandon(task.creation)
    }
    const creation = this.#creations.begin(event)
    task.creation = creation
    if (creation === undefined) return
    if (creation.guest !== null) {
      if (task.fault !== undefined || task.hasFaulted) this.faults.createShadow(event, task.fault, creation)
    } else if (task.fault !== undefined) this.faults.createHost(event, task.fault, creation)
  }

  #pteCreateRet(event: TraceEvent, task: TraceTask): void {
    const { creation } = task
    task.creation = undefined
    if (creation === undefined) {
      if (task.begun) this.found.at(event, 'no creation in progress', event.name) // else it began before the recording
      return
    }
    this.#creations.finish(event, creation)
    if (task.fault !== undefined) this.faults.created(event, task.fault, creation)
  }

  /** `pte_unmap` outside an rmap range removal: finds the operation that explains it. */
  #pteUnmap(event: TraceEvent, task: TraceTask): void {
    const guest = this.#tables.ownerOf(event)
    const { invalidation, creation } = task
    if (guest && invalidation !== undefined && this.#invalidations.unmaps(event, guest, invalidation)) {
      this.#tables.unmap(event, guest, creation, true)
      return
    }
    if (invalidation !== undefined) this.#endInvalidation(event, task)
    if (guest === undefined) return
    if (guest !== null && creation === undefined) this.#explainUnmap(event, task, guest)
    task.unmapped = this.#tables.unmap(event, guest, creation, guest === null || creation !== undefined)
  }

  /** `pte_unmap` of a shadow leaf without another explanation: a nested fault must explain it. */
  #explainUnmap(event: TraceEvent, task: TraceTask, guest: TraceGuest): void {
    const { fault } = task
    if (!this.faults.predicts) this.unexplained++
    else if (fault === undefined ? task.hasFaulted : !this.faults.unmaps(event, fault, guest)) {
      this.found.at(
        event,
        `no reason to clear a shadow leaf of LPID ${guest.lpid}`,
        `clears ${hex(event.wordAt(FIELD.gpa))}`,
      )
    }
  }

  #tableFree(event: TraceEvent, task: TraceTask): void {
    const guest = this.guests.isL1(event) ? undefined : this.guests.of(event)
    if (guest !== undefined && this.faults.predicts && task.hasFaulted && !task.invalidation?.tables?.has(guest)) {
      this.found.at(event, `no reason to free the table of LPID ${guest.lpid}`, 'frees it')
    }
    if (this.#tables.free(event)) this.slots.freeAll()
  }

  #endInvalidation(event: TraceEvent, task: TraceTask): void {
    this.#invalidations.end(event, task.invalidation!)
    task.invalidation = undefined
  }

  #nestedFault(event: TraceEvent, task: TraceTask): void {
    if (task.fault !== undefined) {
      this.found.at(event, `the nested fault of line ${task.fault.line} returns first`, 'no nested_fault_ret')
      this.faults.abandon(task.fault)
    }
    task.hasFaulted = true
    task.fault = this.faults.begin(event)
  }

  #nestedFaultRet(event: TraceEvent, task: TraceTask, fault: NestedFault): void {
    task.fault = undefined
    this.faults.finish(event, fault)
  }

  #setRc(event: TraceEvent, task: TraceTask): void {
    if (task.setRc !== undefined) {
      this.found.at(event, `the set_rc of line ${task.setRc.line} returns first`, 'no set_rc_ret')
      this.setRcs.abandon(task.setRc)
    }
    this.faults.beginSetRc(event, task.fault)
    if (task.fault === undefined && task.hasFaulted && !event.isZeroAt(FIELD.nested))
      this.found.at(event, 'no nested fault in progress', 'sets bits in a shadow table')
    task.setRc = this.setRcs.begin(event)
  }

  #setRcRet(event: TraceEvent, task: TraceTask): void {
    const { setRc, fault } = task
    task.setRc = undefined
    if (setRc === undefined) {
      if (task.hasFaulted) this.found.at(event, 'no set_rc in progress', event.name)
      return
    }
    const isSet = this.setRcs.finish(event, setRc)
    fault?.setRcs.push(isSet)
  }

  #rmapRemoveRange(event: TraceEvent, task: TraceTask): void {
    this.ranges++
    const { unmapped } = task
    task.unmapped = undefined
    let gpa = event.numberAt(FIELD.gpa)
    let hpa = event.numberAt(FIELD.hpa)
    let shift = ([this.#pageShift, 21, 30] as LeafShift[]).find((s) => event.wordAt(FIELD.nbytes) === 1n << BigInt(s))
    if (unmapped === undefined) {
      this.found.at(event, 'no host leaf was unmapped', event.name)
    } else {
      ;({ gpa, hpa, shift } = unmapped)
      this.found.same(event, FIELD.gpa, hiOfNumber(gpa), gpa | 0)
      this.found.same(event, FIELD.hpa, hiOfNumber(hpa), hpa | 0)
      this.found.same(event, FIELD.nbytes, 0, 1 << shift)
    }
    const npages = event.numberAt(FIELD.npages)
    const other = this.arrays.contradicts(event.wordAt(FIELD.rmap), event.numberAt(FIELD.base_gfn), npages)
    if (other !== undefined) {
      this.found.at(
        event,
        `an array at ${hex(other.rmap)} of ${other.npages} pages from gfn ${hex(other.baseGfn)}`,
        `one at ${hex(event.wordAt(FIELD.rmap))} of ${npages} pages from gfn ${hex(event.wordAt(FIELD.base_gfn))}`,
      )
    }
    this.#learnArray(event)
    const first = gpa / (1 << this.#pageShift) - event.numberAt(FIELD.base_gfn)
    if (shift === undefined || hpa >= 2 ** 53 || !Number.isInteger(first) || first < 0 || first >= npages) {
      return this.found.at(
        event,
        'a leaf inside its memslot',
        `gpa ${hex(event.wordAt(FIELD.gpa))}, ${npages} pages from gfn ${hex(event.wordAt(FIELD.base_gfn))}`,
      )
    }
    task.removal = this.removals.run({
      address: event.wordAt(FIELD.rmap) + 8n * BigInt(first),
      first,
      npages: Math.min(1 << (shift - this.#pageShift), npages - first),
      hpa,
      shift,
    })
  }

  #learnArray(event: TraceEvent, readOnly?: boolean, isNew?: boolean): void {
    const rmap = event.wordAt(FIELD.rmap)
    this.arrays.learn(rmap, event.numberAt(FIELD.base_gfn), event.numberAt(FIELD.npages), readOnly, isNew)
  }
}
