import fc from 'fast-check'
import { expect, test } from 'vitest'
import { AllocationGate } from '../../src/page-table/allocation-gate'
import { packLeaf } from '../../src/page-table/leaf'
import { RadixTable, type Leaf } from '../../src/page-table/radix-table'
import { refuses } from '../support/refuses'
import { cases } from '../support/cases'

type PageShift = 16 | 12
type LeafShift = PageShift | 21 | 30

/** Index bits per level, root first (spec 4). */
const LEVEL_BITS: Record<PageShift, number[]> = { 16: [13, 9, 9, 5], 12: [13, 9, 9, 9] }

/** log2 of the bytes that one entry of a level maps. */
function shiftOfLevel(pageShift: PageShift, level: number): number {
  return LEVEL_BITS[pageShift].slice(level + 1).reduce((sum, bits) => sum + bits, pageShift)
}

/** The simplest table: leaves by first address, and the names of the pages that lead to them. */
class Model {
  readonly pageShift: PageShift
  readonly leaves = new Map<number, Leaf>()
  readonly pages = new Set<string>()

  constructor(pageShift: PageShift) {
    this.pageShift = pageShift
  }

  lookup(gpa: number): Leaf | undefined {
    for (const leaf of this.leaves.values()) if (gpa >= leaf.gpa && gpa < leaf.gpa + 2 ** leaf.shift) return leaf
    return undefined
  }

  smaller(gpa: number, shift: number): Leaf[] {
    return this.sorted().filter((leaf) => leaf.shift < shift && leaf.gpa >= gpa && leaf.gpa < gpa + 2 ** shift)
  }

  set(gpa: number, shift: LeafShift, word: bigint): void {
    for (const leaf of this.smaller(gpa, shift)) this.leaves.delete(leaf.gpa)
    for (let level = 1; level < 4; level++) {
      const above = shiftOfLevel(this.pageShift, level - 1)
      if (above > shift) this.pages.add(`${level}:${Math.floor(gpa / 2 ** above)}`)
      // a page inside the new leaf is freed
      else
        for (const page of [...this.pages]) {
          const [of, number] = page.split(':').map(Number) as [number, number]
          if (of === level && Math.floor((number * 2 ** above) / 2 ** shift) === gpa / 2 ** shift)
            this.pages.delete(page)
        }
    }
    this.leaves.set(gpa, { gpa, shift, word })
  }

  clear(gpa: number): Leaf | undefined {
    const leaf = this.lookup(gpa)
    if (leaf !== undefined) this.leaves.delete(leaf.gpa)
    return leaf
  }

  clearAll(): void {
    this.leaves.clear()
    this.pages.clear()
  }

  sorted(): Leaf[] {
    return [...this.leaves.values()].sort((a, b) => a.gpa - b.gpa)
  }

  get pageBytes(): number {
    const sizes = LEVEL_BITS[this.pageShift].map((bits) => 8 * 2 ** bits)
    return [...this.pages].reduce((sum, page) => sum + sizes[Number(page[0])]!, sizes[0]!)
  }
}

function compare(table: RadixTable, model: Model): void {
  expect([...table.leaves()]).toEqual(model.sorted())
  expect({ leaves: table.leafCount, pages: table.pageCount, bytes: table.pageBytes }).toEqual({
    leaves: model.leaves.size,
    pages: model.pages.size + 1,
    bytes: model.pageBytes,
  })
}

/** The halves of an address, for the internal methods. */
const halvesOf = (gpa: number): [hi: number, lo: number] => [
  Math.floor(gpa / 2 ** 32),
  Number(BigInt.asIntN(32, BigInt(gpa))),
]

/** Addresses that are close at every level, so that leaves of all sizes overlap; and the limits of the address space. */
const addresses = fc.oneof(
  {
    weight: 8,
    arbitrary: fc
      .tuple(
        fc.constantFrom(0, 5, 2 ** 13 - 1),
        fc.constantFrom(0, 1, 511),
        fc.constantFrom(0, 1, 511),
        fc.constantFrom(0, 0x1000, 0x10000, 0x1f0000, 0x1ff000, 0x1fffff),
      )
      .map(([root, upper, middle, rest]) => root * 2 ** 39 + upper * 2 ** 30 + middle * 2 ** 21 + rest),
  },
  { weight: 1, arbitrary: fc.maxSafeNat().map((n) => n % 2 ** 52) },
  { weight: 1, arbitrary: fc.constantFrom(0, 2 ** 31, 2 ** 32, 2 ** 52 - 1) },
)
const words = fc
  .tuple(fc.bigInt({ min: 0n, max: 2n ** 62n - 1n }), fc.boolean())
  .map(([bits, plain]) =>
    plain ? packLeaf({ hpa: Number(bits % 2n ** 41n) * 4096, flags: 0x187 }) : 3n * 2n ** 62n + bits,
  )
