/**
 * A 64-bit word in its two exact forms: a BigInt, and a pair of 32-bit halves.
 *
 * The library computes with the halves, which are ordinary integers and cost no allocation, and shows the BigInt.
 * In memory a word is 8 bytes, least significant first: an `Int32Array` sees its low half at an even index and its
 * high half next to it, a `BigUint64Array` over the same buffer sees the word. (Typed arrays have the byte order of
 * the machine; every platform that JavaScript engines ship for today is little-endian, and this library assumes it.)
 */

/** A 64-bit word as two unsigned 32-bit halves. */
export interface WordPair {
  /** Bits 63..32: an integer in 0..2^32-1. */
  readonly hi: number
  /** Bits 31..0: an integer in 0..2^32-1. */
  readonly lo: number
}

/**
 * @internal What a field that will have an array of halves starts with. (A field that starts undefined has no type of its
 * own in V8, and is checked at each use.)
 */
export const NO_HALVES = /* @__PURE__ */ new Int32Array(0)

// Two views of one word: what is written through one is read through the other, without arithmetic on BigInts.
const halves = /* @__PURE__ */ new Int32Array(2)
const whole = /* @__PURE__ */ new BigUint64Array(halves.buffer)

/** The BigInt of two halves, each given signed or unsigned. */
export function wordOf(hi: number, lo: number): bigint {
  halves[0] = lo
  halves[1] = hi
  return whole[0]!
}

/** Bits 63..32 of a word, as the signed integer that typed arrays hold. */
export function hiOf(word: bigint): number {
  whole[0] = word
  return halves[1]!
}

/** Bits 31..0 of a word, as the signed integer that typed arrays hold. */
export function loOf(word: bigint): number {
  whole[0] = word
  return halves[0]!
}

/** @internal The number of two halves, `hi` unsigned, `lo` signed or unsigned: exact below 2^53. */
export function numberOf(hi: number, lo: number): number {
  return hi * 2 ** 32 + (lo >>> 0)
}

/** @internal Bits 63..32 of a number that is an integer. (Bits 31..0 are `number | 0`: ToInt32 takes it modulo 2^32.) */
export function hiOfNumber(number: number): number {
  return Math.floor(number / 2 ** 32) | 0
}

/** @internal 2^n, n in 0..51. (`2 ** n` with an n that is not known beforehand is a call of pow.) */
export function pow2(n: number): number {
  return n < 31 ? 1 << n : (1 << (n - 26)) * 2 ** 26
}

/** @internal A number in hex, as errors and views show addresses and words: `0x30261000`. */
export function hex(value: number | bigint): string {
  return `0x${value.toString(16)}`
}

/** @internal A raw word with all its digits, so that its fields are aligned: `0x0030000030261001`. */
export function hexWord(word: bigint): string {
  return `0x${word.toString(16).padStart(16, '0')}`
}
