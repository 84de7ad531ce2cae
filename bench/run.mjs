/**
 * `npm run bench [-- WORKLOAD]`: compares the speed of the built package with a native floor, with C code that has the
 * same duties, and with code that one would write without the package. Takes about three minutes.
 *
 * Every contestant is a process that writes one line for each round. After warming up they take turns of two rounds, of
 * which only the second is measured; the medians are shown. A contestant whose digest differs from that of the floor (or,
 * without a C compiler, of the package) is disqualified. Prints the tables of the README in Markdown, and writes
 * results.json: rows of { workload, ns, peer, peerNs, ratio }. ns is the package's time for one operation, ratio is
 * ns / peerNs.
 */
import { spawn, spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { cpus, tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { compareDesigns } from './compare-designs.mjs'
import { WORKLOADS } from './inputs.mjs'

const OURS = 'nested-rmap'
const FLOOR = 'C'
const DUTIES = 'C with our duties'
const WARMING_ROUNDS = 30
const WARMING_MS = 1500 // at most, for one contestant
const ROUNDS = 7
const MIN_ROUNDS = 3
const ROUNDS_MS = 4000 // after that, no more rounds than MIN_ROUNDS
const here = (name) => fileURLToPath(new URL(name, import.meta.url))

// Without this, glibc keeps the memory of freed large buffers: one contestant would reuse pages that another must request.
const env = { ...process.env, MALLOC_MMAP_THRESHOLD_: '131072' }

/** Starts a contestant: a process that reads and writes lines. */
function start({ name, command, args, isNative = false }) {
  const child = spawn(command, args, { stdio: ['pipe', 'pipe', 'inherit'], env })
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]()
  return {
    name,
    isNative,
    async round({ kind, npages, per }) {
      child.stdin.write(`${kind} ${npages} ${per}\n`)
      const { value, done } = await lines.next()
      if (done) throw new Error(`${name} ended`)
      const [ns, digest, scanSteps] = value.split(' ').map(Number)
      return { ns, digest, scanSteps }
    },
    end: () => child.stdin.end(),
  }
}

function compile(name, ...flags) {
  const program = join(folder, name)
  const { status } = spawnSync('cc', ['-O2', ...flags, '-o', program, here('floor.c')], {
    stdio: ['ignore', 'ignore', 'inherit'],
  })
  return status === 0 ? program : undefined
}

const median = (numbers) => numbers.sort((a, b) => a - b)[numbers.length >> 1]
const show = (number) => number.toFixed(number < 0.1 ? 4 : number < 10 ? 2 : number < 100 ? 1 : 0)

const only = process.argv[2] ?? ''
const folder = mkdtempSync(join(tmpdir(), 'nested-rmap-bench-'))
const floor = compile('floor')
if (floor === undefined) console.log('No C compiler (cc): the native floor is omitted.')
const script = (name) => ({ name, command: process.execPath, args: [here('contestant.mjs'), name] })
const native = (name, program) => ({ name, command: program, args: [], isNative: true })
const all = [
  script(OURS),
  ...(floor === undefined ? [] : [native(FLOOR, floor), native(DUTIES, compile('duties', '-DDUTIES'))]),
  script('Map of Set<bigint>'),
  script('Map of number[]'),
  script('linked objects'),
]

const rows = []
const row = (cells) => console.log(`| ${cells.join(' | ')} |`)
console.log(
  `${cpus().length} cores of ${cpus()[0]?.model.trim()}, Node ${process.version}; nanoseconds for one entry, medians of ` +
    `${MIN_ROUNDS} to ${ROUNDS} rounds; in brackets: the package's time divided by this time.\n`,
)
row(['workload', ...all.map(({ name }) => name)])
row(['---', ...all.map(() => '---:')])
for (const { name, kind, npages, per, slow = [] } of WORKLOADS) {
  if (!name.includes(only)) continue
  const times = new Map()
  const answers = new Map()
  // New processes: the engine's compiler has seen nothing but this workload.
  const racers = all.filter((one) => !slow.includes(one.name) && !(kind === 'replay' && one.isNative)).map(start)
  for (const racer of racers) {
    const until = performance.now() + WARMING_MS
    for (let round = 0; round < WARMING_ROUNDS && performance.now() < until; round++) {
      answers.set(racer.name, await racer.round({ kind, npages, per }))
      if (racer.isNative || answers.get(racer.name).ns === 0) break // already compiled, or does not have the operation
    }
  }
  const begun = performance.now()
  for (let round = 0; round < ROUNDS; round++) {
    if (round >= MIN_ROUNDS && performance.now() - begun > ROUNDS_MS) break
    for (const racer of racers) {
      if (answers.get(racer.name).ns === 0) continue
      await racer.round({ kind, npages, per }) // not measured: loads code and data into the caches again
      const { ns } = await racer.round({ kind, npages, per })
      times.set(racer.name, [...(times.get(racer.name) ?? []), ns / (npages * per)])
    }
  }
  for (const { end } of racers) end()
  const truth = answers.get(FLOOR) ?? answers.get(OURS)
  for (const [who, { ns, digest, scanSteps }] of answers) {
    if (ns === 0 || (digest === truth.digest && (scanSteps === -1 || scanSteps === truth.scanSteps))) continue
    if (who === OURS) throw new Error(`${name}: the package's result differs from the floor's`)
    console.log(`${name}: ${who} is disqualified: its result is wrong`)
    times.delete(who)
  }
  const ns = median(times.get(OURS))
  const cells = all.map(({ name: peer }) => {
    if (!times.has(peer)) return '-'
    const peerNs = median(times.get(peer))
    if (peer === OURS) return show(ns)
    rows.push({ workload: name, ns, peer, peerNs, ratio: ns / peerNs })
    return `${show(peerNs)} (${show(ns / peerNs)})`
  })
  row([name, ...cells])
}
console.log('\n-: does not have the operation, or would need minutes.\n')
if (only === '') compareDesigns()
console.log()
spawnSync(process.execPath, [here('resident.mjs')], { stdio: 'inherit' })
rmSync(folder, { recursive: true })
writeFileSync(here('results.json'), `${JSON.stringify(rows, null, 2)}\n`)
