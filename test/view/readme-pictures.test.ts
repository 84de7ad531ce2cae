import { readFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import * as library from '../../src/index'
import * as view from '../../src/view/index'

test('the pictures of the README are current', async () => {
  const script = new URL('../../scripts/pictures.mjs', import.meta.url).href
  const { pictures } = (await import(/* @vite-ignore */ script)) as {
    pictures(from: typeof library, and: typeof view): Record<string, string>
  }
  const drawn = Object.entries(pictures(library, view))
  expect(drawn.length).toBeGreaterThan(0)
  for (const [name, svg] of drawn) {
    const kept = readFileSync(new URL(`../../.github/${name}`, import.meta.url), 'utf8')
    expect(kept, `${name}: npm run build && node scripts/pictures.mjs draws it again`).toBe(`${svg}\n`)
  }
})
