import fc from 'fast-check'
import { expect, test } from 'vitest'
import { packLeaf } from '../../src/page-table/leaf'
import { RadixTable, type Leaf } from '../../src/page-table/radix-table'
import {
  hostPage,
  RangeCounters,
  removeRmapRange,
  walkRange,
  type EntryFate,
  type RangeVisitor,
  type ShadowTable,
} from '../../src/rmap/invalidate'
import { Memslot } from '../../src/rmap/memslot'
import { NodeHeap } from '../../src/rmap/node-heap'
import { Vm } from '../../src/vm/vm'
import { refuses } from '../support/refuses'
import { cases } from '../support/cases'

type PageShift = 16 | 12

interface Report {
  gfn: number
  lpid: number
  gpa: number
  fate: EntryFate
  leaf: Leaf | undefined
}

/** A visitor that records its calls. */
function keeper(): RangeVisitor & { shown: Report[] } {
  const shown: Report[] = []
  return {
    shown,
    entry(gfn, { lpid, gpa }, fate, leaf) {
      shown.push({ gfn, lpid, gpa, fate, leaf })
    },
  }
}

// The model: plain lists and linear searches. It uses none of the library's tables, masks or words.

interface Model {
  readonly pageShift: PageShift
  /** By index: (LPID, 4 KiB frame of the nested guest), newest first. */
  readonly slots: { lpid: number; frame: number }[][]
  /** By LPID: the leaves of a shadow table. */
  readonly shadows: Map<number, Leaf[]>
}

/** Spec 6, "remove the rmap range", by linear search. */
function modelRange(
  model: Model,
  baseGfn: number,
  index: number,
  npages: number,
  hpa: number,
  shift: number,
): Report[] {
  const shown: Report[] = []
  const hostPage = Math.floor((hpa % 2 ** 53) / 2 ** shift)
  for (let at = index; at < index + npages; at++) {
    for (const { lpid, frame } of model.slots[at]!) {
      const gpa = frame * 4096
      const report = (fate: EntryFate, leaf?: Leaf): void => {
        shown.push({ gfn: baseGfn + at, lpid, gpa, fate, leaf })
      }
      const leaves = model.shadows.get(lpid)
      const leaf = leaves?.find((one) => gpa >= one.gpa && gpa < one.gpa + 2 ** one.shift)
      if (leaves === undefined) report('no-guest')
      else if (leaf === undefined) report('no-leaf')
      else if (Math.floor(Number(leaf.word % 2n ** 53n) / 2 ** shift) !== hostPage) report('other-frame')
      else {
        leaves.splice(leaves.indexOf(leaf), 1)
        report('cleared', leaf)
      }
    }
    model.slots[at] = []
  }
  return shown
}

const BASE_GFN = 0x1000
const SLOTS = 40

/** Leaves to set and entries to insert: few frames and addresses, so that all combinations occur. */
const worlds = fc.record({
  pageShift: fc.constantFrom<PageShift>(16, 12),
  guests: fc.uniqueArray(fc.constantFrom(1, 2, 7, 2048, 4095), { maxLength: 4 }),
  leaves: fc.array(
    fc.record({
      guest: fc.nat(3),
      place: fc.nat(5),
      size: fc.constantFrom(0, 0, 0, 1, 2),
      host: fc.nat(7),
      odd: fc.nat(4095),
      high: fc.constantFrom(0n, 0n, 0x001fn << 48n), // bits of the ISA's frame field that L0's frame mask drops
    }),
    { maxLength: 25 },
  ),
  entries: fc.array(
    fc.record({
      index: fc.nat(SLOTS - 1),
      lpid: fc.constantFrom(1, 2, 7, 2048, 4095, 3),
      place: fc.nat(5),
      step: fc.constantFrom(0, 0, 0, 1),
    }),
    { maxLength: 80 },
  ),
  range: fc.record({
    index: fc.nat(SLOTS - 1),
    npages: fc.integer({ min: 1, max: SLOTS }),
    host: fc.nat(7),
    size: fc.nat(2),
    low: fc.nat(0xffff),
  }),
  times: fc.integer({ min: 1, max: 3 }),
})

