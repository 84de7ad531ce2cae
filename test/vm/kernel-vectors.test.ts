/** What the code of Linux 6.1 did with sequences of operations on an L1, operation by operation (test/data/kernel/). */
import { readFileSync } from 'node:fs'
import { gunzipSync } from 'node:zlib'
import { expect, test } from 'vitest'
import { runVectors } from '../support/kernel-vectors'

const textOf = (name: string): string =>
  gunzipSync(readFileSync(new URL(`../data/kernel/${name}.txt.gz`, import.meta.url))).toString()

for (const [name, count] of [
  ['cases-16', 103],
  ['sizes-12', 8801],
  ['rc-race-16', 4001],
] as const) {
  test(`the model does what Linux does: ${name}`, () => {
    const { operations, divergences } = runVectors(textOf(name))
    expect(divergences.slice(0, 3)).toEqual([])
    expect([operations, divergences.length]).toEqual([count, 0])
  }, 120_000)
}

test('no invariant breaks before L1 moves a page without a tlbie, except those of dropped guests', () => {
  for (const name of ['cases-16', 'rc-race-16']) {
    const mixed = new Set<unknown>()
    const broken: string[] = []
    runVectors(textOf(name), (vm, line) => {
      if (/^h?(fault|commit) .* mixed /.test(line)) mixed.add(vm) // two frames in one leaf: spec 11
      if (mixed.has(vm)) return
      for (const { message } of vm.check())
        if (!message.includes('guest was dropped')) broken.push(`${line}: ${message}`)
    })
    expect(broken).toEqual([])
    if (name === 'rc-race-16') expect(mixed.size).toBeGreaterThan(0)
  }
}, 120_000)

test('a changed result, a changed leaf and a changed list are found', () => {
  const text = textOf('cases-16')
  for (const [from, to] of [
    ['= mapped made 0 16 20 empty', '= mapped made 0 16 20 second'],
    ['h+200000/16:c000000040000187', 'h+200000/16:c000000040000107'],
    ['r20=s,5:0', 'r20=s,6:0'],
    ['c0,8,0,0,0,0,0', 'c1,8,0,0,0,0,0'],
  ] as const) {
    const changed = text.replace(from, to)
    expect(changed).not.toBe(text)
    expect(runVectors(changed).divergences).toHaveLength(1)
  }
})
