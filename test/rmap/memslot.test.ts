import fc from 'fast-check'
import { expect, test } from 'vitest'
import { MAX_NPAGES, Memslot } from '../../src/rmap/memslot'
import { NodeHeap } from '../../src/rmap/node-heap'
import { compareMemslot, memslotOperations, type MemslotOperation } from '../../src/testing/index'
import { ArraySlots, visible, wordOf } from '../support/array-slots'
import { refuses } from '../support/refuses'
import { cases } from '../support/cases'

/** An assertion for inner loops: vitest's own takes microseconds. */
function ensure(holds: boolean, rule: string): void {
  if (!holds) expect.fail(rule)
}

/** Follows the real pointers of an rmap slot. Returns the words of the entries, newest first, and the nodes. */
function followed(memslot: Memslot, gfn: number): { entries: bigint[]; nodes: number[] } {
  const entries: bigint[] = []
  const nodes: number[] = []
  let word = memslot.word(gfn)
  ensure(memslot.words[gfn - memslot.baseGfn] === word, 'words is the same memory')
  if (word === 0n) return { entries, nodes }
  while (word % 2n === 0n) {
    const address = Number(word)
    ensure(
      address % 16 === 0 && memslot.nodes.has(address) && !nodes.includes(address),
      'a pointer is the address of a node',
    )
    const { next, entry } = memslot.nodes.read(address)
    ensure(entry % 4096n === 0n, 'an entry in a node has tag 0')
    nodes.push(address)
    entries.push(entry)
    word = next
  }
  ensure(word % 4096n === 1n, 'a list ends in a tagged entry')
  entries.push(word - 1n)
  return { entries, nodes }
}

test('the three forms of an rmap slot in spec 3', () => {
  const memslot = new Memslot({ baseGfn: 0, npages: 3 })
  const [e1, e2, e3] = [wordOf(1, 0x10000), wordOf(2, 0x20000), wordOf(3, 0x30000)]
  expect(memslot.insert(1, 1, 0x10000)).toBe('empty')
  expect(memslot.insert(2, 1, 0x10000)).toBe('empty')
  expect(memslot.insert(2, 2, 0x20000)).toBe('second')
  expect(memslot.insert(2, 3, 0x30000)).toBe('list')

  expect(memslot.word(0)).toBe(0n) // no entry
  expect(memslot.word(1)).toBe(e1 | 1n) // one entry, in the word itself
  const b = memslot.word(2) // the list
  expect(b % 2n === 0n && b !== 0n).toBe(true)
  const nodeB = memslot.nodes.read(Number(b))
  expect(nodeB.entry).toBe(e3)
  expect(nodeB.next % 2n).toBe(0n)
  expect(memslot.nodes.read(Number(nodeB.next))).toEqual({ next: e1 | 1n, entry: e2 })

  expect(memslot.nodes.inUse).toBe(2) // n entries take n - 1 nodes
  expect(memslot.listNodes(0)).toEqual([])
  expect(memslot.listNodes(1)).toEqual([])
  expect(memslot.listNodes(2)).toEqual([
    { address: Number(b), next: nodeB.next, entry: e3 },
    { address: Number(nodeB.next), next: e1 | 1n, entry: e2 },
  ])
  expect(memslot.entries(0)).toEqual([])
  expect(memslot.entries(1)).toEqual([{ lpid: 1, gpa: 0x10000 }])
  expect(memslot.entries(2)).toEqual([
    { lpid: 3, gpa: 0x30000 },
    { lpid: 2, gpa: 0x20000 },
    { lpid: 1, gpa: 0x10000 },
  ])
})

