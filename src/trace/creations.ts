/**
 * The creations of leaves: from `pte_create` to `pte_create_ret` (spec 5, step 6).
 *
 * No event shows when exactly the leaf is set. It is set between the two events; if the task has an `rmap_insert`
 * between them, just before it. If another task clears the leaf before that, the recording does not show which came
 * first: the creation is then *raced*.
 */
import { LineError } from '../base/lines'
import type { LeafShift } from '../base/units'
import { hex, wordOf } from '../base/word'
import { swap32, withoutRc } from '../page-table/leaf'
import { NONE, type RadixTable } from '../page-table/radix-table'
import { entryGpa } from '../rmap/entry'
import { retOf, type Differences } from './differences'
import { FIELD } from './events'
import type { KernelGuests, TraceGuest } from './kernel-guests'
import { covers, type LeafState, type LeafWatch, type LeafWatches } from './leaf-watch'
import type { TraceEvent } from './trace-event'
import type { RcBits } from './rc-bits'

/** A leaf that a task is creating. */
export interface Creation {
  /** The line of its `pte_create`. */
  readonly line: number
  /** The nested guest; null for a leaf of L1's own table. */
  readonly guest: TraceGuest | null
  readonly table: RadixTable
  readonly shift: LeafShift
  /** The leaf's first address. */
  readonly gpaHi: number
  readonly gpaLo: number
  readonly wordHi: number
  readonly wordLo: number
  /** The address of the rmap slot for its entry. */
  readonly slotHi: number
  readonly slotLo: number
  /** Whether the leaf is set and its entry inserted. */
  inserted: boolean
  /** Whether another task has cleared a leaf at this address during the creation. */
  raced: boolean
  /** Its sample of mmuSeq, and the largest sample that had succeeded before it began. */
  readonly mmuSeq: number
  readonly leastMmuSeq: number
  /** Bits that ageing or harvest cleared in the leaf during the creation, before or after the leaf was set. */
  aged: number
}

/** Most creations in progress at once: more than an L1 has vCPUs. If a recording has more, the oldest are forgotten. */
const MOST_CREATIONS = 4096

/** The results of a failed creation: mmuSeq has changed, or a table page could not be allocated (spec 5, step 6). */
const ERRNOS: ReadonlySet<number> = new Set([-11, -12])

/** The creations in progress: they set the leaves of the tables. */
export class Creations {
  readonly #guests: KernelGuests
  readonly #rc: RcBits
  readonly #watches: LeafWatches
  readonly #differences: Differences
  readonly #creations = new Set<Creation>()
  /** The largest sample of mmuSeq with which a creation has succeeded. */
  #mmuSeq = 0

  constructor(guests: KernelGuests, rc: RcBits, watches: LeafWatches, differences: Differences) {
    this.#guests = guests
    this.#rc = rc
    this.#watches = watches
    this.#differences = differences
  }

  /** Begins to watch an address, whose leaf creations in progress may have changed already. */
  watch(table: RadixTable, hi: number, lo: number): LeafWatch {
    const watch = this.#watches.begin(table, hi, lo)
    for (const creation of this.#creations) {
      const state = creation.inserted ? undefined : stateAfter(creation)
      if (state !== undefined && covers(watch, creation.table, creation.gpaHi, creation.gpaLo, creation.shift))
        this.#watches.expect(watch, state)
    }
    return watch
  }

