// Guards the speed of the built package: V8 loads and checks a module's variable at each use, even one that was declared
// with const. So the constants of the hot paths must be literals in the built code (const enums make them so).
import { readdirSync, readFileSync } from 'node:fs'
import { expect, test } from 'vitest'

const DIST = new URL('../../dist/', import.meta.url)
const MODULES = /^(index|chunk-\w+)\.js$/

/** The top-level declarations of the built library by name, without comments. */
const declarations = new Map<string, string>()
for (const file of readdirSync(DIST).filter((name) => MODULES.test(name))) {
  const code = readFileSync(new URL(file, DIST), 'utf8').replace(/\/\*[^]*?\*\//g, '')
  for (const part of code.split(/^(?=(?:var|function|class|export) )/m)) {
    const name = /^(?:var|function|class) (\w+)/.exec(part)?.[1]
    if (name !== undefined) declarations.set(name, part)
  }
}

/** The declarations with hot code, and the constants that they may name: BigInts, and those that only cold methods use. */
const HOT: [name: string, cold: string[]][] = [
  ['RadixTable', ['INSPECT', 'LEAF', 'MAX_GPA', 'MAX_WORDS', 'NO_HALVES', 'PRESENT']],
  ['NodeHeap', ['FIRST_CAPACITY', 'INSPECT', 'MAX_NODES']],
  ['Memslot', ['INSPECT', 'KNOWN_OPTIONS', 'MAX_NPAGES', 'NO_HALVES']],
  ['DedupIndex', []],
  ['ListWalk', []],
  ['scanList', []],
  ['takeList', []],
  ['clearList', []],
  ['clearEntry', []],
  ['followEntry', []],
  ['isOnPage', []],
  ['toLpid', ['MAX_LPID']],
  ['toNestedGpa', ['MAX_GPA']],
  ['entryHi', []],
  ['entryLo', []],
  ['entryGpa', []],
]

test.each(HOT)('the constants of %s are literals in the built code', (name, cold) => {
  const code = declarations.get(name)
  expect(code, `${name} in dist/`).toBeDefined()
  const strings = /'(?:[^'\\]|\\.)*'|"(?:[^"\\]|\\.)*"|`(?:[^`\\]|\\.)*`/g
  const names = code!.replace(strings, '').match(/(?<!\.)\b[A-Z][A-Z\d]*(?:_[A-Z\d]+)*\b(?!\s*:)/g) ?? []
  expect([...new Set(names)].filter((one) => !cold.includes(one))).toEqual([])
})