test('scan steps: all entries on a miss, those up to and including the match on a hit', () => {
  const memslot = new Memslot({ baseGfn: 0, npages: 1 })
  const steps = (lpid: number): [string, number] => {
    const before = memslot.counters.scanSteps
    return [memslot.insert(0, lpid, 0x5000), memslot.counters.scanSteps - before]
  }
  expect(steps(1)).toEqual(['empty', 0])
  expect(steps(1)).toEqual(['duplicate', 1])
  expect(steps(2)).toEqual(['second', 1])
  expect(steps(3)).toEqual(['list', 2])
  expect(steps(4)).toEqual(['list', 3])
  expect([4, 3, 2, 1].map(steps)).toEqual([
    ['duplicate', 1],
    ['duplicate', 2],
    ['duplicate', 3],
    ['duplicate', 4],
  ])
  expect({ ...memslot.counters }).toMatchObject({
    empty: 1,
    second: 1,
    list: 2,
    duplicate: 5,
    scanSteps: 0 + 1 + 1 + 2 + 3 + 1 + 2 + 3 + 4,
    longestList: 4,
  })
})

test('n inserts into one rmap slot count n(n-1)/2 compares, even where the model makes fewer', () => {
  const memslot = new Memslot({ baseGfn: 7, npages: 1 })
  for (let n = 0; n < 500; n++) memslot.insert(7, 1 + (n % 4095), n * 4096)
  expect(memslot.counters.scanSteps).toBe((500 * 499) / 2)
  expect(memslot.counters.longestList).toBe(500)
})

test('entries and listNodes return copies: the rmap slot may change while they are read', () => {
  const memslot = new Memslot({ baseGfn: 0, npages: 1 })
  for (const lpid of [1, 2, 3]) memslot.insert(0, lpid, 0)
  const [entries, nodes] = [memslot.entries(0), memslot.listNodes(0)]
  memslot.takeAll(0)
  memslot.insert(0, 9, 0)
  expect(entries.map((entry) => entry.lpid)).toEqual([3, 2, 1])
  expect(nodes.map((node) => node.entry)).toEqual([wordOf(3, 0), wordOf(2, 0)])
})

test('a visitor that throws: the rmap slot is empty, the remaining entries are lost, and no node leaks', () => {
  for (let at = 1; at <= 3; at++) {
    const memslot = new Memslot({ baseGfn: 0, npages: 2 })
    for (const lpid of [1, 2, 3]) memslot.insert(0, lpid, 0)
    for (const lpid of [1, 2]) memslot.insert(1, lpid, 0)
    const shown: number[] = []
    refuses(
      () =>
        memslot.takeAll(0, (lpid) => {
          shown.push(lpid)
          if (shown.length === at) throw new Error('stop')
        }),
      Error,
      'stop',
    )
    expect(shown).toEqual([3, 2, 1].slice(0, at))
    expect(memslot.word(0)).toBe(0n)
    expect(memslot.nodes.inUse).toBe(1)
    expect(followed(memslot, 1).entries).toEqual([wordOf(2, 0), wordOf(1, 0)])
    expect(['empty', 'second', 'list', 'list']).toEqual([5, 6, 7, 8].map((lpid) => memslot.insert(0, lpid, 0)))
    expect(followed(memslot, 0).entries).toEqual([8, 7, 6, 5].map((lpid) => wordOf(lpid, 0)))
  }
})

test('walk: the visitor may free the node of the current entry', () => {
  const memslot = new Memslot({ baseGfn: 0, npages: 1 })
  for (const lpid of [1, 2, 3]) memslot.insert(0, lpid, 0)
  const nodes = followed(memslot, 0).nodes
  const shown: number[] = []
  for (const list = memslot.walk(0); list.next();) {
    shown.push(list.hi >>> 20)
    const address = nodes.shift()
    if (address !== undefined) memslot.nodes.free(address)
  }
  expect(shown).toEqual([3, 2, 1])
})

test('take and walk give an entry as its untagged halves', () => {
  const memslot = new Memslot({ baseGfn: 0, npages: 1 })
  for (const lpid of [0x801, 2]) memslot.insert(0, lpid, 2 ** 51 + 0xfffff000)
  const shown: [number, number][] = []
  for (const list = memslot.walk(0); list.next();) shown.push([list.hi, list.lo])
  expect(shown).toEqual([
    [0x00280000, -4096],
    [0x80180000 | 0, -4096],
  ])
})

// The rest runs random operations on memslots and on the simplest model: an array of entry words for each rmap slot.