/** The nested gpas and host addresses of the random runs: close together, far apart, and at the limits. */
const PLACES = [0, 0x10000, 2 ** 21, 2 ** 30, 2 ** 32 + 2 ** 21, 2 ** 52 - 2 ** 30]
const HOSTS = [0, 0x10000, 0x20000, 2 ** 21, 2 ** 30, 2 ** 32, 2 ** 52, 2 ** 53 - 2 ** 30]

test('the walk clears leaves, removes entries and finds stale ones as a linear search does', () => {
  const fates = new Set<string>()
  fc.assert(
    fc.property(worlds, ({ pageShift, guests, leaves, entries, range, times }) => {
      const shifts = [pageShift, 21, 30] as const
      const nodes = new NodeHeap()
      const memslot = new Memslot({ baseGfn: BASE_GFN, npages: SLOTS, nodes })
      const other = new Memslot({ baseGfn: 0, npages: 1, nodes })
      for (const lpid of [1, 2, 3]) other.insert(0, lpid, 0)
      const registry = new Map<number, { shadow: RadixTable }>()
      for (const lpid of guests) registry.set(lpid, { shadow: new RadixTable({ pageShift }) })
      const model: Model = {
        pageShift,
        slots: Array.from({ length: SLOTS }, () => []),
        shadows: new Map(guests.map((lpid) => [lpid, []])),
      }
      for (const { guest, place, size, host, odd, high } of leaves) {
        const lpid = guests[guest]
        if (lpid === undefined) continue
        const shift = shifts[size]!
        const gpa = PLACES[place]! - (PLACES[place]! % 2 ** shift)
        const overlaps = model.shadows
          .get(lpid)!
          .some((leaf) => leaf.gpa < gpa + 2 ** shift && gpa < leaf.gpa + 2 ** leaf.shift)
        if (overlaps) continue
        const word = packLeaf({ hpa: HOSTS[host]!, flags: odd }) | (high << 5n)
        expect(registry.get(lpid)!.shadow.set(gpa, shift, word)).toBe(true)
        model.shadows.get(lpid)!.push({ gpa, shift, word })
      }
      for (const { index, lpid, place, step } of entries) {
        const frame = PLACES[place]! / 4096 + step
        const outcome = memslot.insert(BASE_GFN + index, lpid, frame * 4096)
        if (outcome !== 'duplicate') model.slots[index]!.unshift({ lpid, frame })
      }

      const counters = new RangeCounters()
      const totals = {
        ranges: 0,
        slots: 0,
        lists: 0,
        entries: 0,
        cleared: 0,
        staleNoGuest: 0,
        staleNoLeaf: 0,
        staleOtherFrame: 0,
      }
      for (let round = 0; round < times; round++) {
        const index = (range.index + round * 3) % SLOTS
        const npages = Math.min(range.npages, SLOTS - index)
        const shift = shifts[range.size]!
        const hpa = HOSTS[(range.host + round) % HOSTS.length]! + range.low // the walk drops the bits below the size
        const met = model.slots.slice(index, index + npages).filter((slot) => slot.length > 0)
        const slots = met.length
        const lists = met.filter((slot) => slot.length > 1).length
        const expected = modelRange(model, BASE_GFN, index, npages, hpa, shift)
        const visitor = keeper()
        const shown = round === 2 ? undefined : visitor
        // Any part of a leaf's range; and a complete range through the public function.
        const gfn = BASE_GFN + index
        const result =
          npages * 2 ** pageShift === 2 ** shift
            ? removeRmapRange(registry, { memslot, gfn, npages, hpa, shift }, shown, counters)
            : walkRange(registry, memslot, index, npages, hostPage(hpa, shift), shown, counters)
        expect(result).toBe(counters)
        if (round !== 2) expect(visitor.shown).toEqual(expected)

        totals.ranges++
        totals.slots += slots
        totals.lists += lists
        totals.entries += expected.length
        for (const { fate } of expected) {
          fates.add(fate)
          if (fate === 'cleared') totals.cleared++
          else totals[fate === 'no-guest' ? 'staleNoGuest' : fate === 'no-leaf' ? 'staleNoLeaf' : 'staleOtherFrame']++
        }
        expect({ ...counters }).toEqual(totals)
        for (const [lpid, left] of model.shadows) {
          expect([...registry.get(lpid)!.shadow]).toEqual(left.slice().sort((a, b) => a.gpa - b.gpa))
        }
        model.slots.forEach((slot, at) => {
          expect(memslot.entries(BASE_GFN + at)).toEqual(slot.map(({ lpid, frame }) => ({ lpid, gpa: frame * 4096 })))
        })
        expect(nodes.inUse).toBe(2 + model.slots.reduce((sum, slot) => sum + Math.max(0, slot.length - 1), 0))
      }
    }),
    { numRuns: cases(600) },
  )
  expect([...fates].sort()).toEqual(['cleared', 'no-guest', 'no-leaf', 'other-frame'])
}, 60_000)

