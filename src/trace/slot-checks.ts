/** Compares what an event shows of an rmap slot with the model: its word, and the page that it is for. */
import { type Hpa, MAX_GPA } from '../base/units'
import { hex, hexWord } from '../base/word'
import { leafHpa } from '../page-table/leaf'
import { NONE, type RadixTable } from '../page-table/radix-table'
import type { Differences } from './differences'
import { FIELD } from './events'
import type { KernelArrays } from './kernel-arrays'
import type { Chunk, KernelSlots } from './kernel-slots'
import type { TraceEvent } from './trace-event'

/** The checks of rmap slots that several events need. */
export class SlotChecks {
  readonly #slots: KernelSlots
  readonly #arrays: KernelArrays
  readonly #host: RadixTable
  readonly #found: Differences

  constructor(slots: KernelSlots, arrays: KernelArrays, host: RadixTable, found: Differences) {
    this.#slots = slots
    this.#arrays = arrays
    this.#host = host
    this.#found = found
  }

  /** Compares a slot's word before the event with the model's. */
  word(event: TraceEvent, chunk: Chunk, index: number): void {
    if ((event.lo[FIELD.rmapp]! & 7) !== 0)
      this.#found.at(event, 'rmapp a multiple of 8', hex(event.wordAt(FIELD.rmapp)))
    const hi = event.hi[FIELD.old]!
    const lo = event.lo[FIELD.old]!
    if (this.#slots.holds(chunk, index, hi, lo)) return
    const model = `${hexWord(this.#slots.word(chunk, index))} in slot ${this.name(event.wordAt(FIELD.rmapp))}`
    this.#found.at(event, model, hexWord(event.wordAt(FIELD.old)))
    this.#slots.adoptWord(chunk, index, hi, lo)
  }

  /**
   * Checks that L1's own table maps `hpa` at the gfn of the slot (spec 5, steps 4 and 5), if gfn and host leaf are
   * known.
   *
   * @param whole whether `hpa` must be the first address of the host leaf; else any address in it
   */
  frame(event: TraceEvent, slotHi: number, slotLo: number, hpa: Hpa, whole: boolean): void {
    const gfn = this.#arrays.gfnAt(slotHi, slotLo)
    if (gfn === undefined) return this.#arrays.infer(slotHi, slotLo, hpa, this.#host)
    const gpa = gfn * (1 << this.#host.pageShift)
    if (gpa > MAX_GPA) return
    const ref = this.#host.refAt(gpa)
    if (ref === NONE) return
    const shift = this.#host.shiftOf(ref)
    const start = leafHpa(this.#host.hiAt(ref), this.#host.loAt(ref), shift)
    if (whole ? hpa !== start : hpa < start || hpa >= start + (1 << shift)) {
      this.#found.at(event, `gfn ${hex(gfn)} is at ${hex(start)}`, `at ${hex(hpa)}`)
    }
  }

  /** The name of a slot in a message: its address, and its gfn if it is known. */
  name(slot: bigint): string {
    const gfn = this.#arrays.shownGfn(slot)
    return hex(slot) + (gfn === undefined ? '' : ` (gfn ${hex(gfn)})`)
  }
}
