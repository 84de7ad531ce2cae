/**
 * Every public function with every wrong argument: refused with a TypeError or RangeError that names the argument, and
 * nothing changed. The list of functions is held against the exports: a new one must be added here.
 */
import ts from 'typescript'
import { expect, test } from 'vitest'
import * as entry from '../src/rmap/entry'
import * as trace from '../src/trace/index'
import * as view from '../src/view/index'
import * as index from '../src/index'

const { GuestTable, Memslot, NodeHeap, RadixTable, Vm } = index

/** What an argument may be, besides the value of the good call. */
type Kind =
  'integer' | 'word' | 'operand' | 'string' | 'boolean' | 'function' | 'thing' | 'record' | 'bag' | 'bytes' | 'iterable'

/** An argument: its good value, and what else of the bad values below it takes. `?`: it may be left out. */
type Argument = readonly [kind: Kind | `${Kind}?`, good: unknown, fields?: Record<string, Argument>]

interface Call {
  readonly name: string
  readonly args: readonly Argument[]
  /** A fresh subject: the call, and its state to compare. */
  readonly make: () => { call: (...args: any[]) => unknown; state: () => unknown }
}

const BAD: readonly [string, unknown][] = [
  ['undefined', undefined],
  ['null', null],
  ['NaN', NaN],
  ['Infinity', Infinity],
  ['-Infinity', -Infinity],
  ['-1', -1],
  ['0.5', 0.5],
  ['2^53', 2 ** 53],
  ['5e-324', 5e-324],
  ['-1n', -1n],
  ['2n^64', 2n ** 64n],
  ['1n', 1n],
  ['"1"', '1'],
  ['""', ''],
  ['true', true],
  ['symbol', Symbol('s')],
  ['{}', {}],
  ['[]', []],
  ['function', (): number => 1],
  ['valueOf', { valueOf: (): number => 1 }],
  ['toString', { toString: (): string => '1' }],
  ['Number', new Number(1)],
]

/** Bad values that an argument of a kind takes after all, or may. */
const TAKEN: Record<Kind, readonly string[]> = {
  integer: ['1n'], // converted, where it is an address, a gfn, an LPID or a count
  word: ['1n'],
  operand: ['1n'],
  string: [],
  boolean: ['true'],
  function: ['function'],
  thing: [],
  bag: ['{}', '[]', 'valueOf', 'toString', 'Number'],
  bytes: [],
  iterable: ['[]'],
  record: [], // what the library itself has made: that it is an object is all that is checked
}

function vmWorld(): { vm: index.Vm; slot: index.VmMemslot; table: index.GuestTable; guest: index.NestedGuest } {
  const vm = new Vm()
  const slot = vm.addMemslot({ baseGfn: 0, npages: 8, logDirty: true })
  const table = vm.setGuestTable(1, new GuestTable())
  for (const page of [0, 1, 2]) {
    table.map({ gpa: page * 0x10000, to: 0x10000 })
    vm.fault({ lpid: 1, gpa: page * 0x10000, access: 'write' })
  }
  return { vm, slot, table, guest: vm.enter(1) }
}

type World = ReturnType<typeof vmWorld>

/** A method of an L1 or of one of its parts. */
const onVm = (
  name: string,
  args: (world: World) => Argument[],
  call: (world: World) => (...args: any[]) => unknown,
): Call => {
  const shape = args(vmWorld())
  return {
    name,
    args: shape,
    make: () => {
      const world = vmWorld()
      const good = args(world)
      const bound = call(world)
      // Things of this world in the place of those of the first.
      const place = (value: unknown, argument: Argument, from: Argument): unknown =>
        value === from[1] ? argument[1] : value
      return {
        call: (...given) => bound(...given.map((value, n) => place(value, good[n]!, shape[n]!))),
        state: () => index.snapshot(world.vm),
      }
    },
  }
}

const pure = (name: string, args: Argument[], call: (...args: any[]) => unknown): Call => ({
  name,
  args,
  make: () => ({ call, state: () => 0 }),
})

