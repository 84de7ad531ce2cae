/**
 * What one place of a page table may have held while a task looked at it.
 *
 * The kernel reads a leaf at a moment that no event shows: a nested fault reads the host leaf somewhere between
 * `nested_walk` and its first `pte_create`, set-rc the leaf somewhere between `set_rc` and `set_rc_ret`. Other tasks may
 * change the leaf meanwhile, and a creation in progress may have set it already. So every state that the place may have
 * had is kept, and what the kernel did must follow from one of them.
 */
import type { LeafShift } from '../base/units'
import { NONE, type RadixTable } from '../page-table/radix-table'
import type { RcBits } from './rc-bits'

/** A leaf as it may have been. */
export interface LeafState {
  readonly hi: number
  readonly lo: number
  readonly shift: LeafShift
  /** Referenced and changed bits that are in doubt. */
  readonly doubt: number
}

/** One place that a task looks at. */
export class LeafWatch {
  readonly table: RadixTable
  /** The address looked at, below 2^52. */
  readonly hi: number
  readonly lo: number
  /** What the place may have held, oldest first; undefined: no leaf. */
  states: (LeafState | undefined)[] = []
  /** Bits that ageing or harvest cleared there meanwhile. */
  aged = 0

  constructor(table: RadixTable, hi: number, lo: number) {
    this.table = table
    this.hi = hi & 0xfffff
    this.lo = lo
  }
}

/** The places that tasks are looking at now: a few at most. */
export class LeafWatches {
  readonly #rc: RcBits
  readonly #active = new Set<LeafWatch>()

  constructor(rc: RcBits) {
    this.#rc = rc
  }

  /** Whether a task is looking at a place now. */
  get isActive(): boolean {
    return this.#active.size > 0
  }

  /** A task begins to look at a place. */
  begin(table: RadixTable, hi: number, lo: number): LeafWatch {
    const watch = new LeafWatch(table, hi, lo)
    watch.states.push(this.stateAt(watch))
    this.#active.add(watch)
    return watch
  }

  /** The task has looked. */
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

  /** The same for one watch that has just begun. The leaf may be new, or its bits may be OR-ed into one of its size. */
  expect(watch: LeafWatch, state: LeafState): void {
    const now = this.stateAt(watch)
    watch.states.unshift(state) // before the current state, which stays last
    if (now?.shift === state.shift) watch.states.unshift({ ...state, hi: now.hi | state.hi, lo: now.lo | state.lo })
  }

  /** What the place holds now, as far as the model knows. */
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

/** Whether a leaf at an address maps the place of a watch. */
export function covers(watch: LeafWatch, table: RadixTable, hi: number, lo: number, shift: LeafShift): boolean {
  return watch.table === table && watch.hi === (hi & 0xfffff) && ((watch.lo ^ lo) & (-1 << shift)) === 0
}

function isSame(one: LeafState | undefined, other: LeafState | undefined): boolean {
  if (one === undefined || other === undefined) return one === other
  return one.hi === other.hi && one.lo === other.lo && one.shift === other.shift && one.doubt === other.doubt
}
