/**
 * Clears leaves of the model's page tables when the kernel clears them, and compares them with the leaves that the
 * kernel shows.
 *
 * {@link Creations} sets leaves; {@link KernelGuests} finds a guest's table. The callers decide whether a leaf should
 * be cleared (rmap range removals, L1's invalidations).
 */
import { type Gpa, type Hpa, type LeafShift } from '../base/units'
import { hex, hexWord, hiOfNumber, wordOf } from '../base/word'
import { leafHpa, RC, withoutRc } from '../page-table/leaf'
import { NONE, type Leaf, type RadixTable } from '../page-table/radix-table'
import { leafWord, mayBe, type Creation, type Creations } from './creations'
import { leafText, type Differences } from './differences'
import { FIELD } from './events'
import type { KernelGuests, TraceGuest } from './kernel-guests'
import type { L1Invalidations } from './l1-invalidations'
import type { LeafWatches } from './leaf-watch'
import type { TraceEvent } from './trace-event'
import type { RcBits } from './rc-bits'

/** A host leaf that has just been unmapped: the next rmap range removal must be for this leaf. */
export interface UnmappedHostLeaf {
  readonly line: number
  readonly gpa: Gpa
  readonly hpa: Hpa
  readonly shift: LeafShift
  /** Whether it is in a memslot, so that an rmap range removal must follow. */
  readonly inMemslot: boolean
}

/** Clears leaves and tables as the kernel does. */
export class KernelTables {
  readonly #guests: KernelGuests
  readonly #creations: Creations
  readonly #rc: RcBits
  readonly #watches: LeafWatches
  readonly #invalidations: L1Invalidations
  readonly #differences: Differences

  constructor(
    guests: KernelGuests,
    creations: Creations,
    rc: RcBits,
    watches: LeafWatches,
    invalidations: L1Invalidations,
    differences: Differences,
  ) {
    this.#guests = guests
    this.#creations = creations
    this.#rc = rc
    this.#watches = watches
    this.#invalidations = invalidations
    this.#differences = differences
  }

  /** log2 of the leaf size that `pte_unmap` shows (0 is a base page too); undefined for an invalid value. */
  shiftOf(event: TraceEvent): LeafShift | undefined {
    const { pageShift } = this.#guests
    const shift = event.numberAt(FIELD.shift)
    if ((shift === 16 || shift === 12) && shift !== pageShift) {
      this.#differences.mainHint = `the kernel's base pages have 2^${shift} bytes: use --page-shift ${shift}`
    }
    return shift === 0 || shift === pageShift ? pageShift : shift === 21 || shift === 30 ? shift : undefined
  }

  /** The guest whose leaf a `pte_unmap` clears, null for L1. Undefined, with a difference, if no table has it. */
  ownerOf(event: TraceEvent): TraceGuest | null | undefined {
    const guests = this.#guests
    const inMemslot = !event.isZeroAt(FIELD.memslot)
    if (inMemslot) guests.learnL1(event.numberAt(FIELD.lpid))
    const guest = guests.isL1(event) ? null : guests.of(event)
    if (guest === undefined || (guest !== null && inMemslot)) {
      const model =
        guest === undefined
          ? `no table has lpid ${event.numberAt(FIELD.lpid)}`
          : `a leaf of LPID ${guest.lpid} has no memslot`
      this.#differences.at(event, model, `unmaps ${hex(event.wordAt(FIELD.gpa))}`)
      return undefined
    }
    return guest
  }

