import fc from 'fast-check'
import { afterEach, expect, test, vi } from 'vitest'
import { DedupIndex } from '../../src/rmap/dedup-index'
import { Memslot } from '../../src/rmap/memslot'
import { NodeHeap } from '../../src/rmap/node-heap'
import { cases } from '../support/cases'

afterEach(() => vi.unstubAllGlobals())

/** An assertion for inner loops: vitest's own takes microseconds. */
function ensure(holds: boolean, message: string): void {
  if (!holds) expect.fail(message)
}

/** Spec 3 by plain scanning: lists of [lpid, gpa], newest first. */
class Scanning {
  readonly lists: [lpid: number, gpa: number][][] = []
  scanSteps = 0
  longestList = 0

  insert(gfn: number, lpid: number, gpa: number): string {
    const list = (this.lists[gfn] ??= [])
    const at = list.findIndex(([l, g]) => l === lpid && g === gpa)
    this.scanSteps += at >= 0 ? at + 1 : list.length
    if (at >= 0) return 'duplicate'
    list.unshift([lpid, gpa])
    this.longestList = Math.max(this.longestList, list.length)
    return ['empty', 'second'][list.length - 1] ?? 'list'
  }

  take(gfn: number): [number, number][] {
    return this.lists[gfn]?.splice(0) ?? []
  }
}

/** An insert, on both; the same in everything that can be seen. */
function insertBoth(memslot: Memslot, model: Scanning, gfn: number, lpid: number, gpa: number): void {
  const said = memslot.insert(gfn, lpid, gpa)
  ensure(said === model.insert(gfn, lpid, gpa), `${said} at gfn ${gfn}, LPID ${lpid}, 0x${gpa.toString(16)}`)
  ensure(
    memslot.counters.scanSteps === model.scanSteps,
    `${memslot.counters.scanSteps} scan steps, not ${model.scanSteps}`,
  )
}

function sameLists(memslot: Memslot, model: Scanning): void {
  for (let gfn = 0; gfn < memslot.npages; gfn++) {
    const list = model.lists[gfn] ?? []
    const entries = memslot.entries(gfn)
    const same =
      entries.length === list.length && entries.every(({ lpid, gpa }, i) => lpid === list[i]![0] && gpa === list[i]![1])
    ensure(same, `the list of gfn ${gfn}`)
  }
  ensure(memslot.counters.longestList === model.longestList, 'longestList')
}

/** Bytes that indexes may have: for lists that an insert found longer than 16. */
function ensureBytes(memslot: Memslot, model: Scanning): void {
  const longest = model.lists.reduce((sum, { length }) => sum + (length > 17 ? 24 * length : 0), 0)
  ensure(memslot.counters.indexBytes <= longest, `${memslot.counters.indexBytes} bytes, at most ${longest}`)
}

/** A run of inserts: pages first, first + step, ... of one nested guest, at one gfn; or a taking of all. */
const run = fc.record({
  gfn: fc.nat(2),
  lpid: fc.integer({ min: 1, max: 3 }),
  first: fc.nat(150),
  step: fc.integer({ min: -3, max: 3 }),
  count: fc.integer({ min: 1, max: 60 }),
  take: fc.constantFrom(false, false, false, false, true),
  again: fc.boolean(),
})
const spread = [
  (page: number) => page * 0x10000,
  (page: number) => page * 2 ** 32,
  (page: number) => ((page * 0x5bd1e995) % 2 ** 40) * 4096,
]

test('long lists: same outcomes, order, steps and longest list as by scanning; bytes in bounds, and given back', () => {
  let indexed = 0
  fc.assert(
    fc.property(fc.array(run, { maxLength: 40 }), fc.constantFrom(...spread), (runs, gpaOf) => {
      const memslot = new Memslot({ baseGfn: 0, npages: 3 })
      const model = new Scanning()
      for (const { gfn, lpid, first, step, count, take, again } of runs) {
        if (take) {
          const expected = model.take(gfn)
          const shown: [number, number][] = []
          memslot.takeAll(gfn, (l, g) => {
            shown.push([l, g])
            if (again && shown.length < 40) insertBoth(memslot, model, gfn, 1 + (l % 3), g) // there, too
          })
          ensure(JSON.stringify(shown) === JSON.stringify(expected), 'taken, newest first')
        } else {
          for (let i = 0; i < count; i++) insertBoth(memslot, model, gfn, lpid, gpaOf(Math.abs(first + i * step)))
        }
        ensureBytes(memslot, model)
        indexed = Math.max(indexed, memslot.counters.indexBytes)
      }
      sameLists(memslot, model)
      for (let gfn = 0; gfn < 3; gfn++) memslot.takeAll(gfn)
      ensure(memslot.counters.indexBytes === 0, 'given back')
    }),
    { numRuns: cases(400) },
  )
  expect(indexed).toBeGreaterThan(24 * 100) // the runs do make long lists
})

