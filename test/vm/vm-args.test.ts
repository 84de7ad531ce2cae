/** What the L1 refuses at its edge, and that nothing has changed then. */
import { expect, test } from 'vitest'
import { GuestTable, recorder, restore, snapshot, Vm, type Backing, type VmEvent } from '../../src/index'
import { refuses } from '../support/refuses'

const wrong = (value: unknown): never => value as never

function machine(): Vm {
  const vm = new Vm()
  vm.addMemslot({ baseGfn: 0x10, npages: 0x10 })
  vm.setGuestTable(1, new GuestTable()).map({ gpa: 0, to: 0x100000 })
  vm.fault({ lpid: 1, gpa: 0, access: 'write' })
  return vm
}

test('options of an L1', () => {
  const cases: [options: unknown, type: new (m: string) => Error, message: string][] = [
    [null, TypeError, 'options: expected an object, got null'],
    [{ pageShift: 13 }, RangeError, 'pageShift: expected one of 16, 12, got 13'],
    [{ pageShift: '16' }, TypeError, 'pageShift: expected one of 16, 12, got string "16"'],
    [{ placement: 'tail' }, RangeError, 'placement: expected one of head, faulting, got tail'],
    [{ lpid: 0 }, RangeError, 'lpid: expected an integer in 1..4095, got 0'],
    [{ maxNodes: -1 }, RangeError, 'maxNodes: expected an integer in 0..134217727, got -1'],
    [{ maxTablePages: 0 }, RangeError, 'maxTablePages: expected an integer in 1..9007199254740991, got 0'],
    [{ maxNpages: 2 ** 28 + 1 }, RangeError, 'maxNpages: expected an integer in 1..268435456, got 268435457'],
    [{ allowLpidZero: 1 }, TypeError, 'allowLpidZero: expected a boolean, got number'],
    [{ allowDroppedFaults: 'yes' }, TypeError, 'allowDroppedFaults: expected a boolean, got string "yes"'],
    [{ backing: {} }, TypeError, 'backing: expected a function, got object'],
    [{ observer: 3 }, TypeError, 'observer: expected a function, got number'],
  ]
  for (const [options, type, message] of cases) refuses(() => new Vm(wrong(options)), type, message)
})