function onMemslot(
  name: string,
  args: Argument[],
  call: (memslot: index.Memslot) => (...args: any[]) => unknown,
): Call {
  return {
    name: `Memslot.${name}`,
    args,
    make: () => {
      const memslot = new Memslot({ baseGfn: 0, npages: 4 })
      for (const lpid of [1, 2, 3]) memslot.insert(1, lpid, 0)
      const { words, counters, nodes } = memslot
      return { call: call(memslot), state: () => [[...words], memslot.listNodes(1), { ...counters }, nodes.inUse] }
    },
  }
}

function onTable(name: string, args: Argument[], call: (table: index.RadixTable) => (...args: any[]) => unknown): Call {
  return {
    name: `RadixTable.${name}`,
    args,
    make: () => {
      const table = new RadixTable({ pageShift: 16 })
      table.set(0, 16, 3n << 62n)
      return { call: call(table), state: () => [[...table], table.pageCount] }
    },
  }
}

function onGuestTable(
  name: string,
  args: Argument[],
  call: (table: index.GuestTable) => (...args: any[]) => unknown,
): Call {
  return {
    name: `GuestTable.${name}`,
    args,
    make: () => {
      const table = new GuestTable()
      table.map({ gpa: 0, to: 0 })
      return { call: call(table), state: () => [...table.leaves()] }
    },
  }
}

const bytes = new TextEncoder().encode('pgdir: 1\n')
const FAULT: Argument = [
  'bag',
  { lpid: 1, gpa: 0, access: 'read' },
  { lpid: ['integer', 1], gpa: ['integer', 0], access: ['string', 'read'] },
]
const range = (memslot: index.Memslot): Argument => [
  'bag',
  { memslot, gfn: 0, npages: 1, hpa: 0, shift: 16 },
  {
    memslot: ['thing', memslot],
    gfn: ['integer', 0],
    npages: ['integer', 1],
    hpa: ['integer', 0],
    shift: ['integer', 16],
  },
]
const slotOf = (): view.Slot => new view.SlotReader(() => undefined).slot(0, (1n << 52n) | 1n)
const replayed = (): trace.Replay => {
  const replay = new trace.Replay()
  replay.end()
  return replay
}

