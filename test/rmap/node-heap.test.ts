import fc from 'fast-check'
import { expect, test } from 'vitest'
import { Memslot } from '../../src/rmap/memslot'
import { MAX_NODES, NodeHeap } from '../../src/rmap/node-heap'
import { refuses } from '../support/refuses'
import { cases } from '../support/cases'

test('an address is a multiple of 16, at least 16, and in use once', () => {
  const steps = fc.array(
    fc.oneof(
      { weight: 3, arbitrary: fc.constant(-1) }, // allocate
      { weight: 2, arbitrary: fc.nat(200) }, // free a node in use
    ),
    { maxLength: 400 },
  )
  fc.assert(
    fc.property(steps, fc.option(fc.integer({ min: 0, max: 150 }), { nil: undefined }), (run, limit) => {
      const heap = new NodeHeap(limit === undefined ? {} : { limit })
      const used: number[] = []
      let peak = 0
      for (const step of run) {
        if (step < 0) {
          const full = limit !== undefined && used.length === limit
          expect(heap.nextAddress() === 0).toBe(full)
          const address = heap.allocate()
          if (full) {
            expect(address).toBe(0)
          } else {
            expect(address % 16).toBe(0)
            expect(address).toBeGreaterThanOrEqual(16)
            expect(used).not.toContain(address)
            used.push(address)
            peak = Math.max(peak, used.length)
            expect(address).toBeLessThanOrEqual(peak * 16) // freed nodes are used again before new ones
            expect(address + 16).toBeLessThanOrEqual(heap.byteLength)
          }
        } else if (used.length > 0) {
          const [address] = used.splice(step % used.length, 1) as [number]
          heap.free(address)
          expect(heap.has(address)).toBe(false)
        }
        expect([heap.inUse, heap.peak]).toEqual([used.length, peak])
      }
      // The free list is complete: each freed node is allocated again, once, before the heap grows.
      const more: number[] = []
      for (let n = used.length; n < peak; n++) more.push(heap.allocate())
      expect([...used, ...more].sort((a, b) => a - b)).toEqual(Array.from({ length: peak }, (_, n) => 16 * (n + 1)))
    }),
    { numRuns: cases(300) },
  )
})

test('nodes keep their words when the heap grows', () => {
  const memslot = new Memslot({ baseGfn: 0, npages: 1000 })
  for (let gfn = 0; gfn < 1000; gfn++) for (const lpid of [1, 2]) memslot.insert(gfn, lpid, gfn * 4096)
  for (let gfn = 0; gfn < 1000; gfn++) {
    const { next, entry } = memslot.nodes.read(Number(memslot.word(gfn)))
    expect(entry).toBe((2n << 52n) | BigInt(gfn * 4096))
    expect(next).toBe((1n << 52n) | BigInt(gfn * 4096) | 1n)
  }
  expect(memslot.nodes.inUse).toBe(1000)
})

test('a node is next and entry, 8 bytes each, least significant first', () => {
  const memslot = new Memslot({ baseGfn: 0, npages: 1 })
  memslot.insert(0, 0xabc, 0x123456789a000)
  memslot.insert(0, 0x001, 0xfedcba9876000)
  const address = Number(memslot.word(0))
  expect(address).toBe(16)
  const { buffer } = memslot.nodes.words
  expect([...new Uint8Array(buffer, address, 16)]).toEqual([
    0x01,
    0xa0,
    0x89,
    0x67,
    0x45,
    0x23,
    0xc1,
    0xab, // next: (0xabc, 0x123456789a000), tagged
    0x00,
    0x60,
    0x87,
    0xa9,
    0xcb,
    0xed,
    0x1f,
    0x00,
  ])
  expect(memslot.nodes.read(address)).toEqual({ next: 0xabc123456789a001n, entry: 0x001fedcba9876000n })
})

test('16 bytes a node, and a buffer of at most four times the bytes that were ever needed', () => {
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 5000 }), (count) => {
      const heap = new NodeHeap()
      for (let n = 0; n < count; n++) heap.allocate()
      expect(heap.byteLength).toBeGreaterThanOrEqual(16 * (count + 1))
      expect(heap.byteLength).toBeLessThanOrEqual(Math.max(16 * 64, 64 * (count + 1)))
      expect(heap.byteLength).toBe(heap.words.byteLength)
    }),
    { numRuns: cases(50) },
  )
  const heap = new NodeHeap({ limit: 100 })
  while (heap.allocate() !== 0) {
    /* to the limit */
  }
  expect(heap.inUse).toBe(100)
  expect(heap.byteLength).toBe(16 * 101) // the limit also bounds the buffer
})

test('the limit is the largest number of nodes in use at once, and can be 0', () => {
  expect(new NodeHeap({ limit: 0 }).allocate()).toBe(0)
  const heap = new NodeHeap({ limit: 2 })
  const first = heap.allocate()
  heap.allocate()
  expect([heap.allocate(), heap.nextAddress(), heap.inUse, heap.peak]).toEqual([0, 0, 2, 2])
  heap.free(first)
  expect([heap.nextAddress(), heap.inUse, heap.peak]).toEqual([first, 1, 2])
  expect(heap.allocate()).toBe(first)
  expect([new NodeHeap().limit, MAX_NODES, heap.limit]).toEqual([2 ** 27 - 1, 2 ** 27 - 1, 2])
})

