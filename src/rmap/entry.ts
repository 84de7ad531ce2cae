/**
 * The rmap entry: the LPID of a nested guest and one of its pages, in one 64-bit word (spec 2).
 *
 *     63          52 51                                     12 11         1   0
 *     |    LPID     |   nested gpa, as a 4 KiB frame number    |  zero      |tag|
 *        12 bits                    40 bits                                   1
 *
 *     hi  31       20 19          0        lo  31              12 11     1   0
 *         |   LPID   | gpa 51..32 |            |   gpa 31..12    |  zero   |tag|
 *
 * The frame number is in units of 4 KiB, whatever the page shift, so a nested guest's address is below 2^52: an exact
 * JavaScript number. The low 12 bits are free, which makes the tag possible: a node's address is even, so an odd word can
 * only be an entry. Two entries are equal if their LPIDs and frames are equal; the tag and bits 1..11 are ignored.
 *
 * These functions must not decide whether LPID 0 may be inserted: the memslot does.
 */
import { checkObject, checkWord, toInteger } from '../base/args'
import { type Lpid, MAX_GPA, MAX_LPID, type NestedGpa } from '../base/units'
import { hiOf, loOf, numberOf, wordOf, type WordPair } from '../base/word'

export { MAX_GPA, MAX_LPID, type Lpid, type NestedGpa }

/** An rmap entry, decoded: a page of a nested guest. */
export interface Entry {
  /** L1's number for the nested guest: 1..4095, or 0 (the host's) where that is allowed. */
  readonly lpid: Lpid
  /** The nested guest's address of the page, in bytes: a multiple of 4 KiB, 0..2^52-4096. */
  readonly gpa: NestedGpa
}

/** @internal (A const enum: hot paths get the number itself. A module's variable would be loaded at each use.) */
export const enum EntryBits {
  /** Set in a word that holds an entry where a pointer could be (spec 3). */
  TAG = 1,
}

/** @internal {@link EntryBits.TAG} for code that is not hot. */
export const TAG: number = EntryBits.TAG

/**
 * Encodes an rmap entry as its 64-bit word, with tag 0 (spec 2). O(1).
 *
 * @param lpid 0..4095
 * @param gpa the nested guest's address, in bytes: 0..2^52-1; rounded down to its 4 KiB page
 * @throws RangeError, TypeError
 * @example
 * packEntry(3, 0x30261abc) // 0x0030000030261000n
 */
export function packEntry(lpid: Lpid | bigint, gpa: NestedGpa | bigint): bigint {
  const guest = toLpid(lpid, 0)
  const address = toNestedGpa(gpa)
  return wordOf(entryHi(guest, address), entryLo(address))
}

/**
 * Decodes the 64-bit word of an rmap entry (spec 2). The tag and bits 1..11 are ignored; LPID 0 is decoded like any
 * other. O(1).
 *
 * @param word 0..2^64-1
 * @throws RangeError, TypeError
 * @example
 * unpackEntry(0x0030000030261001n) // { lpid: 3, gpa: 0x30261000 }
 */
export function unpackEntry(word: bigint): Entry {
  checkWord('word', word)
  return entryOf(hiOf(word), loOf(word))
}

/**
 * {@link packEntry} without a BigInt: the same 8 bytes as two unsigned 32-bit numbers.
 *
 * @param lpid 0..4095
 * @param gpa the nested guest's address, in bytes: 0..2^52-1; rounded down to its 4 KiB page
 * @throws RangeError, TypeError
 */
export function packEntryPair(lpid: Lpid | bigint, gpa: NestedGpa | bigint): WordPair {
  const guest = toLpid(lpid, 0)
  const address = toNestedGpa(gpa)
  return { hi: entryHi(guest, address) >>> 0, lo: entryLo(address) >>> 0 }
}

/**
 * {@link unpackEntry} without a BigInt.
 *
 * @param pair two integers in 0..2^32-1
 * @throws RangeError, TypeError
 */
export function unpackEntryPair(pair: WordPair): Entry {
  const { hi, lo } = checkObject('pair', pair)
  return entryOf(toInteger('hi', hi, 0, 0xffffffff, 16), toInteger('lo', lo, 0, 0xffffffff, 16))
}

/** @internal Checks an LPID argument. Fast for a valid number: it calls no function. */
export function toLpid(lpid: Lpid | bigint, min: number): Lpid {
  return typeof lpid === 'number' && (lpid & 0xfff) === lpid && lpid >= min
    ? lpid
    : toInteger('lpid', lpid, min, MAX_LPID)
}

/** @internal Checks a nested gpa argument. Fast for a valid number. */
export function toNestedGpa(gpa: NestedGpa | bigint): NestedGpa {
  return typeof gpa === 'number' && gpa >= 0 && gpa < 2 ** 52 && Math.floor(gpa) === gpa
    ? gpa
    : toInteger('gpa', gpa, 0, MAX_GPA, 16)
}

/** @internal The high half of an entry: LPID, and bits 51..32 of the address. The arguments must be valid. */
export function entryHi(lpid: Lpid, gpa: NestedGpa): number {
  return (lpid << 20) | (gpa / 2 ** 32)
}

/** @internal The low half of an entry, untagged: bits 31..12 of the address. (`&` takes a number modulo 2^32.) */
export function entryLo(gpa: NestedGpa): number {
  return gpa & ~0xfff
}

/** @internal The LPID in an entry's high half. */
export function entryLpid(hi: number): Lpid {
  return hi >>> 20
}

/** @internal The address in an entry's two halves. */
export function entryGpa(hi: number, lo: number): NestedGpa {
  return numberOf(hi & 0xfffff, lo & ~0xfff)
}

/** @internal Decodes an entry's two halves; the tag is ignored. */
export function entryOf(hi: number, lo: number): Entry {
  return { lpid: entryLpid(hi), gpa: entryGpa(hi, lo) }
}
