/**
 * The inputs of the benchmark, from a seed. floor.c creates the same inputs.
 */
import { existsSync } from 'node:fs'

const LARGE = new URL('../../shared/traces/B.txt.gz', import.meta.url)

/** The recording to replay: the large one if it is next to the project, else the sample. */
export const RECORDING = existsSync(LARGE)
  ? { name: 'B', file: LARGE, events: 87391 }
  : { name: 'A', file: new URL('../test/data/A.txt.gz', import.meta.url), events: 12204 }

/** The workloads on one memslot: `per` entries for each of `npages` gfns. `slow`: contestants that would need minutes. */
export const WORKLOADS = [
  { name: 'first insert, 2^20 gfns', kind: 'insert', npages: 2 ** 20, per: 1 },
  { name: 'insert, lists of 4', kind: 'insert', npages: 2 ** 16, per: 4 },
  { name: 'insert, lists of 13', kind: 'insert', npages: 2 ** 14, per: 13 },
  { name: 'duplicates, lists of 4', kind: 'duplicate', npages: 2 ** 16, per: 4 },
  { name: 'duplicates, lists of 13', kind: 'duplicate', npages: 2 ** 14, per: 13 },
  { name: 'take all, lists of 4', kind: 'take', npages: 2 ** 16, per: 4 },
  { name: 'take all, lists of 13', kind: 'take', npages: 2 ** 14, per: 13 },
  { name: 'walk, 1 leaf per page', kind: 'walk', npages: 2 ** 16, per: 1 },
  { name: 'walk, 4 leaves per page', kind: 'walk', npages: 2 ** 14, per: 4 },
  { name: 'walk, 16 leaves per page', kind: 'walk', npages: 2 ** 12, per: 16 },
  { name: 'one gfn, 4,096 entries', kind: 'insert', npages: 1, per: 4096 },
  { name: 'one gfn, 16,384 entries', kind: 'insert', npages: 1, per: 16384, slow: ['linked objects'] },
  {
    name: 'one gfn, 262,144 entries',
    kind: 'insert',
    npages: 1,
    per: 262144,
    slow: ['C', 'C with our duties', 'Map of number[]', 'linked objects'],
  },
  { name: 'nested fault, cold', kind: 'fault', npages: 2 ** 14, per: 4 },
  { name: 'nested fault, after a tlbie', kind: 'refault', npages: 2 ** 14, per: 4 },
  { name: `replay of ${RECORDING.name}, per event`, kind: 'replay', npages: RECORDING.events, per: 1 },
  { name: 'pack to a word', kind: 'pack', npages: 2 ** 18, per: 1 },
  { name: 'unpack a word', kind: 'unpack', npages: 2 ** 18, per: 1 },
  { name: 'pack to a pair', kind: 'pack-pair', npages: 2 ** 18, per: 1 },
  { name: 'unpack a pair', kind: 'unpack-pair', npages: 2 ** 18, per: 1 },
]

let state = 0

function random32() {
  let z = (state = (state + 0x9e3779b9) | 0)
  z = Math.imul(z ^ (z >>> 16), 0x85ebca6b)
  z = Math.imul(z ^ (z >>> 13), 0xc2b2ae35)
  return (z ^ (z >>> 16)) >>> 0
}

function shuffled(count) {
  const array = new Int32Array(count)
  for (let i = 0; i < count; i++) array[i] = i
  for (let i = count - 1; i > 0; i--) {
    const j = Math.floor((random32() * (i + 1)) / 2 ** 32)
    const swap = array[i]
    array[i] = array[j]
    array[j] = swap
  }
  return array
}

/** The entries in random order. The j-th entry of a gfn has LPID 1 + j; if there is only one gfn, all have LPID 1. */
export function makeInput(npages, per) {
  state = 1
  const count = npages * per
  const order = shuffled(count)
  const gfn = order.map((n) => n / per)
  const lpid = order.map((n) => (npages === 1 ? 1 : 1 + (n % per)))
  const gpa = Float64Array.from(order, (n, i) => (npages === 1 ? n : (gfn[i] * 37) % 262144) * 65536)
  return { count, gfn, lpid, gpa }
}

/** The order in which the lists of the gfns are removed. */
export function takeOrder(npages) {
  state = 2
  return shuffled(npages)
}
