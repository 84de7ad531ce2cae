/**
 * The cost of each design of a reverse map for a page with 13, 256 or 4,096 entries: compares, allocations, bytes and time
 * of one operation. The times are those of the JavaScript classes in designs.mjs: compare them only with each other. A
 * design with a wrong result is disqualified. Prints a table in Markdown. Without the scan each repeated fault would add
 * a node; "find a duplicate" is then the cost of a search. The compares of the index include its construction.
 */
import { Memslot } from '../dist/index.js'
import { Descriptors, NestedList, SortedTree } from './designs.mjs'

const LENGTHS = [13, 256, 4096]
const ROUNDS = 15
const median = (numbers) => numbers.sort((a, b) => a - b)[numbers.length >> 1]

/** The package itself: Linux's list, with an index for long lists. Its compares are those it made, not those it reports. */
class Package {
  static #FRAMES = 2 ** 40
  #memslot = new Memslot({ baseGfn: 0, npages: 1 })

  insert(entry) {
    return (
      this.#memslot.insert(0, Math.floor(entry / Package.#FRAMES), (entry % Package.#FRAMES) * 4096) !== 'duplicate'
    )
  }

  has(entry) {
    return !this.insert(entry)
  }

  remove() {
    return undefined
  }

  removeAll() {
    return this.#memslot.takeAll(0)
  }

  get compares() {
    return this.#memslot.work
  }

  get allocations() {
    return this.#memslot.nodes.peak
  }

  get bytes() {
    return this.#memslot.nodes.inUse * 16 + this.#memslot.counters.indexBytes
  }
}

export const DESIGNS = [
  ['nested list with the scan (Linux, Book3S HV)', () => new NestedList(true)],
  ['nested list with an index (this package)', () => new Package()],
  ['nested list without the scan', () => new NestedList(false)],
  ['descriptors of 14 (x86)', () => new Descriptors()],
  ['sorted tree of 16 (as arm64 proposes)', () => new SortedTree()],
]

/** Entries of distinct pages of a few guests: not sorted, and in the same order each time. */
function entriesOf(length) {
  return Array.from({ length }, (_, n) => (1 + (n % 7)) * 2 ** 40 + ((n * 0x9e37) % 65521) * 16)
}

const insertAll = (design, entries) => entries.reduce((added, entry) => added + (design.insert(entry) ? 1 : 0), 0)
const findAll = (design, entries) => entries.reduce((found, entry) => found + (design.has(entry) ? 1 : 0), 0)
const removeSome = (design, entries) => entries.map((entry) => design.remove(entry))

/** Runs one round of a design: for each operation the time and the compares of one entry. */
function round(make, entries) {
  const design = make()
  const steps = {}
  const measure = (name, operation, count) => {
    const compares = design.compares
    const start = process.hrtime.bigint()
    const answer = operation()
    const ns = Number(process.hrtime.bigint() - start) / count
    steps[name] = { ns, compares: (design.compares - compares) / count }
    return answer
  }
  const added = measure('insert', () => insertAll(design, entries), entries.length)
  const bytes = design.bytes / entries.length
  const { allocations } = design
  const found = measure('find', () => findAll(design, entries), entries.length)
  const some = entries.filter((_, n) => n % 4 === 3)
  const removed = measure('removeOne', () => removeSome(design, some), some.length)
  const removes = removed[0] !== undefined
  if (!removes) delete steps.removeOne
  const left = entries.length - (removes ? some.length : 0)
  const taken = measure('removeAll', () => design.removeAll(), left)
  const right =
    added === entries.length && found === entries.length && taken === left && (!removes || removed.every(Boolean))
  return { steps, bytes, allocations: allocations / entries.length, right }
}

export function compareDesigns() {
  const cell = (step) => (step === undefined ? '-' : `${step.compares.toFixed(1)} / ${step.ns.toFixed(0)}`)
  console.log('Compares and nanoseconds for one entry:\n')
  console.log(
    '| entries on one gfn | design | insert | find a duplicate | remove one | remove all (ns) | allocations | bytes |',
  )
  console.log('| ---: | --- | ---: | ---: | ---: | ---: | ---: | ---: |')
  for (const length of LENGTHS) {
    const entries = entriesOf(length)
    const rounds = new Map(DESIGNS.map(([name]) => [name, []]))
    for (let n = 0; n < ROUNDS * 2; n++) {
      for (const [name, make] of DESIGNS) {
        const repeats = Math.max(1, Math.floor(512 / length)) // a short round would measure the clock
        for (let i = 0; i < repeats; i++) {
          const result = round(make, entries)
          if (n >= ROUNDS) rounds.get(name).push(result) // the first half is for warming up
        }
      }
    }
    for (const [name, results] of rounds) {
      if (!results.every(({ right }) => right)) {
        console.log(`| ${length} | ${name} | disqualified: wrong answer | | | | | |`)
        continue
      }
      const step = (which) => {
        const all = results.map(({ steps }) => steps[which]).filter((one) => one !== undefined)
        return all.length === 0 ? undefined : { ns: median(all.map(({ ns }) => ns)), compares: all[0].compares }
      }
      const [insert, find, removeOne, removeAll] = ['insert', 'find', 'removeOne', 'removeAll'].map(step)
      const { bytes, allocations } = results[0]
      console.log(
        `| ${length.toLocaleString('en-US')} | ${name} | ${cell(insert)} | ${cell(find)} | ${cell(removeOne)} | ` +
          `${removeAll.ns.toFixed(1)} | ${allocations.toFixed(2)} | ${bytes.toFixed(1)} |`,
      )
    }
  }
}