/** Compares every word, pointer, node and counter with the simplest model. */
function compare(memslots: readonly Memslot[], model: ArraySlots): void {
  const reached: number[] = []
  const heap = memslots[0]!.nodes
  memslots.forEach((memslot, m) => {
    for (let gfn = memslot.baseGfn; gfn < memslot.baseGfn + memslot.npages; gfn++) {
      const slot = model.slot(gfn)
      const { entries, nodes } = followed(memslot, gfn)
      ensure(entries.join() === slot.join(), 'the pointers lead to the entries, newest first')
      ensure(nodes.length === Math.max(0, slot.length - 1), 'n entries take n - 1 nodes')
      reached.push(...nodes)
      const seen = visible(slot)
      ensure(
        memslot
          .listNodes(gfn)
          .map(({ entry }) => entry)
          .join() === (seen === slot ? slot.slice(0, -1) : seen).join(),
        'listNodes gives the nodes that a walk meets',
      )
    }
    for (const [name, count] of Object.entries(model.counters[m]!)) {
      ensure(memslot.counters[name as keyof typeof memslot.counters] === count, `the counter ${name}`)
    }
  })
  ensure(new Set(reached).size === reached.length, 'no node is in two lists')
  ensure(
    reached.every((node) => node <= 16 * model.peak),
    'freed nodes are used again before new ones',
  )
  ensure(heap.inUse === model.nodes && heap.peak === model.peak, 'nodes in use, now and at most')
  if (!model.lost) ensure(heap.inUse === reached.length, 'every node in use is in a list')
}

/** Invalid arguments: each is refused, and nothing changes. */
function refuseAll(memslot: Memslot, gfn: number): void {
  const never = (): never => {
    throw new Error('shown an entry')
  }
  const calls: [new (message: string) => Error, () => unknown][] = [
    ...[-1, 4096, 1.5, NaN, 2 ** 53].map(
      (bad) => [RangeError, () => memslot.insert(gfn, bad, 0)] as [typeof RangeError, () => unknown],
    ),
    ...[-1, 2 ** 52, 0.5, NaN, Infinity].map(
      (bad) => [RangeError, () => memslot.insert(gfn, 1, bad)] as [typeof RangeError, () => unknown],
    ),
    ...[memslot.baseGfn - 1, memslot.baseGfn + memslot.npages, gfn + 0.5, NaN].flatMap((bad) => [
      [RangeError, () => memslot.insert(bad, 1, 0)] as [typeof RangeError, () => unknown],
      [RangeError, () => memslot.takeAll(bad, never)] as [typeof RangeError, () => unknown],
    ]),
    [TypeError, () => memslot.insert(gfn, '1' as never, 0)],
    [TypeError, () => memslot.takeAll(gfn, {} as never)],
    [TypeError, () => memslot.takeAll(gfn, null as never)],
  ]
  for (const [type, call] of calls) {
    let thrown: unknown
    try {
      call()
    } catch (error) {
      thrown = error
    }
    ensure(thrown instanceof type, `refused with a ${type.name}`)
  }
}

const MEMSLOTS = [
  { baseGfn: 0, npages: 3 },
  { baseGfn: 1000, npages: 2 },
  { baseGfn: 2 ** 40, npages: 1 },
]
const LIMITS = [0, 1, 2, 5, 20, 2 ** 27 - 1]

for (const [name, quirks, runs] of [
  ['memslots that share a heap are arrays of arrays, word by word', 0, 70],
  ['LPID 0 hides what is older, and loses it, and is the same model otherwise', 1, 25],
] as const) {
  test(
    name,
    () => {
      const seen = new Set<string>()
      for (const maxNodes of LIMITS) {
        const { answers } = compareMemslot(fc, (settings) => new ArraySlots(settings), {
          runs: cases(runs),
          maxSteps: 40,
          memslots: MEMSLOTS,
          maxNodes,
          weights: { quirks, long: 6 },
          afterEach(memslots, model, { op, gfn }) {
            if (op === 'entries')
              refuseAll(
                memslots.find((memslot) => memslot.contains(gfn))!,
                gfn,
              )
            compare(memslots, model)
          },
        })
        for (const answer of answers.keys()) seen.add(answer)
      }
      for (const outcome of ['empty', 'second', 'list', 'duplicate', 'no-memory'])
        expect(seen).toContain(`insert ${outcome}`)
    },
    120_000,
  )
}