test('calls with what is out of range, of another type, or of another L1', () => {
  const vm = machine()
  const slot = vm.memslots[0]!
  const guest = vm.guest(1)!
  const other = machine()
  const before = JSON.stringify([vm.counters, vm.mmuSeq])
  const cases: [call: () => unknown, type: new (m: string) => Error, message: string][] = [
    [
      () => vm.fault({ lpid: 1, gpa: -1, access: 'read' }),
      RangeError,
      'gpa: expected an integer in 0x0..0x1fffffffffffff, got -0x1',
    ],
    [
      () => vm.fault({ lpid: 1, gpa: NaN, access: 'read' }),
      RangeError,
      'gpa: expected an integer in 0x0..0x1fffffffffffff, got NaN',
    ],
    [
      () => vm.fault({ lpid: 1, gpa: 2n ** 53n, access: 'read' }),
      RangeError,
      'gpa: expected an integer in 0x0..0x1fffffffffffff, got 0x20000000000000',
    ],
    [
      () => vm.fault({ lpid: 1, gpa: 0, access: wrong('peek') }),
      RangeError,
      'access: expected one of read, write, execute, got peek',
    ],
    [
      () => vm.fault({ lpid: 4096, gpa: 0, access: 'read' }),
      RangeError,
      'lpid: expected an integer in 1..4095, got 4096',
    ],
    [
      () => vm.fault(wrong({ gpa: 0, access: 'read' })),
      TypeError,
      'lpid: expected an integer in 1..4095, got undefined',
    ],
    [
      () => vm.fault(wrong({ lpid: 1, guest, gpa: 0, access: 'read' })),
      TypeError,
      'lpid: expected either lpid or guest, got both',
    ],
    [
      () => vm.fault({ guest: wrong({}), gpa: 0, access: 'read' }),
      TypeError,
      'guest: expected a NestedGuest, got object',
    ],
    [
      () => vm.fault({ guest: other.guest(1)!, gpa: 0, access: 'read' }),
      Error,
      'guest: it is freed, or belongs to another Vm: call enter',
    ],
    [() => vm.beginFault(wrong(undefined)), TypeError, 'request: expected an object, got undefined'],
    [() => vm.setRc({ lpid: 0, gpa: 0, access: 'read' }), RangeError, 'lpid: expected an integer in 1..4095, got 0'],
    [() => vm.enter(1.5), RangeError, 'lpid: expected an integer in 1..4095, got 1.5'],
    [() => vm.leave(guest), Error, 'leave: the nested guest is not held: call enter first'],
    [
      () => vm.setGuestTable(1, wrong({})),
      TypeError,
      'table: expected a GuestTable, an object with a function walk, or undefined, got object',
    ],
    [() => vm.unmap(2 ** 36), RangeError, 'gfn: expected an integer in 0x0..0xfffffffff, got 0x1000000000'],
    [() => vm.unmap(0, { npages: 0 }), RangeError, 'npages: expected an integer in 1..68719476736, got 0'],
    [() => vm.unmap(0, { visitor: wrong({}) }), TypeError, 'visitor.entry: expected a function, got undefined'],
    [() => vm.beginUnmap(wrong('0')), TypeError, 'gfn: expected an integer in 0x0..0xfffffffff, got string "0"'],
    [() => vm.age(-1), RangeError, 'gfn: expected an integer in 0x0..0xfffffffff, got -0x1'],
    [() => vm.testAge(0.5), RangeError, 'gfn: expected an integer in 0x0..0xfffffffff, got 0.5'],
    [() => vm.word(0xf), RangeError, 'gfn: expected a gfn of a memslot, got 0xf'],
    [() => vm.entries(0x20), RangeError, 'gfn: expected a gfn of a memslot, got 0x20'],
    [
      () => vm.word(0x1f0000n),
      RangeError,
      'gfn: expected a gfn of a memslot, got 0x1f0000 (an address? Its gfn is 0x1f)',
    ],
    [
      () => vm.addMemslot({ baseGfn: 0x1f, npages: 2 }),
      RangeError,
      'baseGfn: expected gfns that no other memslot has, got 0x1f, which overlaps the memslot of gfns 0x10..0x1f',
    ],
    [
      () => vm.addMemslot({ baseGfn: 2 ** 36 - 1, npages: 2 }),
      RangeError,
      'baseGfn: expected an integer in 0x0..0xffffffffe, got 0xfffffffff',
    ],
    [
      () => vm.addMemslot({ baseGfn: 0, npages: 2 ** 28 + 1 }),
      RangeError,
      'npages: expected an integer in 1..268435456, got 268435457',
    ],
    [
      () => vm.addMemslot({ baseGfn: 0, npages: 1, readOnly: wrong(0) }),
      TypeError,
      'readOnly: expected a boolean, got number',
    ],
    [() => vm.removeMemslot(wrong({})), TypeError, 'memslot: expected a VmMemslot, got object'],
    [
      () => vm.removeMemslot(other.memslots[0]!),
      Error,
      'memslot: it is removed, or belongs to another Vm: call addMemslot',
    ],
    [() => vm.setLogDirty(slot, wrong(1)), TypeError, 'on: expected a boolean, got number'],
    [() => vm.harvestDirty(slot), Error, 'harvestDirty: the memslot does not log dirty pages: call setLogDirty first'],
    [
      () => vm.tlbie({ kind: wrong('pwc'), lpid: 1, ric: 0 }),
      RangeError,
      'kind: expected one of page, lpid, all, got pwc',
    ],
    [() => vm.tlbie({ kind: 'lpid', lpid: 1, ric: wrong(3) }), RangeError, 'ric: expected one of 0, 1, 2, got 3'],
    [
      () => vm.tlbie({ kind: 'page', lpid: 1, gpa: 2 ** 52, shift: 16 }),
      RangeError,
      'gpa: expected an integer in 0x0..0xfffffffffffff, got 0x10000000000000',
    ],
    [
      () => vm.tlbie({ kind: 'page', lpid: 1, gpa: 0, shift: 12 }),
      RangeError,
      'shift: expected one of 16, 21, 30, got 12',
    ],
    [
      () => vm.tlbInvalidate({ instr: 0x10000, rs: 1, rb: 2n ** 64n }),
      RangeError,
      'rb: expected a BigInt in 0x0..0xffffffffffffffff, got 0x10000000000000000',
    ],
    [
      () => vm.tlbInvalidate({ instr: -1, rs: 1, rb: 0 }),
      RangeError,
      'instr: expected an integer in 0x0..0x1fffffffffffff, got -0x1',
    ],
    [
      () => vm.rptInvalidate({ lpid: 1, target: 1, type: 3, pageSizes: 2, start: 0, end: wrong(null) }),
      TypeError,
      'end: expected a BigInt in 0x0..0xffffffffffffffff, got null',
    ],
    [() => vm.failAllocation(-1), RangeError, 'n: expected an integer in 0..9007199254740991, got -1'],
    [() => vm.observe(wrong(null)), TypeError, 'observer: expected a function, got null'],
  ]
  for (const [call, type, message] of cases) refuses(call, type, message)
  vm.removeMemslot(vm.addMemslot({ baseGfn: 0x100, npages: 1 }))
  expect(JSON.stringify([{ ...vm.counters }, vm.mmuSeq - 1])).toBe(before)
  expect(vm.check()).toEqual([])
})

