/**
 * One contestant in its own process, so that the garbage and type feedback of others do not affect it. A line
 * `kind npages per` on standard input is a round. It writes `ns digest scanSteps`, as floor.c does. ns is 0 if it does not
 * have the operation, scanSteps is -1 if it does not count them.
 */
import { readFileSync } from 'node:fs'
import { createInterface } from 'node:readline'
import { gunzipSync } from 'node:zlib'
import { GuestTable, Memslot, RadixTable, RangeCounters, removeRmapRange, Vm } from '../dist/index.js'
import { Replay } from '../dist/trace.js'
import { packEntry, packEntryPair, unpackEntry, unpackEntryPair } from '../dist/entry.js'
import { makeInput, RECORDING, takeOrder } from './inputs.mjs'
import { bigintEntry, LinkedObjects, MapL1, MapOfArrays, MapOfSets, mapShadows, readWithRegExp } from './peers.mjs'

/** The operations of each: a memslot, shadow tables and their walk, a complete L1, the encodings. */
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
    newL1(npages) {
      const vm = new Vm()
      const slot = vm.addMemslot({ baseGfn: 0, npages })
      return {
        map: (lpid, gpa, gfn) =>
          (vm.guestTable(lpid) ?? vm.setGuestTable(lpid, new GuestTable())).map({ gpa, to: gfn * 65536 }),
        fault: (lpid, gpa) => vm.fault({ lpid, gpa, access: 'read' }).insert === 'duplicate',
        flush: (lpid) => vm.tlbie({ kind: 'lpid', lpid, ric: 0 }),
        entries: (gfn, visit) => slot.entries(gfn).forEach(({ lpid, gpa }) => visit(lpid, gpa)),
        get scanSteps() {
          return vm.counters.scanSteps
        },
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
const {
  Rmap,
  newShadow,
  setLeaf,
  walker,
  newL1 = (npages) => new MapL1(Rmap, npages),
  pack,
  unpack,
  packPair,
  unpackPair,
  replay,
} = contestants[process.argv[2]]

let digest = 0
function mix(value) {
  digest = (Math.imul(digest, 31) + value) | 0
}
function mixEntry(lpid, gpa) {
  digest = (Math.imul(digest, 31) + lpid) | 0
  digest = (Math.imul(digest, 31) + gpa / 4096) | 0
}

let clock = 0n
let ns = 0
let scanSteps // if the memslot does not count them
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

// Each timed loop is its own function and is called often, so that the engine compiles it separately and before it counts.

function takeEach(rmap, order) {
  for (let i = 0; i < order.length; i++) rmap.takeAll(order[i], mixEntry)
}

/** gfn g is at host page g. */
function removeEach(page, order) {
  for (let i = 0; i < order.length; i++) page(order[i], order[i] * 65536)
}

function packEach(pack, words, { count, lpid, gpa }) {
  for (let i = 0; i < count; i++) words[i] = pack(lpid[i], gpa[i])
}

function unpackEach(unpack, words) {
  for (let i = 0; i < words.length; i++) {
    const entry = unpack(words[i])
    mixEntry(entry.lpid, entry.gpa)
  }
}

function packPairEach(packPair, halves, { count, lpid, gpa }) {
  for (let i = 0; i < count; i++) {
    const pair = packPair(lpid[i], gpa[i])
    halves[i * 2] = pair.lo
    halves[i * 2 + 1] = pair.hi
  }
}

function unpackPairEach(unpackPair, halves) {
  for (let i = 0; i < halves.length; i += 2) {
    const entry = unpackPair({ hi: halves[i + 1], lo: halves[i] })
    mixEntry(entry.lpid, entry.gpa)
  }
}

function furnished({ count, gfn, lpid, gpa }, npages) {
  const l1 = newL1(npages)
  for (let i = 0; i < count; i++) l1.map(lpid[i], gpa[i], gfn[i])
  return l1
}

function faultAll(l1, { count, lpid, gpa }) {
  let duplicates = 0
  for (let i = 0; i < count; i++) if (l1.fault(lpid[i], gpa[i])) duplicates++
  return duplicates
}

function examined(l1, npages, duplicates) {
  for (let gfn = 0; gfn < npages; gfn++) l1.entries(gfn, mixEntry)
  scanSteps = l1.scanSteps
  return duplicates
}

const kinds = {
  insert(rmap, input, npages) {
    const fills = Math.max(1, Math.floor(2 ** 17 / input.count)) // a short round would measure the compiler
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
    takeEach(rmap, order)
    stop()
    return 0
  },

  // one of three entries is stale
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
    removeEach(page, order)
    stop()
    met().forEach(mix)
    return 0
  },

  // each nested guest reads each of its pages
  fault(_, input, npages) {
    const l1 = furnished(input, npages)
    start()
    const duplicates = faultAll(l1, input)
    stop()
    return examined(l1, npages, duplicates)
  },

  // the same again, after a tlbie of all LPIDs
  refault(_, input, npages, per) {
    const l1 = furnished(input, npages)
    faultAll(l1, input)
    for (let lpid = 1; lpid <= per; lpid++) l1.flush(lpid)
    start()
    const duplicates = faultAll(l1, input)
    stop()
    return examined(l1, npages, duplicates)
  },

  // replays a recording, uncompressed in memory
  async replay() {
    const bytes = gunzipSync(readFileSync(RECORDING.file))
    start()
    const answer = await replay(bytes)
    stop()
    answer.forEach(mix)
    scanSteps = -1
    return 0
  },

  pack(_, input) {
    const words = new BigUint64Array(input.count)
    start()
    packEach(pack, words, input)
    stop()
    new Int32Array(words.buffer).forEach(mix)
    return 0
  },

  unpack(_, { count, lpid, gpa }) {
    const words = BigUint64Array.from({ length: count }, (_, i) => bigintEntry.pack(lpid[i], gpa[i]))
    start()
    unpackEach(unpack, words)
    stop()
    return 0
  },

  'pack-pair'(_, input) {
    const halves = new Int32Array(input.count * 2)
    start()
    packPairEach(packPair, halves, input)
    stop()
    halves.forEach(mix)
    return 0
  },

  'unpack-pair'(_, { count, lpid, gpa }) {
    const words = BigUint64Array.from({ length: count }, (_, i) => bigintEntry.pack(lpid[i], gpa[i]))
    const halves = new Uint32Array(words.buffer)
    start()
    unpackPairEach(unpackPair, halves)
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
  scanSteps = undefined
  const extras = { replay, pack, unpack, 'pack-pair': packPair, 'unpack-pair': unpackPair }
  if (!(kind in extras) || extras[kind] !== undefined) mix(await kinds[kind](rmap, input, npages, per))
  process.stdout.write(`${ns} ${digest >>> 0} ${scanSteps ?? rmap.counters?.scanSteps ?? -1}\n`)
}