test('completeness: a leaf with an entry is cleared when the host takes its page away', () => {
  // Each gfn has its own host page, and each leaf its entry. Then the host takes the pages away, one after the other.
  const mappings = fc.array(
    fc.record({
      gfn: fc.nat(9),
      lpid: fc.integer({ min: 1, max: 3 }),
      page: fc.nat(30),
      entryFirst: fc.boolean(),
    }),
    { maxLength: 120 },
  )
  fc.assert(
    fc.property(mappings, fc.shuffledSubarray([0, 1, 2, 3, 4, 5, 6, 7, 8, 9]), (some, taken) => {
      const memslot = new Memslot({ baseGfn: 0, npages: 10 })
      const guests = new Map([1, 2, 3].map((lpid) => [lpid, { shadow: new RadixTable({ pageShift: 16 }) }]))
      const frameOf = (gfn: number): number => 0x100000 + gfn * 16
      for (const { gfn, lpid, page } of some) {
        // a remap: the entry of the old page stays, stale
        guests.get(lpid)!.shadow.set(page * 0x10000, 16, packLeaf({ hpa: frameOf(gfn) * 4096, flags: 6 }))
        memslot.insert(gfn, lpid, page * 0x10000)
      }
      for (const gfn of taken) {
        removeRmapRange(guests, { memslot, gfn, npages: 1, hpa: frameOf(gfn) * 4096, shift: 16 })
        const frames = [...guests.values()].flatMap(({ shadow }) =>
          [...shadow].map((leaf) => Number(leaf.word % 2n ** 53n) >> 12),
        )
        expect(frames).not.toContain(frameOf(gfn))
      }
      const left = [...guests.values()].flatMap(({ shadow }) => [...shadow])
      const last = new Map(some.map(({ gfn, lpid, page }) => [`${lpid}:${page}`, gfn]))
      expect(left.length).toBe([...last.values()].filter((gfn) => !taken.includes(gfn)).length)
    }),
    { numRuns: cases(200) },
  )
})

test('any base page of a large host page matches, and no page outside it', () => {
  for (const [shift, pages] of [
    [21, 32],
    [30, 16384],
  ] as const) {
    const memslot = new Memslot({ baseGfn: 0, npages: pages })
    const shadow = new RadixTable({ pageShift: 16 })
    const first = 2 ** 40
    const within = [0, 0x10000, 2 ** (shift - 1), 2 ** shift - 0x10000]
    const outside = [-0x10000, 2 ** shift, 2 ** 45]
    ;[...within, ...outside].forEach((offset, n) => {
      shadow.set(n * 0x10000, 16, packLeaf({ hpa: first + offset, flags: 6 }))
      memslot.insert(0, 5, n * 0x10000)
    })
    const counters = removeRmapRange(new Map([[5, { shadow }]]), { memslot, gfn: 0, npages: pages, hpa: first, shift })
    expect(counters).toMatchObject({ ranges: 1, slots: 1, entries: 7, cleared: 4, staleOtherFrame: 3 })
    expect([...shadow].map((leaf) => leaf.gpa)).toEqual([4, 5, 6].map((n) => n * 0x10000))
  }
})

