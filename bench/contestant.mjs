/**
 * One contestant in a process of its own, so that none pays for another's garbage or type feedback. A line
 * `kind npages per` on standard input is a round; the answer is `ns digest scanSteps`, as floor.c's. ns is 0 for what
 * it has not, scanSteps -1 if it does not count them.
 */
import { readFileSync } from 'node:fs'
import { createInterface } from 'node:readline'
import { gunzipSync } from 'node:zlib'
import { Memslot, RadixTable, RangeCounters, removeRmapRange } from '../dist/index.js'
import { Replay } from '../dist/trace.js'
import { packEntry, packEntryPair, unpackEntry, unpackEntryPair } from '../dist/entry.js'
import { makeInput, takeOrder } from './inputs.mjs'
import { bigintEntry, LinkedObjects, MapOfArrays, MapOfSets, mapShadows, readWithRegExp } from './peers.mjs'

/** What each brings: a memslot, shadow tables and their walk, the encodings. */
const contestants = {
  'nested-rmap': {
    Rmap: Memslot,
    newShadow: () => new RadixTable({ pageShift: 16 }),
    setLeaf: (shadow, gpa, hpa) => shadow.set(gpa, 16, 0xc000000000000186n | BigInt(hpa)),
    walker(memslot, guests) {
      const counters = new RangeCounters()
      return {
        page: (gfn, hpa) => removeRmapRange(guests, { memslot, gfn, npages: 1, hpa, shift: 16 }, undefined, counters),
        met: () => [counters.cleared, counters.staleNoGuest, counters.staleNoLeaf, counters.staleOtherFrame],
      }
    },
    replay(bytes) {
      const replay = new Replay()
      replay.feed(bytes)
      replay.end()
      const { events, inserts, taken, differences } = replay.result()
      return [events, inserts.duplicate, taken.entries, differences]
    },
    pack: packEntry,
    unpack: unpackEntry,
    packPair: packEntryPair,
    unpackPair: unpackEntryPair,
  },
  'Map of Set<bigint>': { Rmap: MapOfSets, ...mapShadows, ...bigintEntry, replay: readWithRegExp },
  'Map of number[]': { Rmap: MapOfArrays, ...mapShadows },
  'linked objects': { Rmap: LinkedObjects, ...mapShadows },
}
const { Rmap, newShadow, setLeaf, walker, pack, unpack, packPair, unpackPair, replay } = contestants[process.argv[2]]

let digest = 0
function mix(value) {
  digest = (Math.imul(digest, 31) + value) | 0
}
function mixEntry(lpid, gpa) {
  digest = (Math.imul(digest, 31) + lpid) | 0
  digest = (Math.imul(digest, 31) + (gpa / 4096)) | 0
}

let clock = 0n
let ns = 0
function start() {
  clock = process.hrtime.bigint()
}
function stop() {
  ns = Number(process.hrtime.bigint() - clock)
}

function insertAll(rmap, { count, gfn, lpid, gpa }) {
  let duplicates = 0
  for (let i = 0; i < count; i++) if (rmap.insert(gfn[i], lpid[i], gpa[i]) === 'duplicate') duplicates++
  return duplicates
}

const kinds = {
  insert(rmap, input, npages) {
    const fills = Math.max(1, Math.floor(2 ** 17 / input.count)) // a short round would time the compiler
    start()
    for (let i = 1; i < fills; i++) insertAll(new Rmap({ baseGfn: 0, npages }), input)
    const duplicates = insertAll(rmap, input)
    stop()
    ns = Math.round(ns / fills)
    for (let gfn = 0; gfn < npages; gfn++) rmap.takeAll(gfn, mixEntry)
    return duplicates
  },

  duplicate(rmap, input, npages) {
    insertAll(rmap, input)
    start()
    const duplicates = insertAll(rmap, input)
    stop()
    for (let gfn = 0; gfn < npages; gfn++) rmap.takeAll(gfn, mixEntry)
    return duplicates
  },

  take(rmap, input, npages) {
    insertAll(rmap, input)
    const order = takeOrder(npages)
    start()
    for (let i = 0; i < npages; i++) rmap.takeAll(order[i], mixEntry)
    stop()
    return 0
  },

  // gfn g is at host page g; of every three entries one is stale
  walk(rmap, input, npages, per) {
    insertAll(rmap, input)
    const order = takeOrder(npages)
    const guests = new Map()
    for (let lpid = 1; lpid <= per; lpid++) guests.set(lpid, { shadow: newShadow() })
    const { count, gfn, lpid, gpa } = input
    for (let i = 0; i < count; i++) {
      if ((gfn[i] + lpid[i]) % 3 !== 0) setLeaf(guests.get(lpid[i]).shadow, gpa[i], gfn[i] * 65536)
    }
    const { page, met } = walker(rmap, guests)
    start()
    for (let i = 0; i < npages; i++) page(order[i], order[i] * 65536)
    stop()
    met().forEach(mix)
    return 0
  },

  // of recording A, uncompressed in memory, again and again
  async replay(_, input, npages, per) {
    const bytes = gunzipSync(readFileSync(new URL('../test/data/A.txt.gz', import.meta.url)))
    start()
    let answer
    for (let i = 0; i < per; i++) answer = await replay(bytes)
    stop()
    answer.forEach(mix)
    return 0
  },

  pack(_, { count, lpid, gpa }) {
    const words = new BigUint64Array(count)
    start()
    for (let i = 0; i < count; i++) words[i] = pack(lpid[i], gpa[i])
    stop()
    new Int32Array(words.buffer).forEach(mix)
    return 0
  },

  unpack(_, { count, lpid, gpa }) {
    const words = BigUint64Array.from({ length: count }, (_, i) => bigintEntry.pack(lpid[i], gpa[i]))
    start()
    for (let i = 0; i < count; i++) {
      const entry = unpack(words[i])
      mixEntry(entry.lpid, entry.gpa)
    }
    stop()
    return 0
  },

  'pack-pair'(_, { count, lpid, gpa }) {
    const halves = new Int32Array(count * 2)
    start()
    for (let i = 0; i < count; i++) {
      const pair = packPair(lpid[i], gpa[i])
      halves[i * 2] = pair.lo
      halves[i * 2 + 1] = pair.hi
    }
    stop()
    halves.forEach(mix)
    return 0
  },

  'unpack-pair'(_, { count, lpid, gpa }) {
    const words = BigUint64Array.from({ length: count }, (_, i) => bigintEntry.pack(lpid[i], gpa[i]))
    const halves = new Uint32Array(words.buffer)
    start()
    for (let i = 0; i < count; i++) {
      const entry = unpackPair({ hi: halves[i * 2 + 1], lo: halves[i * 2] })
      mixEntry(entry.lpid, entry.gpa)
    }
    stop()
    return 0
  },
}

let input
for await (const line of createInterface({ input: process.stdin })) {
  const [kind, npages, per] = line.split(' ').map((word, i) => (i === 0 ? word : Number(word)))
  if (input?.key !== `${npages} ${per}`) input = { key: `${npages} ${per}`, ...makeInput(npages, per) }
  const rmap = new Rmap({ baseGfn: 0, npages })
  digest = 0
  ns = 0
  const extras = { replay, pack, unpack, 'pack-pair': packPair, 'unpack-pair': unpackPair }
  if (!(kind in extras) || extras[kind] !== undefined) mix(await kinds[kind](rmap, input, npages, per))
  process.stdout.write(`${ns} ${digest >>> 0} ${kind === 'replay' ? -1 : rmap.counters?.scanSteps ?? -1}\n`)
}
