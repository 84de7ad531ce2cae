import fc from 'fast-check'
import { expect, test } from 'vitest'
import {
  entryGpa,
  entryHi,
  entryLo,
  entryLpid,
  MAX_GPA,
  MAX_LPID,
  packEntry,
  packEntryPair,
  TAG,
  toLpid,
  toNestedGpa,
  unpackEntry,
  unpackEntryPair,
} from '../../src/rmap/entry'
import { refuses } from '../support/refuses'
import { cases } from '../support/cases'

/** Spec 2 by BigInt arithmetic: LPID from bit 52, the 4 KiB frame number from bit 12. */
const expected = (lpid: number, gpa: number): bigint => BigInt(lpid) * 2n ** 52n + (BigInt(gpa) / 4096n) * 4096n

const LPID_EDGES = [0, 1, 2, 0x7ff, 0x800, 4094, 4095]
const GPA_EDGES = [
  0,
  1,
  0xffe,
  0xfff,
  0x1000,
  0x1001,
  2 ** 31 - 1,
  2 ** 31,
  2 ** 32 - 4096,
  2 ** 32 - 1,
  2 ** 32,
  2 ** 32 + 4096,
  2 ** 51 - 1,
  2 ** 51,
  2 ** 52 - 4097,
  2 ** 52 - 4096,
  2 ** 52 - 1,
]
const lpids = fc.oneof(fc.integer({ min: 0, max: 4095 }), fc.constantFrom(...LPID_EDGES))
const gpas = fc.oneof(
  fc.maxSafeNat().map((n) => n % 2 ** 52),
  fc.constantFrom(...GPA_EDGES),
  fc.integer({ min: 0, max: 51 }).map((n) => 2 ** n),
)
const RUNS = { numRuns: cases(2000) }

function eachEdge(visit: (lpid: number, gpa: number) => void): void {
  for (const lpid of LPID_EDGES) for (const gpa of GPA_EDGES) visit(lpid, gpa)
}

function holds(visit: (lpid: number, gpa: number) => void): void {
  eachEdge(visit)
  fc.assert(
    fc.property(lpids, gpas, (lpid, gpa) => visit(lpid, gpa)),
    RUNS,
  )
}

test('the word is that of the spec', () => {
  holds((lpid, gpa) => {
    expect(packEntry(lpid, gpa)).toBe(expected(lpid, gpa))
  })
  expect(packEntry(3, 0x30261234)).toBe(0x0030000030261000n)
  expect(packEntry(4095, 2 ** 52 - 1)).toBe(0xfffffffffffff000n)
  expect(packEntry(0xabc, 0x0123456789def)).toBe(0xabc0123456789000n)
})

test('the masks of the spec select the LPID and the frame', () => {
  holds((lpid, gpa) => {
    const word = packEntry(lpid, gpa)
    expect((word & 0xfff0000000000000n) >> 52n).toBe(BigInt(lpid))
    expect(word & 0x000ffffffffff000n).toBe(BigInt(gpa - (gpa % 4096)))
    expect(word & 0xfffn).toBe(0n)
  })
})

test('the pair is the word as two unsigned halves', () => {
  holds((lpid, gpa) => {
    const pair = packEntryPair(lpid, gpa)
    expect(BigInt(pair.hi) * 2n ** 32n + BigInt(pair.lo)).toBe(expected(lpid, gpa))
    expect(pair.hi >= 0 && pair.hi < 2 ** 32 && pair.lo >= 0 && pair.lo < 2 ** 32).toBe(true)
    // the formula of the design notes
    const frame = Math.floor(gpa / 4096)
    expect(pair).toEqual({ hi: lpid * 2 ** 20 + Math.floor(frame / 2 ** 20), lo: (frame % 2 ** 20) * 2 ** 12 })
  })
})

test('the pair and the word are the same bytes in a typed array', () => {
  const halves = new Uint32Array(2)
  holds((lpid, gpa) => {
    const { hi, lo } = packEntryPair(lpid, gpa)
    halves.set([lo, hi])
    const bytes = new DataView(new ArrayBuffer(8))
    bytes.setBigUint64(0, packEntry(lpid, gpa), true)
    expect(new Uint8Array(halves.buffer)).toEqual(new Uint8Array(bytes.buffer))
    halves.set([entryLo(gpa), entryHi(lpid, gpa)])
    expect(new Uint8Array(halves.buffer)).toEqual(new Uint8Array(bytes.buffer))
  })
})

