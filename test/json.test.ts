/** `JSON.stringify` writes whatever the package returns or shows: words as hex strings, never an error about a BigInt. */
import { readFileSync } from 'node:fs'
import { gunzipSync } from 'node:zlib'
import { expect, test } from 'vitest'
import { GuestTable, Memslot, RadixTable, removeRmapRange, Vm, type Leaf, type VmEvent } from '../src/index'
import { VmModel } from '../src/testing/index'
import { RadixComparison, Replay } from '../src/trace/index'
import {
  checkDump,
  nodeReader,
  RadixDumpReader,
  RadixDumpTables,
  readWord,
  SlotReader,
  slotsOf,
  slotsOfReplay,
  summarize,
} from '../src/view/index'

const json = (value: unknown): unknown => JSON.parse(JSON.stringify(value))
const PAGE = 0x10000

/** Does everything once that has events, and returns the L1 and the results. */
function eventful(observer?: (event: VmEvent) => void): { vm: Vm; results: unknown[] } {
  let writable = false
  const vm = new Vm({
    ...(observer && { observer }),
    backing: (gfn) => ({ hpa: 2 ** 40 + gfn * PAGE, writable }),
  })
  const slot = vm.addMemslot({ baseGfn: 0, npages: 32, logDirty: true })
  const tables = [1, 2, 3].map((lpid) => vm.setGuestTable(lpid, new GuestTable()))
  for (const table of tables) table.map({ gpa: 0, to: 0 })
  const results: unknown[] = [slot, tables[0]]
  const read = (lpid: number): void => void results.push(vm.fault({ lpid, gpa: 0, access: 'read' }))
  for (const lpid of [1, 2, 3]) read(lpid)
  results.push(
    slot.listNodes(0),
    slot.entries(0),
    slot.rmap,
    slot.rmap.nodes,
    slot.rmap.nodes.read(Number(slot.word(0))),
  )
  vm.tlbInvalidate({ instr: 0x10000, rs: 1, rb: 0x800 })
  read(1) // a duplicate
  writable = true
  vm.unmap(0)
  results.push(vm.fault({ lpid: 1, gpa: 0, access: 'write' }), vm.fault({ lpid: 1, gpa: PAGE, access: 'read' }))
  results.push(vm.setRc({ lpid: 1, gpa: 0, access: 'read' }), vm.harvestDirty(slot), vm.age(0))
  tables[0]!.map({ gpa: 0, to: PAGE })
  results.push(vm.fault({ lpid: 1, gpa: 0, access: 'execute' }), vm.beginFault({ lpid: 2, gpa: 0, access: 'read' }))
  vm.rptInvalidate({ lpid: 1, target: 1, type: 3, pageSizes: 2, start: 0, end: PAGE })
  results.push(
    vm.beginUnmap(1),
    vm.check(),
    vm.counters,
    vm.host,
    [...vm.host],
    vm.guests,
    vm.guest(1)!.shadow.lookup(0),
  )
  vm.unmap(100)
  results.push(vm)
  vm.removeMemslot(slot)
  vm.setGuestTable(3, undefined)
  vm.tlbie({ kind: 'lpid', lpid: 3, ric: 2 })
  vm.releaseAll()
  return { vm, results }
}

