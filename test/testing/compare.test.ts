import * as fc from 'fast-check'
import fcDefault from 'fast-check'
import ts from 'typescript'
import { expect, test } from 'vitest'
import * as main from '../../src/index'
import { packEntry, unpackEntry, Vm, type Entry, type InsertOutcome } from '../../src/index'
import * as testing from '../../src/testing/index'
import {
  compareMemslot,
  compareVm,
  ComparisonError,
  entry,
  lpid,
  memslotOperations,
  nestedGpa,
  OperationError,
  VmModel,
  vmOperations,
  word,
  type MemslotImplementation,
  type MemslotSettings,
  type VmImplementation,
  type VmOperation,
} from '../../src/testing/index'
import { refuses } from '../support/refuses'

/** What a test here may do wrong on purpose. */
type Mistake = 'no scan' | 'reversed' | 'no tag' | 'wrong mask' | 'leaks a node' | 'throws'

/** An implementation of slots: an array of entries each. */
class Arrays implements MemslotImplementation {
  readonly #slots = new Map<number, Entry[]>()
  scanSteps = 0
  nodes = 0

  constructor(
    readonly settings: MemslotSettings,
    readonly mistake?: Mistake,
  ) {}

  insert(gfn: number, lpid: number, gpa: number): InsertOutcome {
    if (this.mistake === 'throws' && lpid === 2048) throw new Error('broken')
    const slot = this.#slots.get(gfn) ?? []
    const page = gpa - (gpa % (this.mistake === 'wrong mask' ? 2048 : 4096))
    const at = slot.findIndex((one) => one.lpid === lpid && one.gpa === page)
    this.scanSteps += at < 0 ? slot.length : at + 1
    if (at >= 0 && this.mistake !== 'no scan') return 'duplicate'
    if (slot.length > 0) this.nodes++
    const one = { lpid, gpa: page }
    this.#slots.set(gfn, this.mistake === 'reversed' ? [...slot, one] : [one, ...slot])
    return (['empty', 'second'] as const)[slot.length] ?? 'list'
  }

  entries(gfn: number): Entry[] {
    return this.#slots.get(gfn) ?? []
  }

  takeAll(gfn: number): Entry[] {
    const taken = this.entries(gfn)
    this.#slots.delete(gfn)
    this.nodes -= Math.max(0, taken.length - (this.mistake === 'leaks a node' && taken.length > 2 ? 2 : 1))
    return taken
  }

  word(gfn: number): bigint | 'list' {
    const [first, second] = this.entries(gfn)
    if (first === undefined) return 0n
    return second === undefined ? packEntry(first.lpid, first.gpa) | (this.mistake === 'no tag' ? 0n : 1n) : 'list'
  }
}

function differenceOf(compare: () => unknown): ComparisonError {
  try {
    compare()
  } catch (error) {
    expect(error).toBeInstanceOf(ComparisonError)
    return error as ComparisonError
  }
  throw new Error('no difference was found')
}

/** Runs a script as a user would who pasted it into a file; returns what it logged. */
function runScript(script: string, makeMine?: (settings: never) => object): unknown[] {
  const logged: unknown[] = []
  const body = script.replace(/^import (\{.*\}) from '(.*)'$/gm, "const $1 = modules['$2']")
  const code = ts.transpile(body, { target: ts.ScriptTarget.ES2022 })
  new Function('modules', 'console', 'makeMine', code)(
    { 'nested-rmap': main, 'nested-rmap/testing': testing },
    { log: (value: unknown) => logged.push(value) },
    makeMine,
  )
  return logged
}

test('an array for each slot does what the model does; what the comparison rests on is counted', () => {
  const { operations, answers } = compareMemslot(fc, (settings) => new Arrays(settings), { runs: 30, seed: 1 })
  expect(operations).toBeGreaterThan(1000)
  for (const outcome of ['insert empty', 'insert second', 'insert list', 'insert duplicate', 'takeAll', 'entries']) {
    expect(answers.get(outcome)).toBeGreaterThan(10)
  }
})

for (const [mistake, operations, difference] of [
  ['no scan', 2, 'outcome: the model has "duplicate", yours "second"'],
  ['reversed', 2, 'entries in the slot of gfn 0x'],
  ['no tag', 1, 'word of the slot of gfn 0x'],
  ['wrong mask', 1, 'entries in the slot of gfn 0x'],
  ['leaks a node', 4, 'nodes in use: the model has 0, yours 1'],
  ['throws', 1, 'threw Error: broken'],
] as const) {
  test(`slots with a mistake, ${mistake}: the shortest sequence, as a script that runs`, () => {
    const found = differenceOf(() =>
      compareMemslot(fc, (settings) => new Arrays(settings, mistake), { runs: 200, seed: 2 }),
    )
    expect(found.operations.length).toBe(operations)
    expect(found.difference).toContain(difference)
    expect(found.message).toContain(found.script)
    expect(found.script).toContain(`// ${found.difference}`)
    expect(found.script.split('\n')[0]).toBe("import { Memslot, NodeHeap } from 'nested-rmap'")
    runScript(found.script)
    const again = differenceOf(() =>
      compareMemslot(fc, (settings) => new Arrays(settings, mistake), { runs: 200, seed: found.seed }),
    )
    expect(again.script).toBe(found.script)
  })
}

