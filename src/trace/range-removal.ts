/**
 * A range removal of a recording (spec 6): the model's own walker runs over the range at once, as the kernel does
 * under one lock, and what it did is what the task's next events must show, in its order.
 */
import type { Hpa, LeafShift } from '../base/units'
import { hiOf, hiOfNumber, loOf, wordOf } from '../base/word'
import { RC } from '../page-table/leaf'
import { NONE } from '../page-table/radix-table'
import { hostPage, RangeCounters, walkRange, type EntryFate } from '../rmap/invalidate'
import { leafWord, mayBe, type Creations } from './creations'
import { type Difference, type Differences } from './differences'
import { FIELD } from './events'
import type { KernelGuests } from './kernel-guests'
import type { KernelNode, KernelSlots } from './kernel-slots'
import type { KernelTables } from './kernel-tables'
import type { TraceEvent } from './trace-event'
import type { RcBits } from './rc-bits'
import { eventText, expectedText, type Expected, type ExpectedTake, type ExpectedUnmap } from './removal-steps'

/** The range that one leaf of L1 mapped. */
export interface KernelRange {
  /** The address of the first slot. */
  readonly address: bigint
  /** The first slot's index in its array. */
  readonly first: number
  readonly npages: number
  readonly hpa: Hpa
  readonly shift: LeafShift
}

/** What a task still has to show of the range that it removes. */
export interface Removal {
  readonly expected: readonly Expected[]
  next: number
  /** Takes that did not come, in a range that has not shown yet whether the recording has any. */
  readonly missed: Difference[]
}

/** The counter of each fate. */
const FATE_COUNTER = {
  cleared: 'cleared',
  'no-guest': 'staleNoGuest',
  'no-leaf': 'staleNoLeaf',
  'other-frame': 'staleOtherFrame',
} as const

/** How far ahead a step is looked for that fits an event out of order. */
const FURTHEST_SKIP = 1000

/** The range removals of a recording. */
export class RangeRemovals {
  readonly counters = new RangeCounters()
  /** Shown each entry that a range takes: the address of its slot, and its fate. */
  onTaken: ((slot: bigint, fate: EntryFate) => void) | undefined

  readonly #guests: KernelGuests
  readonly #tables: KernelTables
  readonly #creations: Creations
  readonly #rc: RcBits
  readonly #slots: KernelSlots
  readonly #differences: Differences
  /** Whether the recording has take events: its first range that meets an entry shows it. */
  #hasTakes: boolean | undefined
  /**
   * Whether the recording has the take event of a tagged last entry whose LPID no nested guest has. Its probe is not
   * reached on some kernel builds, and always reached on others: the first such entry shows it.
   */
  #hasStaleTerminators: boolean | undefined

  constructor(
    guests: KernelGuests,
    tables: KernelTables,
    creations: Creations,
    rc: RcBits,
    slots: KernelSlots,
    differences: Differences,
  ) {
    this.#guests = guests
    this.#tables = tables
    this.#creations = creations
    this.#rc = rc
    this.#slots = slots
    this.#differences = differences
  }