test('entries are visited newest first, gfn by gfn; a second entry of a cleared leaf is stale', () => {
  const memslot = new Memslot({ baseGfn: 100, npages: 32 })
  const shadow = new RadixTable({ pageShift: 16 })
  shadow.set(0, 21, packLeaf({ hpa: 0x4000000, flags: 6 }))
  for (const gpa of [0, 0x10000, 0x20000]) memslot.insert(101, 9, gpa) // three nested gpas of one leaf
  memslot.insert(103, 8, 0)
  memslot.insert(100, 9, 2 ** 30)
  const visitor = keeper()
  removeRmapRange(new Map([[9, { shadow }]]), { memslot, gfn: 100, npages: 32, hpa: 0x4000000, shift: 21 }, visitor)
  const leaf = { gpa: 0, shift: 21, word: packLeaf({ hpa: 0x4000000, flags: 6 }) }
  expect(visitor.shown).toEqual([
    { gfn: 100, lpid: 9, gpa: 2 ** 30, fate: 'no-leaf', leaf: undefined },
    { gfn: 101, lpid: 9, gpa: 0x20000, fate: 'cleared', leaf },
    { gfn: 101, lpid: 9, gpa: 0x10000, fate: 'no-leaf', leaf: undefined },
    { gfn: 101, lpid: 9, gpa: 0, fate: 'no-leaf', leaf: undefined },
    { gfn: 103, lpid: 8, gpa: 0, fate: 'no-guest', leaf: undefined },
  ])
})

test('a visitor may throw or insert: the walk stays consistent', () => {
  const make = (): { memslot: Memslot; shadow: RadixTable; guests: Map<number, { shadow: RadixTable }> } => {
    const memslot = new Memslot({ baseGfn: 0, npages: 32 })
    const shadow = new RadixTable({ pageShift: 16 })
    for (const gfn of [0, 1, 2]) {
      shadow.set(gfn * 0x10000, 16, packLeaf({ hpa: 0x10000, flags: 6 }))
      memslot.insert(gfn, 1, gfn * 0x10000)
    }
    return { memslot, shadow, guests: new Map([[1, { shadow }]]) }
  }
  const one = make()
  const range = { gfn: 0, npages: 32, hpa: 0x10000, shift: 21 } as const
  const counters = new RangeCounters()
  refuses(
    () =>
      removeRmapRange(
        one.guests,
        { memslot: one.memslot, ...range },
        {
          entry() {
            throw new Error('stop')
          },
        },
        counters,
      ),
    Error,
    'stop',
  )
  expect([one.shadow.leafCount, counters.cleared, one.memslot.words.every((word) => word === 0n)]).toEqual([0, 3, true])

  const two = make()
  removeRmapRange(two.guests, { memslot: two.memslot, ...range }, { entry: (gfn) => two.memslot.insert(gfn, 2, 0) })
  expect([0, 1, 2].map((gfn) => two.memslot.entries(gfn))).toEqual(Array(3).fill([{ lpid: 2, gpa: 0 }]))
})