/** A script with the calls for the other implementation, which are comments. */
function withMine(script: string): string {
  const [model, calls] = script.split(
    '\n// Your implementation: remove the comment marks of these lines, and import makeMine.\n',
  )
  return model! + calls!.split('\n\n')[0]!.replace(/^\/\/ /gm, '')
}

test('a script has the calls for the other implementation as comments', () => {
  let mine!: Arrays
  const slots = differenceOf(() =>
    compareMemslot(fc, (settings) => new Arrays(settings, 'leaks a node'), { runs: 200, seed: 2 }),
  )
  runScript(withMine(slots.script), (settings) => (mine = new Arrays(settings, 'leaks a node')))
  expect(mine.settings).toEqual({
    memslots: [{ baseGfn: 0x100, npages: 6 }],
    maxNodes: 2 ** 27 - 1,
    allowLpidZero: false,
  })
  expect(mine.nodes).toBe(1)

  const makeMine = (settings: object): VmImplementation => {
    const model = new VmModel(settings)
    return {
      run: (operation) => ({ ...model.run(operation), ...(operation.op === 'commit' && { shift: 12 as const }) }),
    }
  }
  const vm = differenceOf(() => compareVm(fc, makeMine, { runs: 50, seed: 7 }))
  const [model, other] = runScript(withMine(vm.script), makeMine)
  expect(other).toEqual({ ...(model as object), shift: 12 })
  expect(model).not.toEqual(other)
})

test('a difference shows addresses in hex, as the operation does', () => {
  const slots = differenceOf(() =>
    compareMemslot(fc, (settings) => new Arrays(settings, 'wrong mask'), { runs: 200, seed: 2 }),
  )
  const { gfn, lpid, gpa } = slots.operations[0] as { gfn: number; lpid: number; gpa: number } & VmOperation
  const hex = (value: number): string => `0x${value.toString(16)}`
  expect(slots.difference).toBe(
    `{ op: 'insert', gfn: ${hex(gfn)}, lpid: ${lpid}, gpa: ${hex(gpa)} }: entries in the slot of gfn ${hex(gfn)}: ` +
      `the model has [[${lpid}, ${hex(gpa - (gpa % 4096))}]], yours [[${lpid}, ${hex(gpa - (gpa % 2048))}]]`,
  )
  // an L1 that counts its pages from 1
  const walks = differenceOf(() =>
    compareVm(
      fc,
      (settings) => {
        const model = new VmModel(settings)
        return {
          run(operation) {
            const answer = model.run(operation)
            const walk = answer.walk?.map(([at, ...rest]) => [at + 1, ...rest] as const)
            return walk === undefined ? answer : { ...answer, walk }
          },
        }
      },
      { runs: 50, seed: 6 },
    ),
  )
  expect(walks.difference).toMatch(
    /: walk:\n {2}model {2}\[\[0x\w+, \d+, 0x\w+, "\w+"\]\]\n {2}yours {2}\[\[0x\w+, \d+, 0x\w+, "\w+"\]\]$/,
  )
})

test('several memslots that share nodes, LPID 0, and a limit of nodes: the settings reach both', () => {
  const memslots = [
    { baseGfn: 0, npages: 3 },
    { baseGfn: 2 ** 40, npages: 1 },
  ]
  const seen: MemslotSettings[] = []
  const found = differenceOf(() =>
    compareMemslot(
      fc,
      (settings) => {
        seen.push(settings)
        return new Arrays(settings)
      },
      { runs: 200, seed: 3, memslots, maxNodes: 1 },
    ),
  )
  expect(seen[0]).toEqual({ memslots, maxNodes: 1, allowLpidZero: false })
  expect(found.difference).toContain('outcome: the model has "no-memory", yours ')
  expect(found.script).toContain('new NodeHeap({ limit: 1 })')
  runScript(found.script)
  const hides = differenceOf(() =>
    compareMemslot(fc, (settings) => new Arrays(settings), { runs: 300, seed: 3, memslots, weights: { quirks: 1 } }),
  )
  expect(hides.operations.at(-1)).toMatchObject({ op: 'insert', lpid: 0 }) // (LPID 0, frame 0) ends the walk
  expect(hides.script).toContain('allowLpidZero: true')
  runScript(hides.script)
})

