/**
 * Every reader of bytes, fed damaged input: it gives a result or one of its documented errors, and nothing else; what
 * it gives can be used. 100,000 inputs in all.
 */
import { existsSync, readFileSync } from 'node:fs'
import { gunzipSync } from 'node:zlib'
import { expect, test } from 'vitest'
import { LineError } from '../src/base/lines'
import { RadixComparison, Replay } from '../src/trace/index'
import {
  checkDump,
  decodeWord,
  drawSlot,
  formatDumpCheck,
  nodeReader,
  parseWord,
  RadixDumpTables,
  RawSlots,
  readWord,
  summarize,
  swapWord,
  type Slot,
} from '../src/view/index'
import { mutate, random } from './support/hostile'
import { cases } from './support/cases'

const RUNS = cases(100_000)
const encoder = new TextEncoder()

/** Runs `read` on mutated inputs; what it throws must be `documented`. Tells how many were refused. */
function hostile(
  runs: number,
  seeds: (next: (below: number) => number) => Uint8Array,
  read: (bytes: Uint8Array, next: (below: number) => number) => void,
  documented: (error: Error) => boolean,
): number {
  let refused = 0
  for (let run = 0; run < runs; run++) {
    const next = random(run)
    const input = mutate(seeds(next), next)
    try {
      read(input, next)
    } catch (error) {
      if (!documented(error as Error)) {
        throw new Error(`input ${run}: ${JSON.stringify(Buffer.from(input).toString('latin1'))}`, { cause: error })
      }
      refused++
    }
  }
  return refused
}

/** Feeds bytes in pieces cut anywhere. */
function feedAll(
  reader: { feed(chunk: Uint8Array): void; end(): void },
  bytes: Uint8Array,
  next: (below: number) => number,
): void {
  const cut = next(bytes.length + 1)
  reader.feed(bytes.subarray(0, cut))
  reader.feed(bytes.subarray(cut))
  reader.end()
}

const isLineError = (error: Error): boolean => error instanceof LineError && /^line \d+: /.test(error.message)

const recording = gunzipSync(readFileSync('test/data/A.txt.gz')).toString('latin1').split('\n')
const dump = readFileSync('test/data/A-radix.txt', 'latin1').split('\n')

/** Some lines in a row. */
function piece(from: string[], most: number, next: (below: number) => number): Uint8Array {
  const start = next(from.length)
  return encoder.encode(from.slice(start, start + 1 + next(most)).join('\n'))
}

test('recordings', () => {
  let known = 0
  const refused = hostile(
    RUNS * 0.3,
    (next) => piece(recording, 30, next),
    (bytes, next) => {
      const replay = new Replay(next(4) === 0 ? { pageShift: 12 } : {})
      feedAll(replay, bytes, next)
      const result = replay.result()
      known += result.events
      JSON.stringify(result)
      expect(result.nodes >= 0 && result.first.length <= 10 && result.first.length <= result.differences).toBe(true)
      replay.listLengths()
      if (next(8) === 0) feedAll(new RadixComparison(replay), piece(dump, 10, next), next)
    },
    isLineError,
  )
  expect(refused).toBeGreaterThan(RUNS * 0.01)
  expect(known).toBeGreaterThan(RUNS)
}, 600_000)

/** Lines of a recording. */
function trace(events: [pid: number, text: string][]): Replay {
  const replay = new Replay()
  replay.feed(encoder.encode(events.map(([pid, text]) => ` cpu-${pid} [000] ..... 1.0: ${text}\n`).join('')))
  replay.end()
  return replay
}

test.each([
  [
    'taken',
    1,
    [
      [2, 'pte_unmap: kvm=0x1 ptep=0x1 pteval=0x870100000000c0 gpa=0x0 shift=16 memslot=0x5 lpid=1'],
      [2, 'rmap_remove_range: kvm=0x1 gpa=0x0 hpa=0x10000 nbytes=0x10000 memslot=0x5 base_gfn=0 npages=10 rmap=0x1000'],
    ],
  ],
  ['freed', 0, [[2, 'memslot_free: base_gfn=0 npages=10 rmap=0x1000']]],
] as [string, number, [number, string][]][])(
  'a recording whose slot is %s between an insert and its outcome',
  (_how, ranges, between) => {
    const insert = (node: string, lpid: string): [number, string] => [
      1,
      `rmap_insert: kvm=0x1 rmapp=0x1000 old=${lpid === '1' ? '0x0' : '0x10000000010001'} node=${node} new=0x${lpid}0000000010000`,
    ]
    const taken: [number, string][] = [
      insert('0x10', '1'),
      [1, 'rmap_insert_empty: kvm=0x1 rmapp=0x1000 slot=0x10000000010001'],
      insert('0x20', '2'),
      ...between,
    ]
    const node = trace([
      ...taken,
      [1, 'rmap_insert_node: kvm=0x1 old=0x10000000010001 node=0x20 next=0x10000000010001 rmap=0x20000000010000'],
    ])
    expect(node.result()).toMatchObject({
      nodes: 0,
      peakNodes: 1,
      inserts: { empty: 1, second: 1 },
      ranges,
      taken: { entries: 2 * ranges },
    })
    const duplicate = trace([
      ...taken,
      [1, 'rmap_insert_duplicate: kvm=0x1 rmapp=0x1000 node=0x20 new=0x20000000010000'],
    ])
    expect(duplicate.result()).toMatchObject({ nodes: 0, peakNodes: 1 })
    // Who takes it has the lock: the outcome can only be missing then.
    expect(duplicate.result().differences).toBe(node.result().differences + (ranges === 0 ? 1 : 0))
  },
)