test('what a caller answers for a backing', () => {
  const cases: [backing: unknown, type: new (m: string) => Error, message: string][] = [
    [3, TypeError, 'backing: expected an object, got number'],
    [{ frame: -1 }, RangeError, 'backing.frame: expected an integer in 0x0..0x1ffffffffff, got -0x1'],
    [{ frame: 8 }, RangeError, 'backing.frame: expected a multiple of 0x10, got 0x8'],
    [{}, TypeError, 'backing: expected either hpa or frame, got neither'],
    [
      Promise.resolve({ frame: 0 }),
      TypeError,
      'backing: expected the answer itself, got a Promise: the function must not be async',
    ],
    [
      { frame: 0, writeable: true },
      TypeError,
      'backing: unknown property "writeable"; did you mean writable? expected hpa, frame, shift, writable, attributes',
    ],
    [{ hpa: '0' }, TypeError, 'backing.hpa: expected an integer in 0x0..0x1fffffffffffff, got string "0"'],
    [{ hpa: -1 }, RangeError, 'backing.hpa: expected an integer in 0x0..0x1fffffffffffff, got -0x1'],
    [{ hpa: 0x8000 }, RangeError, 'backing.hpa: expected a multiple of 0x10000, got 0x8000'],
    [{ hpa: 0, frame: 0 }, TypeError, 'backing.frame: expected undefined, as backing.hpa is given'],
    [{ frame: 0, shift: 12 }, RangeError, 'backing.shift: expected one of 16, 21, 30, got 12'],
    [{ frame: 0, writable: 1 }, TypeError, 'backing.writable: expected a boolean, got number'],
    [{ frame: 0, attributes: 0x104 }, RangeError, 'backing.attributes: expected none of the bits 0x187, got 0x104'],
  ]
  for (const [backing, type, message] of cases) {
    const vm = new Vm({ backing: () => wrong(backing) })
    vm.addMemslot({ baseGfn: 0, npages: 4 })
    vm.setGuestTable(1, new GuestTable()).map({ gpa: 0, to: 0 })
    vm.enter(1)
    const before = JSON.stringify(vm.counters)
    refuses(() => vm.fault({ lpid: 1, gpa: 0, access: 'read' }), type, message)
    expect([JSON.stringify(vm.counters), vm.check()]).toEqual([before, []])
  }
  const vm = new Vm({ backing: () => undefined })
  vm.addMemslot({ baseGfn: 0, npages: 4 })
  vm.setGuestTable(1, new GuestTable()).map({ gpa: 0, to: 0 })
  expect(vm.fault({ lpid: 1, gpa: 0, access: 'read' })).toEqual({ outcome: 'retry', reason: 'no-backing' })
})

