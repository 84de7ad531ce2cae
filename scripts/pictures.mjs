/**
 * Draws the pictures of the README into .github/, with the built package: `npm run build && node scripts/pictures.mjs`.
 * A test checks that they are current.
 */
import { mkdirSync, writeFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'

/** The pictures, by file name. */
export function pictures({ Memslot }, { slotsOf, slotsSvg }) {
  const memslot = new Memslot({ baseGfn: 0, npages: 3 })
  memslot.insert(1, 1, 0x10000)
  for (const lpid of [1, 2, 3]) memslot.insert(2, lpid, lpid * 0x10000)
  const title =
    'The three forms of an rmap slot: no entry, one entry in the word itself, a list with the newest entry first'
  return { 'rmap-slots.svg': slotsSvg(slotsOf(memslot, [0, 1, 2]), { title }) }
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const [library, view] = await Promise.all(['index', 'view'].map((name) => import(`../dist/${name}.js`)))
  const folder = new URL('../.github/', import.meta.url)
  mkdirSync(folder, { recursive: true })
  for (const [name, svg] of Object.entries(pictures(library, view))) writeFileSync(new URL(name, folder), `${svg}\n`)
}
