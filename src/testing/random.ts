/**
 * Seeded random numbers for the generator of vectors. The same seed gives the same numbers on every platform: all
 * arithmetic is on 32-bit integers, or exact.
 *
 * The algorithm is sfc32 (Chris Doty-Humphrey, "PractRand"; public domain). It is part of the format: another one would
 * change the bytes of every vector file.
 */

/** @internal A stream of random numbers. */
export class Random {
  #a: number
  #b: number
  #c: number
  #counter = 1

  /** @param seed 0..2^32-1 */
  constructor(seed: number) {
    this.#a = seed | 0
    this.#b = 0x9e3779b9 | 0
    this.#c = 0x243f6a88
    for (let i = 0; i < 12; i++) this.next()
  }

  /** The next 32 bits. */
  next(): number {
    const sum = (this.#a + this.#b + this.#counter) | 0
    this.#counter = (this.#counter + 1) | 0
    this.#a = this.#b ^ (this.#b >>> 9)
    this.#b = (this.#c + (this.#c << 3)) | 0
    this.#c = (((this.#c << 21) | (this.#c >>> 11)) + sum) | 0
    return sum >>> 0
  }

  /** An integer in 0..n-1; n is at most 2^32. */
  below(n: number): number {
    return Math.floor((this.next() * n) / 2 ** 32)
  }

  /** An integer in min..max; their distance is below 2^53. */
  integer(min: number, max: number): number {
    const count = max - min + 1
    if (count <= 2 ** 32) return min + this.below(count)
    const high = this.next() >>> 11 // 21 bits
    return min + ((high * 2 ** 32 + this.next()) % count)
  }

  /** One of the items. */
  pick<T>(items: readonly T[]): T {
    return items[this.below(items.length)]!
  }
}