test('every bit of a shadow leaf that host and guest need not share comes from the host leaf', () => {
  const vm = new Vm({ backing: () => ({ frame: 2 ** 41 - 16, attributes: 0xe38 }) })
  vm.addMemslot({ baseGfn: 0, npages: 4 })
  vm.setGuestTable(1, new GuestTable()).map({ gpa: 2 ** 52 - 0x10000, to: 0, flags: 0x105 | 0xe00 | 0x030 })
  vm.fault({ lpid: 1, gpa: 2 ** 53 - 1, access: 'read' }) // L0 drops bit 52
  expect(vm.guest(1)!.shadow.lookup(2 ** 52 - 1)).toEqual({
    gpa: 2 ** 52 - 0x10000,
    shift: 16,
    word: 0xc01fffffffff0f3dn,
  })
  expect(vm.host.lookup(0)!.word).toBe(0xc01fffffffff0fbfn)
  expect(vm.check()).toEqual([])
})

test('a guest table is checked like the rest, and takes any nonsense that L1 may write', () => {
  const table = new GuestTable({ pageShift: 12 })
  refuses(() => new GuestTable({ pageShift: wrong(21) }), RangeError, 'pageShift: expected one of 16, 12, got 21')
  refuses(() => new GuestTable({ rootBits: 4 }), RangeError, 'rootBits: expected an integer in 5..16, got 4')
  refuses(() => table.map({ gpa: 0x1800, to: 0 }), RangeError, 'gpa: expected a multiple of 0x1000, got 0x1800')
  refuses(
    () => table.map({ gpa: 8, to: 0 }),
    RangeError,
    'gpa: expected a multiple of 0x1000, got 0x8 (a page number? Its address in bytes is 0x8000)',
  )
  const large = new GuestTable()
  const smaller = ': this table has pages of 2^16 bytes; for pages of 2^12, use new GuestTable({ pageShift: 12 })'
  refuses(
    () => large.map({ gpa: 0x1000, to: 0 }),
    RangeError,
    `gpa: expected a multiple of 0x10000, got 0x1000${smaller}`,
  )
  refuses(
    () => large.map({ gpa: 0, to: 0x13000 }),
    RangeError,
    `to: expected a multiple of 0x10000, got 0x13000${smaller}`,
  )
  refuses(
    () => large.map({ gpa: 0, to: 7 }),
    RangeError,
    'to: expected a multiple of 0x10000, got 0x7 (a page number? Its address in bytes is 0x70000)',
  )
  refuses(() => large.map({ gpa: 0, to: 0x10008 }), RangeError, 'to: expected a multiple of 0x10000, got 0x10008')
  refuses(() => large.map({ gpa: 7, to: 0, shift: 21 }), RangeError, 'gpa: expected a multiple of 0x200000, got 0x7')
  refuses(
    () => table.map({ gpa: 0, to: 0x1000, shift: 21 }),
    RangeError,
    'to: expected a multiple of 0x200000, got 0x1000',
  )
  refuses(
    () => table.map({ gpa: 0, to: 0, shift: 16 }),
    RangeError,
    'shift: expected one of 12, 21, 30, got 16: this table has pageShift 12',
  )
  refuses(
    () => table.map({ gpa: 0, to: 0, flags: 0x1000 }),
    RangeError,
    'flags: expected an integer in 0x0..0xfff, got 0x1000',
  )
  refuses(() => table.write(0, 12, 5n), RangeError, 'word: expected a present leaf, got 0x5')
  refuses(
    () => table.protect(2 ** 52, 0),
    RangeError,
    'gpa: expected an integer in 0x0..0xfffffffffffff, got 0x10000000000000',
  )
  expect([...table.leaves()]).toEqual([])

  const leaf = 0xc000000000000187n
  const forwarded = (make: (table: GuestTable) => unknown, options: { rootBits?: number } = {}): string => {
    const vm = new Vm()
    make(vm.setGuestTable(1, new GuestTable(options)))
    const result = vm.fault({ lpid: 1, gpa: 0x12345, access: 'write' })
    return result.reason ?? result.outcome
  }
  expect(forwarded(() => {})).toBe('no-translation')
  expect(forwarded((t) => t.map({ gpa: 0x10000, to: 0 }))).toBe('no-memslot')
  expect(forwarded((t) => t.map({ gpa: 0x10000, to: 0, flags: 0x107 & ~2 }))).toBe('not-allowed')
  expect(forwarded((t) => t.write(0, 39, leaf))).toBe('malformed') // a leaf in the root
  expect(forwarded((t) => t.write(0, 21, leaf | 0x10000n))).toBe('malformed') // frame bits below its size
  expect(forwarded((t) => t.write(0x10000, 16, leaf | 0x1000n))).toBe('malformed')
  expect(forwarded((t) => t.map({ gpa: 0x10000, to: 0 }), { rootBits: 12 })).toBe('malformed') // another geometry
  expect(forwarded((t) => t.write(0x10000, 16, leaf | (1n << 56n)))).toBe('no-memslot') // the ISA's frame, beyond all memslots
  expect(
    forwarded((t) => {
      t.write(0, 39, leaf)
      t.map({ gpa: 0x10000, to: 0 })
    }),
  ).toBe('no-memslot') // the leaves that it overlaps are removed
  expect(
    forwarded((t) => {
      t.write(0, 39, leaf)
      t.unmap(5)
    }),
  ).toBe('no-translation')
})

