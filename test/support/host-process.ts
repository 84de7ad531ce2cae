/** The page table of the host process, which backs L1's memory in the kernel's vectors. Operations change its leaves. */
import type { Backing, LeafShift, PageShift } from '../../src/index'

interface HostLeaf {
  /** The host frame, in units of 4 KiB. */
  readonly frame: number
  readonly writable: boolean
  readonly attributes: number
}

/** A leaf of the host process, and its first address. */
export interface FoundLeaf extends HostLeaf {
  readonly base: number
  readonly shift: LeafShift
}

/** Leaves by size and by host virtual address (hva). */
export class HostProcess {
  readonly #shifts: readonly LeafShift[]
  readonly #leaves: ReadonlyMap<LeafShift, Map<number, HostLeaf>>
  /** By the hva of a shared leaf: the frame after a write (copy on write). */
  readonly copies = new Map<number, number>()

  constructor(readonly pageShift: PageShift) {
    this.#shifts = [30, 21, pageShift]
    this.#leaves = new Map(this.#shifts.map((shift) => [shift, new Map<number, HostLeaf>()]))
  }

  find(hva: number): FoundLeaf | undefined {
    for (const shift of this.#shifts) {
      const base = hva - (hva % 2 ** shift)
      const leaf = this.#leaves.get(shift)!.get(base)
      if (leaf !== undefined) return { base, shift, ...leaf }
    }
    return undefined
  }

  /** Maps a leaf and removes all leaves that it overlaps; undefined only removes them. */
  map(hva: number, shift: LeafShift, leaf: HostLeaf | undefined): void {
    const size = 2 ** shift
    for (const base of [...this.copies.keys()]) if (base >= hva && base < hva + size) this.copies.delete(base)
    const there = this.find(hva)
    if (there !== undefined && there.shift > shift) this.#remove(there)
    for (const smaller of this.#shifts.filter((one) => one < shift)) {
      const leaves = this.#leaves.get(smaller)!
      for (const base of [...leaves.keys()]) if (base >= hva && base < hva + size) leaves.delete(base)
    }
    if (leaf === undefined) this.#leaves.get(shift)!.delete(hva)
    else this.#leaves.get(shift)!.set(hva, leaf)
  }

  /** Changes a leaf in place. */
  replace({ base, shift, frame, attributes }: FoundLeaf, changes: Partial<HostLeaf>): void {
    this.#leaves.get(shift)!.set(base, { frame, attributes, writable: true, ...changes })
    this.copies.delete(base)
  }

  /** Splits a leaf into smaller ones. */
  split({ base, shift, ...leaf }: FoundLeaf, into: LeafShift): void {
    this.#leaves.get(shift)!.delete(base)
    for (let offset = 0; offset < 2 ** shift; offset += 2 ** into) {
      this.#leaves.get(into)!.set(base + offset, { ...leaf, frame: leaf.frame + offset / 4096 })
    }
  }

  /** The leaf that backs the base page at an address. */
  backing(hva: number): Backing | undefined {
    const leaf = this.find(hva)
    if (leaf === undefined) return undefined
    const { frame, shift, writable, attributes } = leaf
    const page = hva - (hva % 2 ** this.pageShift)
    return { frame: frame + (page - leaf.base) / 4096, shift, writable, attributes }
  }

  #remove({ base, shift }: FoundLeaf): void {
    this.#leaves.get(shift)!.delete(base)
    this.copies.delete(base)
  }
}