/** The library's memslots and the simplest model after the same operations. */
function pairAfter(operations: readonly MemslotOperation[], maxNodes: number, allowLpidZero: boolean) {
  const settings = { memslots: MEMSLOTS, maxNodes, allowLpidZero }
  const heap = new NodeHeap({ limit: maxNodes })
  const memslots = MEMSLOTS.map((range) => new Memslot({ ...range, nodes: heap, allowLpidZero }))
  const model = new ArraySlots(settings)
  const memslotOf = (gfn: number): Memslot => memslots.find((memslot) => memslot.contains(gfn))!
  for (const operation of operations) {
    const { gfn } = operation
    if (operation.op === 'takeAll')
      ensure(memslotOf(gfn).takeAll(gfn) === model.takeAll(gfn).length, 'as many entries are removed')
    if (operation.op !== 'insert') continue
    const { lpid, gpa } = operation
    ensure(memslotOf(gfn).insert(gfn, lpid, gpa) === model.insert(gfn, lpid, gpa), 'the outcome of an insert')
  }
  return { heap, memslots, model, memslotOf }
}

test('the visitor of takeAll may insert and take, at the same gfn and at others', () => {
  for (const quirks of [0, 1]) {
    const options = { memslots: MEMSLOTS, maxSteps: 30, weights: { quirks } }
    const acts = fc.array(fc.tuple(fc.nat(6), memslotOperations(fc, { ...options, maxSteps: 2 })), { maxLength: 6 })
    const gfns = fc.constantFrom(...MEMSLOTS.flatMap(({ baseGfn, npages }) => [baseGfn, baseGfn + npages - 1]))
    fc.assert(
      fc.property(
        memslotOperations(fc, options),
        gfns,
        acts,
        fc.constantFrom(...LIMITS),
        (before, gfn, some, limit) => {
          const { memslots, model, memslotOf } = pairAfter(before, limit, quirks > 0)
          const run =
            (
              log: unknown[],
              insert: (gfn: number, lpid: number, gpa: number) => unknown,
              take: (gfn: number) => number,
            ) =>
            (lpid: number, gpa: number): void => {
              const shown = log.filter((item) => Array.isArray(item)).length
              log.push([lpid, gpa])
              for (const operation of some.filter(([at]) => at === shown).flatMap(([, operations]) => operations)) {
                if (operation.op === 'insert') log.push(insert(operation.gfn, operation.lpid, operation.gpa))
                else if (operation.op === 'takeAll') log.push(take(operation.gfn))
              }
            }
          const [real, expected]: [unknown[], unknown[]] = [[], []]
          const visit = run(
            real,
            (g, lpid, gpa) => memslotOf(g).insert(g, lpid, gpa),
            (g) => memslotOf(g).takeAll(g),
          )
          const count = memslotOf(gfn).takeAll(gfn, visit)
          const show = run(
            expected,
            (g, lpid, gpa) => model.insert(g, lpid, gpa),
            (g) => model.takeAll(g).length,
          )
          expect(count).toBe(model.takeAll(gfn, ({ lpid, gpa }) => show(lpid, gpa)).length)
          expect(real).toEqual(expected)
          compare(memslots, model)
        },
      ),
      { numRuns: cases(300) },
    )
  }
}, 60_000)

test('when all lists are removed every node is free, once', () => {
  fc.assert(
    fc.property(memslotOperations(fc, { memslots: MEMSLOTS, maxSteps: 40 }), (operations) => {
      const { heap, memslots, model } = pairAfter(operations, 2 ** 27 - 1, false)
      for (const memslot of memslots) {
        for (let gfn = memslot.baseGfn; gfn < memslot.baseGfn + memslot.npages; gfn++) {
          expect(memslot.takeAll(gfn)).toBe(model.slot(gfn).length)
        }
      }
      expect(heap.inUse).toBe(0)
      const addresses = Array.from({ length: model.peak }, () => heap.allocate()).sort((a, b) => a - b)
      expect(addresses).toEqual(Array.from({ length: model.peak }, (_, n) => 16 * (n + 1)))
    }),
    { numRuns: cases(200) },
  )
})

