/** Page tables of the caller in the place of a GuestTable: the same results, and what a wrong answer leads to. */
import * as fc from 'fast-check'
import { expect, test } from 'vitest'
import {
  GuestTable,
  LeafFlag,
  recorder,
  snapshot,
  unpackLeaf,
  Vm,
  type GuestTranslation,
  type GuestWalker,
  type LeafShift,
  type NoGuestTranslation,
  type VmEvent,
  type VmOptions,
} from '../../src/index'
import { compareVm, VmModel, type VmAnswer, type VmImplementation, type VmOperation } from '../../src/testing/index'
import { Replay } from '../../src/trace/index'
import { cases } from '../support/cases'
import { refuses } from '../support/refuses'

const { READ, WRITE, EXECUTE, REFERENCED, CHANGED } = LeafFlag
const PAGE = 0x10000

/** Page tables as an emulator may have them: a list of leaves. */
class Pages implements GuestWalker {
  #leaves: { gpa: number; shift: number; word: bigint }[] = []

  write(gpa: number, shift: number, word: bigint): void {
    this.#leaves = this.#leaves.filter((leaf) => leaf.gpa >= gpa + 2 ** shift || gpa >= leaf.gpa + 2 ** leaf.shift)
    this.#leaves.push({ gpa, shift, word })
  }

  unmap(gpa: number): void {
    const old = this.#find(gpa)
    this.#leaves = this.#leaves.filter((leaf) => leaf !== old)
  }

  protect(gpa: number, flags: number): void {
    const leaf = this.#find(gpa)
    if (leaf !== undefined && leaf.shift < 39) leaf.word = (leaf.word & ~0xfffn) | BigInt(flags)
  }

  walk(gpa: number): GuestTranslation | NoGuestTranslation {
    const leaf = this.#find(gpa)
    if (leaf === undefined) return 'no-translation'
    const frame = leaf.word & 0x01fffffffffff000n
    if (leaf.shift === 39 || frame % 2n ** BigInt(leaf.shift) !== 0n) return 'malformed'
    const flags = Number(leaf.word & 0xfffn)
    return {
      l1Gpa: frame + BigInt(gpa - leaf.gpa),
      shift: leaf.shift as LeafShift,
      permissions: flags & 7,
      referenced: (flags & REFERENCED) !== 0,
      changed: (flags & CHANGED) !== 0,
    }
  }

  #find(gpa: number): { gpa: number; shift: number; word: bigint } | undefined {
    return this.#leaves.find((leaf) => leaf.gpa <= gpa && gpa < leaf.gpa + 2 ** leaf.shift)
  }
}

/** An L1 whose nested guests all have such page tables. */
class Walking implements VmImplementation {
  readonly model: VmModel
  readonly #tables = new Map<number, Pages>()

  constructor(settings: ConstructorParameters<typeof VmModel>[0]) {
    this.model = new VmModel(settings)
  }

  run(operation: VmOperation): VmAnswer {
    const answer = this.model.run(operation)
    if (operation.op === 'addTable') this.#tables.set(operation.table, new Pages())
    if (!('table' in operation) || operation.table === null) return answer
    const table = this.#tables.get(operation.table)!
    if (operation.op === 'setGuestTable') this.model.vm.setGuestTable(operation.lpid, table)
    if (operation.op === 'unmapGuest') table.unmap(operation.gpa)
    if (operation.op === 'protect') table.protect(operation.gpa, operation.flags)
    if (operation.op === 'write') table.write(operation.gpa, operation.shift, BigInt(operation.word))
    if (operation.op === 'map') {
      table.write(operation.gpa, operation.shift, (3n << 62n) | BigInt(operation.to) | BigInt(operation.flags))
    }
    return answer
  }

  entries = (gfn: number) => this.model.vm.entries(gfn)
  host = () => this.model.vm.host
  shadow = (lpid: number) => this.model.vm.guest(lpid)?.shadow
}

test('an L1 that walks the tables of its caller does what one with the same GuestTables does', () => {
  let seen: [VmEvent[], VmEvent[]] = [[], []]
  const all: string[] = []
  const text = (events: VmEvent[]): string =>
    JSON.stringify(events, (_, value: unknown) => (typeof value === 'bigint' ? `${value}n` : value))
  for (const options of [{}, { pageShift: 12, placement: 'faulting', weights: { malformed: 10, large: 3 } }] as const) {
    const { answers } = compareVm(fc, (settings) => new Walking(settings), {
      runs: cases(40),
      maxSteps: 200,
      before(model, mine) {
        seen = [[], []]
        model.vm.observe((event) => seen[0].push(event))
        mine.model.vm.observe((event) => seen[1].push(event))
      },
      afterEach(model, mine) {
        expect(text(seen[1])).toBe(text(seen[0]))
        seen[0].length = seen[1].length = 0
        const broken = (vm: Vm): object[] => vm.check().filter(({ invariant }) => invariant !== 'composition')
        expect(broken(mine.model.vm)).toEqual(broken(model.vm))
        expect({ ...mine.model.vm.counters }).toEqual({ ...model.vm.counters })
      },
      ...options,
    })
    all.push(...answers.keys())
  }
  for (const reason of ['no-translation', 'malformed', 'not-allowed']) {
    expect(all).toContain(`fault forward-to-l1 ${reason}`)
  }
}, 60_000)

