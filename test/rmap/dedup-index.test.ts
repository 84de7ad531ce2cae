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

/** Spec 3 with plain scans: lists of [lpid, gpa], newest first. */
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

/** Inserts into both and compares all that the public API shows. */
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

/** Compares the lists, and bounds the bytes of the indexes: only lists longer than 16 have one. */
function ensureBytes(memslot: Memslot, model: Scanning): void {
  const longest = model.lists.reduce((sum, { length }) => sum + (length > 17 ? 24 * length : 0), 0)
  ensure(memslot.counters.indexBytes <= longest, `${memslot.counters.indexBytes} bytes, at most ${longest}`)
}

/** A run of inserts at one gfn: pages first, first + step, ... of one nested guest. Or the removal of the gfn's list. */
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

test('long lists: same outcomes, order, steps and longest list as with scans; the bytes of indexes are bounded and are freed', () => {
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
            if (again && shown.length < 40) insertBoth(memslot, model, gfn, 1 + (l % 3), g) // at the same gfn, too
          })
          ensure(JSON.stringify(shown) === JSON.stringify(expected), 'removed, newest first')
        } else {
          for (let i = 0; i < count; i++) insertBoth(memslot, model, gfn, lpid, gpaOf(Math.abs(first + i * step)))
        }
        ensureBytes(memslot, model)
        indexed = Math.max(indexed, memslot.counters.indexBytes)
      }
      sameLists(memslot, model)
      for (let gfn = 0; gfn < 3; gfn++) memslot.takeAll(gfn)
      ensure(memslot.counters.indexBytes === 0, 'indexes are freed')
    }),
    { numRuns: cases(400) },
  )
  expect(indexed).toBeGreaterThan(24 * 100) // the runs do create long lists
})

test('an index finds each entry, and no other, through growth and collisions', () => {
  // Keys differ in few bits of either half: hashes collide, and probing wraps around the end of the table.
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

test('the work of n inserts into one gfn grows linearly with n, not with n squared', () => {
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

test('memory: 8 bytes a gfn, 16 a node, 16 to 24 an entry of a long list until it is removed', () => {
  const memslot = new Memslot({ baseGfn: 0, npages: 1000 })
  expect(memslot.words.byteLength).toBe(8 * 1000)
  for (let i = 0; i < 17; i++) memslot.insert(0, 1, i * 4096)
  expect(memslot.counters.indexBytes).toBe(0) // 16 nodes and the oldest entry are scanned
  memslot.insert(0, 1, 17 * 4096)
  memslot.insert(0, 1, 18 * 4096)
  const entries = 5000
  for (let i = 19; i < entries; i++) {
    memslot.insert(0, 1, i * 4096)
    ensure(memslot.counters.indexBytes <= 24 * (i + 1), 'at most 24 bytes an entry')
    ensure(memslot.counters.indexBytes >= 16 * (i + 1), 'at least 16 bytes an entry')
  }
  expect(memslot.nodes.inUse).toBe(entries - 1) // the oldest entry is in the last node's next
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

test('where LPID 0 is allowed, every list is scanned', () => {
  const memslot = new Memslot({ baseGfn: 0, npages: 1, allowLpidZero: true })
  for (let i = 0; i < 100; i++) memslot.insert(0, 1, i * 4096)
  memslot.insert(0, 0, 0) // a node with entry 0: it hides itself and all older entries
  expect(memslot.counters.indexBytes).toBe(0)
  const before = memslot.counters.scanSteps
  expect(memslot.insert(0, 1, 5 * 4096)).toBe('list') // the older one is not found
  expect(memslot.insert(0, 1, 5 * 4096)).toBe('duplicate')
  expect(memslot.counters.scanSteps - before).toBe(0 + 1)
})

test('writeAt drops the index of the rmap slot', () => {
  const memslot = new Memslot({ baseGfn: 0, npages: 2 })
  for (let i = 0; i < 100; i++) memslot.insert(0, 1, i * 4096)
  const [hi, lo] = [memslot.hiAt(0), memslot.loAt(0)]
  memslot.writeAt(0, 0, 0)
  expect(memslot.counters.indexBytes).toBe(0)
  expect(memslot.insert(0, 1, 50 * 4096)).toBe('empty')
  memslot.writeAt(1, hi, lo) // the list moves: the next insert creates its index again
  const before = memslot.counters.scanSteps
  expect(memslot.insert(1, 1, 50 * 4096)).toBe('duplicate')
  expect(memslot.counters.scanSteps - before).toBe(50)
  expect(memslot.counters.indexBytes).toBe(24 * 100)
})

test('without memory for an index the list is scanned, and nothing else changes', () => {
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
    expect(tables).toBe(failing) // it does not try again
    expect(memslot.counters.indexBytes).toBe(0)
    sameLists(memslot, model)
  }
})

/** A heap with room for so many nodes: it does not grow. */
function heapWithRoom(nodes: number): NodeHeap {
  const heap = new NodeHeap()
  const addresses = Array.from({ length: nodes }, () => heap.allocate())
  for (const address of addresses) heap.free(address)
  return heap
}

test('an insert without an available node leaves a long list unchanged', () => {
  const memslot = new Memslot({ baseGfn: 0, npages: 1, nodes: new NodeHeap({ limit: 49 }) })
  for (let i = 0; i < 50; i++) memslot.insert(0, 1, i * 4096)
  const before = { ...memslot.counters }
  for (let i = 0; i < 100; i++) expect(memslot.insert(0, 2, i * 4096)).toBe('no-memory')
  expect(memslot.counters).toMatchObject({ ...before, indexBytes: expect.any(Number) as number })
  expect(memslot.counters.indexBytes).toBeLessThanOrEqual(24 * 50)
  expect(memslot.insert(0, 1, 0)).toBe('duplicate')
  expect(memslot.counters.scanSteps - before.scanSteps).toBe(50)
})
