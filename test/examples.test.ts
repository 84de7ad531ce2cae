/**
 * The programs in test/examples run as a user would run them: each is compiled, then run by Node with the built package,
 * which it imports by its name. What it prints is what its comments `// => text` say.
 */
import { spawnSync } from 'node:child_process'
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import ts from 'typescript'
import { expect, test } from 'vitest'
import { promised } from './support/examples'

const FOLDER = fileURLToPath(new URL('./examples/', import.meta.url))
const BUILT = fileURLToPath(new URL('../dist/examples/', import.meta.url))
const FILES = readdirSync(FOLDER).filter((name) => name.endsWith('.ts'))

test('there are the seven examples that the README names', () => {
  expect(FILES.sort()).toEqual([
    'benchmark.ts',
    'dirty-logging.ts',
    'lockstep.ts',
    'lpid-reuse.ts',
    'own-tables.ts',
    'property.ts',
    'race.ts',
  ])
})

for (const name of FILES) {
  test(`${name}: it is short, it runs, and it prints what it says`, () => {
    const source = readFileSync(`${FOLDER}${name}`, 'utf8')
    expect(source.split('\n').length).toBeLessThanOrEqual(61)
    const options = { module: ts.ModuleKind.ESNext, target: ts.ScriptTarget.ES2022, verbatimModuleSyntax: true }
    const program = `${BUILT}${name.replace(/\.ts$/, '.mjs')}`
    mkdirSync(BUILT, { recursive: true })
    writeFileSync(program, ts.transpileModule(source, { compilerOptions: options }).outputText)
    const { status, stdout, stderr } = spawnSync(process.execPath, [program], { encoding: 'utf8' })
    expect({ status, stdout, failed: /Error/.test(stderr) }).toEqual({
      status: 0,
      stdout: promised(source)
        .map((line) => `${line}\n`)
        .join(''),
      failed: false,
    })
  })
}
