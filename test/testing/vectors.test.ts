import { createHash } from 'node:crypto'
import { expect, test } from 'vitest'
import { LineError } from '../../src/base/lines'
import { VectorCheck, type VectorCheckResult } from '../../src/testing/vector-check'
import { vectors, type VectorOptions } from '../../src/testing/vectors'
import { refuses } from '../support/refuses'

const textOf = (options: VectorOptions): string => `${[...vectors(options)].join('\n')}\n`

function check(text: string | Uint8Array, chunk = 2 ** 20): VectorCheckResult {
  const run = new VectorCheck()
  const bytes = typeof text === 'string' ? new TextEncoder().encode(text) : text
  for (let at = 0; at < bytes.length; at += chunk) run.feed(bytes.subarray(at, at + chunk))
  run.end()
  return run.result
}

/** A file of lines written by hand. */
const byHand = (...lines: object[]): string => [HEADER, ...lines].map((line) => `${JSON.stringify(line)}\n`).join('')
const HEADER = {
  format: 'nested-rmap vectors',
  version: 1,
  level: 'memslot',
  settings: { memslots: [{ baseGfn: 0, npages: 4 }] },
}

const LEVELS = ['entry', 'memslot', 'vm'] as const

test('the same options give the same bytes: a change of these hashes is a change of the major version', () => {
  const hash = (options: VectorOptions): string =>
    createHash('sha256').update(textOf(options)).digest('hex').slice(0, 16)
  expect({
    entry: hash({ level: 'entry', ops: 2000 }),
    memslot: hash({ level: 'memslot', ops: 2000 }),
    'memslot, quirks': hash({ level: 'memslot', ops: 2000, seed: 7, weights: { quirks: 1, long: 5 } }),
    vm: hash({ level: 'vm', ops: 2000 }),
    'vm, 4 KiB pages, quirks': hash({
      level: 'vm',
      ops: 2000,
      vm: { pageShift: 12, placement: 'faulting' },
      weights: { quirks: 1 },
    }),
  }).toEqual({
    entry: '36b8dd87e694bcf3',
    memslot: '982081642f8514ef',
    'memslot, quirks': '6cb94a4257cb44da',
    vm: 'ab4d425c99f7e0c1',
    'vm, 4 KiB pages, quirks': '031eca16bb88129f',
  })
})