const CALLS: Call[] = [
  pure(
    'packEntry',
    [
      ['integer', 1],
      ['integer', 0],
    ],
    index.packEntry,
  ),
  pure(
    'packEntryPair',
    [
      ['integer', 1],
      ['integer', 0],
    ],
    index.packEntryPair,
  ),
  pure('unpackEntry', [['word', 1n]], index.unpackEntry),
  pure(
    'unpackEntryPair',
    [['bag', { hi: 1, lo: 1 }, { hi: ['integer', 1], lo: ['integer', 1] }]],
    index.unpackEntryPair,
  ),
  pure('packLeaf', [['bag', { hpa: 0, flags: 1 }, { hpa: ['integer', 0], flags: ['integer', 1] }]], index.packLeaf),
  pure('unpackLeaf', [['word', 1n]], index.unpackLeaf),
  pure('NodeHeap', [['bag?', { limit: 1 }, { limit: ['integer?', 1] }]], (options) => new NodeHeap(options)),
  pure('NodeHeap.read', [['integer', 16]], (address) => {
    const memslot = new Memslot({ baseGfn: 0, npages: 1 })
    for (const lpid of [1, 2]) memslot.insert(0, lpid, 0)
    return memslot.nodes.read(address)
  }),
  pure(
    'Memslot',
    [
      [
        'bag',
        { baseGfn: 0, npages: 1 },
        {
          baseGfn: ['integer', 0],
          npages: ['integer', 1],
          nodes: ['thing?', undefined],
          allowLpidZero: ['boolean?', false],
        },
      ],
    ],
    (options) => new Memslot(options),
  ),
  onMemslot(
    'insert',
    [
      ['integer', 1],
      ['integer', 4],
      ['integer', 0],
    ],
    (memslot) => memslot.insert.bind(memslot),
  ),
  onMemslot('word', [['integer', 1]], (memslot) => memslot.word.bind(memslot)),
  onMemslot('entries', [['integer', 1]], (memslot) => memslot.entries.bind(memslot)),
  onMemslot('listNodes', [['integer', 1]], (memslot) => memslot.listNodes.bind(memslot)),
  onMemslot(
    'takeAll',
    [
      ['integer', 1],
      ['function?', (): void => {}],
    ],
    (memslot) => memslot.takeAll.bind(memslot),
  ),
  pure(
    'RadixTable',
    [['bag', { pageShift: 16 }, { pageShift: ['integer', 16] }]],
    (options) => new RadixTable(options),
  ),
  onTable('lookup', [['integer', 0]], (table) => table.lookup.bind(table)),
  onTable(
    'set',
    [
      ['integer', 0x20000],
      ['integer', 16],
      ['word', 3n << 62n],
    ],
    (table) => (gpa, shift, word) => table.set(gpa, shift, word === 1n ? 3n << 62n : word),
  ),
  onTable('clear', [['integer', 0]], (table) => table.clear.bind(table)),
  ...((): Call[] => {
    const memslot = new Memslot({ baseGfn: 0, npages: 4 })
    const guests = new Map()
    return [
      {
        name: 'removeRmapRange',
        make: () => {
          memslot.takeAll(0)
          memslot.insert(0, 1, 0)
          return { call: index.removeRmapRange as never, state: () => [...memslot.words] }
        },
        args: [['thing', guests], range(memslot), ['thing?', undefined], ['bag?', new index.RangeCounters()]],
      },
    ]
  })(),
  pure(
    'Vm',
    [
      [
        'bag?',
        {},
        {
          pageShift: ['integer?', 16],
          placement: ['string?', 'head'],
          backing: ['function?', undefined],
          observer: ['function?', undefined],
          lpid: ['integer?', 1],
          maxNodes: ['integer?', 1],
          maxTablePages: ['integer?', 1],
          maxNpages: ['integer?', 1],
          allowLpidZero: ['boolean?', true],
          allowDroppedFaults: ['boolean?', true],
        },
      ],
    ],
    (options) => new Vm(options),
  ),
  onVm(
    'Vm.addMemslot',
    () => [
      [
        'bag',
        { baseGfn: 100, npages: 1 },
        {
          baseGfn: ['integer', 100],
          npages: ['integer', 1],
          readOnly: ['boolean?', false],
          logDirty: ['boolean?', false],
        },
      ],
    ],
    ({ vm }) => vm.addMemslot.bind(vm),
  ),
  onVm(
    'Vm.invalidateMemslot',
    ({ slot }) => [['thing', slot]],
    ({ vm }) => vm.invalidateMemslot.bind(vm),
  ),
  onVm(
    'Vm.flushMemslot',
    ({ slot }) => [['thing', slot]],
    ({ vm }) => vm.flushMemslot.bind(vm),
  ),
  onVm(
    'Vm.removeMemslot',
    ({ slot }) => [['thing', slot]],
    ({ vm }) => vm.removeMemslot.bind(vm),
  ),
  onVm(
    'Vm.moveMemslot',
    ({ slot }) => [
      ['thing', slot],
      ['integer', 100],
    ],
    ({ vm }) => vm.moveMemslot.bind(vm),
  ),
  onVm(
    'Vm.setLogDirty',
    ({ slot }) => [
      ['thing', slot],
      ['boolean', false],
    ],
    ({ vm }) => vm.setLogDirty.bind(vm),
  ),
  onVm(
    'Vm.beginSetLogDirty',
    ({ slot }) => [
      ['thing', slot],
      ['boolean', false],
    ],
    ({ vm }) => vm.beginSetLogDirty.bind(vm),
  ),
  onVm(
    'Vm.harvestDirty',
    ({ slot }) => [['thing', slot]],
    ({ vm }) => vm.harvestDirty.bind(vm),
  ),
  onVm(
    'Vm.setPartitionTable',
    () => [['integer', 1]],
    ({ vm }) => vm.setPartitionTable.bind(vm),
  ),
  onVm(
    'Vm.setGuestTable',
    ({ table }) => [
      ['integer', 2],
      ['thing?', table],
    ],
    ({ vm }) => vm.setGuestTable.bind(vm),
  ),
  onVm(
    'Vm.guestTable',
    () => [['integer', 1]],
    ({ vm }) => vm.guestTable.bind(vm),
  ),
  onVm(
    'Vm.enter',
    () => [['integer', 1]],
    ({ vm }) => vm.enter.bind(vm),
  ),
  onVm(
    'Vm.leave',
    ({ guest }) => [['thing', guest]],
    ({ vm }) => vm.leave.bind(vm),
  ),
  onVm(
    'Vm.guest',
    () => [['integer', 1]],
    ({ vm }) => vm.guest.bind(vm),
  ),
  onVm(
    'Vm.fault',
    () => [FAULT],
    ({ vm }) => vm.fault.bind(vm),
  ),
  onVm(
    'Vm.beginFault',
    () => [FAULT],
    ({ vm }) =>
      (request) => {
        const fault = vm.beginFault(request)
        if (fault.outcome === 'pending') fault.abandon()
      },
  ),
  onVm(
    'Vm.setRc',
    () => [FAULT],
    ({ vm }) => vm.setRc.bind(vm),
  ),
  onVm(
    'Vm.unmap',
    () => [
      ['integer', 1],
      ['bag?', { npages: 1 }, { npages: ['integer?', 1], visitor: ['thing?', undefined] }],
    ],
    ({ vm }) => vm.unmap.bind(vm),
  ),
  onVm(
    'Vm.beginUnmap',
    () => [
      ['integer', 1],
      ['bag?', { npages: 1 }, { npages: ['integer?', 1], visitor: ['thing?', undefined] }],
    ],
    ({ vm }) =>
      (gfn, options) =>
        vm.beginUnmap(gfn, options).end(),
  ),
  onVm(
    'Vm.age',
    () => [['integer', 1]],
    ({ vm }) => vm.age.bind(vm),
  ),
  onVm(
    'Vm.testAge',
    () => [['integer', 1]],
    ({ vm }) => vm.testAge.bind(vm),
  ),
  onVm(
    'Vm.tlbie',
    () => [
      [
        'bag',
        { kind: 'page', lpid: 1, gpa: 0, shift: 16 },
        {
          kind: ['string', 'page'],
          lpid: ['integer', 1],
          gpa: ['integer', 0],
          shift: ['integer', 16],
        },
      ],
    ],
    ({ vm }) => vm.tlbie.bind(vm),
  ),
  onVm(
    'Vm.tlbInvalidate',
    () => [
      [
        'bag',
        { instr: 0x10000, rs: 1, rb: 0 },
        {
          instr: ['operand', 0x10000],
          rs: ['operand', 1],
          rb: ['operand', 0],
        },
      ],
    ],
    ({ vm }) => vm.tlbInvalidate.bind(vm),
  ),
  onVm(
    'Vm.rptInvalidate',
    () => [
      [
        'bag',
        { lpid: 1, target: 1, type: 2, pageSizes: 2, start: 0, end: 0x10000 },
        {
          lpid: ['operand', 1],
          target: ['operand', 1],
          type: ['operand', 2],
          pageSizes: ['operand', 2],
          start: ['operand', 0],
          end: ['operand', 1],
        },
      ],
    ],
    ({ vm }) => vm.rptInvalidate.bind(vm),
  ),
  onVm(
    'Vm.word',
    () => [['integer', 1]],
    ({ vm }) => vm.word.bind(vm),
  ),
  onVm(
    'Vm.entries',
    () => [['integer', 1]],
    ({ vm }) => vm.entries.bind(vm),
  ),
  onVm(
    'Vm.observe',
    () => [['function?', (): void => {}]],
    ({ vm }) => vm.observe.bind(vm),
  ),
  onVm(
    'Vm.failAllocation',
    () => [['integer', 1]],
    ({ vm }) => vm.failAllocation.bind(vm),
  ),
  onVm(
    'VmMemslot.word',
    () => [['integer', 1]],
    ({ slot }) => slot.word.bind(slot),
  ),
  onVm(
    'VmMemslot.entries',
    () => [['integer', 1]],
    ({ slot }) => slot.entries.bind(slot),
  ),
  onVm(
    'VmMemslot.listNodes',
    () => [['integer', 1]],
    ({ slot }) => slot.listNodes.bind(slot),
  ),
  pure(
    'GuestTable',
    [['bag?', {}, { pageShift: ['integer?', 16], rootBits: ['integer?', 13] }]],
    (options) => new GuestTable(options),
  ),
  onGuestTable(
    'map',
    [
      [
        'bag',
        { gpa: 0x10000, to: 0 },
        {
          gpa: ['integer', 0],
          to: ['integer', 0],
          shift: ['integer?', 16],
          flags: ['integer?', 7],
        },
      ],
    ],
    (table) => table.map.bind(table),
  ),
  onGuestTable('unmap', [['integer', 0]], (table) => table.unmap.bind(table)),
  onGuestTable(
    'protect',
    [
      ['integer', 0],
      ['integer', 7],
    ],
    (table) => table.protect.bind(table),
  ),
  onGuestTable(
    'write',
    [
      ['integer', 0],
      ['integer', 16],
      ['word', 3n << 62n],
    ],
    (table) => (gpa, shift, word) => table.write(gpa, shift, word === 1n ? 3n << 62n : word),
  ),
  onGuestTable('lookup', [['integer', 0]], (table) => table.lookup.bind(table)),
  pure('recorder', [['function', (): void => {}]], index.recorder),
  onVm(
    'snapshot',
    ({ vm }) => [['thing', vm]],
    () => index.snapshot,
  ),
  pure(
    'restore',
    [
      ['bytes', index.snapshot(new Vm())],
      ['bag?', {}, { backing: ['function?', undefined], observer: ['function?', undefined] }],
    ],
    index.restore,
  ),
  pure(
    'Replay',
    [['bag?', {}, { pageShift: ['integer?', 16], maxPages: ['integer?', 9] }]],
    (options) => new trace.Replay(options),
  ),
  pure('Replay.feed', [['bytes', bytes]], (chunk) => new trace.Replay().feed(chunk)),
  pure(
    'Replay.result',
    [
      [
        'bag?',
        {
          leaves: 0,
          differences: 0,
          first: [],
          hints: [],
          host: { same: 0, different: 0, onlyModel: 0, onlyKernel: 0 },
        },
        {},
      ],
    ],
    (radix) => replayed().result(radix),
  ),
  pure('RadixComparison', [['thing', replayed()]], (replay) => new trace.RadixComparison(replay)),
  pure('RadixComparison.feed', [['bytes', bytes]], (chunk) => new trace.RadixComparison(replayed()).feed(chunk)),
  pure(
    'drawSlot',
    [
      ['record', slotOf()],
      ['bag?', {}, { width: ['integer?', 80], entries: ['integer?', 8], remark: ['function?', undefined] }],
    ],
    view.drawSlot,
  ),
  pure(
    'drawMemslot',
    [
      ['thing', new Memslot({ baseGfn: 0, npages: 1 })],
      [
        'bag?',
        {},
        {
          width: ['integer?', 80],
          entries: ['integer?', 8],
          remark: ['function?', undefined],
          slots: ['integer?', 2],
          gfns: ['iterable?', [0]],
        },
      ],
    ],
    view.drawMemslot,
  ),
  pure(
    'slotSvg',
    [
      ['record', slotOf()],
      [
        'bag?',
        {},
        {
          width: ['integer?', 960],
          entries: ['integer?', 12],
          theme: ['string?', 'auto'],
          mark: ['function?', undefined],
          remark: ['function?', undefined],
          wordChanged: ['boolean?', true],
        },
      ],
    ],
    view.slotSvg,
  ),
  pure(
    'slotsSvg',
    [
      ['iterable', [slotOf()]],
      [
        'bag?',
        {},
        {
          width: ['integer?', 960],
          entries: ['integer?', 12],
          theme: ['string?', 'auto'],
          look: ['function?', undefined],
        },
      ],
    ],
    view.slotsSvg,
  ),
  pure('readWord', [['word', 1n]], view.readWord),
  pure('decodeWord', [['word', 1n]], view.decodeWord),
  pure('swapWord', [['word', 1n]], view.swapWord),
  pure('parseWord', [['string', '0x1']], (text) => view.parseWord(text === '1' ? 'x' : text)),
  pure('SlotReader', [['function', (): undefined => undefined]], (read) => new view.SlotReader(read)),
  pure(
    'SlotReader.slot',
    [
      ['integer', 0],
      ['word', 1n],
    ],
    (gfn, word) => new view.SlotReader(() => undefined).slot(gfn, word),
  ),
  pure(
    'slotsOf',
    [
      ['thing', new Memslot({ baseGfn: 0, npages: 1 })],
      ['iterable?', [0]],
    ],
    (memslot, gfns) => [...view.slotsOf(memslot, gfns)],
  ),
  pure('slotsOfReplay', [['thing', replayed()]], (replay) => [...view.slotsOfReplay(replay)]),
  pure('summarize', [['iterable', []]], view.summarize),
  pure('formatEntry', [['bag', { lpid: 1, gpa: 0 }, { lpid: ['integer', 1], gpa: ['integer', 0] }]], view.formatEntry),
  pure(
    'nodeReader',
    [
      ['iterable', [{ address: 16n, bytes }]],
      ['string?', 'little'],
    ],
    view.nodeReader,
  ),
  pure(
    'RawSlots',
    [
      [
        'bag',
        { baseGfn: 0, npages: 1, read: (): undefined => undefined },
        {
          baseGfn: ['integer', 0],
          npages: ['integer', 1],
          read: ['function', (): undefined => undefined],
          byteOrder: ['string?', 'little'],
        },
      ],
    ],
    (options) => new view.RawSlots(options),
  ),
  pure(
    'RawSlots.feed',
    [
      ['bytes', new Uint8Array(8)],
      ['function', (): void => {}],
    ],
    (chunk, onSlot) => new view.RawSlots({ baseGfn: 0, npages: 1, read: () => undefined }).feed(chunk, onSlot),
  ),
  pure(
    'RadixDumpReader',
    [['bag', {}, { table: ['function?', undefined], leaf: ['function?', undefined] }]],
    (visitor) => new view.RadixDumpReader(visitor),
  ),
  pure('RadixDumpReader.feed', [['bytes', bytes]], (chunk) => new view.RadixDumpReader({}).feed(chunk)),
  pure(
    'RadixDumpTables',
    [['bag?', {}, { pageShift: ['integer?', 16], maxPages: ['integer?', 9] }]],
    (options) => new view.RadixDumpTables(options),
  ),
  pure('RadixDumpTables.feed', [['bytes', bytes]], (chunk) => new view.RadixDumpTables().feed(chunk)),
  pure(
    'checkDump',
    [
      [
        'bag',
        { slots: [], baseGfn: 0, npages: 1, host: new RadixTable({ pageShift: 16 }), shadows: new Map() },
        {
          slots: ['iterable', []],
          baseGfn: ['integer', 0],
          npages: ['integer', 1],
          host: ['thing', new RadixTable({ pageShift: 16 })],
          shadows: ['iterable', new Map()],
        },
      ],
    ],
    view.checkDump,
  ),
  pure(
    'formatDumpCheck',
    [
      ['record', { leaves: 0, elsewhere: 0, lacking: [], entries: 0, stale: [] }],
      ['integer?', 1],
    ],
    view.formatDumpCheck,
  ),
]