test('the observer is called when the operation is whole: it may call the L1, and throw', () => {
  const seen: string[] = []
  const vm = machine()
  vm.observe(({ event }: VmEvent) => {
    seen.push(event)
    if (event === 'pte_unmap' && seen.length < 20) expect(vm.check()).toEqual([])
    if (event === 'rmap_take_node') vm.fault({ lpid: 1, gpa: 0, access: 'read' })
  })
  vm.unmap(0x10)
  expect(seen).toEqual([
    'pte_unmap',
    'tlb_flush',
    'rmap_remove_range',
    'rmap_take',
    'pte_unmap',
    'tlb_flush',
    'rmap_take_node',
    'nested_fault',
    'nested_walk',
    'pte_create',
    'pte_create_ret',
    'pte_create',
    'rmap_insert',
    'rmap_insert_empty',
    'pte_create_ret',
    'nested_fault_ret',
    'fault',
  ])
  vm.observe(() => {
    throw new Error('enough')
  })
  expect(() => vm.unmap(0x10)).toThrow('enough')
  vm.observe(undefined)
  expect([vm.word(0x10), vm.guest(1)!.shadow.leafCount, vm.check()]).toEqual([0n, 0, []])
})

test('while the dirty logging of a memslot is being switched, other operations on it are refused', () => {
  const vm = new Vm()
  const slot = vm.addMemslot({ baseGfn: 0, npages: 16 })
  const change = vm.beginSetLogDirty(slot, true)
  const message = 'memslot: its dirty logging is being switched: call end of that change first'
  for (const call of [
    () => vm.flushMemslot(slot),
    () => vm.invalidateMemslot(slot),
    () => vm.moveMemslot(slot, 16),
    () => vm.removeMemslot(slot),
    () => vm.setLogDirty(slot, false),
    () => vm.beginSetLogDirty(slot, false),
    () => vm.harvestDirty(slot),
  ]) {
    refuses(call, Error, message)
  }
  change.end()
  expect([vm.harvestDirty(slot), vm.mmuSeq]).toEqual([[], 1])
})

test('an invalidation whose visitor or observer throws is over', () => {
  const vm = machine()
  const visitor = {
    entry: () => {
      throw new Error('enough')
    },
  }
  expect(() => vm.beginUnmap(0x10, { visitor })).toThrow('enough')
  expect([vm.mmuSeq, vm.fault({ lpid: 1, gpa: 0, access: 'read' }).outcome]).toEqual([1, 'mapped'])
  vm.observe(() => {
    throw new Error('enough')
  })
  expect(() => vm.beginUnmap(0x10)).toThrow('enough')
  vm.observe(undefined)
  expect([vm.mmuSeq, vm.fault({ lpid: 1, gpa: 0, access: 'read' }).outcome]).toEqual([2, 'mapped'])
})