  /**
   * `pte_unmap` outside an rmap range removal.
   *
   * @param guest the guest that has the leaf; null for L1
   * @param own the creation of the task, if any
   * @param aligned whether the event's address must be a multiple of the base page size. After a refused access it is the
   *   address of the access, which may be in the middle of the page.
   * @returns the leaf, if it was one of L1's own table
   */
  unmap(
    event: TraceEvent,
    guest: TraceGuest | null,
    own: Creation | undefined,
    aligned: boolean,
  ): UnmappedHostLeaf | undefined {
    const shift = this.shiftOf(event)
    this.#clear(event, guest, own, aligned)
    if (guest !== null || shift === undefined) return undefined
    const gpa = event.numberAt(FIELD.gpa)
    const [hi, lo] = leafWord(event, 'pteval')
    const inMemslot = !event.isZeroAt(FIELD.memslot)
    return { line: event.line, gpa: gpa - (gpa % (1 << shift)), hpa: leafHpa(hi, lo, shift), shift, inMemslot }
  }

  /** `table_free`. @returns whether it was L1's own table: then L1 ends, and all its rmap slots are freed (spec 9) */
  free(event: TraceEvent): boolean {
    const table = this.#guests.freed(event)
    if (table !== undefined) {
      this.#creations.raceAll(table)
      this.#invalidations.clearedAll(table)
      table.clearAll()
      this.#rc.settleAll(table)
      this.#watches.changed(table)
    }
    return table === this.#guests.host
  }

  /** Clears the leaf that the kernel unmaps: it must be the model's in word and size. */
  #clear(event: TraceEvent, guest: TraceGuest | null, own: Creation | undefined, aligned: boolean): void {
    const { host, pageShift } = this.#guests
    const table = guest === null ? host : guest.shadow
    const [wordHi, wordLo] = leafWord(event, 'pteval')
    const shift = this.shiftOf(event)
    let hi = event.hi[FIELD.gpa]!
    let lo = event.lo[FIELD.gpa]!
    const misnamed = own !== undefined && own.table === table ? misnamedLeaf(own, wordOf(wordHi, wordLo)) : undefined
    if (misnamed !== undefined) {
      hi = hiOfNumber(misnamed.gpa)
      lo = misnamed.gpa | 0
    }
    const ref = table.find(hi, lo)
    const raced = this.#creations.race(table, hi, lo, shift, own)
    // The leaves that L1's own table had before the recording began are not known.
    if (ref === NONE && guest === null) return
    const isSize = ref !== NONE && table.shiftOf(ref) === shift
    const first = ref === NONE ? lo : lo & (-1 << table.shiftOf(ref))
    const ignored = raced.length > 0 ? RC : this.#rc.ignored(table, hi, first)
    const matches =
      (isSize && table.hiAt(ref) === wordHi && ((table.loAt(ref) ^ wordLo) & ~ignored) === 0) ||
      (raced.length > 0 &&
        (isSize || ref === NONE) &&
        mayBe(wordOf(wordHi, wordLo), isSize ? table.wordAt(ref) : 0n, raced))
    if (!matches || (aligned && (lo & ((1 << pageShift) - 1)) !== 0) || hi >>> 20 !== 0) {
      const owner = guest === null ? 'L1' : `LPID ${guest.lpid}`
      const leaf = ref === NONE ? undefined : { word: table.wordAt(ref), shift: table.shiftOf(ref) }
      this.#differences.at(
        event,
        `${leafText(leaf)} at ${hex(event.wordAt(FIELD.gpa))} of ${owner}`,
        `${hexWord(wordOf(wordHi, wordLo))}, shift ${event.numberAt(FIELD.shift)}`,
      )
    }
    if (ref === NONE) return
    table.clearAt(ref)
    this.cleared(table, hi, first)
  }

  /** The leaf of a table with this first address was cleared. */
  cleared(table: RadixTable, hi: number, lo: number): void {
    this.#rc.settle(table, hi, lo)
    this.#invalidations.cleared(table, hi, lo)
    this.#watches.changed(table)
  }
}

/** A small leaf under a new large one. Quirk: Linux names it by its frame, not its address (spec 5, step 3). */
function misnamedLeaf({ table, gpaHi, gpaLo, shift }: Creation, word: bigint): Leaf | undefined {
  if (shift === table.pageShift) return undefined
  return table.leavesBelow(gpaHi, gpaLo, shift).find((leaf) => withoutRc(leaf.word) === withoutRc(word))
}