/** An error that says which argument was wrong, and how. */
const NAMED = /^[A-Za-z][\w.]*(: expected |: unknown option |: a range |: two ranges |: .*no other memslot)/

/** Tries a call with one argument replaced: what is wrong with how it went, if anything. */
function attempt(call: Call, args: unknown[], shown: string, mayPass: boolean): string | undefined {
  const { call: run, state } = call.make()
  const before = state()
  try {
    run(...args)
    return mayPass ? undefined : `${shown} was taken`
  } catch (error) {
    const { constructor, message } = error as Error
    if (constructor !== TypeError && constructor !== RangeError) return `${shown}: ${constructor.name}: ${message}`
    if (!NAMED.test(message)) return `${shown}: ${constructor.name}: ${message}`
    try {
      expect(state()).toEqual(before)
    } catch {
      return `${shown}: something has changed`
    }
    return undefined
  }
}

const mayPass = (kind: Argument[0], bad: string): boolean =>
  (bad === 'undefined' && kind.endsWith('?')) || TAKEN[kind.replace('?', '') as Kind].includes(bad)

for (const call of CALLS) {
  test(call.name, () => {
    const good = call.args.map(([, value]) => value)
    call.make().call(...good)
    const wrong: (string | undefined)[] = []
    call.args.forEach(([kind, value, fields], n) => {
      for (const [bad, badValue] of BAD) {
        if (kind === 'record' && typeof badValue === 'object' && badValue !== null) continue
        const args = good.slice()
        args[n] = badValue
        wrong.push(attempt(call, args, `argument ${n} = ${bad}`, mayPass(kind, bad)))
      }
      for (const [field, [fieldKind, fieldGood]] of Object.entries(fields ?? {})) {
        for (const [bad, badValue] of BAD) {
          const args = good.slice()
          args[n] = { ...(value as object), [field]: badValue }
          wrong.push(attempt(call, args, `${field} = ${bad}`, mayPass(fieldKind, bad)))
        }
        // -0 is 0, and a getter is read once: what was checked is what is used.
        if (fieldGood === 0) {
          const args = good.slice()
          args[n] = { ...(value as object), [field]: -0 }
          expect(() => call.make().call(...args)).not.toThrow()
        }
        let reads = 0
        const args = good.slice()
        args[n] = Object.defineProperty({ ...(value as object) }, field, {
          enumerable: true,
          get: () => {
            reads++
            return (value as Record<string, unknown>)[field]
          },
        })
        call.make().call(...args)
        if (reads > 1) wrong.push(`${field} is read ${reads} times`)
      }
    })
    expect(wrong.filter((one) => one !== undefined)).toEqual([])
  })
}