test('what is called after each operation sees both, and may find a difference', () => {
  let calls = 0
  const { operations } = compareMemslot(fc, (settings) => new Arrays(settings), {
    runs: 5,
    seed: 4,
    afterEach: ([memslot], mine, operation) => {
      calls++
      expect(memslot!.entries(operation.gfn)).toEqual(mine.entries(operation.gfn))
    },
  })
  expect(calls).toBe(operations)
  const found = differenceOf(() =>
    compareMemslot(fc, (settings) => new Arrays(settings), {
      afterEach: (_, { nodes }) => {
        if (nodes > 2) throw new Error('three nodes')
      },
    }),
  )
  expect(found.operations.length).toBeLessThanOrEqual(6) // two each in three slots, four in one, or between
  expect(found.difference).toContain('three nodes')
})

/** An L1 that is the library's own, perhaps with a mistake. */
class Hypervisor implements VmImplementation {
  readonly model: VmModel

  constructor(
    settings: ConstructorParameters<typeof VmModel>[0],
    readonly change: (operation: VmOperation) => VmOperation = (operation) => operation,
  ) {
    this.model = new VmModel(settings)
  }

  run(operation: VmOperation) {
    return this.model.run(this.change(operation))
  }

  entries(gfn: number) {
    return this.model.vm.entries(gfn)
  }

  host() {
    return this.model.vm.host
  }

  shadow(lpid: number) {
    return this.model.vm.guest(lpid)?.shadow
  }
}

test('an L1 is compared in its answers and its state', () => {
  for (const options of [{}, { pageShift: 12, placement: 'faulting', weights: { quirks: 1 } }] as const) {
    const { operations, answers } = compareVm(fc, (settings) => new Hypervisor(settings), {
      runs: 10,
      seed: 5,
      afterEach: (model) => {
        if (options.weights === undefined) expect(model.vm.check()).toEqual([])
      },
      ...options,
    })
    expect(operations).toBeGreaterThan(800)
    expect(answers.get('fault mapped second')).toBeGreaterThan(5)
  }
})

test('an L1 with a mistake: the shortest sequence, as a script that runs', () => {
  // this one says whether a page was referenced, and does not clear the bit
  const found = differenceOf(() =>
    compareVm(
      fc,
      (settings) =>
        new Hypervisor(settings, (operation) => (operation.op === 'age' ? { ...operation, op: 'testAge' } : operation)),
      { runs: 50, seed: 6 },
    ),
  )
  expect(found.operations.map(({ op }) => op).sort()).toEqual([
    'addMemslot',
    'addTable',
    'age',
    'back',
    'fault',
    'map',
    'setGuestTable',
  ])
  expect(found.operations.at(-1)).toMatchObject({ op: 'age' })
  expect(found.difference).toMatch(
    /^\{ op: 'age', gfn: 0x\w+ \}: host leaves:\n {2}model {2}0x\w+\/\d+ 0xc\w+\n {2}yours {2}0x\w+\/\d+ 0xc\w+$/,
  )
  expect(found.script.split('\n')[0]).toBe("import { VmModel } from 'nested-rmap/testing'")
  expect(runScript(found.script)).toEqual([
    { referenced: true, host: [expect.any(Array)], shadow: [[1, [expect.any(Array)]]] },
  ])
})

test('an L1 that shows no state is compared in its answers; some must be there', () => {
  const model = (settings: ConstructorParameters<typeof VmModel>[0]): VmImplementation => new VmModel(settings)
  compareVm(fc, model, { runs: 5, seed: 7 })
  const silent = differenceOf(() => compareVm(fc, () => ({ run: () => ({}) }), { runs: 5, seed: 7 }))
  expect(silent.difference).toMatch(/: (outcome|status|referenced|dirty):\n/)
  const wrong = differenceOf(() =>
    compareVm(
      fc,
      (settings) => {
        const mine = new VmModel(settings)
        return {
          run: (operation) => ({ ...mine.run(operation), ...(operation.op === 'commit' && { shift: 12 as const }) }),
        }
      },
      { runs: 50, seed: 7 },
    ),
  )
  expect(wrong.difference).toContain('shift:\n')
})

test('what an implementation does not accept is left out on both sides', () => {
  const { answers } = compareVm(
    fc,
    (settings) => {
      const mine = new VmModel(settings)
      return { run: (operation) => mine.run(operation), accepts: ({ op }) => op !== 'setRc' && op !== 'age' }
    },
    { runs: 10, seed: 8 },
  )
  expect([...answers.keys()].filter((name) => /^(setRc|age)/.test(name))).toEqual([])
  expect(answers.get('testAge')).toBeGreaterThan(0)
})

