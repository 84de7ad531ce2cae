import fc from 'fast-check'
import { expect, test } from 'vitest'
import {
  LeafHi,
  LEAF,
  LeafFlag,
  leafFrame,
  leafHpa,
  packLeaf,
  PRESENT,
  RC,
  swap32,
  swapBytes,
  unpackLeaf,
  withoutRc,
} from '../../src/page-table/leaf'
import { MAX_HPA } from '../../src/base/units'
import { refuses } from '../support/refuses'
import { cases } from '../support/cases'

const FRAME_EDGES = [0, 1, 2 ** 20 - 1, 2 ** 20, 2 ** 31, 2 ** 32 - 1, 2 ** 32, 2 ** 40, 2 ** 41 - 1]
const frames = fc.oneof(
  fc.maxSafeNat().map((n) => n % 2 ** 41),
  fc.constantFrom(...FRAME_EDGES),
)
const flagSets = fc.integer({ min: 0, max: 0xfff })
const words = fc.oneof(fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }), fc.constantFrom(0n, 2n ** 64n - 1n, 2n ** 63n))
const RUNS = { numRuns: cases(2000) }

/** The halves of a word, signed as in an Int32Array. */
function halvesOf(word: bigint): [hi: number, lo: number] {
  const bytes = new DataView(new ArrayBuffer(8))
  bytes.setBigUint64(0, word)
  return [bytes.getInt32(0), bytes.getInt32(4)]
}

test('the bits are those of the spec', () => {
  expect([PRESENT, LEAF]).toEqual([0x8000000000000000n, 0x4000000000000000n])
  expect(LeafFlag).toEqual({
    REFERENCED: 0x100,
    CHANGED: 0x080,
    PRIVILEGED: 0x008,
    READ: 0x004,
    WRITE: 0x002,
    EXECUTE: 0x001,
  })
  expect(RC).toBe(0x180)
  expect(MAX_HPA).toBe(2 ** 53 - 1)
  expect(halvesOf(PRESENT)).toEqual([LeafHi.PRESENT, 0])
  expect(halvesOf(LEAF)).toEqual([LeafHi.LEAF, 0])
  expect(LeafHi.FRAME).toBe(0x001fffff) // 0x001FFFFFFFFFF000 >> 32
})

test('a leaf word has present bit, leaf bit, frame and flags', () => {
  fc.assert(
    fc.property(frames, flagSets, (frame, flags) => {
      const word = packLeaf({ hpa: frame * 4096, flags })
      expect(packLeaf({ hpa: BigInt(frame) * 4096n, flags: BigInt(flags) })).toBe(word)
      expect(word).toBe(2n ** 63n + 2n ** 62n + BigInt(frame) * 4096n + BigInt(flags))
      expect(unpackLeaf(word)).toEqual({ hpa: frame * 4096, flags })
    }),
    RUNS,
  )
  expect(packLeaf({ hpa: 0x12345000, flags: LeafFlag.READ | LeafFlag.REFERENCED })).toBe(0xc000000012345104n)
  expect(packLeaf({ hpa: -0, flags: -0 })).toBe(0xc000000000000000n)
})

test('the frame of any word is what L0 keeps: bits 52..12', () => {
  fc.assert(
    fc.property(words, (word) => {
      expect(unpackLeaf(word)).toEqual({
        hpa: Number(((word % 2n ** 53n) / 4096n) * 4096n),
        flags: Number(word % 4096n),
      })
      expect(leafFrame(...halvesOf(word))).toBe(Number((word & 0x001ffffffffff000n) >> 12n))
    }),
    RUNS,
  )
})

test('the host address is the frame rounded down to the page size', () => {
  for (const shift of [12, 16, 21, 30]) {
    fc.assert(
      fc.property(words, (word) => {
        const frame = word & 0x001ffffffffff000n
        expect(leafHpa(...halvesOf(word), shift)).toBe(Number((frame >> BigInt(shift)) << BigInt(shift)))
      }),
      RUNS,
    )
  }
})

test('withoutRc clears referenced and changed, and keeps all other bits', () => {
  fc.assert(
    fc.property(words, (word) => {
      const bits = (n: bigint): bigint => (word / n) % 2n
      expect(withoutRc(word)).toBe(word - bits(0x100n) * 0x100n - bits(0x80n) * 0x80n)
    }),
    RUNS,
  )
})

test('swapBytes reverses the bytes of a word', () => {
  fc.assert(
    fc.property(words, (word) => {
      const bytes = new DataView(new ArrayBuffer(8))
      bytes.setBigUint64(0, word, false)
      expect(swapBytes(...halvesOf(word))).toBe(bytes.getBigUint64(0, true))
      expect(swap32(bytes.getInt32(0))).toBe(bytes.getInt32(0, true))
    }),
    RUNS,
  )
  expect(swapBytes(...halvesOf(0x8701452301000080n))).toBe(0x8000000123450187n)
})

const UNKNOWN_FIELD = 'fields: unknown option "frame"; expected hpa, flags'

test('invalid arguments are refused', () => {
  for (const [hpa, shown] of [
    [-1, '-0x1'],
    [0.5, '0.5'],
    [NaN, 'NaN'],
    [Infinity, 'Infinity'],
    [2 ** 53, '0x20000000000000'],
  ] as const) {
    refuses(
      () => packLeaf({ hpa, flags: 0 }),
      RangeError,
      `hpa: expected an integer in 0x0..0x1fffffffffffff, got ${shown}`,
    )
  }
  for (const [flags, shown] of [
    [-1, '-0x1'],
    [4096, '0x1000'],
    [1.5, '1.5'],
    [NaN, 'NaN'],
  ] as const) {
    refuses(() => packLeaf({ hpa: 0, flags }), RangeError, `flags: expected an integer in 0x0..0xfff, got ${shown}`)
  }
  refuses(() => packLeaf({ frame: 1, flags: 0 } as never), TypeError, UNKNOWN_FIELD)
  refuses(() => packLeaf({ hpa: 0 } as never), TypeError, 'flags: expected an integer in 0x0..0xfff, got undefined')
  refuses(() => packLeaf({ hpa: 0x800, flags: 0 }), RangeError, 'hpa: expected a multiple of 0x1000, got 0x800')
  refuses(() => packLeaf(undefined as never), TypeError, 'fields: expected an object, got undefined')
  refuses(() => unpackLeaf(-1n), RangeError, 'word: expected a BigInt in 0x0..0xffffffffffffffff, got -0x1')
  refuses(
    () => unpackLeaf(2n ** 64n),
    RangeError,
    'word: expected a BigInt in 0x0..0xffffffffffffffff, got 0x10000000000000000',
  )
  refuses(() => unpackLeaf(0 as never), TypeError, 'word: expected a BigInt in 0x0..0xffffffffffffffff, got number')
})
