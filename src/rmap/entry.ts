/**
 * The rmap entry: which nested guest, and which of its pages, in one 64-bit word (spec 2).
 *
 *     63          52 51                                     12 11         1   0
 *     |    LPID     |   nested gpa, as a 4 KiB frame number    |  zero      |tag|
 *        12 bits                    40 bits                                   1
 *
 *     hi  31       20 19          0        lo  31              12 11     1   0
 *         |   LPID   | gpa 51..32 |            |   gpa 31..12    |  zero   |tag|
 *
 * The frame number counts 4 KiB pages whatever the page shift, so a nested address is below 2^52: an exact
 * JavaScript number. The low 12 bits are free, which makes the tag possible: a node's address is even, so an odd
 * word can only be an entry. Two entries are equal when LPID and frame are; the tag and bits 1..11 do not count.
 */
import { badInteger, checkInteger, checkObject, checkWord } from '../base/args'
import { type Lpid, MAX_GPA, MAX_LPID, type NestedGpa } from '../base/units'
import { hiOf, loOf, numberOf, wordOf, type WordPair } from '../base/word'

export { MAX_GPA, MAX_LPID, type Lpid, type NestedGpa }

/** What an entry says: the nested guest, and the address in it, in bytes, of a 4 KiB page. */
export interface Entry {
  readonly lpid: Lpid
  readonly gpa: NestedGpa
}

/** @internal (A const enum, like the others on hot paths: a module's variable would be loaded at each use.) */
export const enum EntryBits {
  /** Set in a word that holds an entry where a pointer could be (spec 3). */
  TAG = 1,
}

/** @internal {@link EntryBits.TAG} for code that is not hot. */
export const TAG = EntryBits.TAG

/**
 * The entry's word, with tag 0 (spec 2).
 *
 * @param lpid 0..4095. Packing is encoding alone: whether LPID 0 may be inserted is for the memslot to say.
 * @param gpa 0..2^52-1, in bytes; cut down to its 4 KiB page.
 * @throws RangeError, TypeError
 */
export function packEntry(lpid: Lpid, gpa: NestedGpa): bigint {
  checkEntry(lpid, gpa, 0)
  return wordOf(entryHi(lpid, gpa), entryLo(gpa))
}

/**
 * What an entry's word says (spec 2). The tag and bits 1..11 are ignored; LPID 0 is decoded like any other.
 *
 * @param word 0..2^64-1
 * @throws RangeError, TypeError
 */
export function unpackEntry(word: bigint): Entry {
  checkWord('word', word)
  return entryOf(hiOf(word), loOf(word))
}

/**
 * {@link packEntry} without a BigInt: the same 8 bytes as two unsigned 32-bit numbers.
 *
 * @throws RangeError, TypeError
 */
export function packEntryPair(lpid: Lpid, gpa: NestedGpa): WordPair {
  checkEntry(lpid, gpa, 0)
  return { hi: entryHi(lpid, gpa) >>> 0, lo: entryLo(gpa) >>> 0 }
}

/**
 * {@link unpackEntry} without a BigInt.
 *
 * @param pair two integers in 0..2^32-1
 * @throws RangeError, TypeError
 */
export function unpackEntryPair(pair: WordPair): Entry {
  const { hi, lo } = checkObject('pair', pair)
  return entryOf(checkInteger('hi', hi, 0, 0xffffffff, 16), checkInteger('lo', lo, 0, 0xffffffff, 16))
}

/** @internal Throws unless `lpid` is in `minLpid`..4095 and `gpa` in 0..2^52-1. */
export function checkEntry(lpid: Lpid, gpa: NestedGpa, minLpid: number): void {
  if (!(typeof lpid === 'number' && (lpid & 0xfff) === lpid && lpid >= minLpid)) {
    throw badInteger('lpid', lpid, minLpid, MAX_LPID)
  }
  if (!(typeof gpa === 'number' && gpa >= 0 && gpa < 2 ** 52 && Math.floor(gpa) === gpa)) {
    throw badInteger('gpa', gpa, 0, MAX_GPA, 16)
  }
}

/** @internal High half of the entry of checked arguments: LPID, and bits 51..32 of the address. */
export function entryHi(lpid: Lpid, gpa: NestedGpa): number {
  return (lpid << 20) | (gpa / 2 ** 32)
}

/** @internal Low half, untagged: bits 31..12 of the address. (ToInt32 takes a number modulo 2^32.) */
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

/** @internal Both. */
export function entryOf(hi: number, lo: number): Entry {
  return { lpid: entryLpid(hi), gpa: entryGpa(hi, lo) }
}
