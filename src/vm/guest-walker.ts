/**
 * L1's page table for a nested guest where the caller has it: an emulator walks its own page tables, and the model asks it
 * (spec 5 step 1). What it returns is checked at each use, as the caller's backing is.
 */
import { checkAnswer, checkBoolean, checkInteger, checkNoPromise, checkOneOf, wrongType } from '../base/args'
import type { Gpa, LeafShift, NestedGpa } from '../base/units'
import { hex, hiOf, hiOfNumber, loOf, numberOf } from '../base/word'
import { LeafFlag, LeafHi } from '../page-table/leaf'
import { partitionEntry } from './guest-life'
import { GuestTable } from './guest-table'
import type { NestedGuest } from './nested-guest'
import type { VmState } from './state'

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
 * L1's page table for a nested guest, kept by the caller: the argument of `Vm.setGuestTable` where a `GuestTable` is not
 * wanted. An L1 sees no edits of such a table, so `Vm.check` does not check the invariant `composition` for its leaves.
 * `snapshot` refuses it.
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

/** @internal A guest leaf that a caller's walk has found: its word as halves, its size, and the guest's `tlbies` before. */
export class WalkedLeaf {
  constructor(
    readonly hi: number,
    readonly lo: number,
    readonly shift: LeafShift,
    readonly tlbies: number,
  ) {}
}

const TRANSLATION = ['l1Gpa', 'shift', 'permissions', 'referenced', 'changed'] as const
const MAX_L1_GPA = 2n ** 57n - 1n

/**
 * @internal Asks the caller for the leaf that maps an address, given as halves, if L1's table for a nested guest is the
 * caller's, or will be when L0 reads it in the partition table; undefined if it is not.
 *
 * @throws RangeError, TypeError for a wrong answer, and what the caller throws; nothing has changed
 */
export function askWalker(
  vm: VmState,
  guest: NestedGuest,
  hi: number,
  lo: number,
): WalkedLeaf | NoGuestTranslation | undefined {
  const table = guest.root ?? partitionEntry(vm, guest.lpid)
  if (table === undefined || table instanceof GuestTable) return undefined
  const { tlbies } = guest
  const answer = table.walk(numberOf(hi, lo))
  if (typeof answer === 'string') {
    return checkOneOf<NoGuestTranslation>('walk()', answer, ['no-translation', 'malformed'])
  }
  if (typeof answer !== 'object' || answer === null) {
    throw wrongType('walk()', "{ l1Gpa, shift, permissions }, 'no-translation' or 'malformed'", answer)
  }
  const { l1Gpa, shift, permissions, referenced, changed } = checkAnswer('walk()', answer, TRANSLATION)
  if (l1Gpa === undefined) checkNoPromise('walk()', answer)
  const { hi: l1Hi, lo: l1Lo } = l1Address(l1Gpa)
  checkOneOf<LeafShift>('walk().shift', shift, [12, 16, 21, 30])
  const offset = (1 << shift) - 1
  if (((l1Lo ^ lo) & offset) !== 0) {
    throw new RangeError(
      `walk().l1Gpa: expected L1's address of the access at ${hex(numberOf(hi, lo))}, with its offset ${hex(lo & offset)} ` +
        `in a leaf of 2^${shift} bytes, got ${hex(l1Gpa)}`,
    )
  }
  const flags =
    checkInteger('walk().permissions', permissions, 0, LeafFlag.READ | LeafFlag.WRITE | LeafFlag.EXECUTE, 16) |
    (checkBoolean('walk().referenced', referenced, true) ? LeafFlag.REFERENCED : 0) |
    (checkBoolean('walk().changed', changed, true) ? LeafFlag.CHANGED : 0)
  return new WalkedLeaf(LeafHi.PRESENT | LeafHi.LEAF | l1Hi, (l1Lo & ~offset) | flags, shift, tlbies)
}

function l1Address(l1Gpa: Gpa | bigint): { hi: number; lo: number } {
  if (typeof l1Gpa !== 'bigint') {
    const address = checkInteger('walk().l1Gpa', l1Gpa, 0, Number.MAX_SAFE_INTEGER, 16)
    return { hi: hiOfNumber(address), lo: address | 0 }
  }
  if (l1Gpa >= 0n && l1Gpa <= MAX_L1_GPA) return { hi: hiOf(l1Gpa), lo: loOf(l1Gpa) }
  throw new RangeError(`walk().l1Gpa: expected an integer in 0x0..${hex(MAX_L1_GPA)}, got ${hex(l1Gpa)}`)
}