test('has and read accept the addresses of nodes in use, and no other', () => {
  const memslot = new Memslot({ baseGfn: 0, npages: 1 })
  for (const lpid of [1, 2, 3]) memslot.insert(0, lpid, 0)
  const { nodes } = memslot
  expect([16, 32].map((address) => nodes.has(address))).toEqual([true, true])
  for (const [address, shown] of [
    [0, '0x0'],
    [-16, '-0x10'],
    [8, '0x8'],
    [17, '0x11'],
    [24, '0x18'],
    [48, '0x30'],
    [16.5, '16.5'],
    [NaN, 'NaN'],
    [Infinity, 'Infinity'],
    [2 ** 31, '0x80000000'],
    [2 ** 32 + 16, '0x100000010'],
    [2 ** 53, '0x20000000000000'],
    [-0, '0x0'],
  ] as const) {
    expect(nodes.has(address)).toBe(false)
    refuses(() => nodes.read(address), RangeError, `address: expected the address of a node in use, got ${shown}`)
  }
  for (const [address, shown] of [
    ['16', 'string "16"'],
    [undefined, 'undefined'],
    [null, 'null'],
  ] as const) {
    expect(nodes.has(address as never)).toBe(false)
    refuses(
      () => nodes.read(address as never),
      TypeError,
      `address: expected the address of a node in use, got ${shown}`,
    )
  }
  refuses(
    () => nodes.read(16n as never),
    TypeError,
    'address: expected the address of a node in use (a number), got bigint 16n',
  )
  memslot.takeAll(0)
  expect([16, 32].map((address) => nodes.has(address))).toEqual([false, false])
  refuses(() => nodes.read(16), RangeError, 'address: expected the address of a node in use, got 0x10')
})

test('an invalid limit is refused', () => {
  for (const [limit, shown] of [
    [-1, '-1'],
    [2 ** 27, '134217728'],
    [1.5, '1.5'],
    [NaN, 'NaN'],
    [Infinity, 'Infinity'],
  ] as const) {
    refuses(() => new NodeHeap({ limit }), RangeError, `limit: expected an integer in 0..134217727, got ${shown}`)
  }
  refuses(
    () => new NodeHeap({ limit: '5' as never }),
    TypeError,
    'limit: expected an integer in 0..134217727, got string "5"',
  )
  refuses(
    () => new NodeHeap({ limit: null as never }),
    TypeError,
    'limit: expected an integer in 0..134217727, got null',
  )
  refuses(() => new NodeHeap(null as never), TypeError, 'options: expected an object, got null')
  refuses(() => new NodeHeap(5 as never), TypeError, 'options: expected an object, got number')
})

test('load: an error in the nodes or the free list is reported, and the heap is unchanged', () => {
  const heap = new NodeHeap()
  const [one, two, three] = [heap.allocate(), heap.allocate(), heap.allocate()]
  heap.words.set([two, 0, 0x1000, 1], one >>> 2)
  heap.free(three)
  heap.free(two)
  const nodes = heap.everUsed.slice()
  const other = new NodeHeap()
  expect(other.load(nodes, heap.freeHead)).toBeUndefined()
  expect([other.inUse, other.peak, other.read(one)]).toEqual([1, 3, heap.read(one)])
  expect([other.allocate(), other.allocate(), other.allocate()]).toEqual([two, three, three + 16])
  expect([new NodeHeap().load(new Int32Array(0), 0), new NodeHeap({ limit: 3 }).load(nodes, two)]).toEqual([
    undefined,
    undefined,
  ])

  const forged = (freeHead: number, change: (words: Int32Array) => void, limit = 3): string | undefined => {
    const words = nodes.slice()
    change(words)
    const into = new NodeHeap({ limit })
    const wrong = into.load(words, freeHead)
    expect([into.inUse, into.peak, into.allocate()]).toEqual([0, 0, limit === 0 ? 0 : 16])
    return wrong
  }
  const next =
    (of: number, value: number) =>
    (words: Int32Array): void =>
      void (words[(of >>> 2) - 4] = value)
  expect(forged(8, () => {})).toBe('0x8 in the free list is not a node')
  expect(forged(two + 8, () => {})).toBe('0x28 in the free list is not a node')
  expect(forged(-16, () => {})).toBe('0xfffffff0 in the free list is not a node')
  expect(forged(two, next(three, 64))).toBe('0x40 in the free list is not a node')
  expect(forged(two, next(three, one))).toBe('0x10 in the free list is in use')
  expect(forged(two, next(three, two))).toBe('the free list has no end')
  expect(forged(three, () => {})).toBe('2 nodes are free, the free list has 1')
  expect(forged(two, () => {}, 2)).toBe('3 nodes were in use at once, the limit is 2')
})

test('nextAddress is the address that allocate returns next', () => {
  const heap = new NodeHeap({ limit: 65 })
  const all = Array.from({ length: 65 }, () => {
    const asked = heap.nextAddress()
    expect(heap.allocate()).toBe(asked)
    return asked
  })
  expect(heap.nextAddress()).toBe(0)
  heap.free(all[7]!)
  expect([heap.nextAddress(), heap.nextAddress(), heap.inUse]).toEqual([all[7], all[7], 64])
})
