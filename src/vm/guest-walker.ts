/**
 * The interface of a guest table that the caller keeps: an emulator walks its own page tables, and the model asks it for
 * each translation (spec 5 step 1).
 */
import type { Gpa, LeafShift, NestedGpa } from '../base/units'

/** What a guest leaf maps a nested guest's address to: the answer of {@link GuestWalker.walk}. */
export interface GuestTranslation {
  /**
   * L1's address of the access, not of the leaf's first byte: in bytes, 0..2^53-1, or a BigInt up to 2^57-1 for a leaf that
   * names an address which no L1 has. Its offset in the leaf must be that of the nested guest's address.
   */
  readonly l1Gpa: Gpa | bigint
  /** log2 of the guest leaf's size in bytes: 12, 16, 21 or 30. L0 refuses one below its base page (`invalid`). */
  readonly shift: LeafShift
  /** What the guest leaf allows: bits `READ`, `WRITE` and `EXECUTE` of `LeafFlag`, 0..7. */
  readonly permissions: number
  /** Whether the guest leaf has its referenced bit (spec 5 step 5, spec 6). The default is true. */
  readonly referenced?: boolean
  /** Whether the guest leaf has its changed bit (spec 5 step 5, spec 6). The default is true. */
  readonly changed?: boolean
}

/** Why a guest table translates nothing: no leaf maps the address, or L0 cannot walk the table (spec 5 step 1). */
export type NoGuestTranslation = 'no-translation' | 'malformed'

/**
 * L1's page table for a nested guest, kept by the caller: an argument of `Vm.setGuestTable`. The model does not see edits
 * of such a table, so `Vm.check` does not check the invariant `composition` for its leaves. `snapshot` refuses it.
 *
 * @example
 * const pages = new Map([[1, 7]]) // the emulator's own: page 1 of the nested guest is page 7 of L1
 * const l1 = new Vm()
 * l1.addMemslot({ baseGfn: 0, npages: 16 })
 * l1.setGuestTable(5, {
 *   walk(gpa) {
 *     const page = pages.get(Math.floor(gpa / 0x10000))
 *     if (page === undefined) return 'no-translation'
 *     const permissions = LeafFlag.READ | LeafFlag.WRITE
 *     return { l1Gpa: page * 0x10000 + (gpa % 0x10000), shift: 16, permissions }
 *   },
 * })
 * console.log(l1.fault({ lpid: 5, gpa: 0x10000, access: 'read' }).outcome) // => mapped
 */
export interface GuestWalker {
  /**
   * Translates an address of the nested guest. It is called once for each fault that is not `present` and for each set-rc,
   * before anything has changed; never by `check`. It may call the L1, and may throw: then there was no fault. It cannot be
   * async.
   *
   * @param nestedGpa the address of the access, in bytes: 0..2^52-1
   */
  walk(nestedGpa: NestedGpa): GuestTranslation | NoGuestTranslation
}
