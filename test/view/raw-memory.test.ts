import { readFileSync } from 'node:fs'
import { gunzipSync } from 'node:zlib'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { nodeReader, RawSlots, type ByteOrder, type MemoryRange } from '../../src/view/raw-memory'
import { SlotReader, slotsOf, summarize, type FlawKind, type Slot } from '../../src/view/slot'
import { Memslot, packEntry } from '../../src/index'
import { cases } from '../support/cases'

const BASE = 0xc00000002d4d0000n

function bytesOf(words: readonly bigint[], order: ByteOrder = 'little'): Uint8Array {
  const bytes = new Uint8Array(words.length * 8)
  words.forEach((word, i) => new DataView(bytes.buffer).setBigUint64(i * 8, word, order === 'little'))
  return bytes
}

/** Reads an array of slot words; the nodes are the words of `memory`, from address BASE on. */
function read(
  slots: readonly bigint[],
  memory: readonly bigint[],
  order: ByteOrder = 'little',
  chunk = Infinity,
): Slot[] {
  const found: Slot[] = []
  const raw = new RawSlots({
    baseGfn: 0x100,
    npages: slots.length,
    byteOrder: order,
    read: nodeReader([{ address: BASE, bytes: bytesOf(memory, order) }], order),
  })
  const bytes = bytesOf(slots, order)
  for (let at = 0; at < bytes.length; at += chunk) raw.feed(bytes.subarray(at, at + chunk), (slot) => found.push(slot))
  raw.end()
  return found
}

const entry = (n: number): bigint => packEntry(n, n * 0x10000)
const tagged = (n: number): bigint => entry(n) | 1n
const node = (n: number): bigint => BASE + BigInt(n * 16)
const lpids = (slot: Slot): number[] => slot.entries.map(({ lpid }) => lpid)
const kinds = (slot: Slot): FlawKind[] => slot.flaws.map(({ kind }) => kind)

test('the three forms of spec 3', () => {
  const [one, list, ...others] = read([0n, tagged(1), node(1)], [tagged(1), entry(2), node(0), entry(3)])
  expect(others).toEqual([])
  expect(one).toEqual({ gfn: 0x101, word: tagged(1), nodes: [], entries: [{ lpid: 1, gpa: 0x10000 }], flaws: [] })
  expect(list).toEqual({
    gfn: 0x102,
    word: node(1),
    nodes: [
      { address: node(1), next: node(0), entry: entry(3) },
      { address: node(0), next: tagged(1), entry: entry(2) },
    ],
    entries: [
      { lpid: 3, gpa: 0x30000 },
      { lpid: 2, gpa: 0x20000 },
      { lpid: 1, gpa: 0x10000 },
    ],
    flaws: [],
  })
})