test('LPID 0 as a node, step by step (spec 11)', () => {
  const memslot = new Memslot({ baseGfn: 0, npages: 2, allowLpidZero: true })
  const lpids = (): number[] => memslot.entries(0).map((entry) => entry.lpid)
  // As a single word, and as terminator, (0, 0) has its tag and does no harm.
  expect(memslot.insert(0, 0, 0)).toBe('empty')
  expect(memslot.word(0)).toBe(1n)
  expect(memslot.insert(0, 0, 0)).toBe('duplicate')
  expect(memslot.insert(0, 1, 0)).toBe('second')
  expect(memslot.insert(0, 0, 0)).toBe('duplicate')
  expect(lpids()).toEqual([1, 0])
  expect([memslot.takeAll(0), memslot.nodes.inUse]).toEqual([2, 0])
  // LPID 0 with another frame is an entry like any other.
  expect([memslot.insert(0, 1, 0), memslot.insert(0, 0, 0x1000), memslot.insert(0, 0, 0x1000)]).toEqual([
    'empty',
    'second',
    'duplicate',
  ])
  expect(memslot.takeAll(0)).toBe(2)
  // In a node it ends every scan and every walk, and never matches itself.
  expect([memslot.insert(0, 1, 0), memslot.insert(0, 2, 0), memslot.insert(0, 0, 0)]).toEqual([
    'empty',
    'second',
    'list',
  ])
  expect(lpids()).toEqual([])
  const before = memslot.counters.scanSteps
  expect(memslot.insert(0, 0, 0)).toBe('list') // it grows without limit
  expect(memslot.insert(0, 1, 0)).toBe('list') // a duplicate of an older entry is not found
  expect(memslot.counters.scanSteps).toBe(before)
  expect(lpids()).toEqual([1])
  expect(memslot.insert(0, 1, 0)).toBe('duplicate')
  expect(followed(memslot, 0).entries).toEqual([wordOf(1, 0), 0n, 0n, wordOf(2, 0), wordOf(1, 0)])
  // takeAll visits the newer entries only; the node of LPID 0 and the older ones are lost.
  const shown: number[] = []
  expect(memslot.takeAll(0, (lpid) => shown.push(lpid))).toBe(1)
  expect(shown).toEqual([1])
  expect([memslot.word(0), memslot.nodes.inUse]).toEqual([0n, 3])
})

test('LPID 0 is refused unless it is allowed', () => {
  for (const options of [{}, { allowLpidZero: false }]) {
    const memslot = new Memslot({ baseGfn: 0, npages: 1, ...options })
    refuses(() => memslot.insert(0, 0, 0), RangeError, 'lpid: expected an integer in 1..4095, got 0')
    refuses(() => memslot.insert(0, -0, 0), RangeError, 'lpid: expected an integer in 1..4095, got 0')
    expect(memslot.word(0)).toBe(0n)
  }
  const memslot = new Memslot({ baseGfn: 0, npages: 1, allowLpidZero: true })
  refuses(() => memslot.insert(0, -1, 0), RangeError, 'lpid: expected an integer in 0..4095, got -1')
  expect(memslot.insert(0, -0, -0)).toBe('empty')
})