test('a guest lookup that throws: the rmap slot is empty, the nodes of its list are freed, earlier leaves are cleared', () => {
  for (const visitor of [undefined, keeper()]) {
    for (let at = 1; at <= 4; at++) {
      const memslot = new Memslot({ baseGfn: 0, npages: 32 })
      const shadow = new RadixTable({ pageShift: 16 })
      for (const lpid of [1, 2, 3, 4]) {
        memslot.insert(0, lpid, lpid * 0x10000)
        memslot.insert(1, lpid, lpid * 0x10000)
        shadow.set(lpid * 0x10000, 16, packLeaf({ hpa: 0x10000, flags: 6 }))
      }
      let calls = 0
      const guests = {
        get() {
          if (++calls === at) throw new Error('no such guest')
          return { shadow }
        },
      }
      const counters = new RangeCounters()
      const range = { memslot, gfn: 0, npages: 32, hpa: 0x10000, shift: 21 } as const
      refuses(() => removeRmapRange(guests, range, visitor, counters), Error, 'no such guest')
      expect([memslot.word(0), memslot.nodes.inUse]).toEqual([0n, 3]) // the other gfn's list has three nodes
      expect(memslot.entries(1).map(({ lpid }) => lpid)).toEqual([4, 3, 2, 1])
      expect([...shadow].map(({ gpa }) => gpa / 0x10000)).toEqual([1, 2, 3, 4].slice(0, 5 - at))
      expect(counters).toEqual({
        ...new RangeCounters(),
        ranges: 1,
        slots: 1,
        lists: 1,
        entries: at - 1,
        cleared: at - 1,
      })
      expect(memslot.insert(0, 1, 0)).toBe('empty')
      for (let lpid = 2; lpid <= 4; lpid++) memslot.insert(0, lpid, 0)
      expect([memslot.nodes.inUse, memslot.nodes.peak]).toEqual([6, 6]) // the freed nodes are allocated again
    }
  }
})

test('a guest lookup may insert, also into the rmap slot of the walk', () => {
  const memslot = new Memslot({ baseGfn: 0, npages: 1 })
  for (let lpid = 1; lpid <= 40; lpid++) memslot.insert(0, lpid, 0)
  const shadow = new RadixTable({ pageShift: 16 })
  const seen: number[] = []
  const guests = {
    get(lpid: number) {
      seen.push(lpid)
      for (let n = 0; n < 5; n++) memslot.insert(0, lpid, (1 + n) * 0x10000) // the heap grows during the walk
      return { shadow }
    },
  }
  const counters = removeRmapRange(guests, { memslot, gfn: 0, npages: 1, hpa: 0, shift: 16 })
  expect(seen).toEqual(Array.from({ length: 40 }, (_, n) => 40 - n))
  expect(counters).toMatchObject({ entries: 40, staleNoLeaf: 40 })
  expect(memslot.entries(0).map(({ lpid, gpa }) => [lpid, gpa])).toEqual(
    Array.from({ length: 200 }, (_, n) => [1 + Math.floor(n / 5), (5 - (n % 5)) * 0x10000]),
  )
  expect(memslot.nodes.inUse).toBe(199)
})

test('a list that LPID 0 cuts: the walk ends at the node with entry 0; it and the older nodes stay in use', () => {
  for (const visitor of [undefined, keeper()]) {
    const memslot = new Memslot({ baseGfn: 0, npages: 32, allowLpidZero: true })
    const guests = new Map([0, 1, 2, 3, 4, 5].map((lpid) => [lpid, { shadow: new RadixTable({ pageShift: 16 }) }]))
    for (const lpid of [1, 2]) memslot.insert(0, lpid, 0)
    memslot.insert(0, 0, 0) // a node whose entry is 0
    for (const lpid of [4, 5]) memslot.insert(0, lpid, 0)
    memslot.insert(1, 0, 0) // as the only entry it has its tag, and does no harm
    for (const { shadow } of guests.values()) shadow.set(0, 16, packLeaf({ hpa: 0x10000, flags: 6 }))
    const counters = removeRmapRange(guests, { memslot, gfn: 0, npages: 32, hpa: 0x10000, shift: 21 }, visitor)
    expect(counters).toEqual({ ...new RangeCounters(), ranges: 1, slots: 2, lists: 1, entries: 3, cleared: 3 })
    expect([...guests].filter(([, { shadow }]) => shadow.leafCount > 0).map(([lpid]) => lpid)).toEqual([1, 2, 3])
    expect([memslot.word(0), memslot.word(1), memslot.nodes.inUse]).toEqual([0n, 0n, 2])
  }
})