test('an implementation that is not made anew is named as such', () => {
  let made = 0
  const mine = (): MemslotImplementation => ({
    insert: () => (made++ === 0 ? 'list' : 'empty'),
    entries: () => [],
    takeAll: () => [],
  })
  expect(() => compareMemslot({ ...fc, check: () => ({ failed: true, counterexample: [[]] }) } as never, mine)).toThrow(
    'compare: the other implementation did not repeat its answers: it must start anew each time it is made',
  )
})

test('an implementation that is returned twice is refused, with a difference and without', () => {
  const message =
    'makeMine(): expected a new implementation for each sequence, got the object of an earlier call: ' +
    'create the implementation in makeMine'
  for (const mistake of [undefined, 'reversed', 'throws'] as const) {
    const mine = new Arrays({ memslots: [], allowLpidZero: false, maxNodes: 0 }, mistake)
    refuses(() => compareMemslot(fc, () => mine, { seed: 11 }), TypeError, message)
  }
  const model = new VmModel()
  refuses(() => compareVm(fc, () => model, { seed: 11 }), TypeError, message)
})

test('arbitraries: what they give is in range, meets edges, and composes with those of fast-check', () => {
  fc.assert(
    fc.property(lpid(fc), nestedGpa(fcDefault), entry(fc, { zero: true }), word(fc), (l, g, e, w) => {
      expect(l >= 1 && l <= 4095 && g >= 0 && g < 2 ** 52 && w >= 0n && w < 2n ** 64n).toBe(true)
      expect(unpackEntry(packEntry(e.lpid, e.gpa))).toEqual({ lpid: e.lpid, gpa: e.gpa - (e.gpa % 4096) })
    }),
  )
  const samples = (arbitrary: unknown): unknown[] =>
    fc.sample(arbitrary as fc.Arbitrary<unknown>, { numRuns: 500, seed: 9 })
  expect(samples(lpid(fc))).toEqual(expect.arrayContaining([1, 4095]))
  expect(samples(lpid(fc))).not.toContain(0)
  expect(samples(lpid(fc, { zero: true }))).toContain(0)
  expect(samples(nestedGpa(fc))).toEqual(expect.arrayContaining([0, 2 ** 52 - 4096, 2 ** 52 - 1]))
  expect(samples(word(fc)).some((one) => ((one as bigint) & 1n) === 1n)).toBe(true)
  const composed: fc.Arbitrary<[number, Entry[]]> = fc.tuple(lpid(fc), fc.array(entry(fc)))
  expect(fc.sample(composed, 1).length).toBe(1)
})

test('sequences of operations run on the model, all of them', () => {
  fc.assert(
    fc.property(vmOperations(fc, { maxSteps: 30, weights: { quirks: 1 } }), (operations) => {
      const model = new VmModel({ allowLpidZero: true, allowDroppedFaults: true })
      for (const operation of operations) model.run(operation)
      expect(operations.length).toBeGreaterThan(80)
    }),
    { numRuns: 10, seed: 10 },
  )
  fc.assert(
    fc.property(
      memslotOperations(fc, { memslots: [{ baseGfn: 7, npages: 1 }], weights: { long: 0 } }),
      (operations) => {
        for (const { gfn } of operations) expect(gfn).toBe(7)
      },
    ),
    { numRuns: 20 },
  )
})

test('refused arguments, by name', () => {
  const mine = (settings: MemslotSettings): Arrays => new Arrays(settings)
  refuses(
    () => compareMemslot({} as never, mine),
    TypeError,
    'fc: expected an object with a function integer, got object',
  )
  refuses(() => lpid(null as never), TypeError, 'fc: expected an object, got null')
  refuses(() => compareMemslot(fc, 1 as never), TypeError, 'makeMine: expected a function, got number')
  refuses(() => compareVm(fc, 1 as never), TypeError, 'makeMine: expected a function, got number')
  refuses(() => compareMemslot(fc, mine, { runs: 0 }), RangeError, 'runs: expected an integer in 1..2147483647, got 0')
  refuses(
    () => compareMemslot(fc, mine, { maxSteps: 0 }),
    RangeError,
    'maxSteps: expected an integer in 1..10000, got 0',
  )
  refuses(() => vmOperations(fc, { pageShift: 14 as never }), RangeError, 'pageShift: expected one of 16, 12, got 14')
  refuses(() => new VmModel().run({ op: 'commit', fault: 1 }), OperationError, 'fault: there is no 1')
  expect(() => compareMemslot(fc, () => ({}) as never)).toThrow('makeMine(): expected an object with a function insert')
  expect(new VmModel().vm).toBeInstanceOf(Vm)
})