  /** `pte_create` */
  begin(event: TraceEvent): Creation | undefined {
    const differ = (model: string, kernel: string): undefined => this.#differences.at(event, model, kernel) as undefined
    const guests = this.#guests
    const lpid = event.numberAt(FIELD.lpid)
    const forL1 = event.isZeroAt(FIELD.rmapp)
    if (forL1) guests.learnL1(lpid)
    const guest = forL1 ? null : guests.of(event)
    if (guest === undefined) {
      if (!guests.wasReleased(lpid)) {
        this.#differences.hints.add(
          'nested guests existed before the recording began: it must begin before the first nested guest',
        )
      }
      return differ(`no nested guest has shadow LPID ${lpid}`, 'creates a leaf for it')
    }
    if (forL1 !== guests.isL1(event)) {
      return differ(
        `L1's own table has lpid ${guests.l1Lpid}, and no rmap slot`,
        `lpid ${lpid}, rmapp ${hex(event.wordAt(FIELD.rmapp))}`,
      )
    }
    if (event.hasAt(FIELD.pgtable)) guests.checkRoot(event, guest, FIELD.pgtable)
    const level = event.numberAt(FIELD.level)
    if (level > 2) return differ('level 0..2', String(level))
    const gpaHi = event.hi[FIELD.gpa]!
    if (gpaHi >>> 20 !== 0) return differ('an address below 2^52', hex(event.wordAt(FIELD.gpa)))
    const shift: LeafShift = level === 0 ? guests.pageShift : level === 1 ? 21 : 30
    const [wordHi, wordLo] = leafWord(event, 'pte')
    const creation: Creation = {
      line: event.line,
      guest,
      table: guest === null ? guests.host : guest.shadow,
      shift,
      gpaHi,
      gpaLo: event.lo[FIELD.gpa]! & (-1 << shift),
      wordHi,
      wordLo,
      slotHi: event.hi[FIELD.rmapp]!,
      slotLo: event.lo[FIELD.rmapp]!,
      inserted: false,
      raced: false,
      mmuSeq: event.hasAt(FIELD.mmu_seq) ? event.numberAt(FIELD.mmu_seq) : this.#mmuSeq,
      leastMmuSeq: this.#mmuSeq,
      aged: 0,
    }
    if (this.#creations.size === MOST_CREATIONS) this.#creations.delete(this.#creations.values().next().value!)
    this.#creations.add(creation)
    if (this.#watches.isActive) {
      const state = stateAfter(creation)
      if (state !== undefined) this.#watches.mayHold(creation.table, gpaHi, creation.gpaLo, state)
    }
    return creation
  }

