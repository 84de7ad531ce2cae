/**
 * What L1 and the host do step by step in a random sequence: steps become the operations that fit the state.
 *
 * A step is plain data, drawn without a look at the state. Played, it does what a hypervisor or a host does then: L1 maps
 * a page after a fault without a translation, and tells L0 of its edits; the host takes memory that nobody uses.
 */
import type { Gfn, Gpa, LeafShift, Lpid, NestedGpa } from '../base/units'
import { unpackLeaf } from '../page-table/leaf'
import type { Access } from '../vm/fault-result'
import { wordText } from './operation'
import type { VmAnswer, VmOperation } from './vm-operation'
import type { VmModel, VmSettings } from './vm-model'

/** An edit of a guest table. */
type Edit = Extract<VmOperation, { op: 'map' | 'write' | 'unmapGuest' | 'protect' }>

/** @internal A step of a random sequence. */
export type VmStep =
  /** Just this operation. */
  | { readonly kind: 'operation'; readonly operation: VmOperation }
  /** A fault. If its guest table has no translation, L1 maps a page at its address `to` there. */
  | { readonly kind: 'fault'; readonly lpid: Lpid; readonly gpa: NestedGpa; readonly access: Access; readonly to: Gpa }
  /** L1 edits a guest table, and may tell L0 of it, for every nested guest that has the table. */
  | { readonly kind: 'edit'; readonly operation: Edit; readonly tlbie: boolean }
  /** L1 moves a page that has a shadow leaf; after a fault there the host unmaps the page where it was. */
  | { readonly kind: 'remap'; readonly lpid: Lpid; readonly gpa: NestedGpa; readonly access: Access; readonly to: Gpa }
  /** The host backs gfns with other memory, out of step with the gfns by `skew` bytes; `shared`: copied on a write. */
  | {
      readonly kind: 'back'
      readonly gfn: Gfn
      readonly npages: number
      readonly shift: LeafShift
      readonly skew: number
      readonly shared: boolean
    }

/** All access, referenced and changed. */
const ALL_FLAGS = 0x187

/** The field AP of rB, by log2 of the page's size. */
const AP: Readonly<Record<number, number>> = { 12: 0, 16: 5, 21: 1, 30: 2 }

/** @internal Plays steps on the state that a runner has. */
export class VmScenario {
  readonly #runner: VmModel
  readonly #settings: VmSettings
  #backed = 0

  constructor(runner: VmModel, settings: VmSettings) {
    this.#runner = runner
    this.#settings = settings
  }

  /** The operations of a step. The generator is given the answer to each; undefined: that one was left out. */
  *play(step: VmStep): Generator<VmOperation, void, VmAnswer | undefined> {
    switch (step.kind) {
      case 'operation':
        yield step.operation
        return
      case 'fault':
        yield* this.#fault(step)
        return
      case 'edit':
        yield* this.#edit(step.operation, step.tlbie)
        return
      case 'remap':
        yield* this.#remap(step)
        return
      case 'back': {
        const { gfn, npages, shift } = step
        const hpa = this.#newHpa() + step.skew
        yield { op: 'back', gfn, npages, hpa, shift, ...(step.shared && { copy: this.#newHpa() }) }
      }
    }
  }

  *#fault({ lpid, gpa, access, to }: VmStep & { kind: 'fault' }): Generator<VmOperation, void, VmAnswer | undefined> {
    const answer = yield { op: 'fault', lpid, gpa, access }
    if (answer?.outcome !== 'forward-to-l1' || answer.reason !== 'no-translation') return
    const { vm, tables } = this.#runner
    const table = tables.numberOf(vm.guest(lpid)?.root)
    if (table === undefined) return
    const shift = tables.get(table).pageShift
    yield { op: 'map', table, gpa: down(gpa, shift), to: down(to, shift), shift, flags: ALL_FLAGS }
  }

  *#edit(edit: Edit, tlbie: boolean): Generator<VmOperation, void, VmAnswer | undefined> {
    const old = this.#runner.tables.has(edit.table) ? this.#runner.tables.get(edit.table).lookup(edit.gpa) : undefined
    if ((yield edit) === undefined || !tlbie) return
    const written = 'shift' in edit ? edit.shift : 0
    const shift = Math.max(this.#settings.pageShift, old?.shift ?? 0, written)
    const rb = shift > 30 ? 0x800n : (BigInt(edit.gpa) & ~0xfffn) | BigInt(AP[shift]! << 5) // IS 2: all of the LPID
    const { vm, tables } = this.#runner
    for (const { lpid, root } of vm.guests) {
      if (root !== tables.get(edit.table)) continue
      yield { op: 'tlbInvalidate', instr: '0x10000', rs: wordText(BigInt(lpid)), rb: wordText(rb) }
    }
  }

  *#remap({ lpid, gpa, access, to }: VmStep & { kind: 'remap' }): Generator<VmOperation, void, VmAnswer | undefined> {
    const { vm, tables } = this.#runner
    const { pageShift } = this.#settings
    const guest = vm.guest(lpid)
    const table = tables.numberOf(guest?.root)
    if (guest?.shadow.lookup(gpa) === undefined || table === undefined) return
    const old = tables.get(table).lookup(gpa)
    const shift = tables.get(table).pageShift
    yield* this.#edit({ op: 'map', table, gpa: down(gpa, shift), to: down(to, shift), shift, flags: ALL_FLAGS }, true)
    yield { op: 'fault', lpid, gpa, access }
    if (old === undefined) return
    const wasAt = unpackLeaf(old.word).hpa + gpa - old.gpa
    yield { op: 'unmap', gfn: Math.floor(wasAt / 2 ** pageShift), npages: 1 }
  }

  /** An address of host memory that was not used lately, with room for a unit that is out of step. */
  #newHpa(): number {
    const { unitShift } = this.#settings
    const n = ++this.#backed % 2 ** (43 - unitShift)
    // every other one differs from the one before in its high half alone
    return Math.floor(n / 2) * 2 ** (unitShift + 1) + (n % 2) * 2 ** 44
  }
}

/** @internal An address aligned down to 2^shift bytes. */
export function down(address: number, shift: number): number {
  return address - (address % 2 ** shift)
}