test('packing and unpacking in both forms, for any address in the page', () => {
  holds((lpid, gpa) => {
    const page = { lpid, gpa: gpa - (gpa % 4096) }
    expect(unpackEntry(packEntry(lpid, gpa))).toEqual(page)
    expect(unpackEntryPair(packEntryPair(lpid, gpa))).toEqual(page)
    expect({ lpid: entryLpid(entryHi(lpid, gpa)), gpa: entryGpa(entryHi(lpid, gpa), entryLo(gpa)) }).toEqual(page)
  })
})

test('any word is decoded: the tag and bits 1..11 are ignored', () => {
  const words = fc.oneof(
    fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }),
    fc.constantFrom(0n, 1n, 0xfffn, 2n ** 64n - 1n, 2n ** 63n, 2n ** 52n),
  )
  fc.assert(
    fc.property(words, fc.integer({ min: 0, max: 4095 }), (word, low) => {
      const entry = { lpid: Number(word / 2n ** 52n), gpa: Number(((word % 2n ** 52n) / 4096n) * 4096n) }
      expect(unpackEntry(word)).toEqual(entry)
      const other = (word / 4096n) * 4096n + BigInt(low)
      expect(unpackEntry(other)).toEqual(entry)
      expect(unpackEntryPair({ hi: Number(other >> 32n), lo: Number(other & 0xffffffffn) })).toEqual(entry)
      expect(packEntry(entry.lpid, entry.gpa)).toBe(word - (word % 4096n))
    }),
    RUNS,
  )
})

test('different entries have different words, ordered by LPID, then by frame', () => {
  const order = (a: number, b: number): number => Math.sign(a - b)
  fc.assert(
    fc.property(lpids, gpas, lpids, gpas, (lpid1, gpa1, lpid2, gpa2) => {
      const fields = order(lpid1, lpid2) || order(Math.floor(gpa1 / 4096), Math.floor(gpa2 / 4096))
      const [word1, word2] = [packEntry(lpid1, gpa1), packEntry(lpid2, gpa2)]
      expect(word1 < word2 ? -1 : word1 > word2 ? 1 : 0).toBe(fields)
    }),
    RUNS,
  )
})

test('an untagged entry is even, a tagged one is odd, and both decode to the same entry', () => {
  holds((lpid, gpa) => {
    const word = packEntry(lpid, gpa)
    expect(word % 2n).toBe(0n)
    expect(unpackEntry(word + BigInt(TAG))).toEqual(unpackEntry(word))
  })
  expect(TAG).toBe(1)
})

test('the limits are those of the spec', () => {
  expect([MAX_LPID, MAX_GPA]).toEqual([4095, 2 ** 52 - 1])
  expect(Number.isSafeInteger(MAX_GPA)).toBe(true)
})

test('-0 is accepted as 0, and never returned', () => {
  expect(packEntry(-0, -0)).toBe(0n)
  expect(packEntryPair(-0, -0)).toEqual({ hi: 0, lo: 0 })
  expect(unpackEntryPair({ hi: -0, lo: -0 })).toEqual({ lpid: 0, gpa: 0 })
})

const BAD_NUMBERS: [number, string, string][] = [
  [NaN, 'NaN', 'NaN'],
  [Infinity, 'Infinity', 'Infinity'],
  [-Infinity, '-Infinity', '-Infinity'],
  [-1, '-1', '-0x1'],
  [0.5, '0.5', '0.5'],
  [-0.5, '-0.5', '-0.5'],
  [2 ** 53, '9007199254740992', '0x20000000000000'],
  [2 ** 52, '4503599627370496', '0x10000000000000'],
  [5e-324, '5e-324', '5e-324'],
]
const BAD_TYPES: [unknown, string][] = [
  [undefined, 'undefined'],
  [null, 'null'],
  ['1', 'string "1"'],
  [true, 'boolean'],
  [{}, 'object'],
  [[1], 'object'],
  [Symbol('x'), 'symbol'],
  [{ valueOf: () => 1 }, 'object'],
]