const steps = fc.array(
  fc.record({
    kind: fc.constantFrom('set', 'set', 'set', 'set', 'place', 'place', 'clear', 'clear', 'look', 'clearAll'),
    gpa: addresses,
    size: fc.nat(2),
    word: words,
    rare: fc.nat(9),
  }),
  { minLength: 1, maxLength: 60 },
)

for (const pageShift of [16, 12] as const) {
  test(`random steps have the same results on a table and on a Map, page shift ${pageShift}`, () => {
    const shifts: LeafShift[] = [pageShift, 21, 30]
    fc.assert(
      fc.property(steps, addresses, (run, elsewhere) => {
        const table = new RadixTable({ pageShift })
        const model = new Model(pageShift)
        for (const { kind, gpa, size, word, rare } of run) {
          const shift = shifts[size]!
          const first = gpa - (gpa % 2 ** shift)
          const larger = model.lookup(first)
          const hidden = model.smaller(first, shift)
          expect(table.leavesBelow(...halvesOf(gpa), shift)).toEqual(hidden)
          if (kind === 'set') {
            if (larger !== undefined && larger.shift > shift) {
              refuses(
                () => table.set(first, shift, word),
                Error,
                `a leaf of 2^${larger.shift} bytes maps 0x${first.toString(16)}: call clear(gpa) first`,
              )
            } else if (hidden.length > 0) {
              refuses(
                () => table.set(first, shift, word),
                Error,
                `smaller leaves are present below 0x${first.toString(16)}: clear them first`,
              )
            } else {
              expect(table.set(first, shift, word)).toBe(true)
              model.set(first, shift, word)
            }
          } else if (kind === 'place' && (larger === undefined || larger.shift <= shift)) {
            const ref = table.place(...halvesOf(gpa), shift, Number(word >> 32n) | 0, Number(word & 0xffffffffn) | 0)
            model.set(first, shift, word)
            expect([table.shiftOf(ref), table.wordAt(ref)]).toEqual([shift, word])
          } else if (kind === 'clear') {
            expect(table.clear(gpa)).toEqual(model.clear(gpa))
          } else if (kind === 'clearAll' && rare === 0) {
            table.clearAll()
            model.clearAll()
          }
          for (const at of [gpa, first, first + 2 ** shift - 1, elsewhere])
            expect(table.lookup(at)).toEqual(model.lookup(at))
          compare(table, model)
        }
      }),
      { numRuns: cases(400) },
    )
  }, 60_000)

  test(`every address of a leaf finds it and its shift, and no other address does, page shift ${pageShift}`, () => {
    fc.assert(
      fc.property(
        addresses,
        fc.nat(2),
        words,
        fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true }),
        (gpa, size, word, part) => {
          const table = new RadixTable({ pageShift })
          const shift = ([pageShift, 21, 30] as const)[size]!
          const first = gpa - (gpa % 2 ** shift)
          table.set(first, shift, word)
          const leaf = { gpa: first, shift, word }
          for (const at of [first, first + 2 ** shift - 1, first + Math.floor(part * 2 ** shift), gpa]) {
            expect(table.lookup(at)).toEqual(leaf)
          }
          if (first > 0) expect(table.lookup(first - 1)).toBe(undefined)
          if (first + 2 ** shift < 2 ** 52) expect(table.lookup(first + 2 ** shift)).toBe(undefined)
          const ref = table.find(...halvesOf(gpa))
          expect([table.shiftOf(ref), table.wordAt(ref), ref & 3, ref > 0]).toEqual([shift, word, 3 - size, true])
          // bits 52 and above, where an entry has its LPID, are ignored
          const [hi, lo] = halvesOf(gpa)
          expect(table.find(hi | 0xabc00000, lo)).toBe(ref)
          expect([...table]).toEqual([leaf])
        },
      ),
      { numRuns: cases(300) },
    )
  })
}