test('an index finds each entry, and no other, through growth and collisions', () => {
  // Few bits that differ, in either half: hashes that meet, runs that wrap around the end of the table.
  const half = fc.oneof(fc.integer({ min: 0, max: 8 }), fc.integer({ min: -0x80000000, max: 0x7fffffff }))
  fc.assert(
    fc.property(fc.array(fc.tuple(half, half), { minLength: 1, maxLength: 300 }), (keys) => {
      const dedup = new DedupIndex()
      const ordinals = new Map<string, number>()
      ensure(dedup.resize(2), 'memory')
      for (const [hi, lo] of keys) {
        const ordinal = ordinals.get(`${hi},${lo}`) ?? 0
        if (dedup.isFull) ensure(dedup.resize(dedup.size), 'memory')
        ensure(dedup.find(hi, lo) === ordinal, 'found before')
        if (ordinal !== 0) continue
        dedup.add(hi, lo, dedup.size + 1)
        ordinals.set(`${hi},${lo}`, dedup.size)
        ensure(dedup.byteLength <= 24 * Math.max(2, dedup.size), 'at most 24 bytes an entry')
        ensure(dedup.byteLength >= 16 * dedup.size, 'no more than three quarters full')
      }
      for (const [hi, lo] of keys) ensure(dedup.find(hi, lo) === ordinals.get(`${hi},${lo}`), 'found after')
      ensure(dedup.size === ordinals.size, 'size')
    }),
    { numRuns: cases(300) },
  )
})

test('the work of n inserts into one gfn grows as n, not as n squared', () => {
  const work = (n: number): number => {
    const memslot = new Memslot({ baseGfn: 0, npages: 1 })
    for (let i = 0; i < n; i++) memslot.insert(0, 1 + (i % 7), Math.floor(i / 7) * 0x10000)
    expect(memslot.counters.scanSteps).toBe((n * (n - 1)) / 2) // what Linux pays
    return memslot.work
  }
  const sizes = [1e3, 1e4, 1e5, 1e6]
  const points = sizes.map((n) => [Math.log(n), Math.log(work(n))] as const)
  const mean = (axis: 0 | 1): number => points.reduce((sum, point) => sum + point[axis], 0) / points.length
  const [x, y] = [mean(0), mean(1)]
  const exponent =
    points.reduce((sum, [px, py]) => sum + (px - x) * (py - y), 0) /
    points.reduce((sum, [px]) => sum + (px - x) ** 2, 0)
  expect(exponent).toBeGreaterThan(0.9)
  expect(exponent).toBeLessThanOrEqual(1.1)
  for (const n of sizes) expect(work(n)).toBeLessThan(n * 15)
})

test('memory, from byte lengths: 8 a gfn, 16 a node, 16 to 24 an entry of a long list until it is taken', () => {
  const memslot = new Memslot({ baseGfn: 0, npages: 1000 })
  expect(memslot.words.byteLength).toBe(8 * 1000)
  for (let i = 0; i < 17; i++) memslot.insert(0, 1, i * 4096)
  expect(memslot.counters.indexBytes).toBe(0) // 16 nodes and the oldest entry: scanned
  memslot.insert(0, 1, 17 * 4096)
  memslot.insert(0, 1, 18 * 4096)
  const entries = 5000
  for (let i = 19; i < entries; i++) {
    memslot.insert(0, 1, i * 4096)
    ensure(memslot.counters.indexBytes <= 24 * (i + 1), 'at most 24 bytes an entry')
    ensure(memslot.counters.indexBytes >= 16 * (i + 1), 'at least 16 bytes an entry')
  }
  expect(memslot.nodes.inUse).toBe(entries - 1) // the oldest rides in the last node's next
  expect(memslot.nodes.byteLength).toBe(16 * 16384)
  for (let i = 0; i < 40; i++) memslot.insert(1, 1, i * 4096)
  const both = memslot.counters.indexBytes
  memslot.takeAll(0)
  expect(memslot.counters.indexBytes).toBeLessThanOrEqual(24 * 40)
  expect(memslot.counters.indexBytes).toBeGreaterThan(0)
  expect(both - memslot.counters.indexBytes).toBeGreaterThanOrEqual(16 * entries)
  memslot.takeAll(1)
  expect(memslot.counters.indexBytes).toBe(0)
})