test('recordings that name much and contain little cost little: each of these took minutes', () => {
  const many = <T>(count: number, make: (n: number) => T): T[] => Array.from({ length: count }, (_, n) => make(n))
  const hex = (n: number): string => `0x${n.toString(16)}`
  trace(many(5000, () => [1, 'memslot_free: kvm=0x1 base_gfn=0 npages=0xffffffffffff rmap=0x1000']))
  trace(
    many(20_000, (n) => [
      1,
      `memslot_commit: kvm=0x1 old=0 new=0x1 change=0 base_gfn=${n} npages=1 rmap=${hex(n * 8 + 8)} uaddr=0 flags=0`,
    ]),
  )
  trace(
    many(20_000, (n) => [
      n,
      n < 10_000
        ? `pte_create: kvm=0x1 pgtable=0x1 pte=0x870100000000c0 gpa=${hex(n * 65536)} level=0 mmu_seq=1 lpid=1 rmapp=0x0`
        : 'pte_unmap: kvm=0x1 ptep=0x1 pteval=0x870100000000c0 gpa=0x0 shift=16 memslot=0x5 lpid=1',
    ]),
  )
  trace([
    [1, 'pte_create: kvm=0x1 pgtable=0x1 pte=0x870100000000c0 gpa=0x0 level=0 mmu_seq=1 lpid=1 rmapp=0x0'],
    ...many(
      40_000,
      (n) =>
        [
          2,
          n < 20_000
            ? `rmap_update_rc: rmapp=${hex(n * 4096)} old=0x0 clr=0x100 set=0x0 hpa=0x0 nbytes=1`
            : 'table_free: pgd=0x1 lpid=1',
        ] as [number, string],
    ),
  ])
  trace([
    [1, 'nested_update: l1_lpid=5 shadow_lpid=2'],
    [1, 'pte_create: kvm=0x1 pgtable=0x1 pte=0x870100000000c0 gpa=0xfffffffff0000 level=0 mmu_seq=1 lpid=2 rmapp=0x8'],
    [1, 'rmap_insert: rmapp=0x8 old=0x0 node=0x10 new=0x5ffffffff0000'],
    ...many(
      20_000,
      () => [1, 'rpt_invalidate: lpid=5 type=3 pg_sizes=2 start=0x0 end=0xffffffffffffffff'] as [number, string],
    ),
  ])
}, 60_000)

test('memory is bounded, however long the input is', () => {
  const feed = (reader: { feed(chunk: Uint8Array): void }, line: (n: number) => string): void => {
    for (let n = 0; n < 70_000; n += 100) {
      reader.feed(encoder.encode(Array.from({ length: 100 }, (_, i) => `${line(n + i)}\n`).join('')))
    }
  }
  const event = (pid: number, text: string): string => ` cpu-${pid} [000] ..... 1.0: ${text}`
  const hex = (n: number): string => `0x${n.toString(16)}`
  const message = /^line \d+: the tables and slots need more than 2000 pages: give the replay a larger maxPages$/
  const lines: ((n: number) => string)[] = [
    (n) =>
      event(
        1,
        n % 2 === 0 // pages of tables
          ? `pte_create: kvm=0x1 pgtable=0x1 pte=0x870100000000c0 gpa=${hex(n * 2 ** 30)} level=0 mmu_seq=1 lpid=1 rmapp=0x0`
          : 'pte_create_ret: ret=0',
      ),
    (n) => event(1, `nested_update: l1_lpid=${1 + (n % 4095)} shadow_lpid=${2 + (n % 4094)}`), // roots
    (n) => event(1, `rmap_update_rc: rmapp=${hex(n * 4096)} old=0x0 clr=0x100 set=0x0 hpa=0x0 nbytes=1`), // slots
  ]
  for (const line of lines) {
    expect(() => feed(new Replay({ maxPages: 2000 }), line)).toThrow(message)
  }
  // Guests that come and go, and tasks that do, need no more than one.
  const replay = new Replay({ maxPages: 100 })
  feed(replay, (n) => event(n, `nested_${n % 2 === 0 ? 'update' : 'release'}: l1_lpid=7 shadow_lpid=8`))
  expect([replay.events, replay.result().differences]).toEqual([70_000, 0])
  expect(() =>
    feed(new Replay(), (n) =>
      event(n, `pte_create: kvm=0x1 pgtable=0x1 pte=0x870100000000c0 gpa=0x0 level=0 mmu_seq=1 lpid=1 rmapp=0x0`),
    ),
  ).toThrow(/^line 65537: more than 32768 tasks have an operation in progress$/)

  const dumpMessage = /^line \d+: the tables need more than 2000 pages: give RadixDumpTables a larger maxPages$/
  const leaves = (n: number): string => (n === 0 ? 'pgdir: 1' : ` ${(n * 2 ** 30).toString(16)}: c000000000010187 16`)
  const roots = (n: number): string => (n === 0 ? 'pgdir: 1' : `Nested LPID ${n}: pgdir: 1`)
  for (const line of [leaves, roots]) {
    expect(() => feed(new RadixDumpTables({ maxPages: 2000 }), line)).toThrow(dumpMessage)
  }
}, 60_000)

