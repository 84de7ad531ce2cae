/**
 * The two forms of a 64-bit word: a BigInt, and a pair of 32-bit halves.
 *
 * The library computes with the halves: they are ordinary integers and need no allocation. The public API has BigInts.
 * In memory a word is 8 bytes, least significant first: in an `Int32Array` its low half has an even index and its high
 * half the next one; a `BigUint64Array` over the same buffer has the word. (Typed arrays have the byte order of the
 * machine. This library assumes little-endian, which all current platforms of JavaScript engines are.)
 */

/** A 64-bit word as two unsigned 32-bit halves. */
export interface WordPair {
  /** Bits 63..32: an integer in 0..2^32-1. */
  readonly hi: number
  /** Bits 31..0: an integer in 0..2^32-1. */
  readonly lo: number
}

/**
 * @internal The initial value of a field for an array of halves. (V8 knows the type of such a field only if it never was
 * undefined; otherwise it checks it at each use.)
 */
export const NO_HALVES = /* @__PURE__ */ new Int32Array(0)

// Two views of the same 8 bytes: they convert a word without BigInt arithmetic.
const halves = /* @__PURE__ */ new Int32Array(2)
const whole = /* @__PURE__ */ new BigUint64Array(halves.buffer)

/** The word of two halves, each signed or unsigned. */
export function wordOf(hi: number, lo: number): bigint {
  halves[0] = lo
  halves[1] = hi
  return whole[0]!
}

/** Bits 63..32 of a word as a signed integer, as an `Int32Array` has them. */
export function hiOf(word: bigint): number {
  whole[0] = word
  return halves[1]!
}

/** Bits 31..0 of a word as a signed integer, as an `Int32Array` has them. */
export function loOf(word: bigint): number {
  whole[0] = word
  return halves[0]!
}

/** @internal The number with these halves, `hi` unsigned, `lo` signed or unsigned: exact below 2^53. */
export function numberOf(hi: number, lo: number): number {
  return hi * 2 ** 32 + (lo >>> 0)
}

/** @internal Bits 63..32 of an integer, as a signed integer. (Bits 31..0 are `number | 0`.) */
export function hiOfNumber(number: number): number {
  return Math.floor(number / 2 ** 32) | 0
}

/** @internal 2^n, n in 0..51. (`2 ** n` calls pow unless n is a constant.) */
export function pow2(n: number): number {
  return n < 31 ? 1 << n : (1 << (n - 26)) * 2 ** 26
}

/** @internal A number in hex, as errors and views show addresses and words: `0x30261000`. */
export function hex(value: number | bigint): string {
  return `0x${value.toString(16)}`
}

/** @internal A word with all 16 digits, so that its fields are aligned: `0x0030000030261001`. */
export function hexWord(word: bigint): string {
  return `0x${word.toString(16).padStart(16, '0')}`
}
