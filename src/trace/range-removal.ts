/**
 * The rmap range removals of a recording (spec 6). The model's walker runs over the range at once, as the kernel does
 * under one lock. The task's next events must show what the walker did, in the same order.
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

/** The rmap range of one host leaf. */
export interface KernelRange {
  /** The address of the first slot. */
  readonly address: bigint
  /** The first slot's index in its array. */
  readonly first: number
  readonly npages: number
  readonly hpa: Hpa
  readonly shift: LeafShift
}

/** An rmap range removal in progress: what the task's events must show. */
export interface Removal {
  readonly expected: readonly Expected[]
  /** The index of the next expected step. */
  next: number
  /** Missing take events, while it is not known whether the recording has take events at all. */
  readonly missed: Difference[]
}

/** The counter of each fate. */
const FATE_COUNTER = {
  cleared: 'cleared',
  'no-guest': 'staleNoGuest',
  'no-leaf': 'staleNoLeaf',
  'other-frame': 'staleOtherFrame',
} as const

/** An event out of order may match one of this many next steps. */
const FURTHEST_SKIP = 1000

/** The rmap range removals of a recording. */
export class RangeRemovals {
  readonly counters = new RangeCounters()
  /** Called for each detached entry, with the address of its slot and its fate. */
  onTaken: ((slot: bigint, fate: EntryFate) => void) | undefined

  readonly #guests: KernelGuests
  readonly #tables: KernelTables
  readonly #creations: Creations
  readonly #rc: RcBits
  readonly #slots: KernelSlots
  readonly #differences: Differences
  /** Whether the recording has take events; undefined until the first range with an entry shows it. */
  #hasTakes: boolean | undefined
  /**
   * Whether the recording has the take event of a tagged last entry whose LPID no nested guest has: some kernel builds
   * never reach its probe, others always do. Undefined until the first such entry shows it.
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

  /** Runs the walker. @returns undefined if the range has no entry */
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
    // The lists, with the kernel's addresses, before the walk clears them. The walk adds a step for each entry it
    // reaches.
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

  /** Checks the task's next event. @returns false if it does not belong to the removal, which then ends */
  continues(event: TraceEvent, removal: Removal): boolean {
    const isTake = event.name === 'rmap_take' || event.name === 'rmap_take_node'
    const isUnmap = event.name === 'pte_unmap' && !this.#guests.isL1(event)
    if (!isTake && !isUnmap) return false
    const { expected } = removal
    if (isTake && this.#hasTakes === undefined) {
      this.#hasTakes = true
      for (const { line, event: name, message } of removal.missed) this.#differences.add(line, name, message)
    }
    // If the kernel's order differs, continue after the step that matches the event, if there is one.
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
    if (want === undefined && isUnmap) return false // the removal is over, and the task clears another leaf
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

  /** Ends the removal, at an event that does not belong to it. */
  end(event: TraceEvent, removal: Removal): void {
    this.#skip(event, removal, removal.expected.length)
    this.#hasTakes ??= false
  }

  /** The kernel did not show the steps before `to`: each is a difference, unless the recording cannot show it. */
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

  /** Whether a step is the take of a tagged last entry without a guest, which this kernel build may not show. */
  #mayBeUnseen(want: Expected): want is ExpectedTake {
    return (
      want.name === 'rmap_take_node' &&
      want.node === 0n &&
      (want.guest === undefined || want.guest.maybeDropped) &&
      this.#hasStaleTerminators !== true
    )
  }

  /** The kernel has found no guest where the model has one: it was dropped, and a vCPU still holds it. */
  #wasDropped({ guest, unmap, fate }: ExpectedTake): void {
    this.#guests.unregister(guest!)
    if (unmap !== undefined) unmap.expectedStale = true
    this.counters[FATE_COUNTER[fate]]--
    this.counters.staleNoGuest++
  }

  /** The kernel has not cleared this leaf, but the model has: sets it again. */
  #restore({ guest, leaf }: ExpectedUnmap): void {
    if (guest.shadow.lookup(leaf.gpa) === undefined) guest.shadow.set(leaf.gpa, leaf.shift, leaf.word)
  }

  /** The kernel has cleared a leaf that the model has not: clears it. */
  #clearOther(event: TraceEvent): void {
    const shadow = this.#guests.of(event)?.shadow
    const ref = shadow?.find(event.hi[FIELD.gpa]!, event.lo[FIELD.gpa]!) ?? NONE
    if (ref !== NONE) shadow!.clearAt(ref)
  }

  /**
   * `gp` is 0 if and only if no guest has the LPID. If it is 0 and the model has a guest that may have been dropped,
   * the guest was dropped. If it is not 0 and the model has no guest, the guest is new: its `nested_update` must
   * follow.
   */
  #fitsGuest(event: TraceEvent, want: ExpectedTake): boolean {
    const { lpid, guest, node } = want
    const isStale = event.isZeroAt(FIELD.gp)
    if (isStale && node === 0n) this.#hasStaleTerminators = true
    if (isStale === (guest === undefined)) {
      if (guest !== undefined) guest.maybeDropped = false // found by its LPID
      return true
    }
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
