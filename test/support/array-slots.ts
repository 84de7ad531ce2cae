/**
 * The simplest model of memslots: for each gfn an array of entry words, newest first. The tests of the library compare its
 * memslots with this model, through `compareMemslot`.
 */
import type { Entry, InsertOutcome } from '../../src/index'
import type { MemslotImplementation, MemslotSettings } from '../../src/testing/index'

/** LPID 0, frame 0: in a node this entry is 0, and Linux's walks end there (spec 11). */
const HIDING = 0n

/** The word of an entry (spec 2). */
export const wordOf = (lpid: number, gpa: number): bigint => BigInt(lpid) * 2n ** 52n + (BigInt(gpa) / 4096n) * 4096n

/** The entries that a walk visits: those before a node that hides itself and older entries. The oldest entry has its tag. */
export function visible(slot: readonly bigint[]): readonly bigint[] {
  const at = slot.findIndex((word, index) => word === HIDING && index < slot.length - 1)
  return at < 0 ? slot : slot.slice(0, at)
}

export class ArraySlots implements MemslotImplementation {
  readonly slots = new Map<number, bigint[]>()
  /** The counters of each memslot. */
  readonly counters: {
    empty: number
    second: number
    list: number
    duplicate: number
    scanSteps: number
    longestList: number
  }[]
  nodes = 0
  peak = 0

  constructor(readonly settings: MemslotSettings) {
    const zero = { empty: 0, second: 0, list: 0, duplicate: 0, scanSteps: 0, longestList: 0 }
    this.counters = settings.memslots.map(() => ({ ...zero }))
  }

  get scanSteps(): number {
    return this.counters.reduce((sum, { scanSteps }) => sum + scanSteps, 0)
  }

  slot(gfn: number): bigint[] {
    return this.slots.get(gfn) ?? []
  }

  insert(gfn: number, lpid: number, gpa: number): InsertOutcome {
    const slot = this.slot(gfn)
    const index = this.settings.memslots.findIndex((one) => gfn >= one.baseGfn && gfn < one.baseGfn + one.npages)
    const counters = this.counters[index]!
    const word = wordOf(lpid, gpa)
    const seen = visible(slot)
    const at = seen.indexOf(word)
    if (at >= 0) {
      counters.scanSteps += at + 1
      counters.duplicate++
      return 'duplicate'
    }
    if (slot.length > 0) {
      if (this.nodes === this.settings.maxNodes) return 'no-memory'
      this.peak = Math.max(this.peak, ++this.nodes)
    }
    counters.scanSteps += seen.length
    this.slots.set(gfn, [word, ...slot])
    counters.longestList = Math.max(counters.longestList, slot.length + 1)
    const outcome = (['empty', 'second'] as const)[slot.length] ?? 'list'
    counters[outcome]++
    return outcome
  }

  entries(gfn: number): Entry[] {
    return visible(this.slot(gfn)).map(entryOf)
  }

  /** Frees each node after the visit of its entry; hidden nodes leak. */
  takeAll(gfn: number, visit: (entry: Entry) => void = () => {}): Entry[] {
    const slot = this.slot(gfn)
    this.slots.delete(gfn)
    return visible(slot).map((word, at) => {
      const entry = entryOf(word)
      visit(entry)
      if (at < slot.length - 1) this.nodes--
      return entry
    })
  }

  word(gfn: number): bigint | 'list' {
    const slot = this.slot(gfn)
    return slot.length > 1 ? 'list' : slot.length === 1 ? slot[0]! | 1n : 0n
  }

  /** Whether LPID 0 was inserted: then lists may have hidden entries, and nodes may leak. */
  get lost(): boolean {
    const slots = [...this.slots.values()]
    const reachable = slots.reduce((sum, slot) => sum + slot.length - 1, 0)
    return this.nodes !== reachable || slots.some((slot) => visible(slot).length < slot.length)
  }
}

function entryOf(word: bigint): Entry {
  return { lpid: Number(word >> 52n), gpa: Number(word & (2n ** 52n - 1n)) }
}