test('a list that an allowed LPID 0 may cut short is scanned', () => {
  const memslot = new Memslot({ baseGfn: 0, npages: 1, allowLpidZero: true })
  for (let i = 0; i < 100; i++) memslot.insert(0, 1, i * 4096)
  memslot.insert(0, 0, 0) // a node whose word is 0: it hides all that is older, and itself
  expect(memslot.counters.indexBytes).toBe(0)
  const before = memslot.counters.scanSteps
  expect(memslot.insert(0, 1, 5 * 4096)).toBe('list') // not seen
  expect(memslot.insert(0, 1, 5 * 4096)).toBe('duplicate')
  expect(memslot.counters.scanSteps - before).toBe(0 + 1)
})

test('a slot word that is written over has no index', () => {
  const memslot = new Memslot({ baseGfn: 0, npages: 2 })
  for (let i = 0; i < 100; i++) memslot.insert(0, 1, i * 4096)
  const [hi, lo] = [memslot.hiAt(0), memslot.loAt(0)]
  memslot.writeAt(0, 0, 0)
  expect(memslot.counters.indexBytes).toBe(0)
  expect(memslot.insert(0, 1, 50 * 4096)).toBe('empty')
  memslot.writeAt(1, hi, lo) // the list moves: its index is made anew when an insert wants it
  const before = memslot.counters.scanSteps
  expect(memslot.insert(1, 1, 50 * 4096)).toBe('duplicate')
  expect(memslot.counters.scanSteps - before).toBe(50)
  expect(memslot.counters.indexBytes).toBe(24 * 100)
})

test('no memory for an index: the list is scanned, and nothing else is different', () => {
  for (const failing of [1, 2, 3]) {
    const memslot = new Memslot({ baseGfn: 0, npages: 2, nodes: heapWithRoom(200) })
    const model = new Scanning()
    let tables = 0
    vi.stubGlobal(
      'Int32Array',
      class extends Int32Array {
        constructor(length: number) {
          if (length > 0 && ++tables >= failing) throw new RangeError('Array buffer allocation failed')
          super(length)
        }
      },
    )
    for (const gfn of [0, 1]) for (let i = 0; i < 150; i++) insertBoth(memslot, model, gfn, 1, (i % 90) * 4096)
    vi.unstubAllGlobals()
    expect(tables).toBe(failing) // it does not ask again
    expect(memslot.counters.indexBytes).toBe(0)
    sameLists(memslot, model)
  }
})

/** A heap that need not grow for so many nodes. */
function heapWithRoom(nodes: number): NodeHeap {
  const heap = new NodeHeap()
  const addresses = Array.from({ length: nodes }, () => heap.allocate())
  for (const address of addresses) heap.free(address)
  return heap
}

test('a node that is not to be had changes nothing in a long list', () => {
  const memslot = new Memslot({ baseGfn: 0, npages: 1, nodes: new NodeHeap({ limit: 49 }) })
  for (let i = 0; i < 50; i++) memslot.insert(0, 1, i * 4096)
  const before = { ...memslot.counters }
  for (let i = 0; i < 100; i++) expect(memslot.insert(0, 2, i * 4096)).toBe('no-memory')
  expect(memslot.counters).toMatchObject({ ...before, indexBytes: expect.any(Number) as number })
  expect(memslot.counters.indexBytes).toBeLessThanOrEqual(24 * 50)
  expect(memslot.insert(0, 1, 0)).toBe('duplicate')
  expect(memslot.counters.scanSteps - before.scanSteps).toBe(50)
})