test('every exported function, class and method with parameters is in the list', () => {
  const { config } = ts.readConfigFile('tsconfig.json', (file) => ts.sys.readFile(file))
  const { options } = ts.parseJsonConfigFileContent(config, ts.sys, '.')
  const sources = ['src/index.ts', 'src/rmap/entry.ts', 'src/trace/index.ts', 'src/view/index.ts']
  const program = ts.createProgram(sources, options)
  const checker = program.getTypeChecker()
  const internal = (symbol: ts.Symbol): boolean => symbol.getJsDocTags(checker).some((tag) => tag.name === 'internal')
  const names = new Set<string>()
  for (const source of sources) {
    for (const exported of checker.getExportsOfModule(checker.getSymbolAtLocation(program.getSourceFile(source)!)!)) {
      const symbol = exported.flags & ts.SymbolFlags.Alias ? checker.getAliasedSymbol(exported) : exported
      if (internal(symbol)) continue
      if (symbol.flags & ts.SymbolFlags.Function) names.add(exported.name)
      if (!(symbol.flags & ts.SymbolFlags.Class)) continue
      for (const member of symbol.members!.values()) {
        const declaration = member.declarations?.find(
          (one) => ts.isMethodDeclaration(one) || ts.isConstructorDeclaration(one),
        )
        if (
          declaration === undefined ||
          internal(member) ||
          (declaration as ts.MethodDeclaration).parameters.length === 0
        )
          continue
        if (ts.isConstructorDeclaration(declaration)) names.add(exported.name)
        else if (!ts.isPrivateIdentifier(declaration.name!)) names.add(`${exported.name}.${member.name}`)
      }
    }
  }
  // Errors are made by the library; predicates answer false; a parser of lines trusts its reader.
  for (const aside of [
    'LineError',
    'SnapshotError',
    'Memslot.contains',
    'NodeHeap.has',
    'TraceParser.parseLine',
    'TraceParser.parseCutLine',
    'TraceEvent.has',
    'TraceEvent.word',
    'TraceEvent.number',
  ])
    names.delete(aside)
  const listed = new Set(CALLS.map((call) => call.name))
  expect([...names].filter((name) => !listed.has(name))).toEqual([])
  expect(typeof entry.packEntry).toBe('function')
}, 30_000)