test('results of an L1 and of its parts', () => {
  const { results } = eventful()
  for (const result of results) expect(() => JSON.stringify(result)).not.toThrow()

  const memslot = new Memslot({ baseGfn: 0, npages: 4 })
  memslot.insert(1, 5, 0x10000)
  memslot.insert(1, 6, 0x20000)
  const words = { next: '0x0050000000010001', entry: '0x0060000000020000' }
  expect(json(memslot.listNodes(1))).toEqual([{ address: 16, ...words }])
  expect(json(memslot.nodes.read(16))).toEqual(words)

  const shadow = new RadixTable({ pageShift: 16 })
  shadow.set(0x20000, 16, 0xc000000005670187n)
  const shown: unknown[] = []
  const range = { memslot, gfn: 1, npages: 1, hpa: 0x5670000, shift: 16 } as const
  const counters = removeRmapRange(new Map([[6, { shadow }]]), range, { entry: (...args) => shown.push(json(args)) })
  expect(shown).toEqual([
    [1, { lpid: 6, gpa: 0x20000 }, 'cleared', { gpa: 0x20000, shift: 16, word: '0xc000000005670187' }],
    [1, { lpid: 5, gpa: 0x10000 }, 'no-guest', null],
  ])
  expect(json(counters)).toEqual({ ...counters })

  const table = new GuestTable()
  table.map({ gpa: 0x10000, to: 0x70000 })
  const leaves = [{ gpa: 0x10000, shift: 16, word: '0xc000000000070187' }]
  expect(json(table)).toEqual({ pageShift: 16, rootBits: 13, leaves })
})

test('every kind of event', () => {
  const events: VmEvent[] = []
  eventful((event) => events.push(event))
  for (const event of events) {
    const hex = Object.entries(event).map(([name, value]: [string, unknown]) => [
      name,
      typeof value === 'bigint' ? `0x${value.toString(16).padStart(16, '0')}` : value,
    ])
    expect(json(event)).toEqual(json(Object.fromEntries(hex)))
    const names: string[] = []
    for (const name in event) names.push(name)
    expect(names).toEqual(Object.keys(event)) // toJSON is not one of its fields
  }
  const source = readFileSync('src/vm/events.ts', 'utf8')
  const kinds = [...source.matchAll(/readonly event: '(\w+)'/g)].map(([, kind]) => kind)
  expect([...new Set(events.map(({ event }) => event))].sort()).toEqual(kinds.sort())
})

test('results of the readers of dumps and recordings', () => {
  const data = (name: string): Uint8Array => readFileSync(`test/data/${name}`)
  const replay = new Replay()
  replay.feed(gunzipSync(data('A.txt.gz')))
  replay.end()
  const comparison = new RadixComparison(replay)
  comparison.feed(data('A-radix.txt'))
  comparison.end()
  const tables = new RadixDumpTables()
  tables.feed(data('A-radix.txt'))
  tables.end()
  const seen: Leaf[] = []
  const reader = new RadixDumpReader({ leaf: (_lpid, leaf) => void seen.push(leaf) })
  reader.feed(data('A-radix.txt'))
  reader.end()
  expect(json(seen[0])).toMatchObject({ word: expect.stringMatching(/^0x[\da-f]{16}$/) })
  const slots = [...slotsOfReplay(replay)]
  const shadows = tables.shadows
  const broken = new SlotReader(nodeReader([{ address: 0n, bytes: new Uint8Array(32) }])).slot(5, 0x10n)
  expect(json(broken)).toMatchObject({
    word: '0x0000000000000010',
    nodes: [{ address: '0x0000000000000010', next: '0x0000000000000000', entry: '0x0000000000000000' }],
    flaws: [{ kind: 'zero-entry', node: '0x0000000000000010' }, {}, {}],
  })
  const memslot = new Memslot({ baseGfn: 0, npages: 4 })
  for (const lpid of [1, 2, 3]) memslot.insert(0, lpid, 0)
  const model = new VmModel({})
  const answer = model.run({ op: 'addMemslot', memslot: 0, baseGfn: 0, npages: 16, readOnly: false, logDirty: false })
  const results = [
    ...[replay, replay.result(comparison.result()), comparison.result(), replay.knownArrays(), replay.host, seen],
    ...[slots, summarize(slots), [...slotsOf(memslot)], broken, readWord(0xc000000000000187n), answer],
    checkDump({ slots, baseGfn: 0, npages: 16384, host: tables.host!, shadows }),
    nodeReader([{ address: 0n, bytes: new Uint8Array(16) }])(0n),
  ]
  for (const result of results) expect(() => JSON.stringify(result)).not.toThrow()
  expect(json(replay.knownArrays()[0])).toMatchObject({ rmap: expect.stringMatching(/^0x[\da-f]{16}$/) })
})
