/** The examples of the README and of the doc comments are right: they have the types, and print what they say. */
import { readFileSync } from 'node:fs'
import ts from 'typescript'
import { describe, expect, test } from 'vitest'
import { blocks, docExamples, promised, run, session, typeErrors } from './support/examples'

const README = readFileSync('README.md', 'utf8')
const EXAMPLES = [
  ...blocks('ts', README, 'README.md'),
  ...ts.sys.readDirectory('src', ['.ts']).flatMap((file) => docExamples(file.replace(`${process.cwd()}/`, ''))),
]

describe('each example prints what its comments say', () => {
  test.each(EXAMPLES)('$name', async ({ code }) => {
    expect(await run(code)).toEqual(promised(code))
  })
})

test('the examples have no type errors', () => {
  expect(typeErrors(EXAMPLES)).toEqual([])
})

describe('each command prints what the README shows', () => {
  test.each(blocks('console', README, 'README.md'))('$name', ({ code }) => {
    const { promised: said, printed } = session(code)
    expect(printed).toBe(said)
  })
})

test('code and commands in the README fit 80 columns', () => {
  const code = [...README.matchAll(/^```(?:ts|sh|json)\n([^]*?)^```/gm)].flatMap(([, block]) => block!.split('\n'))
  expect(code.filter((line) => line.length > 80)).toEqual([])
})

test('its links within the project lead somewhere', () => {
  const links = [...README.matchAll(/\]\((?!https?:|#)([^)#]+)/g)].map(([, path]) => path!)
  expect(links.length).toBeGreaterThan(0)
  expect(links.filter((path) => !ts.sys.fileExists(path) && !ts.sys.directoryExists(path))).toEqual([])
})

test('each test that it names exists', () => {
  const titles = ts.sys
    .readDirectory('test', ['.ts'])
    .map((file) => readFileSync(file, 'utf8'))
    .join()
  const named = [...README.matchAll(/\| `([^`|]+ [^`|]+ [^`|]+)` \|$|\btests? `([^`]+)`/gm)].map(([, a, b]) => a ?? b!)
  expect(named.length).toBeGreaterThan(10)
  expect(named.filter((name) => !titles.includes(name.replaceAll('\n', ' ')))).toEqual([])
})