test('an error names the invalid argument', () => {
  const memslot = new Memslot({ baseGfn: 0x100, npages: 16 })
  const calls: [string, (gfn: number) => unknown][] = [
    ['insert', (gfn) => memslot.insert(gfn, 1, 0)],
    ['word', (gfn) => memslot.word(gfn)],
    ['entries', (gfn) => memslot.entries(gfn)],
    ['listNodes', (gfn) => memslot.listNodes(gfn)],
    ['takeAll', (gfn) => memslot.takeAll(gfn)],
  ]
  for (const [, call] of calls) {
    for (const [gfn, shown] of [
      [0xff, '0xff'],
      [0x110, '0x110'],
      [-1, '-0x1'],
      [256.5, '256.5'],
      [NaN, 'NaN'],
      [Infinity, 'Infinity'],
      [2 ** 53, '0x20000000000000'],
      [-0, '0x0'],
    ] as const) {
      refuses(() => call(gfn), RangeError, `gfn: expected an integer in 0x100..0x10f, got ${shown}`)
    }
    for (const [gfn, shown] of [
      ['256', 'string "256"'],
      [undefined, 'undefined'],
      [null, 'null'],
      [Symbol('gfn'), 'symbol'],
      [{ valueOf: () => 256 }, 'object'],
    ] as const) {
      refuses(() => call(gfn as never), TypeError, `gfn: expected an integer in 0x100..0x10f, got ${shown}`)
    }
  }
  refuses(() => memslot.insert(0x100, 4096, 0), RangeError, 'lpid: expected an integer in 1..4095, got 4096')
  refuses(
    () => memslot.insert(0x100, 1, 2 ** 52),
    RangeError,
    'gpa: expected an integer in 0x0..0xfffffffffffff, got 0x10000000000000',
  )
  refuses(() => memslot.takeAll(0x100, 1 as never), TypeError, 'visit: expected a function, got number')
  expect([0xff, 0x100, 0x10f, 0x110, 256.5, NaN].map((gfn) => memslot.contains(gfn))).toEqual([
    false,
    true,
    true,
    false,
    false,
    false,
  ])
  expect(['256', undefined].map((gfn) => memslot.contains(gfn as never))).toEqual([false, false])
})

test('gfns, LPIDs and addresses may be BigInts in range', () => {
  const memslot = new Memslot({ baseGfn: 0x100n, npages: 16n })
  expect([memslot.baseGfn, memslot.npages]).toEqual([0x100, 16])
  expect([memslot.insert(0x105n, 1n, 0x1234n), memslot.insert(0x105, 1, 0x1000)]).toEqual(['empty', 'duplicate'])
  expect(memslot.insert(0x105n, 4095n, 2n ** 52n - 1n)).toBe('second')
  expect(memslot.entries(0x105n)).toEqual([
    { lpid: 4095, gpa: 2 ** 52 - 4096 },
    { lpid: 1, gpa: 0x1000 },
  ])
  expect([memslot.word(0x105n), memslot.listNodes(0x105n)]).toEqual([memslot.word(0x105), memslot.listNodes(0x105)])
  expect([0xffn, 0x100n, 0x10fn, 0x110n].map((gfn) => memslot.contains(gfn))).toEqual([false, true, true, false])
  for (const gfn of [0xffn, 0x110n, 2n ** 64n]) {
    refuses(() => memslot.word(gfn), RangeError, `gfn: expected an integer in 0x100..0x10f, got 0x${gfn.toString(16)}`)
  }
  refuses(() => memslot.insert(0x100n, 0n, 0n), RangeError, 'lpid: expected an integer in 1..4095, got 0')
  expect([memslot.word(0x100), memslot.takeAll(0x105n), memslot.nodes.inUse]).toEqual([0n, 2, 0])
})

test('counters are a frozen copy', () => {
  const memslot = new Memslot({ baseGfn: 0, npages: 1 })
  const before = memslot.counters
  memslot.insert(0, 1, 0)
  expect([before.empty, memslot.counters.empty]).toEqual([0, 1])
  expect(() => {
    ;(memslot.counters as { empty: number }).empty = 7
  }).toThrow(TypeError)
  expect(memslot.counters.empty).toBe(1)
})

