/**
 * Another implementation, in C, takes the vectors: test/c/rmap.c with its driver. Four planted mistakes are found, and the
 * first difference names each.
 */
import { spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, expect, test } from 'vitest'
import { VectorCheck, type VectorCheckResult } from '../../src/testing/vector-check'
import { vectors } from '../../src/testing/vectors'

const C = fileURLToPath(new URL('../c/', import.meta.url))
const compiler = ['cc', 'gcc', 'clang'].find((name) => spawnSync(name, ['--version']).status === 0)
const scratch = mkdtempSync(join(tmpdir(), 'nested-rmap-'))
afterAll(() => rmSync(scratch, { recursive: true }))

const VECTORS = `${[...vectors({ level: 'memslot', ops: 100_000 })].join('\n')}\n`

/** Enough to find a mistake. */
const SOME = `${VECTORS.split('\n', 5000).join('\n')}\n`

/** Compiles the driver, with a planted mistake or none, and runs the vectors through it. */
function drive(input: string, mistake?: string): string {
  const program = join(scratch, mistake ?? 'right')
  const flags = ['-std=c11', '-Wall', '-Wextra', '-Werror', '-O1', ...(mistake === undefined ? [] : [`-D${mistake}`])]
  const built = spawnSync(compiler!, [...flags, join(C, 'rmap.c'), join(C, 'driver.c'), '-o', program])
  expect(built.stderr.toString()).toBe('')
  const { status, stdout, stderr } = spawnSync(program, [], { input, maxBuffer: 2 ** 30 })
  expect([status, stderr.toString()]).toEqual([0, ''])
  return stdout.toString()
}

function check(text: string): VectorCheckResult {
  const run = new VectorCheck()
  run.feed(new TextEncoder().encode(text))
  run.end()
  return run.result
}

test('the slots in C pass 100,000 vectors, byte by byte', ({ skip }) => {
  if (compiler === undefined) return skip('no C compiler: cc, gcc and clang were looked for')
  const written = drive(VECTORS)
  expect(written === VECTORS).toBe(true)
  expect(check(written)).toMatchObject({ operations: 100_000, difference: undefined, incomplete: undefined })
})

for (const [mistake, property, named] of [
  ['BUG_NO_SCAN', 'scanSteps', 'an insert compares the entry with every entry of the list before it takes a node'],
  ['BUG_REVERSED', 'entries', 'the same entries in another order: a list is newest first'],
  ['BUG_NO_TAG', 'word', 'the only entry of a slot has bit 0 set, its tag'],
  ['BUG_MASK', 'word', 'an entry has the LPID in bits 63..52 and the 4 KiB frame of the nested address in bits 51..12'],
] as const) {
  test(`the first difference names the planted mistake ${mistake}`, ({ skip }) => {
    if (compiler === undefined) return skip('no C compiler: cc, gcc and clang were looked for')
    const { difference } = check(drive(SOME, mistake))
    expect(difference?.properties).toContain(property)
    expect(difference?.text).toContain(named)
  })
}

test('an implementation that counts no scan steps and no nodes is compared in the rest', ({ skip }) => {
  if (compiler === undefined) return skip('no C compiler: cc, gcc and clang were looked for')
  const without = (text: string): string => text.replace(/"scanSteps":\d+,|,"nodes":\d+/g, '')
  const inserts = VECTORS.match(/"op":"insert"/g)!.length
  const takes = VECTORS.match(/"op":"takeAll"/g)!.length
  const { difference, lacking } = check(without(drive(VECTORS)))
  expect(difference).toBe(undefined)
  expect([...lacking]).toEqual([
    ['scanSteps', inserts],
    ['nodes', inserts + takes],
  ])
  expect(check(without(drive(SOME, 'BUG_NO_SCAN'))).difference?.text).toContain(
    'the entry is already in the slot: an insert compares it with every entry of the list first',
  )
})
