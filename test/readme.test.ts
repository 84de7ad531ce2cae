/** The examples of the README run, and come out as their comments say. */
import { readFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import * as entry from '../src/rmap/entry'
import * as trace from '../src/trace/index'
import * as main from '../src/index'

const README = readFileSync(new URL('../README.md', import.meta.url), 'utf8')
const EXAMPLES = [...README.matchAll(/```ts\n([^]*?)```/g)].map(([, code]) => code!)

/** Runs an example; returns what it logged, then the value of each line that is an expression. */
function run(code: string): { logged: unknown[][]; values: unknown[] } {
  const logged: unknown[][] = []
  const values: unknown[] = []
  const body = code
    .replace(/^import \{(.*)\} from '.*'\n/gm, 'const {$1} = exported\n')
    .replace(': string[]', '')
    .replace(/^((?:\w+Entry|slot\.\w+).*?)(?:\s*\/\/.*)?$/gm, 'values.push($1)')
  new Function('exported', 'console', 'values', body)(
    { ...main, ...entry, ...trace },
    { log: (...args: unknown[]) => logged.push(args) },
    values,
  )
  return { logged, values }
}

test('the first: an L1, its guest, three faults, and a page that goes', () => {
  const { logged } = run(EXAMPLES[0]!)
  expect(logged.slice(0, 3)).toEqual([
    ['mapped', '0x50000000010001'],
    ['mapped', '0x10'],
    ['mapped', '0x20'],
  ])
  expect(logged.slice(3)).toEqual([
    [5, '30000', 'cleared'],
    [5, '20000', 'cleared'],
    [5, '10000', 'cleared'],
    [3, 0n, []],
  ])
  expect(EXAMPLES[0]!.trim().split('\n').length).toBeLessThan(20)
})

test('the entry and the slots alone', () => {
  expect(run(EXAMPLES[1]!).values).toEqual([0x30000030261000n, { lpid: 3, gpa: 0x30261000 }])
  expect(run(EXAMPLES[2]!).values).toEqual([
    'empty',
    'second',
    'duplicate',
    [
      { lpid: 6, gpa: 0x20000 },
      { lpid: 5, gpa: 0x10000 },
    ],
    3,
    2,
  ])
})

test('a recording that the model writes', () => {
  expect(run(EXAMPLES[3]!).logged).toEqual([[1, 0]])
})

test('a snapshot', () => {
  expect(run(EXAMPLES[4]!).logged).toEqual([[[], expect.any(Number)]])
})

test('what, for whom, use and limits stand in its first forty lines', () => {
  const head = README.split('\n').slice(0, 40).join('\n')
  for (const part of [
    'executable model',
    'npm ci && npm start',
    'npm ci && npm test',
    'npm install nested-rmap',
    '**Limits.**',
  ]) {
    expect(head).toContain(part)
  }
})