  /** Runs the walker. Undefined: there was nothing to take. */
  run(range: KernelRange): Removal | undefined {
    const expected: Expected[] = []
    const { address, npages } = range
    for (const part of this.#slots.parts(hiOf(address), loOf(address), npages)) this.#runPart(range, part, expected)
    return expected.length === 0 ? undefined : { expected, next: 0, missed: [] }
  }

  #runPart(
    range: KernelRange,
    part: { chunk: Parameters<KernelSlots['list']>[0]; index: number; slot: number; npages: number },
    expected: Expected[],
  ): void {
    const { chunk, index, npages } = part
    const { memslot } = chunk
    // What the walk will take, as the kernel's events will show it; entries that it will not reach have no step.
    const before: { index: number; word: bigint; nodes: KernelNode[] }[] = []
    for (let i = index; i < index + npages; i++) {
      if (!memslot.isEmptyAt(i))
        before.push({ index: i, word: this.#slots.word(chunk, i), nodes: this.#slots.list(chunk, i) })
    }
    if (before.length === 0) return
    const steps: Expected[][] = before.map(({ index: i, word }) => {
      const offset = part.slot + i - index
      return [
        { name: 'rmap_take', slotp: range.address + 8n * BigInt(offset), old: word, idx: BigInt(range.first + offset) },
      ]
    })
    let at = 0
    let node = 0
    walkRange(
      this.#guests.byLpid,
      memslot,
      index,
      npages,
      hostPage(range.hpa, range.shift),
      {
        entry: (i, entry, fate, leaf) => {
          while (before[at]!.index !== i) {
            at++
            node = 0
          }
          this.onTaken?.(range.address + 8n * BigInt(part.slot + i - index), fate)
          const { address = 0n, next = 0n, entry: rmap } = before[at]!.nodes[node++] ?? {}
          const guest = this.#guests.byLpid.get(entry.lpid)
          let unmap: ExpectedUnmap | undefined
          if (leaf !== undefined) {
            const { shadow } = guest!
            const hi = hiOfNumber(leaf.gpa)
            const raced = this.#creations.race(shadow, hi, leaf.gpa | 0, leaf.shift)
            const ignored = raced.length > 0 ? RC : this.#rc.ignored(shadow, hi, leaf.gpa | 0)
            this.#tables.cleared(shadow, hi, leaf.gpa | 0)
            unmap = { name: 'pte_unmap', guest: guest!, gpa: entry.gpa, leaf, ignored, raced, expectedStale: false }
            steps[at]!.push(unmap)
          }
          steps[at]!.push({ name: 'rmap_take_node', node: address, next, rmap, lpid: entry.lpid, guest, fate, unmap })
        },
      },
      this.counters,
    )
    for (const slot of steps) for (const step of slot) expected.push(step)
  }

  /** Whether the task's event is one of the removal, and checks it; if it is none, the removal is to be ended. */
  continues(event: TraceEvent, removal: Removal): boolean {
    const isTake = event.name === 'rmap_take' || event.name === 'rmap_take_node'
    const isUnmap = event.name === 'pte_unmap' && !this.#guests.isL1(event)
    if (!isTake && !isUnmap) return false
    const { expected } = removal
    if (isTake && this.#hasTakes === undefined) {
      this.#hasTakes = true
      for (const { line, event: name, message } of removal.missed) this.#differences.add(line, name, message)
    }
    // Where the kernel's order is another, the walk goes on from the step that fits, if there is one.
    let at = removal.next
    const end = Math.min(expected.length, at + FURTHEST_SKIP)
    while (at < end && !this.#fits(event, expected[at]!)) at++
    if (at < end) {
      this.#skip(event, removal, at)
      removal.next++
      return true
    }
    if (this.#hasTakes !== true) {
      let to = removal.next
      while (to < expected.length && expected[to]!.name !== 'pte_unmap') to++
      this.#skip(event, removal, to)
    }
    const want = expected[removal.next]
    if (want === undefined && isUnmap) return false // the task goes on to clear another leaf
    this.#differences.at(
      event,
      want === undefined ? 'nothing more in this range' : expectedText(want),
      eventText(event),
    )
    if (isUnmap) this.#clearOther(event)
    if (want?.name !== event.name) return true
    removal.next++
    if (want.name === 'pte_unmap') this.#restore(want)
    return true
  }

  /** The removal is over, at an event that is none of it. */
  end(event: TraceEvent, removal: Removal): void {
    this.#skip(event, removal, removal.expected.length)
    this.#hasTakes ??= false
  }

  /** The kernel went on without these. */
  #skip(event: TraceEvent, removal: Removal, to: number): void {
    const { expected } = removal
    for (; removal.next < to; removal.next++) {
      const want = expected[removal.next]!
      if (want.name === 'pte_unmap') {
        this.#restore(want)
        const take = removal.next + 1 < to ? expected[removal.next + 1] : undefined
        if (want.expectedStale || (take !== undefined && this.#mayBeUnseen(take))) continue
      } else {
        if (this.#hasTakes === false) continue
        if (this.#mayBeUnseen(want)) {
          this.#hasStaleTerminators = false
          if (want.guest !== undefined) this.#wasDropped(want)
          continue
        }
      }
      const missed = {
        line: event.line,
        event: event.name,
        message: `model: ${expectedText(want)}; kernel: no such event before this ${event.name}`,
      }
      if (want.name !== 'pte_unmap' && this.#hasTakes === undefined) removal.missed.push(missed)
      else this.#differences.add(missed.line, missed.event, missed.message)
    }
  }

  /** Whether a step is the take of a tagged last entry whose LPID no nested guest may have, and its probe is not reached. */
  #mayBeUnseen(want: Expected): want is ExpectedTake {
    return (
      want.name === 'rmap_take_node' &&
      want.node === 0n &&
      (want.guest === undefined || want.guest.maybeDropped) &&
      this.#hasStaleTerminators !== true
    )
  }

  /** The kernel has found no guest where the model has one that may have been dropped: it was, and a vCPU still holds it. */
  #wasDropped({ guest, unmap, fate }: ExpectedTake): void {
    this.#guests.unregister(guest!)
    if (unmap !== undefined) unmap.expectedStale = true
    this.counters[FATE_COUNTER[fate]]--
    this.counters.staleNoGuest++
  }

  /** The kernel has not cleared what the model has cleared: it is set again. */
  #restore({ guest, leaf }: ExpectedUnmap): void {
    if (guest.shadow.lookup(leaf.gpa) === undefined) guest.shadow.set(leaf.gpa, leaf.shift, leaf.word)
  }

  /** The kernel has cleared a leaf that the model has not. */
  #clearOther(event: TraceEvent): void {
    const shadow = this.#guests.of(event)?.shadow
    const ref = shadow?.find(event.hi[FIELD.gpa]!, event.lo[FIELD.gpa]!) ?? NONE
    if (ref !== NONE) shadow!.clearAt(ref)
  }

  /**
   * `gp` is 0 exactly where no guest has the LPID. If it is 0, a guest that may have been dropped was dropped; if it is
   * not, a guest that no event has named yet exists, and its `nested_update` must follow.
   */
  #fitsGuest(event: TraceEvent, want: ExpectedTake): boolean {
    const { lpid, guest, node } = want
    const isStale = event.isZeroAt(FIELD.gp)
    if (isStale && node === 0n) this.#hasStaleTerminators = true
    if (isStale === (guest === undefined)) return true
    if (guest === undefined) {
      this.#guests.expect(event, lpid)
      this.counters.staleNoGuest--
      this.counters.staleNoLeaf++ // its table is new
      return true
    }
    if (!guest.maybeDropped) return false
    this.#wasDropped(want)
    return true
  }

  #fits(event: TraceEvent, want: Expected): boolean {
    if (event.name !== want.name) return false
    switch (want.name) {
      case 'rmap_take':
        return (
          event.wordAt(FIELD.slotp) === want.slotp &&
          event.wordAt(FIELD.old) === want.old &&
          event.wordAt(FIELD.idx) === want.idx
        )
      case 'rmap_take_node':
        return (
          event.wordAt(FIELD.node) === want.node &&
          event.wordAt(FIELD.next) === want.next &&
          (want.rmap === undefined || event.wordAt(FIELD.rmap) === want.rmap) &&
          this.#fitsGuest(event, want)
        )
      case 'pte_unmap': {
        if (!event.isZeroAt(FIELD.memslot) || event.numberAt(FIELD.lpid) !== want.guest.shadowLpid) return false
        if (event.wordAt(FIELD.gpa) !== BigInt(want.gpa) || this.#tables.shiftOf(event) !== want.leaf.shift)
          return false
        const word = wordOf(...leafWord(event, 'pteval'))
        const bits = BigInt(RC & ~want.ignored)
        return ((word ^ want.leaf.word) & bits) === 0n && mayBe(word, want.leaf.word, want.raced)
      }
    }
  }
}