test('invalid arguments are refused, and nothing changes', () => {
  const memslot = new Memslot({ baseGfn: 0x10, npages: 4 })
  memslot.insert(0x10, 1, 0)
  const guests = new Map<number, { shadow: RadixTable }>()
  const good = { memslot, gfn: 0x10, npages: 1, hpa: 0, shift: 16 as const }
  const walk =
    (bad: object): (() => unknown) =>
    () =>
      removeRmapRange(guests, { ...good, ...bad })
  const cases: [object, new (message?: string) => Error, string][] = [
    [{ gfn: 0xf }, RangeError, 'gfn: expected an integer in 0x10..0x13, got 0xf'],
    [{ gfn: 0x14 }, RangeError, 'gfn: expected an integer in 0x10..0x13, got 0x14'],
    [{ gfn: '16' }, TypeError, 'gfn: expected an integer in 0x10..0x13, got string "16"'],
    [{ npages: 5 }, RangeError, 'npages: expected an integer in 1..4, got 5'],
    [{ gfn: 0x12, npages: 3 }, RangeError, 'npages: expected an integer in 1..2, got 3'],
    [{ npages: 0 }, RangeError, 'npages: expected an integer in 1..4, got 0'],
    [{ npages: NaN }, RangeError, 'npages: expected an integer in 1..4, got NaN'],
    [{ npages: 5n }, RangeError, 'npages: expected an integer in 1..4, got 5'],
    [{ npages: 2 }, RangeError, 'npages: expected the pages of a leaf of shift 16, 1 of 64 KiB or 16 of 4 KiB, got 2'],
    [{ npages: 4, shift: 12 }, RangeError, 'npages: expected the pages of a leaf of shift 12, 1 of 4 KiB, got 4'],
    [
      { npages: 4, shift: 21 },
      RangeError,
      'npages: expected the pages of a leaf of shift 21, 32 of 64 KiB or 512 of 4 KiB, got 4',
    ],
    [{ hpa: -1 }, RangeError, 'hpa: expected an integer in 0x0..0x1fffffffffffff, got -0x1'],
    [{ hpa: 2 ** 53 }, RangeError, 'hpa: expected an integer in 0x0..0x1fffffffffffff, got 0x20000000000000'],
    [{ hpa: 0.5 }, RangeError, 'hpa: expected an integer in 0x0..0x1fffffffffffff, got 0.5'],
    [{ hpa: undefined }, TypeError, 'hpa: expected an integer in 0x0..0x1fffffffffffff, got undefined'],
    [{ shift: 20 }, RangeError, 'shift: expected one of 12, 16, 21, 30, got 20'],
    [{ shift: '16' }, TypeError, 'shift: expected one of 12, 16, 21, 30, got string "16"'],
    [{ memslot: {} }, TypeError, 'memslot: expected a Memslot, got object'],
    [{ memslot: undefined }, TypeError, 'memslot: expected a Memslot, got undefined'],
    [
      { memslot: new Vm().addMemslot({ baseGfn: 0, npages: 1 }) },
      TypeError,
      'memslot: expected a Memslot, got a memslot of a Vm: call unmap of the Vm',
    ],
    [{ gfn: 0x10, npages: 16 }, RangeError, 'npages: expected an integer in 1..4, got 16'],
    [{ npages: 32, shift: 21 }, RangeError, 'npages: expected an integer in 1..4, got 32'],
    ...(['memslot', 'gfn', 'npages', 'hpa', 'shift'] as const).map((name) => {
      const message = `range: unknown option "${name}s"; did you mean ${name}? expected memslot, gfn, npages, hpa, shift`
      return [{ [name]: undefined, [`${name}s`]: good[name] }, TypeError, message] as (typeof cases)[number]
    }),
  ]
  for (const [bad, type, message] of cases) refuses(walk(bad), type, message)
  const others: [unknown[], string][] = [
    [[undefined, good], 'guests: expected a Map, or an object with a function get, got undefined'],
    [[{}, good], 'guests: expected a Map, or an object with a function get, got object'],
    [[guests, undefined], 'range: expected an object, got undefined'],
    [[guests, good, null], 'visitor: expected an object, got null'],
    [[guests, good, { entry: 1 }], 'visitor: expected an object with a function entry, got object'],
    [[guests, good, undefined, null], 'counters: expected an object, got null'],
  ]
  for (const [args, message] of others) {
    refuses(() => removeRmapRange(...(args as Parameters<typeof removeRmapRange>)), TypeError, message)
  }
  expect(memslot.entries(0x10)).toEqual([{ lpid: 1, gpa: 0 }])
  removeRmapRange(guests, { ...good, hpa: 2 ** 53 - 1, shift: 12 })
  expect(memslot.entries(0x10)).toEqual([])
})

