/**
 * Ageing and dirty harvest in a recording (spec 6). `rmap_update_rc` shows that the kernel clears the referenced or
 * changed bit of a gfn's host leaf. The model clears the bit in that host leaf, and in the shadow leaves that the gfn's
 * rmap slot leads to.
 */
import type { LeafShift } from '../base/units'
import { hex, hiOfNumber } from '../base/word'
import { leafHpa, LeafFlag } from '../page-table/leaf'
import { NONE } from '../page-table/radix-table'
import { entryLpid } from '../rmap/entry'
import { followEntry, hostPage } from '../rmap/invalidate'
import type { Creations } from './creations'
import type { Differences } from './differences'
import { FIELD } from './events'
import type { KernelArrays } from './kernel-arrays'
import type { KernelGuests } from './kernel-guests'
import type { Chunk, KernelSlots } from './kernel-slots'
import type { LeafWatches } from './leaf-watch'
import type { TraceEvent } from './trace-event'
import type { RcBits } from './rc-bits'
import type { SlotChecks } from './slot-checks'

/** The ageing and harvest of a recording. */
export class RcUpdates {
  /** Rmap slots reached so far. */
  count = 0

  readonly #guests: KernelGuests
  readonly #creations: Creations
  readonly #rc: RcBits
  readonly #watches: LeafWatches
  readonly #slots: KernelSlots
  readonly #arrays: KernelArrays
  readonly #checks: SlotChecks
  readonly #found: Differences
  /** The counters that a walk of a slot needs; not used. */
  readonly #uncounted = { entries: 0, staleNoGuest: 0, staleNoLeaf: 0, staleOtherFrame: 0 }

  constructor(parts: {
    guests: KernelGuests
    creations: Creations
    rc: RcBits
    watches: LeafWatches
    slots: KernelSlots
    arrays: KernelArrays
    checks: SlotChecks
    found: Differences
  }) {
    this.#guests = parts.guests
    this.#creations = parts.creations
    this.#rc = parts.rc
    this.#watches = parts.watches
    this.#slots = parts.slots
    this.#arrays = parts.arrays
    this.#checks = parts.checks
    this.#found = parts.found
  }

  /** `rmap_update_rc` */
  update(event: TraceEvent): void {
    this.count++
    const hi = event.hi[FIELD.rmapp]!
    const lo = event.lo[FIELD.rmapp]!
    const chunk = this.#slots.chunkAt(hi, lo)
    const index = this.#slots.indexAt(lo)
    this.#checks.word(event, chunk, index)
    this.#checks.frame(event, hi, lo, event.numberAt(FIELD.hpa), true)
    if (!event.hasAt(FIELD.clr)) {
      this.#rc.judged = false // which bits were cleared is not known
      return
    }
    const bits = event.lo[FIELD.clr]!
    if (event.hi[FIELD.clr] !== 0 || !event.isZeroAt(FIELD.set) || (bits !== REFERENCED && bits !== CHANGED)) {
      const kernel = `clr ${hex(event.wordAt(FIELD.clr))}, set ${hex(event.wordAt(FIELD.set))}`
      return this.#found.at(event, `clr ${hex(REFERENCED)} or ${hex(CHANGED)}, set 0x0`, kernel)
    }
    this.#ageHost(event, bits)
    if (this.#rc.judged) this.#ageShadows(event, chunk, index, bits)
  }

  #ageHost(event: TraceEvent, bits: number): void {
    const { host, pageShift } = this.#guests
    const gfn = this.#arrays.gfnAt(event.hi[FIELD.rmapp]!, event.lo[FIELD.rmapp]!)
    if (gfn === undefined) return this.#ageFrame(event, bits)
    const gpa = gfn * (1 << pageShift)
    const ref = host.refAt(gpa)
    if (ref === NONE) return // made before the recording began, or its creation has not returned yet
    const shift = host.shiftOf(ref)
    const nbytes = shift === pageShift ? 1 : 1 << shift
    if (event.hasAt(FIELD.nbytes) && event.numberAt(FIELD.nbytes) !== nbytes) {
      this.#found.at(event, `nbytes ${hex(nbytes)}`, hex(event.wordAt(FIELD.nbytes)))
    }
    const hi = hiOfNumber(gpa)
    const lo = (gpa | 0) & (-1 << shift)
    // A creation in progress may have set the bit already.
    const raced = this.#creations.age(host, hi, lo, shift, bits)
    if ((host.loAt(ref) & bits) === 0 && !raced && (this.#rc.ignored(host, hi, lo) & bits) === 0) {
      this.#found.at(event, `the leaf of gfn ${hex(gfn)} has no bit ${hex(bits)}`, 'it is cleared')
    }
    host.writeAt(ref, host.hiAt(ref), host.loAt(ref) & ~bits)
    this.#rc.settle(host, hi, lo, bits)
    this.#watches.aged(host, hi, lo, shift, bits)
    this.#watches.changed(host)
  }

  /** No event has shown the slot's array, so its gfn is unknown: any host leaf of the frame may be meant. */
  #ageFrame(event: TraceEvent, bits: number): void {
    if (!this.#rc.judged) return
    const { host, pageShift } = this.#guests
    const hpa = event.numberAt(FIELD.hpa)
    let known = 0
    let unknown = 0
    for (const { gpa, shift, word } of host.leaves()) {
      if (leafHpa(Number(word >> 32n), Number(word & 0xffffffffn), shift) !== hpa) continue
      if (this.#arrays.arrayOf(gpa / (1 << pageShift)) === undefined) unknown++
      else known++
      this.#rc.doubt(host, hiOfNumber(gpa), gpa | 0, bits)
      this.#watches.aged(host, hiOfNumber(gpa), gpa | 0, shift, bits)
    }
    this.#watches.changed(host)
    if (known > 0 && unknown === 0) {
      this.#found.at(event, `${hex(hpa)} is mapped at a gfn with another rmap slot`, hex(event.wordAt(FIELD.rmapp)))
    }
  }

  #ageShadows(event: TraceEvent, chunk: Chunk, index: number, bits: number): void {
    const { pageShift, byLpid } = this.#guests
    const nbytes = event.hasAt(FIELD.nbytes) ? event.numberAt(FIELD.nbytes) : 1
    const shift = nbytes === 1 ? pageShift : (Math.log2(nbytes) as LeafShift)
    const page = hostPage(event.numberAt(FIELD.hpa), shift)
    for (const list = chunk.memslot.walk(index); list.next();) {
      const guest = byLpid.get(entryLpid(list.hi))
      const shadow = guest?.shadow
      const ref = followEntry(page, shadow, list.hi, list.lo, this.#uncounted)
      if (ref === NONE) continue
      const leafShift = shadow!.shiftOf(ref)
      const hi = list.hi & 0xfffff
      const lo = list.lo & (-1 << leafShift)
      this.#creations.age(shadow!, hi, lo, leafShift, bits)
      if (guest!.maybeDropped) this.#rc.doubt(shadow!, hi, lo, bits & shadow!.loAt(ref))
      else this.#rc.settle(shadow!, hi, lo, bits)
      shadow!.writeAt(ref, shadow!.hiAt(ref), shadow!.loAt(ref) & ~bits)
      this.#watches.aged(shadow!, hi, lo, leafShift, bits)
      this.#watches.changed(shadow!)
    }
  }
}

const { REFERENCED, CHANGED } = LeafFlag
