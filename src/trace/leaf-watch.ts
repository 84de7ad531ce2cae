/**
 * The leaves that may have been at an address of a page table while a task read it.
 *
 * No event shows when the kernel reads a leaf: a nested fault reads the host leaf between `nested_walk` and its first
 * `pte_create`; set-rc reads the leaf between `set_rc` and `set_rc_ret`. Meanwhile other tasks may change the leaf, and
 * a creation in progress may have set it already. So a watch keeps every possible state, and what the kernel did must
 * follow from one of them.
 */
import type { LeafShift } from '../base/units'
import { NONE, type RadixTable } from '../page-table/radix-table'
import type { RcBits } from './rc-bits'

/** A possible state of a leaf. */
export interface LeafState {
  readonly hi: number
  readonly lo: number
  readonly shift: LeafShift
  /** Referenced and changed bits that are in doubt. */
  readonly doubt: number
}

/** An address that a task reads. */
export class LeafWatch {
  readonly table: RadixTable
  /** The address, below 2^52. */
  readonly hi: number
  readonly lo: number
  /** The possible leaves at the address, oldest first; undefined: no leaf. */
  states: (LeafState | undefined)[] = []
  /** Bits that ageing or harvest cleared in the leaf meanwhile. */
  aged = 0

  constructor(table: RadixTable, hi: number, lo: number) {
    this.table = table
    this.hi = hi & 0xfffff
    this.lo = lo
  }
}

/** The addresses that tasks are reading now: a few at most. */
export class LeafWatches {
  readonly #rc: RcBits
  readonly #active = new Set<LeafWatch>()

  constructor(rc: RcBits) {
    this.#rc = rc
  }

  /** Whether a task is reading a leaf now. */
  get isActive(): boolean {
    return this.#active.size > 0
  }

  /** A task begins to read the leaf at an address. */
  begin(table: RadixTable, hi: number, lo: number): LeafWatch {
    const watch = new LeafWatch(table, hi, lo)
    watch.states.push(this.stateAt(watch))
    this.#active.add(watch)
    return watch
  }

  /** The task has read the leaf. */
  end(watch: LeafWatch): void {
    this.#active.delete(watch)
  }

  /** A leaf of the table was set, changed or cleared. */
  changed(table: RadixTable): void {
    if (this.#active.size === 0) return
    for (const watch of this.#active) {
      if (watch.table !== table) continue
      const state = this.stateAt(watch)
      if (!isSame(state, watch.states[watch.states.length - 1])) watch.states.push(state)
    }
  }

  /** Ageing or harvest has cleared bits of a leaf that maps this address. */
  aged(table: RadixTable, hi: number, lo: number, shift: LeafShift, bits: number): void {
    if (this.#active.size === 0) return
    for (const watch of this.#active) if (covers(watch, table, hi, lo, shift)) watch.aged |= bits
  }

  /** A creation in progress may set this leaf at any moment. */
  mayHold(table: RadixTable, hi: number, lo: number, state: LeafState): void {
    for (const watch of this.#active) {
      if (covers(watch, table, hi, lo, state.shift)) this.expect(watch, state)
    }
  }

  /** The same for one watch. The leaf may be new, or its bits may be OR-ed into a leaf of the same size. */
  expect(watch: LeafWatch, state: LeafState): void {
    const now = this.stateAt(watch)
    watch.states.unshift(state) // before the current state, which stays last
    if (now?.shift === state.shift) watch.states.unshift({ ...state, hi: now.hi | state.hi, lo: now.lo | state.lo })
  }

  /** The model's leaf at the address now. */
  stateAt({ table, hi, lo }: LeafWatch): LeafState | undefined {
    const ref = table.find(hi, lo)
    if (ref === NONE) return undefined
    const shift = table.shiftOf(ref)
    return {
      hi: table.hiAt(ref),
      lo: table.loAt(ref),
      shift,
      doubt: this.#rc.ignored(table, hi, lo & (-1 << shift)),
    }
  }
}

/** Whether a leaf of this size at an address maps the address of a watch. */
export function covers(watch: LeafWatch, table: RadixTable, hi: number, lo: number, shift: LeafShift): boolean {
  return watch.table === table && watch.hi === (hi & 0xfffff) && ((watch.lo ^ lo) & (-1 << shift)) === 0
}

function isSame(one: LeafState | undefined, other: LeafState | undefined): boolean {
  if (one === undefined || other === undefined) return one === other
  return one.hi === other.hi && one.lo === other.lo && one.shift === other.shift && one.doubt === other.doubt
}