test('gfn, npages and hpa may be BigInts', () => {
  const memslot = new Memslot({ baseGfn: 0x10, npages: 4 })
  const shadow = new RadixTable({ pageShift: 16 })
  memslot.insert(0x11, 1, 0)
  shadow.set(0, 16, packLeaf({ hpa: 2 ** 40 * 4096, flags: 6 }))
  const counters = removeRmapRange(new Map([[1, { shadow }]]), {
    memslot,
    gfn: 0x11n,
    npages: 1n,
    hpa: 2n ** 52n,
    shift: 16,
  })
  expect([counters.cleared, shadow.leafCount]).toEqual([1, 0])
})

test.each([
  [12, [1]],
  [16, [1, 16]],
  [21, [32, 512]],
  [30, [16384, 262144]],
] as const)('a leaf of shift %i has so many base pages, of 64 KiB or of 4 KiB: %o', (shift, sizes) => {
  const memslot = new Memslot({ baseGfn: 0, npages: 2 ** 19 })
  for (const npages of [1, 2, 16, 32, 512, 2 ** 14, 2 ** 16, 2 ** 18, 2 ** 19]) {
    const walk = (): unknown => removeRmapRange(new Map(), { memslot, gfn: 0, npages, hpa: 0, shift }).ranges
    if ((sizes as readonly number[]).includes(npages)) expect(walk()).toBe(1)
    else expect(walk).toThrow(`npages: expected the pages of a leaf of shift ${shift}, `)
  }
})

test('an unknown property beside a valid range is ignored, also beside a BigInt', () => {
  const memslot = new Memslot({ baseGfn: 0, npages: 1 })
  for (const hpa of [0, 0n]) {
    const range = { memslot, gfn: 0, npages: 1, hpa, shift: 16 as const, note: 'mine' }
    expect(removeRmapRange(new Map(), range).ranges).toBe(1)
  }
})

/** A shadow table of the caller: a Map from 64 KiB pages to leaf words. */
class MapTable implements ShadowTable {
  readonly words = new Map<number, bigint>()
  lookup(gpa: number): Leaf | undefined {
    const word = this.words.get(Math.floor(gpa / 0x10000))
    return word === undefined ? undefined : { gpa: gpa - (gpa % 0x10000), shift: 16, word }
  }
  clear(gpa: number): void {
    this.words.delete(Math.floor(gpa / 0x10000))
  }
}

