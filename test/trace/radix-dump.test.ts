import { readFileSync } from 'node:fs'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { LineError } from '../../src/base/lines'
import type { Leaf } from '../../src/page-table/radix-table'
import { RadixDumpReader, RadixDumpTables } from '../../src/trace/radix-dump'
import { cases } from '../support/cases'

const encoder = new TextEncoder()
const FILE = readFileSync(new URL('../data/A-radix.txt', import.meta.url))

const TABLE_A = 'pgdir: c00000002f4e0000\n'
const LEAF_A = ' 10000: c000000033900387 16\n'

interface Seen {
  lpid: number | null
  leaf: Leaf
}

function read(text: string | Uint8Array, chunk = Infinity): { tables: [number | null, bigint][]; leaves: Seen[] } {
  const bytes = typeof text === 'string' ? encoder.encode(text) : text
  const tables: [number | null, bigint][] = []
  const leaves: Seen[] = []
  const reader = new RadixDumpReader({
    table: (lpid, pgdir) => tables.push([lpid, pgdir]),
    leaf: (lpid, leaf) => leaves.push({ lpid, leaf }),
  })
  for (let at = 0; at < bytes.length; at += chunk) reader.feed(bytes.subarray(at, at + chunk))
  reader.end()
  return { tables, leaves }
}

function tablesOf(text: string | Uint8Array, pageShift: 16 | 12 = 16): RadixDumpTables {
  const tables = new RadixDumpTables({ pageShift })
  tables.feed(typeof text === 'string' ? encoder.encode(text) : text)
  tables.end()
  return tables
}

/** The text of a dump, from the tables that were read. */
function print({ host, shadows }: RadixDumpTables, pgdirs: Map<number | null, bigint>): string {
  let text = ''
  for (const [lpid, table] of [[null, host!] as const, ...shadows]) {
    text += `${lpid === null ? '' : `\nNested LPID ${lpid}: `}pgdir: ${pgdirs.get(lpid)!.toString(16)}\n`
    for (const { gpa, word, shift } of table) text += ` ${gpa.toString(16)}: ${word.toString(16)} ${shift}\n`
  }
  return text
}

test('a real dump is read completely: written again, it is the same file', () => {
  const { tables } = read(FILE)
  expect(print(tablesOf(FILE), new Map(tables))).toBe(FILE.toString())
})

test('chunks of any size give the same dump', () => {
  const part = FILE.subarray(FILE.lastIndexOf('Nested LPID 6'))
  const whole = read(part)
  expect(whole.tables.length).toBe(4)
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 300 }), (chunk) => {
      expect(read(part, chunk)).toEqual(whole)
    }),
    { numRuns: cases(30) },
  )
})

test('a guest without a leaf has an empty table', () => {
  const { host, shadows } = tablesOf(
    `${TABLE_A}${LEAF_A}Nested LPID 1: pgdir: c000000000010000\nNested LPID 4095: pgdir: 0\n`,
  )
  expect(host!.leafCount).toBe(1)
  expect([...shadows].map(([lpid, table]) => [lpid, table.leafCount])).toEqual([
    [1, 0],
    [4095, 0],
  ])
})

test('leaves of all sizes, with both base page sizes', () => {
  const large = ' 200000: c000000000200387 21\n 40000000: c000000040000387 30\n'
  expect([...tablesOf(TABLE_A + LEAF_A + large).host!].map((leaf) => leaf.shift)).toEqual([16, 21, 30])
  const small = ' 1000: c000000000001387 12\n'
  expect([...tablesOf(TABLE_A + small + large, 12).host!].map((leaf) => leaf.shift)).toEqual([12, 21, 30])
})