const flawed: [name: string, slots: bigint[], memory: bigint[], kinds: FlawKind[], lpids: number[], message: string][] =
  [
    ['a pointer outside', [node(9)], [], ['outside'], [], 'pointer 0xc00000002d4d0090 is outside the given memory'],
    [
      'a node that is cut off',
      [node(0)],
      [entry(1)],
      ['outside'],
      [],
      'pointer 0xc00000002d4d0000 is outside the given memory',
    ],
    [
      'a next outside',
      [node(0)],
      [node(9), entry(2)],
      ['outside'],
      [2],
      'node 0xc00000002d4d0000: pointer 0xc00000002d4d0090 is outside the given memory',
    ],
    [
      'an unaligned pointer',
      [node(0) + 4n],
      [tagged(1), entry(2)],
      ['unaligned'],
      [],
      'pointer 0xc00000002d4d0004 is not a multiple of 8',
    ],
    [
      'a loop',
      [node(0)],
      [node(1), entry(2), node(0), entry(3)],
      ['loop'],
      [2, 3],
      'node 0xc00000002d4d0010: pointer 0xc00000002d4d0000 leads back into the list',
    ],
    [
      'a node that is its own next',
      [node(0)],
      [node(0), entry(2)],
      ['loop'],
      [2],
      'node 0xc00000002d4d0000: pointer 0xc00000002d4d0000 leads back into the list',
    ],
    [
      'a list that ends in 0',
      [node(0)],
      [0n, entry(2)],
      ['ends-in-0'],
      [2],
      'node 0xc00000002d4d0000: next is 0 instead of the oldest entry',
    ],
    [
      'an entry twice',
      [node(0)],
      [tagged(2), entry(2)],
      ['duplicate'],
      [2, 2],
      'node 0xc00000002d4d0000: LPID 2  gpa 0x20000 is already in the list',
    ],
    [
      'a node with a tagged entry',
      [node(0)],
      [tagged(1), tagged(2)],
      ['tagged-node'],
      [2, 1],
      'node 0xc00000002d4d0000: entry 0x20000000020001 has tag 1',
    ],
    [
      'an entry with low bits',
      [tagged(1) | 0x40n],
      [],
      ['stray-bits'],
      [1],
      'entry 0x10000000010041 has bits 1..11 set: 0x40',
    ],
    ["the host's LPID", [0x7001n], [], ['lpid-zero'], [0], "LPID 0  gpa 0x7000: LPID 0 is the host's"],
    [
      'a node of zeros',
      [node(0)],
      [tagged(1), 0n],
      ['zero-entry', 'lpid-zero'],
      [0, 1],
      "node 0xc00000002d4d0000: its entry is 0: the kernel's scans and walks end here",
    ],
  ]

for (const [name, slots, memory, expectedKinds, expectedLpids, message] of flawed) {
  test(`${name} is reported`, () => {
    const [slot] = read(slots, memory)
    expect(kinds(slot!)).toEqual(expectedKinds)
    expect(lpids(slot!)).toEqual(expectedLpids)
    expect(slot!.flaws[0]!.message).toBe(message)
  })
}

test('a node in two lists is reported in the second', () => {
  const [first, second] = read([node(0), node(1)], [tagged(1), entry(2), node(0), entry(3)])
  expect(kinds(first!)).toEqual([])
  expect(kinds(second!)).toEqual(['shared'])
  expect(second!.flaws[0]!.message).toMatch(/leads into the list of gfn 0x100$/)
})

test('a gfn that is read twice has a loop the second time', () => {
  const reader = new SlotReader(nodeReader([{ address: BASE, bytes: bytesOf([tagged(1), entry(2)]) }]))
  expect(kinds(reader.slot(7, node(0)))).toEqual([])
  expect(kinds(reader.slot(7, node(0)))).toEqual(['loop'])
})

const WORDS = 24

/** Memory with any content: pointers into it, entries, zeros and random words. */
const anyWord = fc.oneof(
  fc.nat(WORDS).map((n) => BASE + BigInt(n * 8)),
  fc.integer({ min: 1, max: 5 }).map(entry),
  fc.integer({ min: 1, max: 5 }).map(tagged),
  fc.constant(0n),
  fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }),
)
const anyMemory = fc.tuple(fc.array(anyWord, { minLength: 1, maxLength: 6 }), fc.array(anyWord, { maxLength: WORDS }))

test('reading any memory ends, and no node is read twice, with each byte order and any chunks', () => {
  fc.assert(
    fc.property(anyMemory, fc.integer({ min: 1, max: 20 }), ([slots, memory], chunk) => {
      const found = read(slots, memory)
      const addresses = found.flatMap(({ nodes }) => nodes.map(({ address }) => address))
      expect(new Set(addresses).size).toBe(addresses.length)
      expect(found.length).toBe(slots.filter((word) => word !== 0n).length)
      expect(read(slots, memory, 'big', chunk)).toEqual(found)
    }),
    { numRuns: cases(2000) },
  )
})

