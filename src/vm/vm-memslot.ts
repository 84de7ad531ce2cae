/**
 * A memslot of an L1: a range of its gfns, their rmap, and what L1's memory there is (spec 10).
 *
 * The rmap's own rules are in `memslot.ts`; this adds the flags, the dirty log, and what the L1 counts of it.
 */
import { INSPECT } from '../base/inspect'
import type { Gfn } from '../base/units'
import type { Entry } from '../rmap/entry'
import type { ListNode, Memslot } from '../rmap/memslot'

/** A memslot of an L1. Made by adding it to an L1, which changes it; to read. */
export class VmMemslot {
  /** The slot words and lists. A view of the live state: to read. */
  readonly rmap: Memslot

  /** @internal */
  logging: boolean
  /** @internal */
  readonly isReadOnly: boolean
  /** @internal It is being deleted or moved, or is gone: faults do not see it. */
  invalid = false
  /** @internal It has been deleted. */
  removed = false
  /** @internal Indices of pages that an unmap marked dirty since the last harvest. */
  readonly marked = new Set<number>()
  /** @internal List nodes its inserts took and its walks did not give back. */
  nodes = 0
  /** @internal Slots that hold a single entry. */
  singles = 0
  /** @internal Slots that hold a list. */
  lists = 0
  /** @internal The kernel's address of the word of its first gfn, in events. */
  arrayAddress: bigint
  /** @internal The kernel's address of the memslot itself, in events. */
  address: bigint

  /** @internal */
  constructor(rmap: Memslot, flags: { readOnly: boolean; logDirty: boolean }, address: bigint, arrayAddress: bigint) {
    this.rmap = rmap
    this.isReadOnly = flags.readOnly
    this.logging = flags.logDirty
    this.address = address
    this.arrayAddress = arrayAddress
  }

  /** The first gfn. */
  get baseGfn(): Gfn {
    return this.rmap.baseGfn
  }

  /** How many gfns there are. */
  get npages(): number {
    return this.rmap.npages
  }

  /** Whether L1 may only read it. */
  get readOnly(): boolean {
    return this.isReadOnly
  }

  /** Whether it logs dirty pages: the host then maps base pages only. */
  get logDirty(): boolean {
    return this.logging
  }

  /** Whether it is being deleted or moved, or is gone. */
  get isInvalid(): boolean {
    return this.invalid
  }

  /** {@link Memslot.word} */
  word(gfn: Gfn): bigint {
    return this.rmap.word(gfn)
  }

  /** {@link Memslot.entries} */
  entries(gfn: Gfn): Entry[] {
    return this.rmap.entries(gfn)
  }

  /** {@link Memslot.listNodes} */
  listNodes(gfn: Gfn): ListNode[] {
    return this.rmap.listNodes(gfn)
  }

  /** @internal What `console.log` shows. */
  [INSPECT](): string {
    const { baseGfn, npages, singles, lists } = this
    const flags = [
      this.readOnly ? ', read-only' : '',
      this.logDirty ? ', logs dirty' : '',
      this.invalid ? ', invalid' : '',
    ].join('')
    const last = baseGfn + npages - 1
    return `VmMemslot { gfn 0x${baseGfn.toString(16)}..0x${last.toString(16)}, singles: ${singles}, lists: ${lists}${flags} }`
  }

  /** @internal The kernel's address of a slot word, in events. */
  slotAddress(index: number): bigint {
    return this.arrayAddress + BigInt(index * 8)
  }
}
