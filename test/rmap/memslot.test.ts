import fc from 'fast-check'
import { expect, test } from 'vitest'
import { MAX_NPAGES, Memslot } from '../../src/rmap/memslot'
import { NodeHeap } from '../../src/rmap/node-heap'
import { refuses } from '../support/refuses'

/** An entry's word by spec 2. */
const wordOf = (lpid: number, gpa: number): bigint => BigInt(lpid) * 2n ** 52n + (BigInt(gpa) / 4096n) * 4096n

/** An assertion for inner loops: vitest's own takes microseconds. */
function ensure(holds: boolean, law: string): void {
  if (!holds) expect.fail(law)
}

/** Follows the real pointers of a slot. Gives the words of the entries, newest first, and the nodes. */
function followed(memslot: Memslot, gfn: number): { entries: bigint[]; nodes: number[] } {
  const entries: bigint[] = []
  const nodes: number[] = []
  let word = memslot.word(gfn)
  ensure(memslot.words[gfn - memslot.baseGfn] === word, 'words is the same memory')
  if (word === 0n) return { entries, nodes }
  while (word % 2n === 0n) {
    const address = Number(word)
    ensure(address % 16 === 0 && memslot.nodes.has(address) && !nodes.includes(address), 'a pointer is that of a node')
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

test('the three pictures of spec 3', () => {
  const memslot = new Memslot({ baseGfn: 0, npages: 3 })
  const [e1, e2, e3] = [wordOf(1, 0x10000), wordOf(2, 0x20000), wordOf(3, 0x30000)]
  expect(memslot.insert(1, 1, 0x10000)).toBe('empty')
  expect(memslot.insert(2, 1, 0x10000)).toBe('empty')
  expect(memslot.insert(2, 2, 0x20000)).toBe('second')
  expect(memslot.insert(2, 3, 0x30000)).toBe('list')

  expect(memslot.word(0)).toBe(0n) // no entry
  expect(memslot.word(1)).toBe(e1 | 1n) // one, in the word itself
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

test('scan steps: on a miss all, on a hit those up to and with the match', () => {
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

test('n inserts into one slot cost n(n-1)/2 compares, whatever the model pays', () => {
  const memslot = new Memslot({ baseGfn: 7, npages: 1 })
  for (let n = 0; n < 500; n++) memslot.insert(7, 1 + (n % 4095), n * 4096)
  expect(memslot.counters.scanSteps).toBe((500 * 499) / 2)
  expect(memslot.counters.longestList).toBe(500)
})

test('entries and listNodes are copies: the slot may change while they are read', () => {
  const memslot = new Memslot({ baseGfn: 0, npages: 1 })
  for (const lpid of [1, 2, 3]) memslot.insert(0, lpid, 0)
  const [entries, nodes] = [memslot.entries(0), memslot.listNodes(0)]
  memslot.takeAll(0)
  memslot.insert(0, 9, 0)
  expect(entries.map((entry) => entry.lpid)).toEqual([3, 2, 1])
  expect(nodes.map((node) => node.entry)).toEqual([wordOf(3, 0), wordOf(2, 0)])
})

test('a visitor that throws: the slot is empty, what was not shown is lost, and no node leaks', () => {
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

test('walk: the node of the entry that is shown may be freed', () => {
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

test('inside, entries are shown as their untagged halves', () => {
  const memslot = new Memslot({ baseGfn: 0, npages: 1 })
  for (const lpid of [0x801, 2]) memslot.insert(0, lpid, 2 ** 51 + 0xfffff000)
  const shown: [number, number][] = []
  for (const list = memslot.walk(0); list.next();) shown.push([list.hi, list.lo])
  expect(shown).toEqual([
    [0x00280000, -4096],
    [0x80180000 | 0, -4096],
  ])
})

// What follows runs random commands against the simplest model: an array of entry words a slot, newest first.

/** LPID 0, frame 0: in a node its word is 0, where Linux's walks end (spec 11). */
const HIDING = 0n

interface Model {
  /** By memslot, then by index: entry words, newest first. */
  readonly slots: bigint[][][]
  readonly counters: { empty: number; second: number; list: number; duplicate: number; scanSteps: number }[]
  longest: number[]
  nodes: number
  peak: number
  readonly limit: number
}

interface Real {
  readonly heap: NodeHeap
  readonly memslots: Memslot[]
}

interface Target {
  readonly memslot: number
  readonly index: number
}
interface Item {
  readonly lpid: number
  readonly gpa: number
}

/** The entries that a walk meets: up to a node that hides itself and what is older. The oldest has its tag. */
function visible(slot: bigint[]): bigint[] {
  const at = slot.findIndex((word, index) => word === HIDING && index < slot.length - 1)
  return at < 0 ? slot : slot.slice(0, at)
}

function modelInsert(model: Model, { memslot, index }: Target, { lpid, gpa }: Item): string {
  const slot = model.slots[memslot]![index]!
  const counters = model.counters[memslot]!
  const word = wordOf(lpid, gpa)
  const seen = visible(slot)
  const at = seen.indexOf(word)
  if (at >= 0) {
    counters.scanSteps += at + 1
    counters.duplicate++
    return 'duplicate'
  }
  if (slot.length > 0) {
    if (model.nodes === model.limit) return 'no-memory'
    model.peak = Math.max(model.peak, ++model.nodes)
  }
  counters.scanSteps += seen.length
  slot.unshift(word)
  model.longest[memslot] = Math.max(model.longest[memslot]!, slot.length)
  const outcome = slot.length === 1 ? 'empty' : slot.length === 2 ? 'second' : 'list'
  counters[outcome]++
  return outcome
}

/** Empties the slot; its nodes are freed one by one, each after its entry was shown; hidden ones are lost. */
function modelTake(model: Model, { memslot, index }: Target, visit: (word: bigint) => void): number {
  const slot = model.slots[memslot]![index]!
  model.slots[memslot]![index] = []
  const seen = visible(slot)
  seen.forEach((word, at) => {
    visit(word)
    if (at < slot.length - 1) model.nodes--
  })
  return seen.length
}

/** Every word, pointer, node and counter, against the model. */
function compare(model: Model, real: Real): void {
  const reached: number[] = []
  real.memslots.forEach((memslot, m) => {
    for (let index = 0; index < memslot.npages; index++) {
      const gfn = memslot.baseGfn + index
      const slot = model.slots[m]![index]!
      const { entries, nodes } = followed(memslot, gfn)
      if (entries.join() !== slot.join()) expect(entries).toEqual(slot)
      ensure(nodes.length === Math.max(0, slot.length - 1), 'n entries take n - 1 nodes')
      for (const node of nodes) reached.push(node)
      const seen = visible(slot)
      ensure(
        memslot
          .entries(gfn)
          .map((e) => wordOf(e.lpid, e.gpa))
          .join() === seen.join(),
        'entries gives what a walk meets',
      )
      ensure(
        memslot
          .listNodes(gfn)
          .map((n) => n.entry)
          .join() === (seen === slot ? slot.slice(0, -1) : seen).join(),
        'listNodes gives the nodes that a walk meets',
      )
    }
    expect({ ...memslot.counters }).toMatchObject(model.counters[m]!)
    expect(memslot.counters.longestList).toBe(model.longest[m])
  })
  expect(new Set(reached).size).toBe(reached.length)
  ensure(
    reached.every((node) => node <= 16 * model.peak),
    'freed nodes are used again before new ones',
  )
  expect([real.heap.inUse, real.heap.peak]).toEqual([model.nodes, model.peak])
  if (!lost(model)) expect(real.heap.inUse).toBe(reached.length)
}

/** Whether LPID 0 was inserted: lists may then hold what cannot be seen, and nodes be lost. */
function lost(model: Model): boolean {
  const reachable = model.slots.flat().reduce((sum, slot) => sum + Math.max(0, slot.length - 1), 0)
  return model.nodes !== reachable || model.slots.flat().some((slot) => visible(slot).length < slot.length)
}

type Command = fc.Command<Model, Real>

abstract class Step implements Command {
  check(): boolean {
    return true
  }
  run(model: Model, real: Real): void {
    this.step(model, real)
    compare(model, real)
  }
  abstract step(model: Model, real: Real): void
  abstract toString(): string
}

function insertBoth(model: Model, real: Real, target: Target, item: Item): void {
  const memslot = real.memslots[target.memslot]!
  expect(memslot.insert(memslot.baseGfn + target.index, item.lpid, item.gpa)).toBe(modelInsert(model, target, item))
}

class Insert extends Step {
  readonly target: Target
  readonly items: Item[]
  constructor(target: Target, items: Item[]) {
    super()
    this.target = target
    this.items = items
  }
  step(model: Model, real: Real): void {
    for (const item of this.items) insertBoth(model, real, this.target, item)
  }
  override toString(): string {
    return `insert(${fc.stringify([this.target, this.items])})`
  }
}

/** Takes a slot; at the n-th entry shown, the visitor inserts or takes another slot, there and elsewhere. */
class Take extends Step {
  readonly target: Target
  readonly acts: { at: number; target: Target; item: Item | undefined }[] | undefined
  constructor(target: Target, acts: { at: number; target: Target; item: Item | undefined }[] | undefined) {
    super()
    this.target = target
    this.acts = acts
  }
  step(model: Model, real: Real): void {
    const memslot = real.memslots[this.target.memslot]!
    const gfn = memslot.baseGfn + this.target.index
    if (this.acts === undefined) {
      expect(memslot.takeAll(gfn)).toBe(modelTake(model, this.target, () => {}))
      return
    }
    // The real one first, noting what its visitor is answered; then the model, which must be answered alike.
    const log: unknown[] = []
    const count = memslot.takeAll(gfn, (lpid, gpa) => {
      log.push(['shown', wordOf(lpid, gpa)])
      const shown = log.filter((item) => (item as string[])[0] === 'shown').length - 1
      for (const { at, target, item } of this.acts!) {
        if (at !== shown) continue
        const other = real.memslots[target.memslot]!
        const otherGfn = other.baseGfn + target.index
        if (item === undefined) log.push(['took', other.takeAll(otherGfn)])
        else log.push([other.insert(otherGfn, item.lpid, item.gpa)])
      }
    })
    const expected: unknown[] = []
    let shown = 0
    expect(count).toBe(
      modelTake(model, this.target, (word) => {
        expected.push(['shown', word])
        for (const { at, target, item } of this.acts!) {
          if (at !== shown) continue
          if (item === undefined) expected.push(['took', modelTake(model, target, () => {})])
          else expected.push([modelInsert(model, target, item)])
        }
        shown++
      }),
    )
    expect(log).toEqual(expected)
  }
  override toString(): string {
    return `take(${fc.stringify([this.target, this.acts])})`
  }
}

/** Arguments that no memslot takes; nothing may change. */
class Refuse extends Step {
  readonly target: Target
  readonly gpa: number
  constructor(target: Target, gpa: number) {
    super()
    this.target = target
    this.gpa = gpa
  }
  step(_model: Model, real: Real): void {
    const memslot = real.memslots[this.target.memslot]!
    const gfn = memslot.baseGfn + this.target.index
    const never = (): never => {
      throw new Error('shown an entry')
    }
    for (const bad of [-1, 4096, 1.5, NaN, 2 ** 53]) {
      expect(() => memslot.insert(gfn, bad, this.gpa)).toThrow(RangeError)
    }
    for (const bad of [-1, 2 ** 52, 0.5, NaN, Infinity]) expect(() => memslot.insert(gfn, 1, bad)).toThrow(RangeError)
    for (const bad of [memslot.baseGfn - 1, memslot.baseGfn + memslot.npages, gfn + 0.5, NaN]) {
      expect(() => memslot.insert(bad, 1, this.gpa)).toThrow(RangeError)
      expect(() => memslot.takeAll(bad, never)).toThrow(RangeError)
    }
    expect(() => memslot.insert(gfn, '1' as never, this.gpa)).toThrow(TypeError)
    expect(() => memslot.insert(gfn, 1, -1n)).toThrow(RangeError)
    expect(() => memslot.takeAll(gfn, {} as never)).toThrow(TypeError)
    expect(() => memslot.takeAll(gfn, null as never)).toThrow(TypeError)
  }
  override toString(): string {
    return `refuse(${fc.stringify([this.target, this.gpa])})`
  }
}

const BASES = [0, 1000, 2 ** 40]
const NPAGES = [3, 2, 1]
const targets = fc.constantFrom<Target[]>(
  ...BASES.flatMap((_, memslot) => Array.from({ length: NPAGES[memslot]! }, (_, index) => ({ memslot, index }))),
)
/** Few enough that duplicates are common; the low 12 bits of an address do not count. */
const frames = fc.oneof(
  { weight: 6, arbitrary: fc.constantFrom(0, 1, 2, 2 ** 19, 2 ** 20 - 1, 2 ** 20, 2 ** 39, 2 ** 40 - 1) },
  { weight: 1, arbitrary: fc.nat(2 ** 31 - 1) },
)
const itemsOf = (leastLpid: number): fc.Arbitrary<Item> =>
  fc.record({
    lpid: fc.oneof(
      { weight: 6, arbitrary: fc.constantFrom(leastLpid, 1, 2, 2048, 4095) },
      { weight: 1, arbitrary: fc.integer({ min: leastLpid, max: 4095 }) },
    ),
    gpa: fc.tuple(frames, fc.constantFrom(0, 0, 1, 0xfff)).map(([frame, low]) => frame * 4096 + low),
  })
/** Long lists too: a run of different entries, the first of them perhaps again. */
const runs = fc
  .tuple(fc.integer({ min: 1, max: 4095 }), fc.integer({ min: 12, max: 60 }), fc.boolean())
  .map(([lpid, count, again]) =>
    Array.from({ length: count + (again ? 5 : 0) }, (_, n) => ({ lpid, gpa: (n % count) * 4096 })),
  )

function commandsOf(leastLpid: number): fc.Arbitrary<Iterable<Command>> {
  const items = itemsOf(leastLpid)
  const acts = fc.record({ at: fc.nat(6), target: targets, item: fc.option(items, { nil: undefined, freq: 5 }) })
  return fc.commands(
    [
      fc
        .tuple(targets, fc.array(items, { minLength: 1, maxLength: 8 }))
        .map(([target, some]) => new Insert(target, some)),
      fc.tuple(targets, items).map(([target, item]) => new Insert(target, [item])),
      fc.tuple(targets, runs).map(([target, run]) => new Insert(target, run)),
      targets.map((target) => new Take(target, undefined)),
      fc.tuple(targets, fc.array(acts, { maxLength: 6 })).map(([target, some]) => new Take(target, some)),
      fc.tuple(targets, fc.nat(2 ** 31 - 1)).map(([target, gpa]) => new Refuse(target, gpa)),
    ],
    { maxCommands: 40 },
  )
}

const limits = fc.constantFrom(0, 1, 2, 5, 20, 2 ** 27 - 1)

function setup(limit: number, allowLpidZero: boolean): { model: Model; real: Real } {
  const nodes = new NodeHeap({ limit })
  return {
    model: {
      slots: NPAGES.map((npages) => Array.from({ length: npages }, () => [])),
      counters: NPAGES.map(() => ({ empty: 0, second: 0, list: 0, duplicate: 0, scanSteps: 0 })),
      longest: NPAGES.map(() => 0),
      nodes: 0,
      peak: 0,
      limit,
    },
    real: {
      heap: nodes,
      memslots: BASES.map((baseGfn, m) => new Memslot({ baseGfn, npages: NPAGES[m]!, nodes, allowLpidZero })),
    },
  }
}

/** At the end of a run every node comes back, each once. */
function drain(model: Model, real: Real): void {
  if (lost(model)) return
  const kept = real.memslots.flatMap((memslot) =>
    Array.from({ length: memslot.npages }, (_, index) => memslot.takeAll(memslot.baseGfn + index)),
  )
  expect(kept).toEqual(model.slots.flat().map((slot) => slot.length))
  expect(real.heap.inUse).toBe(0)
  const addresses = Array.from({ length: model.peak }, () => real.heap.allocate()).sort((a, b) => a - b)
  expect(addresses).toEqual(Array.from({ length: model.peak }, (_, n) => 16 * (n + 1)))
}

test('memslots that share a heap are arrays of arrays, word by word', () => {
  fc.assert(
    fc.property(commandsOf(1), limits, (commands, limit) => {
      const { model, real } = setup(limit, false)
      fc.modelRun(() => ({ model, real }), commands)
      drain(model, real)
    }),
    { numRuns: 1000 },
  )
}, 60_000)

test('LPID 0 hides what is older, and loses it, and is the same model otherwise', () => {
  fc.assert(
    fc.property(commandsOf(0), limits, (commands, limit) => {
      const { model, real } = setup(limit, true)
      fc.modelRun(() => ({ model, real }), commands)
      drain(model, real)
    }),
    { numRuns: 300 },
  )
}, 60_000)

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
  // As a node it stops every scan and every walk, and never matches itself.
  expect([memslot.insert(0, 1, 0), memslot.insert(0, 2, 0), memslot.insert(0, 0, 0)]).toEqual([
    'empty',
    'second',
    'list',
  ])
  expect(lpids()).toEqual([])
  const before = memslot.counters.scanSteps
  expect(memslot.insert(0, 0, 0)).toBe('list') // it grows without bound
  expect(memslot.insert(0, 1, 0)).toBe('list') // a duplicate of an older entry is not found
  expect(memslot.counters.scanSteps).toBe(before)
  expect(lpids()).toEqual([1])
  expect(memslot.insert(0, 1, 0)).toBe('duplicate')
  expect(followed(memslot, 0).entries).toEqual([wordOf(1, 0), 0n, 0n, wordOf(2, 0), wordOf(1, 0)])
  // A take shows what is newer; the hiding node and those behind it are lost.
  const shown: number[] = []
  expect(memslot.takeAll(0, (lpid) => shown.push(lpid))).toBe(1)
  expect(shown).toEqual([1])
  expect([memslot.word(0), memslot.nodes.inUse]).toEqual([0n, 3])
})

test('LPID 0 is refused unless it is asked for', () => {
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

test('refused arguments, by name', () => {
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

test('counters are a copy that cannot be written', () => {
  const memslot = new Memslot({ baseGfn: 0, npages: 1 })
  const before = memslot.counters
  memslot.insert(0, 1, 0)
  expect([before.empty, memslot.counters.empty]).toEqual([0, 1])
  expect(() => {
    ;(memslot.counters as { empty: number }).empty = 7
  }).toThrow(TypeError)
  expect(memslot.counters.empty).toBe(1)
})

test('JSON shows the rmap slots that are not empty, and words in hex', () => {
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

test('refused options, by name', () => {
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

test('8 bytes a gfn, little-endian words, none written that was not touched', () => {
  const memslot = new Memslot({ baseGfn: 10, npages: 5 })
  expect(memslot.words.byteLength).toBe(40)
  memslot.insert(12, 0xabc, 0x123456789a000)
  expect([...memslot.words]).toEqual([0n, 0n, 0xabc123456789a001n, 0n, 0n])
  expect([...new Uint8Array(memslot.words.buffer, 16, 8)]).toEqual([0x01, 0xa0, 0x89, 0x67, 0x45, 0x23, 0xc1, 0xab])
})

/** Writes the two words of a node, as no method can. */
function forge(memslot: Memslot, address: number, node: { next?: bigint; entry?: bigint }): void {
  const words = new BigUint64Array(memslot.nodes.words.buffer)
  if (node.next !== undefined) words[address / 8] = node.next
  if (node.entry !== undefined) words[address / 8 + 1] = node.entry
}

test('check finds nothing in what inserts and takes leave', () => {
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
    { numRuns: 100 },
  )
})

test('check names each invariant that a memslot breaks, and where', () => {
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