test('JSON has the rmap slots that are not empty, with words in hex', () => {
  const memslot = new Memslot({ baseGfn: 0x100, npages: 4 })
  memslot.insert(0x101, 3, 0x30261000)
  memslot.insert(0x103, 1, 0)
  memslot.insert(0x103, 2, 0x1000)
  expect(JSON.parse(JSON.stringify(memslot))).toEqual({
    baseGfn: 0x100,
    npages: 4,
    counters: { ...memslot.counters },
    slots: [
      { gfn: 0x101, word: '0x0030000030261001', entries: [{ lpid: 3, gpa: 0x30261000 }] },
      {
        gfn: 0x103,
        word: '0x0000000000000010',
        entries: [
          { lpid: 2, gpa: 0x1000 },
          { lpid: 1, gpa: 0 },
        ],
      },
    ],
  })
  const node = { address: 16, next: '0x0010000000000001', entry: '0x0020000000001000' }
  expect(JSON.parse(JSON.stringify(memslot.nodes))).toEqual({ limit: 2 ** 27 - 1, inUse: 1, peak: 1, nodes: [node] })
  memslot.takeAll(0x103)
  expect(JSON.parse(JSON.stringify(memslot.nodes))).toMatchObject({ inUse: 0, peak: 1, nodes: [] })
})

test('an error names the invalid option', () => {
  for (const [npages, shown] of [
    [0, '0'],
    [-1, '-1'],
    [2 ** 28 + 1, '268435457'],
    [1.5, '1.5'],
    [NaN, 'NaN'],
    [Infinity, 'Infinity'],
    [-0, '0'],
  ] as const) {
    refuses(
      () => new Memslot({ baseGfn: 0, npages }),
      RangeError,
      `npages: expected an integer in 1..268435456, got ${shown}`,
    )
  }
  for (const [baseGfn, shown] of [
    [-1, '-0x1'],
    [2 ** 52, '0x10000000000000'],
    [2 ** 52 - 1, '0xfffffffffffff'],
    [0.5, '0.5'],
    [NaN, 'NaN'],
  ] as const) {
    refuses(
      () => new Memslot({ baseGfn, npages: 2 }),
      RangeError,
      `baseGfn: expected an integer in 0x0..0xffffffffffffe, got ${shown}`,
    )
  }
  refuses(
    () => new Memslot({ baseGfn: '0' as never, npages: 1 }),
    TypeError,
    'baseGfn: expected an integer in 0x0..0xfffffffffffff, got string "0"',
  )
  refuses(
    () => new Memslot({ baseGfn: 0 } as never),
    TypeError,
    'npages: expected an integer in 1..268435456, got undefined',
  )
  refuses(() => new Memslot(undefined as never), TypeError, 'options: expected an object, got undefined')
  refuses(
    () => new Memslot({ baseGfn: 0, npages: 1, nodes: {} as never }),
    TypeError,
    'nodes: expected a NodeHeap, got object',
  )
  refuses(
    () => new Memslot({ baseGfn: 0, npages: 1, nodes: null as never }),
    TypeError,
    'nodes: expected a NodeHeap, got null',
  )
  refuses(
    () => new Memslot({ baseGfn: 0, npages: 1, allowLpidZero: 1 as never }),
    TypeError,
    'allowLpidZero: expected a boolean, got number',
  )
  expect(MAX_NPAGES).toBe(2 ** 28)
  const highest = new Memslot({ baseGfn: 2 ** 52 - 2, npages: 2 })
  expect([highest.insert(2 ** 52 - 1, 1, 0), highest.entries(2 ** 52 - 1).length]).toEqual(['empty', 1])
  expect(Object.is(new Memslot({ baseGfn: -0, npages: 1 }).baseGfn, 0)).toBe(true)
})

test('8 bytes a gfn, little-endian words, and other words stay 0', () => {
  const memslot = new Memslot({ baseGfn: 10, npages: 5 })
  expect(memslot.words.byteLength).toBe(40)
  memslot.insert(12, 0xabc, 0x123456789a000)
  expect([...memslot.words]).toEqual([0n, 0n, 0xabc123456789a001n, 0n, 0n])
  expect([...new Uint8Array(memslot.words.buffer, 16, 8)]).toEqual([0x01, 0xa0, 0x89, 0x67, 0x45, 0x23, 0xc1, 0xab])
})

