/**
 * What backs the memory of the L1 of vectors: ranges of gfns, each at a host address, in host pages of one size.
 *
 * It does what a host may do, and nothing else: what backs a gfn changes only after the gfn was unmapped.
 */
import type { Gfn, Hpa, LeafShift, PageShift } from '../base/units'
import type { Backing } from '../vm/options'
import { OperationError } from './operation'

/** @internal A range of gfns and where it is in the host. */
export interface BackedRange {
  readonly gfn: Gfn
  readonly npages: number
  readonly hpa: Hpa
  /** log2 of the size of its host pages. */
  readonly shift: LeafShift
  /** Where the host copies its pages to, each when it is first written; undefined: it may be written. */
  readonly copy?: Hpa | undefined
}

/** @internal */
export class HostBacking {
  readonly #pageShift: PageShift
  /** None overlap. */
  #ranges: BackedRange[] = []

  constructor(pageShift: PageShift) {
    this.#pageShift = pageShift
  }

  /** Throws what is wrong with a range that is to be backed. @throws OperationError */
  check({ gfn, npages, hpa, shift, copy }: BackedRange): void {
    const page = 2 ** this.#pageShift
    const pages = 2 ** (shift - this.#pageShift)
    const refuse = (text: string): never => {
      throw new OperationError(`back: ${text}`)
    }
    if (![this.#pageShift, 21, 30].includes(shift)) refuse(`shift: expected ${this.#pageShift}, 21 or 30`)
    if (!(Number.isSafeInteger(gfn) && gfn >= 0 && Number.isSafeInteger(npages) && npages > 0)) {
      refuse('gfn and npages: expected a range of gfns')
    }
    if (gfn % pages !== 0 || npages % pages !== 0)
      refuse(`gfn and npages: expected multiples of ${pages}, the host page`)
    if (copy !== undefined && shift !== this.#pageShift)
      refuse('copy: only base pages can be copied when they are written')
    for (const address of copy === undefined ? [hpa] : [hpa, copy]) {
      const fits = Number.isSafeInteger(address) && address >= 0 && address + npages * page <= 2 ** 53
      if (!fits || address % page !== 0) refuse('hpa and copy: expected host addresses of base pages, below 2^53')
    }
  }

  /** Backs a range, whose gfns are unmapped. What it cuts of an older range has base pages from now on. */
  set(range: BackedRange): void {
    const end = range.gfn + range.npages
    const kept = this.#ranges.flatMap((old) => {
      const oldEnd = old.gfn + old.npages
      if (oldEnd <= range.gfn || end <= old.gfn) return [old]
      return [
        ...(old.gfn < range.gfn ? [this.#part(old, old.gfn, range.gfn)] : []),
        ...(end < oldEnd ? [this.#part(old, end, oldEnd)] : []),
      ]
    })
    this.#ranges = [...kept, range]
  }

  /** The range that has a gfn; undefined: it was never backed. */
  rangeOf(gfn: Gfn): BackedRange | undefined {
    return this.#ranges.find((range) => range.gfn <= gfn && gfn < range.gfn + range.npages)
  }

  /** What backs a gfn. `unmap` is called when the host must copy a page before it is written. */
  backingOf(gfn: Gfn, write: boolean, unmap: (gfn: Gfn) => void): Backing | undefined {
    const range = this.rangeOf(gfn)
    if (range === undefined) return undefined
    const offset = (gfn - range.gfn) * 2 ** this.#pageShift
    if (write && range.copy !== undefined) {
      unmap(gfn)
      this.set({ gfn, npages: 1, hpa: range.copy + offset, shift: this.#pageShift })
      return this.backingOf(gfn, write, unmap)
    }
    return { frame: (range.hpa + offset) / 4096, shift: range.shift, writable: range.copy === undefined }
  }

  #part(range: BackedRange, gfn: Gfn, end: Gfn): BackedRange {
    const offset = (gfn - range.gfn) * 2 ** this.#pageShift
    return {
      gfn,
      npages: end - gfn,
      hpa: range.hpa + offset,
      shift: this.#pageShift,
      copy: range.copy === undefined ? undefined : range.copy + offset,
    }
  }
}