/** An L1 whose nested guest 1 asks `walk`; a page is mapped at its address 0 to begin with. */
function l1(
  walk: (gpa: number, vm: Vm) => unknown,
  options: VmOptions = {},
): { vm: Vm; walker: GuestWalker; asked: number[] } {
  const vm = new Vm(options)
  vm.addMemslot({ baseGfn: 0, npages: 64 })
  const asked: number[] = []
  const walker = {
    walk(gpa: number) {
      asked.push(gpa)
      return (gpa === 0 ? { l1Gpa: PAGE, shift: 16, permissions: 7 } : walk(gpa, vm)) as GuestTranslation
    },
  }
  vm.setGuestTable(1, walker)
  vm.fault({ lpid: 1, gpa: 0, access: 'write' })
  return { vm, walker, asked }
}

test('it is asked once in a fault that is not present, with the address cut to 52 bits, as a method', () => {
  const { vm, walker, asked } = l1((gpa) => ({ l1Gpa: gpa, shift: 16, permissions: READ }))
  expect([vm.guestTable(1), vm.guest(1)!.root]).toEqual([walker, walker])
  expect(vm.fault({ lpid: 1, gpa: 0, access: 'write' })).toEqual({ outcome: 'present', reason: 'allowed' })
  expect(vm.fault({ lpid: 1, gpa: 2 ** 52 + 2 * PAGE + 5, access: 'read' })).toMatchObject({
    outcome: 'mapped',
    gfn: 2,
  })
  vm.setRc({ lpid: 1, gpa: 0, access: 'write' })
  vm.check()
  expect(asked).toEqual([0, 2 * PAGE + 5, 0])
})

test('referenced and changed are set where the caller does not say; permissions are what it says', () => {
  const flags: number[] = []
  for (const answer of [
    { permissions: READ | WRITE | EXECUTE },
    { permissions: READ, referenced: false },
    { permissions: WRITE, changed: false },
  ]) {
    const { vm } = l1((gpa) => ({ l1Gpa: gpa, shift: 16, ...answer }))
    vm.fault({ lpid: 1, gpa: 2 * PAGE, access: answer.permissions === READ ? 'read' : 'write' })
    flags.push(unpackLeaf(vm.guest(1)!.shadow.lookup(2 * PAGE)!.word).flags)
  }
  expect(flags).toEqual([READ | WRITE | EXECUTE | REFERENCED | CHANGED, READ, WRITE | REFERENCED])
  const { vm } = l1((gpa) => ({ l1Gpa: gpa, shift: 16, permissions: WRITE, changed: false }))
  vm.fault({ lpid: 1, gpa: PAGE, access: 'write' })
  expect(vm.setRc({ lpid: 1, gpa: PAGE, access: 'read' })).toEqual({ outcome: 'set' })
  expect(vm.setRc({ lpid: 1, gpa: PAGE, access: 'write' })).toEqual({ outcome: 'forward-to-l1', reason: 'no-rc' })
})

test('a leaf below the base page is refused; one that names no address of L1 is mmio', () => {
  const { vm } = l1((gpa) => ({ l1Gpa: gpa < PAGE * 2 ? gpa : 2n ** 57n - BigInt(PAGE), shift: 12, permissions: 7 }))
  expect(vm.fault({ lpid: 1, gpa: PAGE, access: 'read' })).toMatchObject({ outcome: 'invalid', shift: 12 })
  const far = l1(() => ({ l1Gpa: 2n ** 57n - BigInt(PAGE), shift: 16, permissions: 7 }))
  expect(far.vm.fault({ lpid: 1, gpa: PAGE, access: 'read' })).toMatchObject({ outcome: 'mmio', l1Gpa: 2 ** 57 - PAGE })
})

test("L1's address may be a BigInt of 0..2^57-1", () => {
  const at = (gpa: number, l1Gpa: bigint): string => {
    const { vm } = l1(() => ({ l1Gpa, shift: 16, permissions: 7 }))
    return vm.fault({ lpid: 1, gpa, access: 'read' }).outcome
  }
  expect(at(2 * PAGE, 0n)).toBe('mapped')
  expect(at(3 * PAGE - 1, 2n ** 57n - 1n)).toBe('mmio')
  expect(() => at(2 * PAGE, -1n)).toThrow('walk().l1Gpa: expected an integer in 0x0..0x1ffffffffffffff, got -0x1')
  expect(() => at(2 * PAGE, 2n ** 57n)).toThrow('walk().l1Gpa: expected an integer in 0x0..0x1ffffffffffffff, got')
})