/** Writes the two words of a node: no public method can. */
function forge(memslot: Memslot, address: number, node: { next?: bigint; entry?: bigint }): void {
  const words = new BigUint64Array(memslot.nodes.words.buffer)
  if (node.next !== undefined) words[address / 8] = node.next
  if (node.entry !== undefined) words[address / 8 + 1] = node.entry
}

test('check finds nothing broken after inserts and removals', () => {
  const commands = fc.array(
    fc.record({ gfn: fc.nat(3), lpid: fc.integer({ min: 1, max: 40 }), take: fc.constantFrom(false, false, true) }),
    { maxLength: 100 },
  )
  fc.assert(
    fc.property(commands, (run) => {
      const nodes = new NodeHeap()
      const memslots = [new Memslot({ baseGfn: 0, npages: 4, nodes }), new Memslot({ baseGfn: 9, npages: 4, nodes })]
      for (const { gfn, lpid, take } of run) {
        const memslot = memslots[lpid % 2]!
        if (take) memslot.takeAll(memslot.baseGfn + gfn)
        else for (let n = 0; n < 5; n++) memslot.insert(memslot.baseGfn + gfn, lpid, n * 0x10000)
        expect(memslots.flatMap((one) => one.check())).toEqual([])
      }
    }),
    { numRuns: cases(100) },
  )
})

test('check names each broken invariant, and where it is broken', () => {
  const make = (): { memslot: Memslot; head: number; last: number } => {
    const memslot = new Memslot({ baseGfn: 0x100, npages: 4 })
    for (const lpid of [1, 2, 3]) memslot.insert(0x101, lpid, 0x1000)
    for (const lpid of [4, 5]) memslot.insert(0x102, lpid, 0x1000)
    const [head, last] = memslot.listNodes(0x101).map(({ address }) => address) as [number, number]
    return { memslot, head, last }
  }
  const listEnd = {
    invariant: 'list-end',
    sentence: 'A list ends in a tagged entry, and every node on the way is in use.',
    gfn: 0x101,
  }
  const twice = { invariant: 'no-duplicates', sentence: 'No rmap slot holds an entry twice.', gfn: 0x101 }
  const broken: [string, (of: ReturnType<typeof make>) => void, object[]][] = [
    ['nothing', () => {}, []],
    [
      'a free node',
      ({ memslot, last }) => memslot.nodes.free(last),
      [{ ...listEnd, message: '0x10 is not a node in use, or is also part of another list' }],
    ],
    [
      'a circle',
      ({ memslot, head, last }) => forge(memslot, last, { next: BigInt(head) }),
      [{ ...listEnd, message: '0x20 is not a node in use, or is also part of another list' }],
    ],
    [
      'a pointer to nowhere',
      ({ memslot, last }) => forge(memslot, last, { next: 0xffff_ffff_ffff_fff0n }),
      [{ ...listEnd, message: '0xfffffffffffffff0 is not a node in use, or is also part of another list' }],
    ],
    [
      'a list that ends in 0',
      ({ memslot, last }) => forge(memslot, last, { next: 0n }),
      [{ ...listEnd, message: '0x0 is not a node in use, or is also part of another list' }],
    ],
    [
      'a zero node',
      ({ memslot, head }) => forge(memslot, head, { entry: 0n }),
      [
        {
          ...listEnd,
          message: 'the entry of LPID 0, page 0 ends the list and hides the older entries',
          lpid: 0,
          gpa: 0,
        },
      ],
    ],
    [
      'an entry twice, in a node',
      ({ memslot, last }) => forge(memslot, last, { entry: wordOf(3, 0x1000) }),
      [{ ...twice, message: 'the entry is in the list twice', lpid: 3, gpa: 0x1000 }],
    ],
    [
      'an entry twice, the oldest',
      ({ memslot, last }) => forge(memslot, last, { next: wordOf(2, 0x1000) | 1n }),
      [{ ...twice, message: 'the entry is in the list twice', lpid: 2, gpa: 0x1000 }],
    ],
  ]
  for (const [what, breakIt, expected] of broken) {
    const world = make()
    breakIt(world)
    expect([what, world.memslot.check()]).toEqual([what, expected])
  }
})