const malformed: [name: string, text: string, message: string][] = [
  ['an empty file', '', 'line 1: the dump has no table ("pgdir: ADDRESS")'],
  ['blank lines alone', '\n\n', 'line 3: the dump has no table ("pgdir: ADDRESS")'],
  [
    'another text',
    `${TABLE_A}hello\n`,
    'line 2: expected "pgdir: ADDRESS", "Nested LPID N: pgdir: ADDRESS" or " GPA: WORD SHIFT", got "hello"',
  ],
  [
    'a leaf cut off',
    `${TABLE_A} 10000: c0000`,
    'line 2: expected "pgdir: ADDRESS", "Nested LPID N: pgdir: ADDRESS" or " GPA: WORD SHIFT", got " 10000: c0000"',
  ],
  ['a leaf before any table', LEAF_A, 'line 1: a leaf before any table ("pgdir: ADDRESS")'],
  ['an LPID over 12 bits', 'Nested LPID 4096: pgdir: 0\n', 'line 1: LPID: expected at most 4095, got 4096'],
  ['L1 twice', TABLE_A + TABLE_A, 'line 2: a second table of L1'],
  ['a guest twice', 'Nested LPID 7: pgdir: 1\nNested LPID 7: pgdir: 2\n', 'line 2: a second table of LPID 7'],
  ['an invalid shift', `${TABLE_A} 0: c000000000000387 24\n`, 'line 2: shift: expected 12, 16, 21 or 30, got 24'],
  [
    'both base page sizes',
    `${TABLE_A}${LEAF_A} 1000: c000000000001387 12\n`,
    'line 3: shift: expected 16 as in earlier leaves, got 12',
  ],
  [
    'an address over 52 bits',
    `${TABLE_A} 10000000000000: c000000000000387 16\n`,
    'line 2: gpa: expected at most 0xfffffffffffff, got 0x10000000000000',
  ],
  [
    'an address that is not aligned to the leaf',
    `${TABLE_A} 10010: c000000000000387 16\n`,
    'line 2: gpa: expected a multiple of 0x10000, got 0x10010',
  ],
  [
    'a link instead of a leaf',
    `${TABLE_A} 10000: 8000000000000387 16\n`,
    'line 2: word: expected a present leaf, got 0x8000000000000387',
  ],
]

for (const [name, text, message] of malformed) {
  test(`${name} is refused with its line`, () => {
    expect(() => read(text)).toThrow(LineError)
    expect(() => read(text)).toThrow(message)
  })
}

test('leaves that overlap, or that the base page size does not allow, are refused', () => {
  const refused = (text: string): unknown => tablesOf(TABLE_A + text)
  expect(() => refused(LEAF_A + LEAF_A)).toThrow(new LineError(3, 'a second leaf at 0x10000'))
  expect(() => refused(` 0: c000000000000387 21\n${LEAF_A}`)).toThrow(/^line 3: a leaf of 2\^21 bytes maps 0x10000/)
  expect(() => refused(`${LEAF_A} 0: c000000000000387 21\n`)).toThrow(/^line 3: smaller leaves are present below 0x0/)
  expect(() => refused(' 1000: c000000000001387 12\n')).toThrow(
    new LineError(2, 'shift: expected 16, 21 or 30 with base pages of 2^16 bytes, got 12'),
  )
})

test('a damaged dump gives a LineError or no error', () => {
  const part = FILE.subarray(0, 600)
  fc.assert(
    fc.property(fc.array(fc.tuple(fc.nat(599), fc.nat(255)), { minLength: 1, maxLength: 4 }), (changes) => {
      const bytes = Uint8Array.from(part)
      for (const [at, value] of changes) bytes[at] = value
      try {
        tablesOf(bytes)
      } catch (error) {
        expect(error).toBeInstanceOf(LineError)
      }
    }),
    { numRuns: cases(2000) },
  )
})

test('invalid arguments', () => {
  expect(() => tablesOf([1] as never)).toThrow(new TypeError('chunk: expected a Uint8Array, got object'))
  expect(() => new RadixDumpTables({ pageShift: 14 as never })).toThrow(
    new RangeError('pageShift: expected one of 16, 12, got 14'),
  )
  expect(() => new RadixDumpReader(null as never)).toThrow(new TypeError('visitor: expected an object, got null'))
})