test('radix dumps', () => {
  const refused = hostile(
    RUNS * 0.2,
    (next) =>
      encoder.encode(`pgdir: c00000002f4e0000\n${Buffer.from(piece(dump.slice(1), 12, next)).toString('latin1')}`),
    (bytes, next) => {
      const tables = new RadixDumpTables(next(4) === 0 ? { pageShift: 12 } : {})
      feedAll(tables, bytes, next)
      for (const table of [...tables.shadows.values(), ...(tables.host === undefined ? [] : [tables.host])]) {
        expect([...table].length).toBe(table.leafCount)
      }
    },
    isLineError,
  )
  expect(refused).toBeGreaterThan(RUNS * 0.02)
}, 600_000)

/** A little kernel memory: slots and nodes, sound before it is damaged. */
function memory(next: (below: number) => number): Uint8Array {
  const words = new BigUint64Array(32)
  const node = (at: number): bigint => 0xc000000000010000n + BigInt(at * 8)
  const entry = (): bigint => (BigInt(1 + next(3)) << 52n) | (BigInt(next(8)) << 16n)
  let free = 16 // the first 16 words are slots, the others nodes
  for (let slot = 0; slot < 16; slot++) {
    for (let n = next(4); n > 0; n--) {
      if (words[slot] === 0n) {
        words[slot] = entry() | 1n
      } else if (free < 32) {
        words.set([words[slot]!, entry()], free)
        words[slot] = node(free)
        free += 2
      }
    }
  }
  return new Uint8Array(words.buffer)
}

const RAW_ERRORS = /^(the slot array (ends at|has bytes after) gfn 0x[0-9a-f]+|(address|bytes|word|baseGfn|npages): )/

test('raw memory', () => {
  const tables = new RadixDumpTables()
  tables.feed(encoder.encode(dump.join('\n')))
  tables.end()
  hostile(
    RUNS * 0.2,
    memory,
    (bytes, next) => {
      const byteOrder = next(8) === 0 ? 'big' : 'little'
      const slotBytes = bytes.subarray(0, next(16) === 0 ? bytes.length : 128)
      const read = nodeReader([{ address: 0xc000000000010000n, bytes }], byteOrder)
      const raw = new RawSlots({ baseGfn: next(2) === 0 ? 0 : 2 ** 40, npages: 16, read, byteOrder })
      const slots: Slot[] = []
      const onSlot = (slot: Slot): number => slots.push(slot)
      const cut = next(slotBytes.length + 1)
      raw.feed(slotBytes.subarray(0, cut), onSlot)
      raw.feed(slotBytes.subarray(cut), onSlot)
      raw.end()
      // No node is read twice, whatever the pointers say: so a walk over this memory is as short as the memory.
      expect(summarize(slots).nodes).toBeLessThanOrEqual(bytes.length / 8)
      for (const slot of slots) drawSlot(slot)
      if (next(16) === 0 && tables.host !== undefined) {
        formatDumpCheck(checkDump({ slots, baseGfn: 0, npages: 16, host: tables.host, shadows: tables.shadows }))
      }
    },
    (error) => error instanceof RangeError && RAW_ERRORS.test(error.message),
  )
}, 600_000)

test('words', () => {
  const words = [
    '0x0',
    '0xc000000033900387',
    '12345',
    '0xffffffffffffffff',
    '18446744073709551615',
    '0x0030000030261001',
  ]
  const refused = hostile(
    RUNS * 0.3,
    (next) => encoder.encode(words[next(words.length)]),
    (bytes) => {
      const word = parseWord(Buffer.from(bytes).toString('latin1'))
      expect(decodeWord(word).length).toBeLessThan(1000)
      expect(swapWord(swapWord(word))).toBe(word)
      expect(readWord(word).length).toBeGreaterThan(0)
    },
    (error) => error instanceof RangeError && error.message.startsWith('word: expected '),
  )
  expect(refused).toBeGreaterThan(RUNS * 0.03)
}, 600_000)

test('the recordings here are those of the project', () => {
  expect(existsSync('test/data/A.txt.gz') && recording.length > 12_000 && dump.length > 100).toBe(true)
})