const GOOD = { l1Gpa: 2 * PAGE + 5, shift: 16, permissions: 7 }
const ASYNC = 'walk(): expected the answer itself, got a Promise: the function must not be async'
const EXPECTED = "walk(): expected { l1Gpa, shift, permissions }, 'no-translation' or 'malformed', got"

test.each<[answer: unknown, type: typeof TypeError | typeof RangeError, message: string]>([
  [undefined, TypeError, `${EXPECTED} undefined`],
  [null, TypeError, `${EXPECTED} null`],
  [5, TypeError, `${EXPECTED} number`],
  ['not-allowed', RangeError, 'walk(): expected one of no-translation, malformed, got not-allowed'],
  [{}, TypeError, 'walk().l1Gpa: expected an integer in 0x0..0x1fffffffffffff, got undefined'],
  [Promise.resolve(GOOD), TypeError, ASYNC],
  [{ ...GOOD, l1Gpa: -1 }, RangeError, 'walk().l1Gpa: expected an integer in 0x0..0x1fffffffffffff, got -0x1'],
  [
    { ...GOOD, l1Gpa: 2n ** 57n },
    RangeError,
    'walk().l1Gpa: expected an integer in 0x0..0x1ffffffffffffff, got 0x200000000000000',
  ],
  [
    { ...GOOD, l1Gpa: 2 * PAGE },
    RangeError,
    "walk().l1Gpa: expected L1's address of the access at 0x20005, with its offset 0x5 in a leaf of 2^16 bytes, got 0x20000",
  ],
  [
    { ...GOOD, shift: 21, l1Gpa: 5n },
    RangeError,
    "walk().l1Gpa: expected L1's address of the access at 0x20005, with its offset 0x20005 in a leaf of 2^21 bytes, got 0x5",
  ],
  [{ ...GOOD, shift: 20 }, RangeError, 'walk().shift: expected one of 12, 16, 21, 30, got 20'],
  [{ ...GOOD, permissions: 8 }, RangeError, 'walk().permissions: expected an integer in 0x0..0x7, got 0x8'],
  [{ ...GOOD, permissions: 'rw' }, TypeError, 'walk().permissions: expected an integer in 0x0..0x7, got string "rw"'],
  [{ ...GOOD, referenced: 1 }, TypeError, 'walk().referenced: expected a boolean, got number'],
  [{ ...GOOD, changed: null }, TypeError, 'walk().changed: expected a boolean, got null'],
  [
    { ...GOOD, refrenced: true },
    TypeError,
    'walk(): unknown property "refrenced"; did you mean referenced? expected l1Gpa, shift, permissions, referenced, changed',
  ],
])('a wrong answer, %o, is refused, and nothing has changed', (answer, type, message) => {
  const { vm } = l1(() => answer)
  const held = vm.enter(1)
  const state = (): string => JSON.stringify([vm, held.refs])
  const before = state()
  const request = { lpid: 1, gpa: 2 * PAGE + 5, access: 'read' } as const
  for (const call of ['fault', 'beginFault', 'setRc'] as const) {
    refuses(() => vm[call](request), type, message)
    expect(state()).toBe(before)
  }
})

test('a walk that throws: there was no fault, and its vCPU is free again', () => {
  let bad = true
  const lines: string[] = []
  const { vm } = l1(
    (gpa) => {
      if (bad) throw new Error('enough')
      return { l1Gpa: gpa, shift: 16, permissions: 7 }
    },
    { observer: recorder((line) => lines.push(line)) },
  )
  vm.setGuestTable(2, vm.guestTable(1))
  vm.leave(vm.enter(2))
  vm.setGuestTable(3, undefined)
  vm.leave(vm.enter(3))
  vm.setGuestTable(3, vm.guestTable(1)) // L0 has not read it yet
  const [before, length] = [JSON.stringify(vm), lines.length]
  for (const lpid of [1, 2, 3]) {
    for (const call of ['fault', 'beginFault', 'setRc'] as const) {
      expect(() => vm[call]({ lpid, gpa: PAGE, access: 'read' })).toThrow('enough')
    }
  }
  expect([JSON.stringify(vm), lines.length, vm.guest(3)!.root]).toEqual([before, length, undefined])
  bad = false
  expect(vm.fault({ lpid: 3, gpa: PAGE, access: 'read' })).toMatchObject({ outcome: 'mapped' })
  expect(lines.at(-1)).toContain('vcpu-1 ')
  const replay = new Replay({ pageShift: 16 })
  replay.feed(new TextEncoder().encode(`${lines.join('\n')}\n`))
  replay.end()
  expect(replay.result()).toMatchObject({ first: [], skipped: 0 })
})

