/**
 * The addresses of the kernel's arrays of slot words: they turn the address of a slot into a gfn.
 *
 * The events that show an array's address may come late. Until then it can be inferred: a shadow leaf maps the frame
 * that L1's own table maps at the slot's gfn. If L1 maps that frame at one gfn only, array = slot - 8 x gfn.
 */
import type { Gfn, Hpa } from '../base/units'
import { hiOf, loOf, wordOf } from '../base/word'
import { leafHpa } from '../page-table/leaf'
import type { RadixTable } from '../page-table/radix-table'
import type { Difference } from './differences'

/** The slot words of one memslot. */
export interface KernelArray {
  /** The address of the first word; its halves, unsigned. */
  readonly rmap: bigint
  readonly hi: number
  readonly lo: number
  readonly baseGfn: Gfn
  readonly npages: number
  /** Whether the memslot refuses writes; undefined while no event has shown its flags. */
  readOnly: boolean | undefined
  /** The memslot was created in the recording, so all host leaves in it are known. */
  isNew: boolean
  /** Differences, unless the memslot is being deleted: only a later event, or the end, shows that. */
  readonly ifItStays: Difference[]
}

/** Most differences kept for one array until its fate is known. */
const MOST_KEPT = 100

/** Most searches of L1's table for an inference: if so many find nothing, more will not. */
const MOST_SEARCHES = 32

/** Most arrays kept: more than an L1 has. If a recording has more, the oldest are forgotten. */
const MOST_ARRAYS = 512

/** The arrays of slot words that a recording has shown. */
export class KernelArrays {
  /** The number of arrays that were added or freed so far. */
  changes = 0
  #arrays: KernelArray[] = []
  #inferred: bigint | undefined
  #searches = 0

  /** The arrays that events have shown. */
  get known(): readonly KernelArray[] {
    return this.#arrays
  }

  /** The inferred address of the word of gfn 0; undefined while nothing is inferred. */
  get inferred(): bigint | undefined {
    return this.#inferred
  }

  /** An event shows an array. Known arrays that overlap its memory are forgotten. */
  learn(rmap: bigint, baseGfn: Gfn, npages: number, readOnly?: boolean, isNew = false): void {
    const last = this.#arrays[this.#arrays.length - 1]
    if (last !== undefined && last.rmap === rmap && last.baseGfn === baseGfn && last.npages === npages) {
      last.readOnly = readOnly ?? last.readOnly
      last.isNew ||= isNew
      return
    }
    if (rmap === 0n || npages === 0) return
    const end = rmap + 8n * BigInt(npages)
    const old = this.#arrays
    this.#arrays = old.filter((array) => array.rmap >= end || array.rmap + 8n * BigInt(array.npages) <= rmap)
    if (this.#arrays.length === MOST_ARRAYS) this.#arrays.shift()
    const known = old.find((array) => array.rmap === rmap && array.baseGfn === baseGfn && array.npages === npages)
    if (known === undefined) this.changes++
    this.#arrays.push({
      rmap,
      hi: hiOf(rmap) >>> 0,
      lo: loOf(rmap) >>> 0,
      baseGfn,
      npages,
      readOnly: readOnly ?? known?.readOnly,
      isNew: isNew || known?.isNew === true,
      ifItStays: known?.ifItStays ?? [],
    })
  }

  /** A known array that contradicts one that an event shows: it overlaps its gfns or its memory. */
  contradicts(rmap: bigint, baseGfn: Gfn, npages: number): KernelArray | undefined {
    const end = rmap + 8n * BigInt(npages)
    return this.#arrays.find((known) => {
      if (known.rmap === rmap && known.baseGfn === baseGfn && known.npages === npages) return false
      return (
        (known.rmap < end && rmap < known.rmap + 8n * BigInt(known.npages)) ||
        (known.baseGfn < baseGfn + npages && baseGfn < known.baseGfn + known.npages)
      )
    })
  }

  /** An array is freed. */
  forget(rmap: bigint): void {
    this.changes++
    this.#arrays = this.#arrays.filter((old) => old.rmap !== rmap)
    this.#inferred = undefined
  }

  /** The array that has the slot of a gfn, if an event has shown it. */
  arrayOf(gfn: Gfn): KernelArray | undefined {
    return this.#arrays.findLast(({ baseGfn, npages }) => gfn >= baseGfn && gfn - baseGfn < npages)
  }

  /** Adds a difference, unless this array's memslot is deleted or moved later in the recording. */
  differUnlessDeleted({ ifItStays }: KernelArray, difference: Difference): void {
    if (ifItStays.length < MOST_KEPT) ifItStays.push(difference)
  }

  /** The differences of arrays that still exist at the end of the recording. */
  *waiting(): Generator<Difference, void, undefined> {
    for (const { ifItStays } of this.#arrays) yield* ifItStays
  }

  /** The gfn of a slot, if an event has shown its array. */
  gfnAt(hi: number, lo: number): Gfn | undefined {
    for (const array of this.#arrays) {
      const index = ((hi >>> 0) - array.hi) * 2 ** 29 + ((lo >>> 0) - array.lo) / 8
      if (index >= 0 && index < array.npages) return array.baseGfn + Math.floor(index)
    }
    return undefined
  }

  /** The gfn of a slot, for messages: shown by an event, or inferred. */
  shownGfn(slot: bigint): Gfn | undefined {
    const told = this.gfnAt(hiOf(slot), loOf(slot))
    if (told !== undefined || this.#inferred === undefined || slot < this.#inferred) return told
    return Number((slot - this.#inferred) / 8n)
  }

  /** Infers the arrays' address: a shadow leaf of the frame at `hpa` has its entry in this slot of an unknown array. */
  infer(hi: number, lo: number, hpa: Hpa, host: RadixTable): void {
    if (this.#inferred !== undefined || this.#searches >= MOST_SEARCHES) return
    this.#searches++
    let gpa: number | undefined
    for (const leaf of host.leaves()) {
      const start = leafHpa(hiOf(leaf.word), loOf(leaf.word), leaf.shift)
      if (hpa < start || hpa >= start + 2 ** leaf.shift) continue
      if (gpa !== undefined) return
      gpa = leaf.gpa // the slot is that of the host leaf's first gfn (spec 5, step 4)
    }
    if (gpa !== undefined) this.#inferred = wordOf(hi, lo) - 8n * BigInt(gpa / 2 ** host.pageShift)
  }
}
