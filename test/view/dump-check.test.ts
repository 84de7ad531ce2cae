import { readFileSync } from 'node:fs'
import { gunzipSync } from 'node:zlib'
import { beforeEach, expect, test } from 'vitest'
import { RadixDumpTables } from '../../src/trace/radix-dump'
import { checkDump, formatDumpCheck, type DumpCheck } from '../../src/view/dump-check'
import { nodeReader, RawSlots } from '../../src/view/raw-memory'
import { slotsOf, type Slot } from '../../src/view/slot'
import { Memslot, packLeaf, RadixTable, type LeafShift } from '../../src/index'

let memslot: Memslot
let host: RadixTable
let shadows: Map<number, RadixTable>

beforeEach(() => {
  memslot = new Memslot({ baseGfn: 0, npages: 0x100 })
  host = new RadixTable({ pageShift: 16 })
  shadows = new Map([1, 2].map((lpid) => [lpid, new RadixTable({ pageShift: 16 })]))
})

function map(table: RadixTable, gpa: number, hpa: number, shift: LeafShift = 16): void {
  table.set(gpa, shift, packLeaf({ hpa, flags: 7 }))
}

function check(): DumpCheck {
  return checkDump({ slots: slotsOf(memslot), baseGfn: 0, npages: 0x100, host, shadows })
}

test('a leaf with its entry is correct; without it, the leaf is reported', () => {
  map(host, 0x50000, 0x1230000)
  map(shadows.get(1)!, 0x7770000, 0x1230000)
  memslot.insert(5, 1, 0x7770000)
  expect(check()).toEqual({ leaves: 1, elsewhere: 0, lacking: [], entries: 1, stale: [] })
  memslot.takeAll(5)
  memslot.insert(5, 2, 0x7770000)
  const { lacking, stale } = check()
  expect(lacking).toMatchObject([{ lpid: 1, leaf: { gpa: 0x7770000 }, gfns: [5] }])
  expect(stale).toEqual([{ gfn: 5, entry: { lpid: 2, gpa: 0x7770000 }, reason: 'no-leaf' }])
})

test('a page inside a large host leaf has its entry at the first gfn of the host leaf', () => {
  map(host, 0x200000, 0x1200000, 21)
  map(shadows.get(1)!, 0x7770000, 0x1230000)
  memslot.insert(0x20, 1, 0x7770000)
  expect(check()).toMatchObject({ leaves: 1, lacking: [], stale: [] })
  memslot.takeAll(0x20)
  memslot.insert(0x23, 1, 0x7770000)
  expect(check().lacking).toMatchObject([{ gfns: [0x20] }])
})

test('each reason for a stale entry', () => {
  map(host, 0x50000, 0x1230000)
  map(host, 0x60000, 0x9990000)
  map(shadows.get(1)!, 0x10000, 0x9990000)
  memslot.insert(6, 1, 0x10000)
  memslot.insert(5, 1, 0x10000)
  memslot.insert(5, 1, 0x20000)
  memslot.insert(5, 3, 0x20000)
  memslot.insert(9, 1, 0x10000)
  const found = check()
  expect(found.stale.map(({ gfn, reason }) => [gfn, reason])).toEqual([
    [5, 'no-guest'],
    [5, 'no-leaf'],
    [5, 'other-frame'],
    [9, 'no-host-leaf'],
  ])
  expect(found.lacking).toEqual([])
  expect(formatDumpCheck(found, 1).split('\n')).toEqual([
    '  stale entry: gfn 0x5  LPID 3  gpa 0x20000: no guest has that LPID',
    '  ... 3 more stale entries ...',
    '5 entries, 4 stale, which is legal (no guest has that LPID: 1; no shadow leaf: 1; the leaf maps another page: 1; ' +
      'no host leaf at that gfn: 1)',
    '1 shadow leaf, 0 without their entry',
  ])
})

test('a leaf of another memslot is not checked; a leaf of a page that L1 does not map is reported', () => {
  map(host, 0x1000000, 0x5550000) // gfn 0x100: after the array
  map(shadows.get(1)!, 0x10000, 0x5550000)
  map(shadows.get(2)!, 0x20000, 0x6660000)
  const found = check()
  expect(found).toMatchObject({ leaves: 1, elsewhere: 1, lacking: [{ lpid: 2, gfns: [] }] })
  expect(formatDumpCheck(found).split('\n')).toEqual([
    "  !! leaf without entry: LPID 2  gpa 0x20000 -> 0x6660000: L1's own table does not map that page",
    '0 entries, 0 stale, which is legal',
    '1 shadow leaf outside the slot array: not checked',
    '1 shadow leaf, 1 without their entry',
  ])
})

test('if L1 maps a frame at two gfns, the entry may be at either', () => {
  map(host, 0x50000, 0x1230000)
  map(host, 0x60000, 0x1230000)
  map(shadows.get(1)!, 0x10000, 0x1230000)
  memslot.insert(6, 1, 0x10000)
  expect(check()).toMatchObject({ lacking: [], stale: [] })
})

test('the dump of a real kernel is complete', () => {
  const file = (name: string): Buffer => readFileSync(new URL(`../data/${name}`, import.meta.url))
  const { slots, memory } = JSON.parse(file('D-memory.json').toString())
  const read = nodeReader(
    memory.map((range: { file: string; address: string }) => ({
      address: BigInt(range.address),
      bytes: gunzipSync(file(range.file)),
    })),
  )
  const found: Slot[] = []
  const { baseGfn, npages } = slots
  new RawSlots({ baseGfn, npages, read }).feed(gunzipSync(file(slots.file)), (slot) => found.push(slot))
  const tables = new RadixDumpTables()
  tables.feed(file('D-radix.txt'))
  tables.end()
  const result = checkDump({ slots: found, baseGfn, npages, host: tables.host!, shadows: tables.shadows })
  expect(result.lacking).toEqual([])
  expect(result.entries).toBe(400)
  expect(result.leaves).toBe([...tables.shadows.values()].reduce((sum, { leafCount }) => sum + leafCount, 0))
  expect(result.entries - result.stale.length).toBe(result.leaves)
})
