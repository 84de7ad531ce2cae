// Runs many random operations on one L1: its invariants must hold and its memory must not grow.
//
//     npm run build && node bench/soak.mjs [operations, 1e6 by default] [seed]
//
// Exit code 1 if an invariant is broken, a list is longer than possible, or resident memory keeps growing.
import { GuestTable, restore, snapshot, Vm } from '../dist/index.js'

const operations = Number(process.argv[2] ?? 1e6)
const seed = Number(process.argv[3] ?? 1)
const GUESTS = 16
const PAGES = 2048 // of each nested guest, and of L1
const SIZE = 0x10000

let state = seed | 1
/** xorshift32: 0..below-1 */
function random(below) {
  state ^= state << 13
  state ^= state >>> 17
  state ^= state << 5
  return (state >>> 0) % below
}

let vm = new Vm({ pageShift: 16, backing })
/** A part of L1's memory is backed by 2 MiB pages. The others have another frame each time. */
function backing(gfn) {
  return gfn < PAGES / 4 ? { frame: 0x100000 + gfn * 16, shift: 21 } : { frame: (0x1000 + random(0x10000)) * 16 }
}
vm.addMemslot({ baseGfn: 0, npages: PAGES / 2 })
vm.addMemslot({ baseGfn: PAGES / 2, npages: PAGES / 2, logDirty: true })
for (let lpid = 1; lpid <= GUESTS; lpid++) fill(vm.setGuestTable(lpid, new GuestTable()))

function fill(table) {
  for (let page = 0; page < PAGES; page++) table.map({ gpa: page * SIZE, to: random(PAGES) * SIZE })
}

function step() {
  const kind = random(1000)
  const lpid = 1 + random(GUESTS)
  const gpa = random(PAGES) * SIZE
  if (kind < 700) vm.fault({ lpid, gpa, access: kind < 250 ? 'write' : 'read' })
  else if (kind < 820) vm.tlbie({ kind: 'page', lpid, gpa, shift: 16 })
  else if (kind < 900) vm.unmap(random(PAGES))
  else if (kind < 950) vm.age(random(PAGES))
  else if (kind < 998) {
    vm.guestTable(lpid).map({ gpa, to: random(PAGES) * SIZE })
    vm.tlbie({ kind: 'page', lpid, gpa, shift: 16 })
  } else if (kind < 999) {
    if (random(20) === 0) vm.harvestDirty(vm.memslots[1])
  } else if (random(50) === 0) {
    const table = vm.guestTable(lpid)
    vm.setGuestTable(lpid, undefined) // the nested guest is dropped and created again
    vm.tlbie({ kind: 'lpid', lpid, ric: 2 })
    vm.setGuestTable(lpid, table)
  } else if (random(25) === 0) {
    vm.setLogDirty(vm.memslots[1], !vm.memslots[1].logDirty)
    if (!vm.memslots[1].logDirty) vm.setLogDirty(vm.memslots[1], true)
  }
}

function fail(message) {
  console.error(`soak: ${message}`)
  process.exit(1)
}

function examine(done) {
  const broken = vm.check()
  if (broken.length > 0)
    fail(`${broken.length} broken invariants after ${done} operations: ${JSON.stringify(broken[0])}`)
  const { longestList, nodes, tablePages } = vm.counters
  if (longestList > GUESTS * PAGES) fail(`a list has ${longestList} entries`)
  const mebibytes = process.memoryUsage().rss / 2 ** 20
  const seconds = (performance.now() - start) / 1000
  console.log(
    `${done.toExponential(1)} operations, ${seconds.toFixed(1)} s: ${mebibytes.toFixed(0)} MiB resident, ` +
      `${nodes.inUse} nodes (${nodes.peak} at most), ${tablePages} table pages, longest list ${longestList}`,
  )
  return mebibytes
}

const start = performance.now()
const rounds = 20
const resident = []
for (let round = 1; round <= rounds; round++) {
  for (let n = 0; n < operations / rounds; n++) step()
  if (round === rounds / 2) vm = restore(snapshot(vm), { backing }) // the second half runs on a restored L1
  resident.push(examine(Math.round((operations * round) / rounds)))
}
const early = Math.max(...resident.slice(0, rounds / 2))
const late = Math.max(...resident.slice(rounds / 2))
if (late > early * 1.25 + 64) fail(`resident memory grew from ${early.toFixed(0)} to ${late.toFixed(0)} MiB`)
const { faults, walks, scanSteps } = vm.counters
console.log(`seed ${seed}: no invariant broken; ${JSON.stringify({ faults, walks, scanSteps })}`)
