/**
 * Asks the caller for a guest leaf, where L1's page table is the caller's (guest-walker.ts). Each answer is checked, as
 * that of the caller's backing is.
 */
import { checkAnswer, checkBoolean, checkInteger, checkNoPromise, checkOneOf, showWord, wrongType } from '../base/args'
import type { Gpa, LeafShift } from '../base/units'
import { hex, hiOf, hiOfNumber, loOf, numberOf } from '../base/word'
import { LeafFlag, LeafHi } from '../page-table/leaf'
import { partitionEntry } from './guest-life'
import { GuestTable } from './guest-table'
import type { NestedGuest } from './nested-guest'
import type { VmState } from './state'
import type { NoGuestTranslation } from './guest-walker'

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
  throw new RangeError(`walk().l1Gpa: expected an integer in 0x0..${hex(MAX_L1_GPA)}, got ${showWord(l1Gpa)}`)
}
