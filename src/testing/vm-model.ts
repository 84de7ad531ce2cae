/**
 * Runs the operations of level `vm` on an L1 of the library.
 *
 * (This file is over 300 lines: one case for each operation.)
 */
import { MAX_NODES } from '../rmap/node-heap'
import { checkBoolean, checkInteger, checkOneOf, checkOptionNames } from '../base/args'
import type { PageShift } from '../base/units'
import type { Leaf } from '../page-table/radix-table'
import { GuestTable } from '../vm/guest-table'
import type { FaultResult, SetRcResult } from '../vm/fault-result'
import type { FaultRequest } from '../vm/options'
import type { NestedGuest } from '../vm/nested-guest'
import type { PendingFault, PendingLogDirty, PendingUnmap } from '../vm/pending'
import type { Placement } from '../vm/options'
import { Vm } from '../vm/vm'
import type { VmMemslot } from '../vm/vm-memslot'
import { checkOperation, OperationError, refusing, wordOperand } from './operation'
import { HostBacking } from './vm-backing'
import { VmChanges } from './vm-changes'
import { VM_OPERATIONS, type Faulting, type VmAnswer, type VmOperation, type WalkedEntry } from './vm-operation'

/** The L1 that a sequence of operations runs on. */
export interface VmSettings {
  /** log2 of L0's base page size: 16 or 12. */
  readonly pageShift: PageShift
  /** Which slot gets an entry: `head` (today) or `faulting` (Linux of 2018). */
  readonly placement: Placement
  /** Lets LPID 0 in, as Linux does (a quirk, spec 11). */
  readonly allowLpidZero: boolean
  /** Lets a dropped nested guest fault, as Linux does (a quirk, spec 9). */
  readonly allowDroppedFaults: boolean
  /** Most list nodes in use at once, 0..2^27-1. */
  readonly maxNodes: number
  /** log2 of the largest host pages in a random sequence: 21 or 30. Its memslots are as large as one or two of them. */
  readonly unitShift: 21 | 30
}

/** @internal */
export const VM_SETTINGS = [
  'pageShift',
  'placement',
  'allowLpidZero',
  'allowDroppedFaults',
  'maxNodes',
  'unitShift',
] as const

/** @internal @throws RangeError, TypeError */
export function vmSettings(options: Partial<VmSettings>, quirks: boolean): VmSettings {
  const { pageShift = 16, placement = 'head', maxNodes = MAX_NODES, unitShift = 21 } = options
  return {
    pageShift: checkOneOf('pageShift', pageShift, [16, 12]),
    placement: checkOneOf('placement', placement, ['head', 'faulting']),
    allowLpidZero: checkBoolean('allowLpidZero', options.allowLpidZero, quirks),
    allowDroppedFaults: checkBoolean('allowDroppedFaults', options.allowDroppedFaults, quirks),
    maxNodes: checkInteger('maxNodes', maxNodes, 0, MAX_NODES),
    unitShift: checkOneOf('unitShift', unitShift, [21, 30]),
  }
}

/** Things that operations call by a number. */
class Numbered<T> {
  readonly #things = new Map<number, T>()

  constructor(readonly name: string) {}

  /** @throws OperationError */
  get(number: number): T {
    const thing = this.#things.get(number)
    if (thing === undefined) throw new OperationError(`${this.name}: there is no ${JSON.stringify(number)}`)
    return thing
  }

  has(number: number): boolean {
    return this.#things.has(number)
  }