test('a misspelled option is refused, with the nearest one named', () => {
  const vm = machine()
  const slot = { baseGfn: 0x100, npages: 1 }
  const cases: [call: () => unknown, message: RegExp][] = [
    [() => new Vm(wrong({ pageSize: 16 })), /^options: unknown option "pageSize"; did you mean pageShift\? /],
    [() => vm.addMemslot(wrong({ ...slot, readonly: true })), /"readonly"; did you mean readOnly\? /],
    [() => vm.unmap(0x10, wrong({ pages: 2 })), /"pages"; did you mean npages\? /],
    [() => new GuestTable(wrong({ pageshift: 12 })), /"pageshift"; did you mean pageShift\? /],
    [() => new GuestTable().map(wrong({ gpa: 0, to: 0, flag: 1 })), /^mapping: .*"flag"; did you mean flags\? /],
    [() => vm.tlbie(wrong({ kind: 'lpid', lpid: 1, rik: 0 })), /^what: .*"rik"; did you mean ric\? /],
    [() => vm.tlbie(wrong({ kind: 'all', lpid: 1, ric: 0 })), /^what: unknown option "lpid"; .*expected kind, ric$/],
    [() => vm.tlbie(wrong({ kind: 'page', lpid: 1, gpa: 0, shift: 16, ric: 0 })), /^what: .*"ric"; /],
    [() => vm.tlbie(wrong({ kinds: 'all', ric: 0 })), /^what: .*"kinds"; did you mean kind\? /],
    [() => vm.tlbInvalidate(wrong({ instr: 0, rs: 0, rd: 0 })), /^operands: .*"rd"; did you mean /],
    [() => vm.fault(wrong({ lpid: 1, gpa: 0, acess: 'read' })), /^request: .*"acess"; did you mean access\? /],
    [() => vm.beginFault(wrong({ lpid: 1, address: 0, access: 'read' })), /^request: unknown option "address"; /],
    [() => vm.setRc(wrong({ lpd: 1, gpa: 0, access: 'read' })), /^request: .*"lpd"; did you mean lpid\? /],
    [() => restore(snapshot(vm), wrong({ observe: () => {} })), /"observe"; did you mean observer\? /],
  ]
  for (const [call, message] of cases) {
    expect(call).toThrow(TypeError)
    expect(call).toThrow(message)
  }
  const bad = new Vm({ backing: () => wrong({ frame: 0, writeable: false }) })
  bad.addMemslot({ baseGfn: 0, npages: 1 })
  bad.setGuestTable(1, new GuestTable()).map({ gpa: 0, to: 0 })
  expect(() => bad.fault({ lpid: 1, gpa: 0, access: 'read' })).toThrow(/^backing: .*did you mean writable\? /)
})

test('a BigInt is accepted wherever a number is', () => {
  const run = (n: (value: number) => number | bigint): unknown => {
    const vm = new Vm()
    const slot = vm.addMemslot({ baseGfn: n(0x10), npages: n(0x10) })
    const table = vm.setGuestTable(n(1), new GuestTable())
    table.map({ gpa: n(0), to: n(0x110000) })
    table.write(n(0x10000), 16, 0xc000000000120187n)
    const results = [
      vm.fault({ lpid: n(1), gpa: n(0x8), access: 'write' }),
      vm.fault({ guest: vm.enter(n(1)), gpa: n(0x10000), access: 'read' }),
      vm.setRc({ lpid: n(1), gpa: n(0), access: 'read' }),
      [vm.age(n(0x11)), vm.testAge(n(0x12)), vm.word(n(0x11)), vm.entries(n(0x12)), slot.word(n(0x11))],
      [vm.guest(n(1))!.lpid, vm.guestTable(n(1)) === table, table.lookup(n(0)), table.protect(n(0), 0x187)],
    ]
    vm.tlbie({ kind: 'page', lpid: n(1), gpa: n(0), shift: 16 })
    vm.setPartitionTable(n(2))
    vm.beginUnmap(n(0x11), { npages: n(2) }).end()
    vm.moveMemslot(slot, n(0x20))
    vm.failAllocation(n(0))
    return [results, vm.counters, vm.mmuSeq, table.unmap(n(0)), slot.baseGfn]
  }
  expect(run(BigInt)).toStrictEqual(run((value) => value))
})

