/**
 * Set-rc in a recording: L0 sets the referenced bit, and for a write the changed bit, if the hardware cannot (spec 6).
 * The result is 1 if and only if the leaf is present and, for a write, writable.
 *
 * L0 does it in L1's own table (`nested` 0), for a fault of L1 or of an L2, and in the shadow table of the guest that
 * has the LPID (`nested` 1).
 */
import { numberOf } from '../base/word'
import { LeafFlag } from '../page-table/leaf'
import { NONE } from '../page-table/radix-table'
import type { Creations } from './creations'
import type { Differences } from './differences'
import { FIELD } from './events'
import type { KernelArrays } from './kernel-arrays'
import type { KernelGuests } from './kernel-guests'
import { type LeafState, type LeafWatch, type LeafWatches } from './leaf-watch'
import type { TraceEvent } from './trace-event'
import type { RcBits } from './rc-bits'

/** A set-rc between its two events. */
export interface PendingSetRc {
  readonly line: number
  /** Whether the leaf is in a shadow table; else it is in L1's own table. */
  readonly nested: boolean
  readonly writing: boolean
  /** The leaf; undefined if no nested guest has the LPID. */
  readonly watch: LeafWatch | undefined
  /** The guest may have been dropped, so that no guest has the LPID. */
  readonly maybeDropped: boolean
}

/** The set-rcs of a recording. */
export class SetRcs {
  /** Results compared so far. */
  count = 0

  readonly #guests: KernelGuests
  readonly #arrays: KernelArrays
  readonly #creations: Creations
  readonly #rc: RcBits
  readonly #watches: LeafWatches
  readonly #found: Differences

  constructor(
    guests: KernelGuests,
    arrays: KernelArrays,
    creations: Creations,
    rc: RcBits,
    watches: LeafWatches,
    found: Differences,
  ) {
    this.#guests = guests
    this.#arrays = arrays
    this.#creations = creations
    this.#rc = rc
    this.#watches = watches
    this.#found = found
  }

  /** `set_rc` */
  begin(event: TraceEvent): PendingSetRc {
    const nested = event.lo[FIELD.nested]!
    const writing = event.lo[FIELD.writing]!
    const lpid = event.numberAt(FIELD.lpid)
    if (nested > 1 || nested < 0 || event.hi[FIELD.nested] !== 0)
      this.#found.at(event, 'nested 0 or 1', String(event.numberAt(FIELD.nested)))
    if (writing > 1 || writing < 0 || event.hi[FIELD.writing] !== 0)
      this.#found.at(event, 'writing 0 or 1', String(event.numberAt(FIELD.writing)))
    const { l1Lpid } = this.#guests
    if (nested === 0 && l1Lpid !== undefined && lpid !== l1Lpid) {
      this.#found.at(event, `L1's own table has lpid ${l1Lpid}`, `lpid ${lpid}`)
    }
    const guest = nested === 0 ? undefined : this.#guests.byLpid.get(lpid)
    const table = nested === 0 ? this.#guests.host : guest?.shadow
    const watch =
      table === undefined ? undefined : this.#creations.watch(table, event.hi[FIELD.gpa]!, event.lo[FIELD.gpa]!)
    return {
      line: event.line,
      nested: nested !== 0,
      writing: writing !== 0,
      watch,
      maybeDropped: guest?.maybeDropped === true,
    }
  }

  /** `set_rc_ret`. @returns whether the kernel has set the bits */
  finish(event: TraceEvent, pending: PendingSetRc): boolean {
    const { watch, writing } = pending
    const isSet = !event.isZeroAt(FIELD.ret)
    if (watch !== undefined) this.#watches.end(watch)
    this.count++
    const states = watch?.states ?? [undefined]
    const fits =
      event.numberAt(FIELD.ret) <= 1 &&
      (states.some((state) => maySet(state, writing) === isSet) ||
        (!isSet && pending.maybeDropped) ||
        (isSet && !pending.nested && states.includes(undefined) && !this.#isKnown(watch!)))
    if (!fits) {
      const model = maySet(states[states.length - 1], writing) ? '1' : '0'
      this.#found.at(event, `ret ${model} for the set_rc of line ${pending.line}`, String(event.numberAt(FIELD.ret)))
    }
    if (isSet && watch !== undefined) this.#set(watch, writing)
    return isSet
  }

  /** Whether L1's own table is known at an address: its memslot was created in the recording. */
  #isKnown({ hi, lo }: LeafWatch): boolean {
    const gfn = Math.floor(numberOf(hi, lo) / (1 << this.#guests.pageShift))
    return this.#arrays.arrayOf(gfn)?.isNew === true
  }

  /** The recording does not show the result. */
  abandon({ watch }: PendingSetRc): void {
    if (watch !== undefined) this.#watches.end(watch)
  }

  #set(watch: LeafWatch, writing: boolean): void {
    const { table, hi, lo, aged } = watch
    const bits = REFERENCED | (writing ? CHANGED : 0)
    const ref = table.find(hi, lo)
    if (ref === NONE) return // cleared meanwhile
    const first = lo & (-1 << table.shiftOf(ref))
    table.writeAt(ref, table.hiAt(ref), table.loAt(ref) | bits)
    this.#rc.settle(table, hi, first, bits)
    // If the leaf was changed meanwhile, the kernel may have set the bits before the change.
    this.#rc.doubt(table, hi, first, watch.states.length > 1 ? bits : aged & bits)
    this.#watches.changed(table)
  }
}

function maySet(state: LeafState | undefined, writing: boolean): boolean {
  return state !== undefined && (!writing || (state.lo & WRITE) !== 0)
}

const { REFERENCED, CHANGED, WRITE } = LeafFlag