  /** @throws OperationError when the number is in use, or none */
  checkFree(number: number): void {
    if (!Number.isSafeInteger(number))
      throw new OperationError(`${this.name}: expected a number, got ${JSON.stringify(number)}`)
    if (this.#things.has(number)) throw new OperationError(`${this.name}: ${number} is already in use`)
  }

  set(number: number, thing: T): void {
    this.#things.set(number, thing)
  }

  delete(number: number): void {
    this.#things.delete(number)
  }

  /** The number of a thing; undefined if it has none. */
  numberOf(thing: unknown): number | undefined {
    for (const [number, one] of this.#things) if (one === thing) return number
    return undefined
  }
}

/**
 * The model as something that runs operations: an L1 of this package, with everything that operations call by a number.
 *
 * @example
 * const model = new VmModel({ pageShift: 16 })
 * model.run({ op: 'addMemslot', memslot: 0, baseGfn: 0, npages: 16, readOnly: false, logDirty: false })
 */
export class VmModel {
  /** The L1. To read: what changes it otherwise is not seen in the answers. */
  readonly vm: Vm
  /** @internal */
  readonly tables = new Numbered<GuestTable>('table')
  /** @internal */
  readonly memslots = new Numbered<VmMemslot>('memslot')
  /** @internal */
  readonly held = new Numbered<NestedGuest>('held')
  readonly #faults = new Numbered<PendingFault>('fault')
  readonly #unmaps = new Numbered<PendingUnmap>('unmap')
  readonly #logChanges = new Numbered<PendingLogDirty>('change')
  readonly #backing: HostBacking
  readonly #changes: VmChanges

  /** @throws RangeError, TypeError */
  constructor(settings: Partial<VmSettings> = {}) {
    const { pageShift, placement, allowLpidZero, allowDroppedFaults, maxNodes } = vmSettings(
      checkOptionNames('settings', settings, VM_SETTINGS),
      false,
    )
    this.#backing = new HostBacking(pageShift)
    const unmap = (gfn: number): void => void this.vm.unmap(gfn)
    const backing = (gfn: number, write: boolean) => this.#backing.backingOf(gfn, write, unmap)
    this.vm = new Vm({ pageShift, placement, allowLpidZero, allowDroppedFaults, maxNodes, backing })
    this.#changes = new VmChanges(this.vm)
  }

  /**
   * Runs an operation, and says what it came to and what it changed in the state.
   *
   * @throws OperationError for one that is malformed or does not fit the state; nothing has changed then
   */
  run(operation: VmOperation): VmAnswer & Record<string, unknown> {
    checkOperation(VM_OPERATIONS, operation)
    const result = refusing(() => this.#run(operation))
    return { ...result, ...this.#changes.next() }
  }

  /** @internal The host leaves after the last operation, read once for all who compare them. */
  get hostLeaves(): readonly Leaf[] {
    return this.#changes.hostLeaves
  }

  /** @internal The shadow leaves of the nested guest that has an LPID after the last operation. */
  shadowLeaves(lpid: number): readonly Leaf[] | undefined {
    const guest = this.vm.guest(lpid)
    return guest && this.#changes.shadowLeaves(guest)
  }

  /** @internal The gfns whose slots are not empty, or were not before the last operation. */
  usedGfns(): number[] {
    return this.#changes.usedGfns()
  }

  #run(operation: VmOperation): VmAnswer {
    const { vm, memslots, tables, held } = this
    const faults = this.#faults
    const unmaps = this.#unmaps
    const logChanges = this.#logChanges
    switch (operation.op) {
      case 'addMemslot': {
        const { memslot, baseGfn, npages, readOnly, logDirty } = operation
        memslots.checkFree(memslot)
        memslots.set(memslot, vm.addMemslot({ baseGfn, npages, readOnly, logDirty }))
        return {}
      }
      case 'invalidateMemslot':
        vm.invalidateMemslot(memslots.get(operation.memslot))
        return {}
      case 'flushMemslot':
        vm.flushMemslot(memslots.get(operation.memslot))
        return {}
      case 'removeMemslot':
        vm.removeMemslot(memslots.get(operation.memslot))
        memslots.delete(operation.memslot)
        return {}
      case 'moveMemslot':
        vm.moveMemslot(memslots.get(operation.memslot), operation.baseGfn)
        return {}
      case 'setLogDirty':
        vm.setLogDirty(memslots.get(operation.memslot), operation.on)
        return {}
      case 'beginSetLogDirty': {
        const { change, memslot, on } = operation
        logChanges.checkFree(change)
        logChanges.set(change, vm.beginSetLogDirty(memslots.get(memslot), on))
        return {}
      }
      case 'endSetLogDirty':
        logChanges.get(operation.change).end()
        logChanges.delete(operation.change)
        return {}
      case 'harvestDirty':
        return { dirty: vm.harvestDirty(memslots.get(operation.memslot)) }
      case 'back': {
        const { gfn, npages, hpa, shift, copy } = operation
        const range = { gfn, npages, hpa, shift, copy }
        this.#backing.check(range)
        const inMemslots = vm.memslots.some((one) => one.baseGfn < gfn + npages && gfn < one.baseGfn + one.npages)
        if (inMemslots) vm.unmap(gfn, { npages })
        this.#backing.set(range)
        return {}
      }
      case 'addTable': {
        const { table, pageShift, rootBits } = operation
        tables.checkFree(table)
        tables.set(table, new GuestTable({ pageShift, rootBits }))
        return {}
      }
      case 'map': {
        const { table, gpa, to, shift, flags } = operation
        tables.get(table).map({ gpa, to, shift, flags })
        return {}
      }
      case 'write':
        tables.get(operation.table).write(operation.gpa, operation.shift, wordOperand('word', operation.word))
        return {}
      case 'unmapGuest':
        tables.get(operation.table).unmap(operation.gpa)
        return {}
      case 'protect':
        tables.get(operation.table).protect(operation.gpa, operation.flags)
        return {}
      case 'setPartitionTable':
        vm.setPartitionTable(operation.sizeField)
        return {}
      case 'setGuestTable':
        vm.setGuestTable(operation.lpid, operation.table === null ? undefined : tables.get(operation.table))
        return {}
      case 'enter':
        held.checkFree(operation.held)
        held.set(operation.held, vm.enter(operation.lpid))
        return {}
      case 'leave':
        vm.leave(held.get(operation.held))
        held.delete(operation.held)
        return {}
      case 'fault':
        return inMemslot(() => faultAnswer(vm.fault(this.#request(operation))))
      case 'setRc':
        return faultAnswer(vm.setRc(this.#request(operation)))
      case 'beginFault':
        return inMemslot(() => {
          faults.checkFree(operation.fault)
          const result = vm.beginFault(this.#request(operation))
          if (result.outcome !== 'pending') return faultAnswer(result)
          faults.set(operation.fault, result)
          return { outcome: 'pending' }
        })
      case 'commit': {
        const fault = faults.get(operation.fault)
        faults.delete(operation.fault)
        return faultAnswer(fault.commit())
      }
      case 'abandon':
        faults.get(operation.fault).abandon()
        faults.delete(operation.fault)
        return {}
      case 'unmap': {
        const walk: WalkedEntry[] = []
        vm.unmap(operation.gfn, { npages: operation.npages, visitor: visitorInto(walk) })
        return { walk }
      }
      case 'beginUnmap': {
        const walk: WalkedEntry[] = []
        const { unmap, gfn, npages } = operation
        unmaps.checkFree(unmap)
        unmaps.set(unmap, vm.beginUnmap(gfn, { npages, visitor: visitorInto(walk) }))
        return { walk }
      }
      case 'endUnmap':
        unmaps.get(operation.unmap).end()
        unmaps.delete(operation.unmap)
        return {}
      case 'age':
        return { referenced: vm.age(operation.gfn) }
      case 'testAge':
        return { referenced: vm.testAge(operation.gfn) }
      case 'tlbInvalidate': {
        const { instr, rs, rb } = operation
        const operands = { instr: wordOperand('instr', instr), rs: wordOperand('rs', rs), rb: wordOperand('rb', rb) }
        return { status: vm.tlbInvalidate(operands) }
      }
      case 'rptInvalidate': {
        const { op: _, ...texts } = operation
        const operands = Object.entries(texts).map(([name, text]) => [name, wordOperand(name, text)])
        return { status: vm.rptInvalidate(Object.fromEntries(operands)) }
      }
      case 'releaseAll':
        vm.releaseAll()
        return {}
    }
  }

  /** @throws OperationError */
  #request(operation: { gpa: number; access: FaultRequest['access'] } & Faulting): FaultRequest {
    const { gpa, access, lpid, held } = operation as typeof operation & { lpid?: number; held?: number }
    if ((lpid === undefined) === (held === undefined)) throw new OperationError('expected either lpid or held')
    return held === undefined ? { gpa, access, lpid: lpid! } : { gpa, access, guest: this.held.get(held) }
  }
}

function visitorInto(walk: WalkedEntry[]) {
  return {
    entry: (gfn: number, { lpid, gpa }: { lpid: number; gpa: number }, fate: WalkedEntry[3]) =>
      void walk.push([gfn, lpid, gpa, fate]),
  }
}

/** What the model refuses and Linux leaves undefined is an outcome here: it concerns the caller's backing. */
function inMemslot(fault: () => VmAnswer): VmAnswer {
  try {
    return fault()
  } catch (error) {
    if (error instanceof RangeError && error.message.includes('reaches outside the memslot')) {
      return { outcome: 'outside-memslot' }
    }
    throw error
  }
}

/** @internal How a fault ended, as an answer: what an implementation can know, without warnings and counts. */
export function faultAnswer(result: FaultResult | SetRcResult): VmAnswer {
  switch (result.outcome) {
    case 'mapped': {
      const { outcome, change, gpa, shift, gfn, insert } = result
      return { outcome, change, gpa, shift, gfn, ...(insert !== undefined && { insert }) }
    }
    case 'retry':
    case 'forward-to-l1':
      return { outcome: result.outcome, reason: result.reason }
    case 'mmio':
    case 'fault-to-l2':
      return { outcome: result.outcome, l1Gpa: result.l1Gpa }
    case 'invalid':
      return { outcome: result.outcome, shift: result.shift }
    default:
      return { outcome: result.outcome }
  }
}