test('a table starts with its root, and a page costs 8 bytes an entry (spec 12)', () => {
  for (const [pageShift, last] of [
    [16, 32],
    [12, 512],
  ] as const) {
    const table = new RadixTable({ pageShift })
    expect([table.leafCount, table.pageCount, table.pageBytes, [...table]]).toEqual([0, 1, 8 * 8192, []])
    table.set(0, 30, 3n << 62n)
    expect([table.pageCount, table.pageBytes]).toEqual([2, 8 * (8192 + 512)])
    table.set(2 ** 30, 21, 3n << 62n)
    expect([table.pageCount, table.pageBytes]).toEqual([3, 8 * (8192 + 512 + 512)])
    table.set(2 ** 30 + 2 ** 21, pageShift, 3n << 62n)
    expect([table.leafCount, table.pageCount, table.pageBytes]).toEqual([3, 4, 8 * (8192 + 512 + 512 + last)])
    table.clear(2 ** 30 + 2 ** 21)
    expect([table.leafCount, table.pageCount]).toEqual([2, 4]) // an empty page stays linked, as in Linux
    table.clearAll()
    expect([table.leafCount, table.pageCount, table.pageBytes, [...table]]).toEqual([0, 1, 8 * 8192, []])
  }
})

test('freed pages are cleared and used again', () => {
  for (const pageShift of [16, 12] as const) {
    const table = new RadixTable({ pageShift })
    const shifts = [pageShift, 21] as const
    const word = packLeaf({ hpa: 0x7000, flags: 7 })
    const fill = (base: number): void => {
      for (let n = 0; n < 200; n++)
        for (const shift of shifts) table.place(...halvesOf(base + n * 2 ** 21), shift, -1, n)
    }
    const room = (): number => table.halves.length
    for (let n = 0; n < 8; n++) table.place(...halvesOf(n * 2 ** 21), pageShift, -1, n)
    const before = room()
    for (let round = 0; round < 2000; round++) {
      const base = (round % 7) * 2 ** 30
      for (let n = 0; n < 8; n++) {
        expect(table.lookup(base + n * 2 ** 21 + 2 ** 20)).toBe(undefined)
        table.place(...halvesOf(base + n * 2 ** 21 + 2 ** 20), pageShift, -1, n)
      }
      table.place(...halvesOf(base), 30, Number(word >> 32n) | 0, Number(word & 0xffffffffn))
      expect(table.lookup(base + 12345)).toEqual({ gpa: base, shift: 30, word })
      table.clear(base)
    }
    expect(room()).toBeLessThanOrEqual(2 * before)
    expect([table.leafCount, table.pageCount]).toEqual([0, 2]) // the root and the page of 1 GiB leaves
    fill(0)
    expect(table.leafCount).toBe(200)
  }
})

test('a leaf of the same size is replaced', () => {
  const table = new RadixTable({ pageShift: 16 })
  table.set(0x10000, 16, packLeaf({ hpa: 0x1000, flags: 4 }))
  expect(table.set(0x10000, 16, packLeaf({ hpa: 0x2000, flags: 6 }))).toBe(true)
  expect([...table]).toEqual([{ gpa: 0x10000, shift: 16, word: packLeaf({ hpa: 0x2000, flags: 6 }) }])
  expect(table.leafCount).toBe(1)
})

test('leaves may be cleared and set during a walk', () => {
  const table = new RadixTable({ pageShift: 16 })
  for (let n = 0; n < 100; n++) table.set(n * 0x10000, 16, packLeaf({ hpa: n * 4096, flags: 4 }))
  const met: number[] = []
  for (const { gpa } of table.leaves()) {
    met.push(gpa / 0x10000)
    table.clear(gpa)
    table.clear(gpa + 0x10000) // the next leaf, before the walk finds it
    table.set(2 ** 40 + gpa, 16, packLeaf({ hpa: 0, flags: 4 })) // more leaves at higher addresses, in new pages
    if (met.length > 100) break
  }
  expect(met.slice(0, 50)).toEqual(Array.from({ length: 50 }, (_, n) => 2 * n))
  expect(table.lookup(0)).toBe(undefined)
})

