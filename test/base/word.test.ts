import fc from 'fast-check'
import { expect, test } from 'vitest'
import { hiOf, hiOfNumber, loOf, numberOf, pow2, wordOf } from '../../src/base/word'
import { cases } from '../support/cases'

const EDGES = [0n, 1n, 0x7fffffffn, 0x80000000n, 0xffffffffn, 0x100000000n, 2n ** 63n - 1n, 2n ** 63n, 2n ** 64n - 1n]
const words = fc.oneof(fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }), fc.constantFrom(...EDGES))

test('a word is split into halves, signed as in an Int32Array', () => {
  fc.assert(
    fc.property(words, (word) => {
      const high = Number(word / 2n ** 32n)
      const low = Number(word % 2n ** 32n)
      expect(hiOf(word)).toBe(high < 2 ** 31 ? high : high - 2 ** 32)
      expect(loOf(word)).toBe(low < 2 ** 31 ? low : low - 2 ** 32)
    }),
    { numRuns: cases(1000) },
  )
})

test('halves, signed or unsigned, are joined to the word', () => {
  fc.assert(
    fc.property(words, (word) => {
      const high = Number(word / 2n ** 32n)
      const low = Number(word % 2n ** 32n)
      for (const hi of [high, high | 0]) for (const lo of [low, low | 0]) expect(wordOf(hi, lo)).toBe(word)
    }),
    { numRuns: cases(1000) },
  )
})

test('a number of up to 53 bits is split into halves and joined again, signed or unsigned', () => {
  fc.assert(
    fc.property(fc.maxSafeNat(), (number) => {
      const word = BigInt(number)
      expect(hiOfNumber(number)).toBe(hiOf(word))
      expect(hiOfNumber(-number)).toBe(hiOf(BigInt.asUintN(64, -word)))
      for (const lo of [loOf(word), loOf(word) >>> 0]) expect(numberOf(hiOf(word), lo)).toBe(number)
      const highBitSet = 2 ** 63 + number
      expect(numberOf(hiOfNumber(highBitSet) >>> 0, highBitSet | 0)).toBe(highBitSet)
    }),
    { numRuns: cases(1000) },
  )
})

test('an Int32Array and a BigUint64Array over one buffer see the same word', () => {
  const halves = new Int32Array(2)
  const whole = new BigUint64Array(halves.buffer)
  fc.assert(
    fc.property(words, (word) => {
      whole[0] = word
      expect([halves[0], halves[1]]).toEqual([loOf(word), hiOf(word)])
    }),
  )
})

test('powers of two, for all shifts of an address', () => {
  for (let n = 0; n < 52; n++) expect(pow2(n)).toBe(2 ** n)
})