test('a shadow table of the caller gives the same walk as a RadixTable', () => {
  const entries = fc.array(
    fc.record({
      lpid: fc.integer({ min: 1, max: 4 }),
      page: fc.nat(6),
      frame: fc.option(fc.nat(2), { nil: undefined }),
      inserted: fc.boolean(),
    }),
    { maxLength: 30 },
  )
  fc.assert(
    fc.property(entries, fc.boolean(), (some, visited) => {
      const worlds = [() => new RadixTable({ pageShift: 16 }), () => new MapTable()].map((make) => {
        const memslot = new Memslot({ baseGfn: 0, npages: 1 })
        const guests = new Map([1, 2, 3].map((lpid) => [lpid, { shadow: make() }])) // no guest has LPID 4
        for (const { lpid, page, frame, inserted } of some) {
          const shadow = guests.get(lpid)?.shadow
          const word = packLeaf({ hpa: (frame ?? 0) * 16 * 4096, flags: 6 })
          if (frame === undefined) shadow?.clear(page * 0x10000)
          else if (shadow instanceof MapTable) shadow.words.set(page, word)
          else shadow?.set(page * 0x10000, 16, word)
          if (inserted) memslot.insert(0, lpid, page * 0x10000)
        }
        const visitor = keeper()
        const range = { memslot, gfn: 0, npages: 1, hpa: 0x10000, shift: 16 } as const
        const counters = removeRmapRange(guests, range, visited ? visitor : undefined)
        const left = [...guests].map(([lpid, { shadow }]) =>
          [0, 1, 2, 3, 4, 5, 6].map((page) => [lpid, page, shadow.lookup(page * 0x10000)]),
        )
        return { counters, left, shown: visitor.shown, inUse: memslot.nodes.inUse, word: memslot.word(0) }
      })
      expect(worlds[1]).toEqual(worlds[0])
    }),
    { numRuns: cases(200) },
  )
})

test('a lookup that returns something else is refused, with what to return instead', () => {
  const shadow = new RadixTable({ pageShift: 16 })
  const bare = 'expected an object { shadow }, got a RadixTable: give { shadow: table } for each LPID'
  const found: [unknown, string][] = [
    [shadow, `guests.get(5): ${bare}`],
    [null, 'guests.get(5): expected an object, got null'],
    [7, 'guests.get(5): expected an object, got number'],
    [{}, 'guests.get(5).shadow: expected an object, got undefined'],
    [{ shadow: {} }, 'guests.get(5).shadow: expected an object with a function lookup, got object'],
    [
      { shadow: { lookup: () => undefined } },
      'guests.get(5).shadow: expected an object with a function clear, got object',
    ],
    [
      { shadow: { lookup: () => ({ word: 1 }), clear: () => {} } },
      'shadow.lookup(gpa).word: expected a BigInt in 0x0..0xffffffffffffffff, got number',
    ],
    [{ shadow: { lookup: () => 1, clear: () => {} } }, 'shadow.lookup(gpa): expected an object, got number'],
  ]
  for (const [guest, message] of found) {
    const memslot = new Memslot({ baseGfn: 0, npages: 1 })
    memslot.insert(0, 5, 0)
    const counters = new RangeCounters()
    refuses(
      () =>
        removeRmapRange(
          { get: () => guest as never },
          { memslot, gfn: 0, npages: 1, hpa: 0, shift: 16 },
          undefined,
          counters,
        ),
      TypeError,
      message,
    )
    expect([counters.entries, memslot.nodes.inUse]).toEqual([0, 0])
  }
})

test('a Map of bare tables is refused, and the state is unchanged', () => {
  const memslot = new Memslot({ baseGfn: 0, npages: 1 })
  for (const lpid of [5, 6, 7]) memslot.insert(0, lpid, 0)
  const guests = new Map([[5, new RadixTable({ pageShift: 16 })]])
  refuses(
    () => removeRmapRange(guests as never, { memslot, gfn: 0, npages: 1, hpa: 0, shift: 16 }),
    TypeError,
    'guests.get(5): expected an object { shadow }, got a RadixTable: give { shadow: table } for each LPID',
  )
  expect(memslot.entries(0)).toHaveLength(3)
})