test('gfns that no memslot has: a warning, as Linux does nothing there; refused if strict', () => {
  const vm = machine()
  const before = vm.mmuSeq
  expect([vm.age(0x200), vm.testAge(0x200), vm.unmap(0x200).entries]).toEqual([false, false, 0])
  expect([vm.counters.warnings, vm.mmuSeq]).toEqual([3, before + 1])
  vm.unmap(0, { npages: 0x11 }) // one of these has a memslot
  expect(vm.counters.warnings).toBe(3)

  const strict = new Vm({ strict: true })
  strict.addMemslot({ baseGfn: 0x10, npages: 0x10 })
  const message = 'gfn: expected a gfn of a memslot, got 0x200'
  for (const call of ['unmap', 'beginUnmap', 'age', 'testAge'] as const) {
    refuses(() => strict[call](0x200), RangeError, message)
  }
  refuses(() => strict.unmap(0x130000), RangeError, `${message.slice(0, -5)}0x130000 (an address? Its gfn is 0x13)`)
  refuses(() => strict.unmap(0x20, { npages: 4 }), RangeError, 'gfn: expected a gfn of a memslot, got 0x20..0x23')
  refuses(() => strict.beginUnmap(0x20, { npages: 4 }), RangeError, 'gfn: expected a gfn of a memslot, got 0x20..0x23')
  strict.unmap(0, { npages: 0x11 })
  strict.addMemslot({ baseGfn: 0x30, npages: 0x10 })
  strict.beginUnmap(0x1f, { npages: 0x12 }).end() // a hole between two memslots
  strict.unmap(0, { npages: 0x100 })
  expect([strict.mmuSeq, strict.counters.warnings]).toEqual([3, 0])
})

test('a recorder that comes too late is refused', () => {
  const late = (vm: Vm): void =>
    refuses(
      () => vm.observe(recorder(() => {})),
      Error,
      'observer: a recorder must observe from the beginning: give it to the options of a new Vm',
    )
  const vm = machine()
  late(vm)
  vm.observe(() => {}) // any other observer may come at any time
  late(restore(snapshot(vm)))
  expect(() => restore(snapshot(vm), { observer: recorder(() => {}) })).toThrow(/must observe from the beginning/)
  new Vm().observe(recorder(() => {}))
})

test('counters are a copy, and cannot be written', () => {
  const { counters } = machine()
  expect(() => Object.assign(counters, { warnings: 7 })).toThrow(TypeError)
  expect(() => Object.assign(counters.faults, { mapped: 7 })).toThrow(TypeError)
})

test('an L1 as JSON: words as hex strings', () => {
  const vm = machine()
  const json = JSON.parse(JSON.stringify(vm)) as Record<string, unknown>
  expect(json).toMatchObject({
    pageShift: 16,
    mmuSeq: 0,
    memslots: [
      { baseGfn: 0x10, npages: 0x10, slots: [{ gfn: 0x10, word: '0x0010000000000001', entries: [{ lpid: 1 }] }] },
    ],
    host: [{ gpa: 0x100000, shift: 16, word: '0xc000000000010187' }],
    guests: [{ lpid: 1, shadowLpid: 2, dropped: false, shadow: [{ gpa: 0, word: '0xc000000000010187' }] }],
    counters: { nodes: { inUse: 0 } },
  })
})

test('a backing by host address and one by frame number give the same host leaf, as numbers and as BigInts', () => {
  const hpa = 2 ** 52 + 0x5670000
  const frame = 2 ** 40 + 0x5670
  const leaves = [{ hpa }, { hpa: BigInt(hpa) }, { frame }, { frame: BigInt(frame) }].map((backing) => {
    const vm = new Vm({ backing: () => backing })
    vm.addMemslot({ baseGfn: 0, npages: 4 })
    vm.setGuestTable(1, new GuestTable()).map({ gpa: 0, to: 0x20000 })
    expect(vm.fault({ lpid: 1, gpa: 0, access: 'read' }).outcome).toBe('mapped')
    return [...vm.host.leaves()]
  })
  expect(leaves[0]).toEqual([{ gpa: 0x20000, shift: 16, word: 0xc010000005670187n }])
  for (const others of leaves) expect(others).toEqual(leaves[0])
  // @ts-expect-error one of hpa and frame must be given
  const none: Backing = { shift: 21 }
  // @ts-expect-error and not both
  const both: Backing = { hpa: 0, frame: 0 }
  expect([none.shift, both.hpa]).toEqual([21, 0])
})
