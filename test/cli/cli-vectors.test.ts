import { gzipSync } from 'node:zlib'
import { expect, test } from 'vitest'
import { cli } from '../support/cli'

const VECTORS = cli(['vectors', '--level', 'memslot', '--ops', '300', '--seed', '4']).stdout

test('vectors are written, and checked as text and as gzip', () => {
  expect(VECTORS.split('\n').length).toBe(302)
  const pass = 'standard input: 300 operations of level memslot: no differences from the model\n'
  for (const input of [VECTORS, gzipSync(VECTORS)]) {
    expect(cli(['vectors', '--check', '-'], input)).toEqual({ status: 0, stdout: pass, stderr: '' })
  }
  const vm = cli(['vectors', '--level', 'vm', '--ops', '400', '--page-shift', '12', '--placement', 'faulting']).stdout
  expect(JSON.parse(vm.split('\n')[0]!).settings).toMatchObject({ pageShift: 12, placement: 'faulting' })
  expect(cli(['vectors', '--check', '-'], vm).status).toBe(0)
})

test('a difference: exit code 1, with the line and both answers', () => {
  const { status, stdout, stderr } = cli(
    ['vectors', '--check', '-'],
    VECTORS.replace('"outcome":"second"', '"outcome":"list"'),
  )
  expect(stdout).toMatch(
    /^standard input: line \d+ differs from the model in outcome\n  \{"op":"insert",.*\}\n  outcome\n    file   "list"\n    model  "second"\n/,
  )
  expect({ status, stderr }).toEqual({ status: 1, stderr: '' })
})

test('incomplete: exit code 3, although all operations match', () => {
  const cut = `${VECTORS.split('\n').slice(0, 101).join('\n')}\n`
  expect(cli(['vectors', '--check', '-'], cut)).toEqual({
    status: 3,
    stdout: '',
    stderr:
      'nested-rmap: standard input: incomplete: it ends after line 101 with 100 operations; its first line says 300\n',
  })
  expect(cli(['vectors', '--check', '-'], '').stderr).toBe('nested-rmap: standard input: incomplete: it is empty\n')
  expect(cli(['vectors', '--check', '/dev/null']).status).toBe(3)
})

test('a line that is cut or unknown, damaged gzip, wrong usage: exit code 2', () => {
  expect(cli(['vectors', '--check', '-'], VECTORS.slice(0, 9000))).toMatchObject({
    status: 2,
    stderr: expect.stringMatching(
      /^nested-rmap: standard input: line \d+: expected one JSON object \(a line that was cut off\?\)\n$/,
    ),
  })
  expect(cli(['vectors', '--check', '-'], VECTORS.replace(/"op":"\w+"/, '"op":"push"'))).toMatchObject({
    status: 2,
    stderr: 'nested-rmap: standard input: line 2: op: expected one of insert, entries, takeAll, got "push"\n',
  })
  expect(cli(['vectors', '--check', '-'], gzipSync(VECTORS).subarray(0, 2000)).stderr).toContain(
    'damaged or truncated compressed data',
  )
  for (const [args, message] of [
    [[], 'expected --level entry, memslot or vm, or --check FILE'],
    [['--level', 'page'], '--level: expected one of entry, memslot, vm, got page'],
    [['--level', 'entry', '--ops', '0'], '--ops: expected an integer in 1..9007199254740991, got 0'],
    [['--level', 'entry', '--seed', '-1'], /^Option '--seed' argument is ambiguous/],
    [['--level', 'entry', '--page-shift', '16'], '--page-shift: only for --level vm'],
    [['--level', 'vm', '--page-shift', '14'], '--page-shift: expected 16 (64 KiB pages) or 12 (4 KiB pages), got "14"'],
    [['--level', 'vm', '--placement', 'tail'], '--placement: expected one of head, faulting, got tail'],
    [
      ['--level', 'vm', '--weight', 'rare=1'],
      '--weight: expected NAME=N with a NAME of races, large, reuse, memslots, malformed, long, quirks, got "rare=1"',
    ],
    [['--level', 'vm', '--weight', 'races=1001'], '--weight races: expected an integer in 0..1000, got 1001'],
    [['--level', 'vm', '--weight', 'races=x'], '--weight races: expected a number, in hex (0x...) or decimal, got "x"'],
    [['--check', '-', '--seed', '1'], '--check: the file contains its own options: omit --seed'],
    [['A.jsonl'], 'expected no argument, got "A.jsonl"'],
  ] as const) {
    const { status, stderr } = cli(['vectors', ...args])
    expect(status).toBe(2)
    const said = stderr.replace(/^nested-rmap vectors: /, '').replace(/: see nested-rmap vectors --help\n$/, '')
    if (typeof message === 'string') expect(said).toBe(message)
    else expect(said).toMatch(message)
  }
})
