/**
 * Which referenced and changed bits of the model's leaves are known, and so can be compared.
 *
 * Creations, set-rc, ageing and harvest change them. A recording shows all of these only if it has the events of the
 * fault path; without them the bits are not compared. If two tasks change one leaf at the same time, the recording does
 * not show which change came first: such a bit is *in doubt*, and not compared, until an event shows the word.
 */
import { numberOf } from '../base/word'
import { RC } from '../page-table/leaf'
import type { RadixTable } from '../page-table/radix-table'

/** Which referenced and changed bits are compared. */
export class RcBits {
  /** Whether the recording shows all changes of the bits, so that they are compared. */
  judged = false
  /** Bits in doubt, by table and by the leaf's first address. Nearly always empty. */
  readonly #doubts = new Map<RadixTable, Map<number, number>>()

  /** The bits that must not be compared, for the leaf with this first address. */
  ignored(table: RadixTable, hi: number, lo: number): number {
    if (!this.judged) return RC
    if (this.#doubts.size === 0) return 0
    return this.#doubts.get(table)?.get(keyOf(hi, lo)) ?? 0
  }

  /** Puts bits of a leaf in doubt: they may be set or not. */
  doubt(table: RadixTable, hi: number, lo: number, bits: number): void {
    if (bits === 0) return
    let leaves = this.#doubts.get(table)
    if (leaves === undefined) this.#doubts.set(table, (leaves = new Map()))
    const key = keyOf(hi, lo)
    leaves.set(key, (leaves.get(key) ?? 0) | bits)
  }

  /** Bits of a leaf are known again: the kernel has shown, set or cleared them. */
  settle(table: RadixTable, hi: number, lo: number, bits: number = RC): void {
    if (this.#doubts.size === 0) return
    const leaves = this.#doubts.get(table)
    const key = keyOf(hi, lo)
    const left = (leaves?.get(key) ?? 0) & ~bits
    if (left !== 0) leaves!.set(key, left)
    else if (leaves?.delete(key) && leaves.size === 0) this.#doubts.delete(table)
  }

  /** All leaves of a table are cleared. */
  settleAll(table: RadixTable): void {
    this.#doubts.delete(table)
  }
}

function keyOf(hi: number, lo: number): number {
  return numberOf(hi & 0xfffff, lo)
}