for (const level of LEVELS) {
  test(`level ${level}: every line is one JSON object; the first says what the file is; the model passes its own file`, () => {
    const text = textOf({ level, ops: 3000, seed: 5, weights: { quirks: 1 } })
    const lines = text.trimEnd().split('\n')
    const [first, ...operations] = lines.map((line) => JSON.parse(line))
    expect(first).toMatchObject({ format: 'nested-rmap vectors', version: 1, level, ops: 3000, seed: 5 })
    expect(operations.length).toBe(3000)
    for (const { op, answer } of operations) {
      expect([op, typeof first.about[op], typeof answer]).toEqual([op, 'string', 'object'])
    }
    for (const chunk of [1, 1000, 2 ** 20]) {
      expect(check(text, chunk)).toEqual({
        level,
        operations: 3000,
        difference: undefined,
        incomplete: undefined,
        lacking: new Map(),
      })
    }
  })

  test(`level ${level}: another seed gives another sequence, and integers above 2^53 are strings`, () => {
    const one = textOf({ level, ops: 500, seed: 1 })
    expect(textOf({ level, ops: 500, seed: 2 }).split('\n').slice(1)).not.toEqual(one.split('\n').slice(1))
    JSON.parse(`[${one.trimEnd().replaceAll('\n', ',')}]`, (_, value) => {
      if (typeof value === 'number') expect(Number.isSafeInteger(value)).toBe(true)
      return value
    })
  })

  test(`level ${level}: a change of any number in an answer is a difference in its line`, () => {
    const lines = textOf({ level, ops: level === 'vm' ? 220 : 60, seed: 9 })
      .trimEnd()
      .split('\n')
    for (let at = level === 'vm' ? 160 : 1; at < lines.length; at++) {
      const [operation, answer] = lines[at]!.split('"answer":')
      for (const { index } of answer!.matchAll(/\d(?=[,"\]}])/g)) {
        const other = (Number(answer![index]) + 1) % 10
        const changed = `${answer!.slice(0, index)}${other}${answer!.slice(index + 1)}`
        const text = [...lines.slice(0, at), `${operation}"answer":${changed}`, ...lines.slice(at + 1)].join('\n')
        expect(check(text).difference?.line).toBe(at + 1)
      }
    }
  })
}

test('a file that is cut off is never a pass, wherever it is cut', () => {
  const bytes = new TextEncoder().encode(textOf({ level: 'memslot', ops: 25 }))
  for (let end = 0; end < bytes.length - 1; end++) {
    const cut = bytes.subarray(0, end)
    let verdict: VectorCheckResult | LineError
    try {
      verdict = check(cut)
    } catch (error) {
      expect(error).toBeInstanceOf(LineError)
      continue
    }
    expect(verdict.incomplete).toEqual(expect.any(String))
  }
  expect(check(bytes.subarray(0, -1)).incomplete).toBe(undefined) // without its last line end
  expect(check('').incomplete).toBe('it is empty')
  expect(check('\n\n').incomplete).toBe('it is empty')
  expect(check(byHand()).incomplete).toBe('it has no operation')
  expect(check(`${textOf({ level: 'memslot', ops: 25 }).split('\n').slice(0, 11).join('\n')}\n`).incomplete).toBe(
    'it ends after line 11 with 10 operations; its first line says 25',
  )
  const run = new VectorCheck()
  run.feed(bytes.subarray(0, 3000))
  expect(run.result.incomplete).toContain('it ends after line')
  const hand = new VectorCheck()
  hand.feed(new TextEncoder().encode(byHand({ op: 'entries', gfn: 1, answer: { entries: [], word: '0x0' } })))
  expect(hand.result.incomplete).toBe('its end was not read')
})

test('a line that cannot be read or run is an error with its line', () => {
  const good = { op: 'insert', gfn: 1, lpid: 1, gpa: 0, answer: { outcome: 'empty', word: '0x10000000000001' } }
  const second =
    (line: object): (() => unknown) =>
    () =>
      check(byHand(good, line))
  for (const [line, reason] of [
    [{ op: 'remove', gfn: 1, answer: {} }, 'op: expected one of insert, entries, takeAll, got "remove"'],
    [{ gfn: 1, answer: {} }, 'op: expected one of insert, entries, takeAll, got none'],
    [{ op: 'toString', answer: {} }, 'op: expected one of insert, entries, takeAll, got "toString"'],
    [{ op: 'insert', gfn: 1, lpid: 1, answer: {} }, 'insert: expected gpa'],
    [{ op: 'entries', gfn: 1, lpid: 1, answer: {} }, 'entries: unknown "lpid"; it has gfn'],
    [{ op: 'entries', gfn: 1 }, 'answer: expected an object, got (missing)'],
    [{ op: 'entries', gfn: 1, answer: [] }, 'answer: expected an object, got []'],
    [{ op: 'entries', gfn: 4, answer: {} }, 'gfn: no memslot has 4'],
    [{ op: 'entries', gfn: '1', answer: {} }, 'gfn: no memslot has "1"'],
    [{ ...good, lpid: 0 }, 'lpid: expected an integer in 1..4095, got 0'],
    [{ ...good, gpa: '0x0' }, 'gpa: expected an integer in 0x0..0xfffffffffffff, got string "0x0"'],
    [[], 'expected one JSON object (a line that was cut off?)'],
  ] as const) {
    refuses(second(line), LineError, `line 3: ${reason}`)
  }
  refuses(
    () => check(`${byHand(good)}{"op":`),
    LineError,
    'line 3: expected one JSON object (a line that was cut off?)',
  )
  refuses(
    () => check(new Uint8Array([0xff, 0x0a])),
    LineError,
    'line 1: expected one JSON object (a line that was cut off?)',
  )
  const first =
    (line: object): (() => unknown) =>
    () =>
      check(`${JSON.stringify({ ...HEADER, ...line })}\n`)
  for (const [line, reason] of [
    [{ format: 'x' }, 'format: expected "nested-rmap vectors" in the first line, got "x"'],
    [{ version: 2 }, 'version: expected 1, got 2'],
    [{ level: 'toString' }, 'level: expected one of entry, memslot, vm, got "toString"'],
    [{ ops: 0 }, 'ops: expected how many operations follow, at least 1, got 0'],
    [
      { settings: { memslots: [{ baseGfn: -1, npages: 1 }] } },
      'baseGfn: expected an integer in 0x0..0xfffffffffffff, got -0x1',
    ],
  ] as const) {
    refuses(first(line), LineError, `line 1: ${reason}`)
  }
  const more = textOf({ level: 'entry', ops: 2 })
  refuses(
    () => check(more + more.split('\n')[2]!),
    LineError,
    'line 4: expected the end of the file: its first line says 2 operations',
  )
})

test('a file by hand: words in any form, the counts may be missing, nothing else', () => {
  const good = {
    op: 'insert',
    gfn: 1,
    lpid: 0xabc,
    gpa: 0x1000,
    answer: { outcome: 'empty', word: '0xABC0000000001001' },
  }
  expect(check(byHand(good))).toMatchObject({ operations: 1, difference: undefined, incomplete: undefined })
  expect([...check(byHand(good)).lacking]).toEqual([
    ['scanSteps', 1],
    ['nodes', 1],
  ])
  const other = (answer: object): string | undefined => check(byHand({ ...good, answer })).difference?.text
  expect(other({ outcome: 'empty' })).toContain('word\n    file   (missing)\n    model  "0xabc0000000001001"')
  expect(other({ ...good.answer, steps: 0 })).toContain('steps\n    file   0\n    model  (missing)')
  expect(other({})).toContain('outcome\n    file   (missing)\n    model  "empty"')
})

test('the first difference: the operation, both answers, the rule, and what came before it on the same gfn', () => {
  const insert = (gfn: number, lpid: number, outcome: string): object => ({
    op: 'insert',
    gfn,
    lpid,
    gpa: 0x1000,
    answer: { outcome, word: outcome === 'empty' ? `0x${lpid}0000000001001` : 'list' },
  })
  const { difference } = check(
    byHand(insert(1, 1, 'empty'), insert(2, 3, 'empty'), insert(1, 2, 'second'), insert(1, 1, 'list')),
  )
  expect(difference).toEqual({
    line: 5,
    operation: { op: 'insert', gfn: 1, lpid: 1, gpa: 0x1000 },
    properties: ['outcome'],
    text: `  {"op":"insert","gfn":1,"lpid":1,"gpa":4096}
  outcome
    file   "list"
    model  "duplicate"
    (the entry is already in the slot: an insert compares it with every entry of the list first (spec 3))
  before it:
    line 2  {"op":"insert","gfn":1,"lpid":1,"gpa":4096} -> {"outcome":"empty","scanSteps":0,"word":"0x10000000001001","nodes":0}
    line 4  {"op":"insert","gfn":1,"lpid":2,"gpa":4096} -> {"outcome":"second","scanSteps":1,"word":"list","nodes":1}`,
  })
})

test('a word that is a JSON number: the difference says that words are strings', () => {
  const says = '(a 64-bit word is a string in hex ("0x..."): a JSON number is exact only up to 2^53)'
  const insert = { op: 'insert', gfn: 1, lpid: 1, gpa: 0x1000, answer: { outcome: 'empty', word: 0x10000000001001 } }
  const { difference } = check(byHand(insert))
  expect(difference!.text).toContain(`word\n    file   ${0x10000000001001}\n    model  "0x10000000001001"\n    ${says}`)
  expect(check(byHand({ op: 'entries', gfn: 1, answer: { entries: [], word: 0 } })).difference!.text).toContain(says)
  const names = { ...insert, answer: { outcome: 1, word: '0x10000000001001' } }
  expect(check(byHand(names)).difference!.text).not.toContain(says)
  // in a list of leaves
  const lines = [...vectors({ level: 'vm', ops: 300 })]
  const at = lines.findIndex((line) => /"host":\[\[\d+,\d+,"0x/.test(line))
  lines[at] = lines[at]!.replace(/("host":\[\[\d+,\d+,)"0x\w+"/, '$10')
  expect(check(`${lines.join('\n')}\n`).difference!.text).toContain(says)
})

test('refused options, by name', () => {
  const first =
    (options: object): (() => unknown) =>
    () =>
      vectors({ level: 'entry', ops: 1, ...options }).next()
  refuses(first({ level: 'page' }), RangeError, 'level: expected one of entry, memslot, vm, got page')
  refuses(first({ ops: 0 }), RangeError, 'ops: expected an integer in 1..9007199254740991, got 0')
  refuses(first({ seed: 2 ** 32 }), RangeError, 'seed: expected an integer in 0..4294967295, got 4294967296')
  refuses(first({ weights: { long: -1 } }), RangeError, 'weights.long: expected an integer in 0..1000, got -1')
  refuses(
    first({ weights: { rare: 1 } }),
    TypeError,
    'weights: unknown option "rare"; did you mean races? expected races, large, reuse, memslots, malformed, long, quirks',
  )
  refuses(first({ weights: null }), TypeError, 'weights: expected an object, got null')
  refuses(() => vectors(undefined as never).next(), TypeError, 'options: expected an object, got undefined')
})

test('what is rare can be left out, or be frequent', () => {
  const longest = (long: number): number => {
    const operations = [...vectors({ level: 'memslot', ops: 5000, weights: { long } })].slice(1)
    return Math.max(...operations.map((line) => JSON.parse(line).answer.entries?.length ?? 0))
  }
  expect(longest(0)).toBeLessThan(longest(1))
  expect(longest(1)).toBeLessThan(longest(50))
})

test('level vm: every operation occurs, and faults end in every way', () => {
  const seen = new Set<string>()
  const outcomes = new Set<string>()
  for (const weights of [{}, { quirks: 1, malformed: 20, reuse: 5, races: 5 }]) {
    for (const line of [...vectors({ level: 'vm', ops: 6000, seed: 3, weights })].slice(1)) {
      const { op, answer } = JSON.parse(line)
      seen.add(op)
      const { outcome, reason, change, insert, status } = answer
      if ((outcome ?? status) !== undefined)
        outcomes.add([op, outcome ?? status, reason ?? insert ?? change].join(' ').trim())
    }
  }
  expect([...seen].sort()).toEqual(
    Object.keys(JSON.parse(vectors({ level: 'vm', ops: 1 }).next().value!).about)
      .filter((name) => !/^file|\./.test(name))
      .sort(),
  )
  expect([...outcomes].filter((text) => text.startsWith('fault')).sort()).toEqual([
    'fault fault-to-l2',
    'fault forward-to-l1 malformed',
    'fault forward-to-l1 no-root',
    'fault forward-to-l1 no-translation',
    'fault forward-to-l1 not-allowed',
    'fault invalid',
    'fault mapped duplicate',
    'fault mapped empty',
    'fault mapped grown',
    'fault mapped list',
    'fault mapped second',
    'fault mmio',
    'fault outside-memslot',
    'fault present',
    'fault retry mmu-seq',
    'fault retry no-backing',
    'fault retry refused',
  ])
})

test('level vm: what is malformed or refers to nothing is an error with its line', () => {
  const header = { ...HEADER, level: 'vm', settings: {} }
  const file = (...lines: object[]): string => [header, ...lines].map((line) => `${JSON.stringify(line)}\n`).join('')
  for (const [line, reason] of [
    [{ op: 'commit', fault: 1 }, 'fault: there is no 1'],
    [{ op: 'endUnmap', unmap: 1 }, 'unmap: there is no 1'],
    [{ op: 'endSetLogDirty', change: 1 }, 'change: there is no 1'],
    [{ op: 'leave', held: 0 }, 'held: there is no 0'],
    [{ op: 'flushMemslot', memslot: 2 }, 'memslot: there is no 2'],
    [{ op: 'map', table: 0, gpa: 0, to: 0, shift: 16, flags: 0 }, 'table: there is no 0'],
    [{ op: 'fault', gpa: 0, access: 'read' }, 'expected either lpid or held'],
    [{ op: 'fault', lpid: 1, held: 1, gpa: 0, access: 'read' }, 'expected either lpid or held'],
    [{ op: 'fault', lpid: 1, gpa: 0, access: 'run' }, 'access: expected one of read, write, execute, got run'],
    [
      { op: 'tlbInvalidate', instr: 65536, rs: '0x1', rb: '0x0' },
      'instr: expected a 64-bit word as a string in hex ("0x..."), got 65536',
    ],
    [
      { op: 'back', gfn: 1, npages: 32, hpa: 0, shift: 21 },
      'back: gfn and npages: expected multiples of 32, the host page',
    ],
    [
      { op: 'back', gfn: 0, npages: 32, hpa: 0, shift: 21, copy: 0 },
      'back: copy: only base pages can be copied when they are written',
    ],
    [
      { op: 'back', gfn: 0, npages: 1, hpa: 4096, shift: 16 },
      'back: hpa and copy: expected host addresses of base pages, below 2^53',
    ],
  ] as const) {
    refuses(() => check(file({ ...line, answer: {} })), LineError, `line 2: ${reason}`)
  }
})