test('a walk throws if pages were freed since it began', () => {
  const message = 'leaves: table pages were freed during the walk: copy the leaves first'
  const table = new RadixTable({ pageShift: 16 })
  const fill = (): void => {
    for (const n of [0, 1, 2]) table.set(n * 0x10000, 16, packLeaf({ hpa: n * 4096, flags: 4 }))
  }
  fill()
  refuses(
    () => {
      for (const _ of table) table.clearAll()
    },
    Error,
    message,
  )
  fill()
  refuses(
    () => {
      for (const _ of table) table.place(0, 0, 21, -1, 0)
    },
    Error,
    message,
  )
  expect([...table].map((leaf) => leaf.shift)).toEqual([21])
})

test('writeAt and clearAt change one leaf', () => {
  const table = new RadixTable({ pageShift: 12 })
  table.set(0x1000, 12, packLeaf({ hpa: 0x1000, flags: 4 }))
  table.set(0x2000, 12, packLeaf({ hpa: 0x2000, flags: 4 }))
  const ref = table.find(0, 0x1000)
  table.writeAt(ref, 0xc0000000 | 0, 0x5006)
  expect(table.lookup(0x1000)!.word).toBe(packLeaf({ hpa: 0x5000, flags: 6 }))
  table.clearAt(ref)
  expect([table.lookup(0x1000), table.leafCount, table.find(0, 0x1000)]).toEqual([undefined, 1, 0])
  expect(table.lookup(0x2000)!.word).toBe(packLeaf({ hpa: 0x2000, flags: 4 }))
})

test('invalid arguments are refused, and nothing changes', () => {
  const table = new RadixTable({ pageShift: 16 })
  const word = packLeaf({ hpa: 0x1000, flags: 4 })
  const range = 'an integer in 0x0..0xfffffffffffff'
  for (const call of [
    (gpa: number) => table.lookup(gpa),
    (gpa: number) => table.clear(gpa),
    (gpa: number) => table.set(gpa, 16, word),
  ]) {
    for (const [gpa, shown] of [
      [-1, '-0x1'],
      [2 ** 52, '0x10000000000000'],
      [0.5, '0.5'],
      [NaN, 'NaN'],
      [Infinity, 'Infinity'],
      [2 ** 53, '0x20000000000000'],
    ] as const) {
      refuses(() => call(gpa), RangeError, `gpa: expected ${range}, got ${shown}`)
    }
    for (const [gpa, shown] of [
      ['0', 'string "0"'],
      [undefined, 'undefined'],
      [{ valueOf: () => 0 }, 'object'],
    ] as const) {
      refuses(() => call(gpa as never), TypeError, `gpa: expected ${range}, got ${shown}`)
    }
  }
  for (const shift of [12, 0, 15, 39, 51, NaN, 16.5]) {
    refuses(() => table.set(0, shift as never, word), RangeError, `shift: expected one of 16, 21, 30, got ${shift}`)
  }
  refuses(() => table.set(0, '16' as never, word), TypeError, 'shift: expected one of 16, 21, 30, got string "16"')
  for (const [gpa, shift, size] of [
    [0x1000, 16, '0x10000'],
    [0x10000, 21, '0x200000'],
    [2 ** 29, 30, '0x40000000'],
  ] as const) {
    refuses(
      () => table.set(gpa, shift, word),
      RangeError,
      `gpa: expected a multiple of ${size}, got 0x${gpa.toString(16)}`,
    )
  }
  for (const [bad, shown] of [
    [0n, '0x0'],
    [1n << 63n, '0x8000000000000000'],
    [1n << 62n, '0x4000000000000000'],
  ] as const) {
    refuses(() => table.set(0, 16, bad), RangeError, `word: expected a present leaf, got ${shown}`)
  }
  refuses(
    () => table.set(0, 16, 1n << 64n),
    RangeError,
    'word: expected a BigInt in 0x0..0xffffffffffffffff, got 0x10000000000000000',
  )
  refuses(
    () => table.set(0, 16, 3 as never),
    TypeError,
    'word: expected a BigInt in 0x0..0xffffffffffffffff, got number',
  )
  expect([table.leafCount, table.pageCount]).toEqual([0, 1])
  for (const pageShift of [14, 0, NaN, 21] as never[]) {
    refuses(() => new RadixTable({ pageShift }), RangeError, `pageShift: expected one of 16, 12, got ${pageShift}`)
  }
  refuses(
    () => new RadixTable({ pageShift: '16' as never }),
    TypeError,
    'pageShift: expected one of 16, 12, got string "16"',
  )
  refuses(() => new RadixTable({} as never), TypeError, 'pageShift: expected one of 16, 12, got undefined')
  refuses(() => new RadixTable(null as never), TypeError, 'options: expected an object, got null')
  expect(table.lookup(-0)).toBe(undefined)
  table.set(-0, 30, word)
  expect(Object.is(table.lookup(-0)!.gpa, 0)).toBe(true)
})