test('a memslot and a copy of its memory have the same slots', () => {
  const insert = fc.tuple(fc.nat(3), fc.integer({ min: 1, max: 9 }), fc.nat(3))
  fc.assert(
    fc.property(fc.array(insert, { maxLength: 60 }), (inserts) => {
      const memslot = new Memslot({ baseGfn: 7, npages: 4 })
      for (const [index, lpid, page] of inserts) memslot.insert(7 + index, lpid, page * 0x10000)
      const live = [...slotsOf(memslot)]
      const heap = new Uint8Array(memslot.nodes.words.buffer)
      const raw = new RawSlots({ baseGfn: 7, npages: 4, read: nodeReader([{ address: 0n, bytes: heap }]) })
      const copied: Slot[] = []
      raw.feed(new Uint8Array(memslot.words.buffer), (slot) => copied.push(slot))
      raw.end()
      expect(copied).toEqual(live)
      expect(live.map(({ entries }) => entries)).toEqual(live.map(({ gfn }) => memslot.entries(gfn!)))
      expect(live.flatMap(({ flaws }) => flaws)).toEqual([])
      expect(summarize(live).entries).toBe(summarize(live).nodes + live.length)
    }),
    { numRuns: cases(300) },
  )
})

test('memory may have several ranges, in any order', () => {
  const pieces: MemoryRange[] = [
    { address: BASE + 8n, bytes: bytesOf([entry(2), node(0)]) },
    { address: BASE + 24n, bytes: bytesOf([entry(3)]) },
    { address: BASE, bytes: bytesOf([tagged(1)]) },
  ]
  const reader = nodeReader(pieces)
  expect(reader(node(1))).toEqual({ next: node(0), entry: entry(3) })
  expect(reader(node(0))).toEqual({ next: tagged(1), entry: entry(2) })
  expect(reader(node(2))).toBeUndefined()
  expect(reader(BASE - 16n)).toBeUndefined()
  expect(() => nodeReader([...pieces, pieces[0]!])).toThrow(
    new RangeError('address: two ranges have 0xc00000002d4d0008'),
  )
  expect(() => nodeReader([{ address: 2n ** 64n - 1n, bytes: new Uint8Array(2) }])).toThrow('ends after 2^64')
})

test('a slot array with the wrong length is refused', () => {
  const raw = (): RawSlots => new RawSlots({ baseGfn: 0x10, npages: 2, read: () => undefined })
  const short = raw()
  short.feed(new Uint8Array(12), () => {})
  expect(() => short.end()).toThrow(new RangeError('the slot array ends at gfn 0x11, expected 0x12'))
  expect(() => raw().feed(new Uint8Array(24), () => {})).toThrow(
    new RangeError('the slot array has bytes after gfn 0x11, its last'),
  )
  expect(() => new RawSlots({ baseGfn: 0, npages: 0, read: () => undefined })).toThrow(RangeError)
  expect(() => new RawSlots({ baseGfn: 0, npages: 1, read: 5 as never })).toThrow(TypeError)
})

const D = new URL('../data/', import.meta.url)

test('the memory of a real kernel: 54 lists, 400 entries, no flaw', () => {
  const { slots, memory, byteOrder } = JSON.parse(readFileSync(new URL('D-memory.json', D), 'utf8'))
  const ranges = memory.map((range: { file: string; address: string }) => ({
    address: BigInt(range.address),
    bytes: gunzipSync(readFileSync(new URL(range.file, D))),
  }))
  const raw = new RawSlots({
    baseGfn: slots.baseGfn,
    npages: slots.npages,
    read: nodeReader(ranges, byteOrder),
    byteOrder,
  })
  const found: Slot[] = []
  raw.feed(gunzipSync(readFileSync(new URL(slots.file, D))), (slot) => found.push(slot))
  raw.end()
  expect(summarize(found)).toEqual({
    slots: 54,
    single: expect.any(Number),
    entries: 400,
    nodes: 346,
    longest: expect.any(Number),
    flaws: 0,
  })
})
