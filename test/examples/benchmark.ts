/**
 * A benchmark of inserts and invalidations: each of 1024 gfns gets a list of 64 entries, then the host takes every page
 * away. The times are written to standard error. The results are checked, so the engine cannot skip the work.
 */
import { performance } from 'node:perf_hooks'
import { Memslot, RadixTable, removeRmapRange } from 'nested-rmap'

const GFNS = 1024
const ENTRIES = 64
const ROUNDS = 3

for (let round = 1; round <= ROUNDS; round++) {
  const memslot = new Memslot({ baseGfn: 0, npages: GFNS })
  const guests = new Map([[1, { shadow: new RadixTable({ pageShift: 16 }) }]])

  const start = performance.now()
  for (let n = 0; n < ENTRIES; n++) for (let gfn = 0; gfn < GFNS; gfn++) memslot.insert(gfn, 1, n * 0x10000)
  const filled = performance.now()
  let entries = 0
  for (let gfn = 0; gfn < GFNS; gfn++) {
    entries += removeRmapRange(guests, { memslot, gfn, npages: 1, hpa: gfn * 0x10000, shift: 16 }).entries
  }
  const emptied = performance.now()

  const rate = (milliseconds: number): string =>
    `${((GFNS * ENTRIES) / milliseconds / 1000).toFixed(1)} million a second`
  console.error(`round ${round}: insert ${rate(filled - start)}, invalidate ${rate(emptied - filled)}`)
  if (round === ROUNDS) console.log(entries, memslot.counters.scanSteps, memslot.nodes.inUse) // => 65536 2064384 0
}