test('the page right below a larger leaf is reserved; a page below that one may still be missing (spec 5 step 6)', () => {
  for (const pageShift of [16, 12] as const) {
    for (const [larger, shift, needed] of [
      [30, 21, 1],
      [30, pageShift, 2],
      [21, pageShift, 1],
    ] as const) {
      for (let available = 0; available <= 2; available++) {
        const gate = new AllocationGate(0)
        gate.pages = 1
        const table = new RadixTable({ pageShift }, gate)
        const there = larger === 30 ? 1 : 2 // pages that lead to it
        Object.assign(gate, { pageLimit: 1 + there + available })
        expect(table.set(0, larger, packLeaf({ hpa: 0, flags: 7 }))).toBe(true)
        const before = [table.pageCount, table.pageBytes, gate.pages]
        const ref = table.find(0, 0)
        expect(table.reserveBelow(ref)).toBe(available > 0)
        expect([table.pageCount, table.pageBytes, gate.pages, table.leafCount]).toEqual([...before, 1])
        if (available === 0) continue
        if (available === 1) Object.assign(gate, { pageLimit: 0 }) // except for the reserved page
        table.clearAt(ref)
        const placed = table.place(0, 0, shift, 0xc0000000 | 0, 7)
        expect(placed !== 0).toBe(available >= needed)
        expect(table.pageCount).toBe(before[0]! + Math.min(available, needed)) // upper pages stay linked
        Object.assign(gate, { pageLimit: 0 })
        expect(table.place(1 << 7, 0, 30, 0xc0000000 | 0, 7)).toBe(0) // the reservation is for one page
      }
    }
  }
})

test('reach returns false if a page cannot be allocated', () => {
  const gate = new AllocationGate(2)
  gate.pages = 1
  const table = new RadixTable({ pageShift: 16 }, gate)
  expect([table.reach(0, 0, 1), table.reach(0, 0, 2), table.pageCount]).toEqual([true, false, 2])
})

test('addresses may be BigInts in range', () => {
  const table = new RadixTable({ pageShift: 12 })
  const word = packLeaf({ hpa: 0x1000, flags: 6 })
  const gpa = 2n ** 52n - 0x1000n
  expect(table.set(gpa, 12, word)).toBe(true)
  expect(table.lookup(gpa + 1n)).toEqual({ gpa: Number(gpa), shift: 12, word })
  expect(table.lookup(gpa - 1n)).toBe(undefined)
  expect([table.clear(gpa)?.gpa, table.leafCount]).toEqual([Number(gpa), 0])
  for (const [bad, shown] of [
    [-1n, '-0x1'],
    [2n ** 52n, '0x10000000000000'],
  ] as const) {
    refuses(() => table.lookup(bad), RangeError, `gpa: expected an integer in 0x0..0xfffffffffffff, got ${shown}`)
  }
})

test('JSON has the leaves, with words in hex', () => {
  const table = new RadixTable({ pageShift: 16 })
  table.set(0x200000, 21, packLeaf({ hpa: 0x5600000, flags: 0x187 }))
  const leaf = { gpa: 0x200000, shift: 21, word: '0xc000000005600187' }
  expect(JSON.parse(JSON.stringify(table))).toEqual({ pageShift: 16, leaves: [leaf] })
  expect(JSON.parse(JSON.stringify(table.lookup(0x3fffff)))).toEqual(leaf)
  expect(JSON.parse(JSON.stringify([...table]))).toEqual([leaf])
})

test('an unknown option is refused', () => {
  refuses(
    () => new RadixTable({ pageSize: 16 } as never),
    TypeError,
    'options: unknown option "pageSize"; did you mean pageShift? expected pageShift',
  )
})