test('it may call the L1: what it invalidates in a fault makes that fault start again', () => {
  const answer = (gpa: number): object => ({ l1Gpa: gpa, shift: 16, permissions: 7 })
  const fault = { lpid: 1, gpa: 2 * PAGE, access: 'read' } as const
  const results = [
    (_: number, vm: Vm) => vm.tlbie({ kind: 'page', lpid: 1, gpa: 2 * PAGE, shift: 16 }),
    (_: number, vm: Vm) => vm.unmap(2),
    (gpa: number, vm: Vm) => void (vm.guest(1)!.shadow.leafCount === 1 && vm.fault({ ...fault, gpa })),
    (_: number, vm: Vm) => {
      vm.setGuestTable(1, undefined)
      vm.tlbie({ kind: 'lpid', lpid: 1, ric: 2 })
    },
  ].map((act) => {
    let once = true
    const { vm } = l1((gpa) => {
      if (once) {
        once = false
        act(gpa, vm)
      }
      return answer(gpa)
    })
    const { outcome, reason } = vm.fault(fault) as { outcome: string; reason?: string }
    expect([vm.check(), vm.droppedGuests]).toEqual([[], []])
    return [outcome, reason]
  })
  expect(results).toEqual([
    ['retry', 'tlbie'],
    ['mapped', undefined],
    ['present', 'allowed'],
    ['forward-to-l1', 'no-root'],
  ])
  const { vm } = l1((gpa) => {
    vm.setGuestTable(1, undefined)
    vm.tlbie({ kind: 'lpid', lpid: 1, ric: 2 })
    return answer(gpa)
  })
  expect(vm.setRc(fault)).toEqual({ outcome: 'forward-to-l1', reason: 'no-root' })
  expect([vm.guest(1), vm.droppedGuests, vm.check()]).toEqual([undefined, [], []])
})

test('edits are not seen: a leaf that L1 has moved without a tlbie breaks no invariant that is checked', () => {
  let to = 2
  const { vm } = l1(() => ({ l1Gpa: to * PAGE, shift: 16, permissions: 7 }))
  vm.fault({ lpid: 1, gpa: PAGE, access: 'read' })
  to = 3
  expect(vm.check()).toEqual([])
  vm.tlbie({ kind: 'page', lpid: 1, gpa: PAGE, shift: 16 })
  expect(vm.fault({ lpid: 1, gpa: PAGE, access: 'read' })).toMatchObject({ outcome: 'mapped', gfn: 3 })
  expect(vm.check()).toEqual([])
})

test('a table of the library and one of the caller replace each other at a flush with RIC 2', () => {
  const { vm, walker } = l1(() => 'no-translation')
  const table = vm.setGuestTable(1, new GuestTable())
  table.map({ gpa: 2 * PAGE, to: 0 })
  const flush = (): void => vm.tlbie({ kind: 'lpid', lpid: 1, ric: 2 })
  const fault = (): string => vm.fault({ lpid: 1, gpa: 2 * PAGE, access: 'read' }).outcome
  expect(fault()).toBe('forward-to-l1')
  flush()
  expect([vm.guest(1)!.root === table, fault()]).toEqual([true, 'mapped'])
  vm.setGuestTable(1, walker)
  flush()
  table.unmap(2 * PAGE)
  expect([vm.guest(1)!.root === walker, fault(), vm.check()]).toEqual([true, 'forward-to-l1', []])
})

test('a table of the caller cannot be in a snapshot; what is no table is refused', () => {
  const { vm } = l1(() => 'no-translation')
  const message = 'snapshot: the guest table of LPID 1 is a walk of yours, which cannot be written: use a GuestTable'
  refuses(() => snapshot(vm), Error, message)
  vm.setGuestTable(1, new GuestTable())
  refuses(() => snapshot(vm), Error, message) // L0 has read the old one, and keeps it until a flush
  vm.tlbie({ kind: 'lpid', lpid: 1, ric: 2 })
  expect(snapshot(vm).length).toBeGreaterThan(0)
  const expected = 'table: expected a GuestTable, an object with a function walk, or undefined, got'
  refuses(() => vm.setGuestTable(1, {} as never), TypeError, `${expected} object`)
  refuses(() => vm.setGuestTable(1, { walk: 1 } as never), TypeError, `${expected} object`)
  refuses(() => vm.setGuestTable(1, (() => 'malformed') as never), TypeError, `${expected} function`)
})