  /** `rmap_insert` of a creation: the leaf was set just before. */
  insert(event: TraceEvent, creation: Creation): void {
    creation.inserted = true
    if (this.#isPresent(creation)) {
      this.#differences.at(
        event,
        `a leaf is present at ${whereText(creation)}, so bits are OR-ed in and no rmap entry is inserted`,
        'an insert',
      )
    }
    this.#set(event, creation)
  }

  /** The recording does not show the result of the creation. */
  abandon(creation: Creation): void {
    this.#creations.delete(creation)
  }

  /** `pte_create_ret` */
  finish(event: TraceEvent, creation: Creation): void {
    this.#creations.delete(creation)
    const failed = !event.isZeroAt(FIELD.ret)
    if (!failed) this.#checkMmuSeq(event, creation)
    else if (!ERRNOS.has(retOf(event))) this.#differences.at(event, 'ret 0, -11 or -12', String(retOf(event)))
    if (creation.inserted) {
      if (failed) this.#differences.at(event, 'ret 0, because the leaf was set', String(retOf(event)))
      return
    }
    if (failed || creation.raced) return
    if (creation.guest !== null && !this.#isPresent(creation)) {
      this.#differences.at(event, `a new leaf at ${whereText(creation)}, so an rmap_insert`, 'none')
    }
    this.#set(event, creation)
  }

  /** A leaf is cleared. @returns the creations of it that are raced: those without their insert yet, except `own` */
  race(table: RadixTable, hi: number, lo: number, shift: LeafShift | undefined, own?: Creation): Creation[] {
    const raced: Creation[] = []
    for (const creation of this.#creations) {
      if (creation === own || creation.inserted || creation.table !== table || creation.shift !== shift) continue
      if (creation.gpaHi !== hi || creation.gpaLo !== (lo & (-1 << shift))) continue
      creation.raced = true
      raced.push(creation)
    }
    return raced
  }

  /**
   * Ageing or harvest has cleared bits of a leaf. A creation of it in progress may set them before or after.
   *
   * @returns whether there is such a creation
   */
  age(table: RadixTable, hi: number, lo: number, shift: LeafShift, bits: number): boolean {
    let raced = false
    for (const creation of this.#creations) {
      if (creation.inserted || creation.table !== table || creation.shift !== shift) continue
      if (creation.gpaHi !== hi || creation.gpaLo !== (lo & (-1 << shift))) continue
      creation.aged |= bits
      raced ||= (creation.wordLo & bits) !== 0
    }
    return raced
  }

  /** All leaves of a table are cleared. */
  raceAll(table: RadixTable): void {
    for (const creation of this.#creations) if (creation.table === table) creation.raced = true
  }

  /** A creation succeeds only if mmuSeq equals its sample, and mmuSeq never decreases (spec 7). */
  #checkMmuSeq(event: TraceEvent, { line, mmuSeq, leastMmuSeq }: Creation): void {
    if (mmuSeq < leastMmuSeq) {
      const model = `mmuSeq was ${hex(leastMmuSeq)} before line ${line}, so the creation with the sample ${hex(mmuSeq)} fails`
      this.#differences.at(event, model, '0')
      this.#mmuSeq = mmuSeq
    } else if (mmuSeq > this.#mmuSeq) this.#mmuSeq = mmuSeq
  }

  /** Whether a leaf of the same size is already present. */
  #isPresent({ table, gpaHi, gpaLo, shift }: Creation): boolean {
    const ref = table.find(gpaHi, gpaLo)
    return ref !== NONE && table.shiftOf(ref) === shift
  }

  /** ORs the bits into a leaf of the same size, else sets a new leaf. The kernel has cleared other leaves there. */
  #set(event: TraceEvent, creation: Creation): void {
    const { table, gpaHi, gpaLo, shift, wordHi, wordLo } = creation
    if (wordHi >>> 30 !== 3) return this.#differences.at(event, 'a present leaf', hex(wordOf(wordHi, wordLo)))
    this.#rc.settle(table, gpaHi, gpaLo, wordLo)
    this.#rc.doubt(table, gpaHi, gpaLo, creation.aged & wordLo)
    const ref = table.find(gpaHi, gpaLo)
    if (ref !== NONE && table.shiftOf(ref) === shift) {
      table.writeAt(ref, table.hiAt(ref) | wordHi, table.loAt(ref) | wordLo)
      return this.#watches.changed(table)
    }
    if (ref !== NONE) {
      this.#differences.at(
        event,
        `a leaf of 2^${table.shiftOf(ref)} bytes is present at ${whereText(creation)}`,
        `one of 2^${shift}`,
      )
      table.clearAt(ref)
    }
    const below = shift === table.pageShift ? 0 : table.leavesBelow(gpaHi, gpaLo, shift).length
    if (below > 0)
      this.#differences.at(event, `${below} smaller leaves are present below ${whereText(creation)}`, 'none')
    if (table.place(gpaHi, gpaLo, shift, wordHi, wordLo) === NONE) {
      throw new LineError(event.line, 'no memory for the page tables')
    }
    this.#watches.changed(table)
  }
}

/** The new leaf of a creation, if no leaf was there before; undefined if its word is not present. */
function stateAfter({ shift, wordHi, wordLo }: Creation): LeafState | undefined {
  return wordHi >>> 30 === 3 ? { hi: wordHi, lo: wordLo, shift, doubt: 0 } : undefined
}

/** The leaf word in `field` of an event, with its bytes in plain order: [hi, lo]. */
export function leafWord(event: TraceEvent, field: 'pte' | 'pteval'): [hi: number, lo: number] {
  return [swap32(event.lo[FIELD[field]]!), swap32(event.hi[FIELD[field]]!)]
}

/**
 * Whether a leaf may have this word now, ignoring referenced and changed: the word before (0: none), with the bits that
 * any of the creations in progress may have OR-ed in.
 */
export function mayBe(word: bigint, before: bigint, creations: readonly Creation[]): boolean {
  let grown = before
  for (const { wordHi, wordLo } of creations) {
    const bits = withoutRc(wordOf(wordHi, wordLo))
    if ((bits & ~word) === 0n) grown |= bits
  }
  return withoutRc(grown) === withoutRc(word)
}

function whereText({ guest, gpaHi, gpaLo }: Creation): string {
  return `${hex(entryGpa(gpaHi, gpaLo))} of ${guest === null ? 'L1' : `LPID ${guest.lpid}`}`
}
