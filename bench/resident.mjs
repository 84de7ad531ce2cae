/** Measures the resident memory of a memslot of 2^24 gfns: new, and after inserts into 1,000 gfns. Checks nothing. */
import { Memslot } from '../dist/index.js'

const before = process.memoryUsage().rss
const grown = () => `${((process.memoryUsage().rss - before) / 2 ** 20).toFixed(1)} MiB`
const memslot = new Memslot({ baseGfn: 0, npages: 2 ** 24 })
const made = grown()
for (let i = 0; i < 1000; i++) memslot.insert((i * 16769) % memslot.npages, 1, i * 65536)
console.log(
  `A memslot of 2^24 gfns: ${memslot.words.byteLength / 2 ** 20} MiB of words; resident: ${made}, after inserts into 1,000 gfns ${grown()}.`,
)