test('both packers refuse an invalid LPID or address', () => {
  for (const pack of [packEntry, packEntryPair]) {
    for (const [value, decimal, hex] of BAD_NUMBERS) {
      refuses(() => pack(value, 0), RangeError, `lpid: expected an integer in 0..4095, got ${decimal}`)
      refuses(() => pack(1, value), RangeError, `gpa: expected an integer in 0x0..0xfffffffffffff, got ${hex}`)
    }
    refuses(() => pack(4096, 0), RangeError, 'lpid: expected an integer in 0..4095, got 4096')
    for (const [value, shown] of BAD_TYPES) {
      refuses(() => pack(value as never, 0), TypeError, `lpid: expected an integer in 0..4095, got ${shown}`)
      refuses(
        () => pack(1, value as never),
        TypeError,
        `gpa: expected an integer in 0x0..0xfffffffffffff, got ${shown}`,
      )
    }
  }
})

test('an LPID below the minimum is refused', () => {
  expect([toLpid(0, 0), toLpid(1, 1), toLpid(4095, 1)]).toEqual([0, 1, 4095])
  refuses(() => toLpid(0, 1), RangeError, 'lpid: expected an integer in 1..4095, got 0')
  refuses(() => toLpid(-0, 1), RangeError, 'lpid: expected an integer in 1..4095, got 0')
})

test('LPIDs and addresses may be BigInts in range', () => {
  fc.assert(
    fc.property(fc.integer({ min: 0, max: 4095 }), fc.bigInt({ min: 0n, max: 2n ** 52n - 1n }), (lpid, gpa) => {
      const word = packEntry(lpid, Number(gpa))
      expect(packEntry(BigInt(lpid), gpa)).toBe(word)
      expect(packEntryPair(BigInt(lpid), gpa)).toEqual(packEntryPair(lpid, Number(gpa)))
      expect([toLpid(BigInt(lpid), 0), toNestedGpa(gpa)]).toEqual([lpid, Number(gpa)])
    }),
  )
  refuses(() => packEntry(4096n, 0), RangeError, 'lpid: expected an integer in 0..4095, got 4096')
  refuses(() => packEntry(-1n, 0), RangeError, 'lpid: expected an integer in 0..4095, got -1')
  const range = 'gpa: expected an integer in 0x0..0xfffffffffffff'
  refuses(() => packEntry(1, 2n ** 52n), RangeError, `${range}, got 0x10000000000000`)
  refuses(() => packEntryPair(1, -1n), RangeError, `${range}, got -0x1`)
})

test('an invalid word or pair is refused', () => {
  for (const [word, shown] of [
    [-1n, '-0x1'],
    [2n ** 64n, '0x10000000000000000'],
  ] as const) {
    refuses(() => unpackEntry(word), RangeError, `word: expected a BigInt in 0x0..0xffffffffffffffff, got ${shown}`)
  }
  refuses(() => unpackEntry(1 as never), TypeError, 'word: expected a BigInt in 0x0..0xffffffffffffffff, got number')
  for (const [value, , hex] of BAD_NUMBERS) {
    refuses(
      () => unpackEntryPair({ hi: value, lo: 0 }),
      RangeError,
      `hi: expected an integer in 0x0..0xffffffff, got ${hex}`,
    )
    refuses(
      () => unpackEntryPair({ hi: 0, lo: value }),
      RangeError,
      `lo: expected an integer in 0x0..0xffffffff, got ${hex}`,
    )
  }
  refuses(
    () => unpackEntryPair({ hi: 2 ** 32, lo: 0 }),
    RangeError,
    'hi: expected an integer in 0x0..0xffffffff, got 0x100000000',
  )
  refuses(
    () => unpackEntryPair({ hi: 0, lo: 2 ** 32 }),
    RangeError,
    'lo: expected an integer in 0x0..0xffffffff, got 0x100000000',
  )
  for (const [value, shown] of BAD_TYPES) {
    refuses(
      () => unpackEntryPair({ hi: value as never, lo: 0 }),
      TypeError,
      `hi: expected an integer in 0x0..0xffffffff, got ${shown}`,
    )
  }
  refuses(() => unpackEntryPair(null as never), TypeError, 'pair: expected an object, got null')
  refuses(() => unpackEntryPair(7 as never), TypeError, 'pair: expected an object, got number')
})

test('a pair with getters is read once', () => {
  let reads = 0
  const pair = {
    get hi() {
      return reads++ === 0 ? 0x00300000 : 2 ** 40
    },
    get lo() {
      return 0x1000
    },
  }
  expect(unpackEntryPair(pair)).toEqual({ lpid: 3, gpa: 0x1000 })
  expect(reads).toBe(1)
})
