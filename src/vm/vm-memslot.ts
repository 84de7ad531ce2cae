/**
 * A memslot of an L1 (KVM: `kvm_memory_slot`): a range of its gfns, with their rmap, flags and dirty log (spec 10).
 *
 * The rules of the rmap itself are in `rmap/memslot.ts`; this adds the flags, the dirty log, and what the L1 counts of it.
 */
import { inspectable } from '../base/inspect'
import type { Gfn } from '../base/units'
import { hexWord } from '../base/word'
import type { Entry } from '../rmap/entry'
import type { ListNode, Memslot } from '../rmap/memslot'

/** A memslot of an L1: made by `addMemslot`, changed by the L1 only. */
export class VmMemslot {
  /** The slot words and lists: a view of the live state, to read. */
  readonly rmap: Memslot
  /** Whether L1 may only read it. */
  readonly readOnly: boolean

  #logDirty: boolean
  #invalid = false
  /** @internal A change of its dirty logging is between its halves. */
  changing = false
  /** @internal It has been deleted. */
  removed = false
  /** @internal Indices of pages that an unmap marked dirty since the last harvest. */
  readonly marked = new Set<number>()
  /** @internal List nodes that its inserts allocated and its walks have not freed. */
  nodes = 0
  /** @internal Rmap slots that hold a single entry. */
  singles = 0
  /** @internal Rmap slots that hold a list. */
  lists = 0
  /** @internal The kernel's address of the word of its first gfn, in events. */
  arrayAddress: bigint
  /** @internal The kernel's address of the memslot itself, in events. */
  address: bigint

  /** @internal */
  constructor(rmap: Memslot, flags: { readOnly: boolean; logDirty: boolean }, address: bigint, arrayAddress: bigint) {
    this.rmap = rmap
    this.readOnly = flags.readOnly
    this.#logDirty = flags.logDirty
    this.address = address
    this.arrayAddress = arrayAddress
    inspectable(this)
  }

  /** The first gfn. */
  get baseGfn(): Gfn {
    return this.rmap.baseGfn
  }

  /** How many gfns it has. */
  get npages(): number {
    return this.rmap.npages
  }

  /** Whether it logs dirty pages: the host then maps base pages only. */
  get logDirty(): boolean {
    return this.#logDirty
  }

  /** @internal */
  set logDirty(on: boolean) {
    this.#logDirty = on
  }

  /** Whether it is being deleted or moved, or was deleted: faults do not find it. */
  get invalid(): boolean {
    return this.#invalid
  }

  /** @internal */
  set invalid(is: boolean) {
    this.#invalid = is
  }

  /** What `JSON.stringify` shows: the rmap slots that are not empty, with words as hex strings. Cost: the gfns. */
  toJSON(): object {
    const { baseGfn, npages, readOnly, logDirty, invalid } = this
    const slots: object[] = []
    for (let gfn = baseGfn; gfn < baseGfn + npages; gfn++) {
      if (!this.rmap.isEmptyAt(gfn - baseGfn)) {
        slots.push({ gfn, word: hexWord(this.word(gfn)), entries: this.entries(gfn) })
      }
    }
    return { baseGfn, npages, readOnly, logDirty, invalid, slots }
  }

  /** {@link Memslot.word} */
  word(gfn: Gfn | bigint): bigint {
    return this.rmap.word(gfn)
  }

  /** {@link Memslot.entries} */
  entries(gfn: Gfn | bigint): Entry[] {
    return this.rmap.entries(gfn)
  }

  /** {@link Memslot.listNodes} */
  listNodes(gfn: Gfn | bigint): ListNode[] {
    return this.rmap.listNodes(gfn)
  }

  /** @internal What `console.log` shows. */
  inspect(): string {
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
