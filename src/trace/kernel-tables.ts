/**
 * The page tables of a recording: L1's own, and the shadow table of each nested guest, filled and cleared as the
 * kernel's were, and checked where the kernel says what it found.
 *
 * Events name a table by the hardware's LPID; entries hold L1's number for the guest. When exactly a leaf was set is
 * not recorded: between `pte_create` and its return, just before the `rmap_insert` where there is one.
 */
import { LineError } from '../base/lines'
import { type Gpa, type Hpa, type LeafShift, type Lpid, MAX_LPID, type PageShift } from '../base/units'
import { hex, hexWord, hiOfNumber, wordOf } from '../base/word'
import { ROOT_PAGES, type AllocationGate } from '../page-table/allocation-gate'
import { AP_SHIFT, leafHpa, RC, swap32, withoutRc } from '../page-table/leaf'
import { NONE, RadixTable, type Leaf } from '../page-table/radix-table'
import { entryGpa } from '../rmap/entry'
import { Differences, leafText } from './differences'
import { FIELD } from './events'
import type { TraceEvent } from './parser'

/** A nested guest, as the recording shows it. */
export interface TraceGuest {
  readonly lpid: Lpid
  readonly shadowLpid: number
  readonly shadow: RadixTable
  /**
   * L0 has read its partition entry again, as it does before it drops a guest. One that is still held then is released
   * later, and no event tells the two apart but the walk of a range.
   */
  maybeDropped: boolean
}

/** A leaf that a task is creating: between `pte_create` and its return. */
export interface Creation {
  readonly line: number
  /** The nested guest; null for L1's own table. */
  readonly guest: TraceGuest | null
  readonly table: RadixTable
  readonly shift: LeafShift
  /** The leaf's first address. */
  readonly gpaHi: number
  readonly gpaLo: number
  readonly wordHi: number
  readonly wordLo: number
  /** The address of the slot that its entry goes to. */
  readonly slotHi: number
  readonly slotLo: number
  /** The leaf stands, and its entry was inserted. */
  inserted: boolean
  /** Another task took the leaf away while this one created it. */
  overtaken: boolean
}

/** What L1 asked to invalidate page by page: what is unmapped there now, is named by its page. */
export interface Asked {
  readonly guest: TraceGuest
  from: Gpa
  readonly to: Gpa
}

/** A leaf of L1's own table that has just been unmapped: what the range removal after it must be about. */
export interface Unmapped {
  readonly line: number
  readonly gpa: Gpa
  readonly hpa: Hpa
  readonly shift: LeafShift
  /** Whether it came with a memslot, so that a range removal must follow. */
  readonly inMemslot: boolean
}

/** Lines after which a guest that a range has met must have been told of. */
const LONGEST_PROMISE = 4096

/** Most creations under way at once: more than an L1 has vCPUs. Of a recording with more, the oldest are given up. */
const MOST_CREATIONS = 4096

/** The tables, and who has which LPID. */
export class KernelTables {
  readonly pageShift: PageShift
  /** L1's own table, as far as the recording shows it. */
  readonly host: RadixTable
  /** The nested guests by L1's number: where the walker looks them up. */
  readonly guests = new Map<Lpid, TraceGuest>()

  readonly #differences: Differences
  readonly #gate: AllocationGate
  readonly #byShadowLpid = new Map<number, TraceGuest>()
  readonly #released = new Set<number>()
  /** By LPID, guests that must still be told of. */
  readonly #promised = new Map<Lpid, { readonly line: number; readonly name: string; readonly gp: bigint }>()
  #loser: { readonly pid: number; readonly line: number; readonly shadowLpid: number } | undefined
  readonly #creations = new Set<Creation>()
  #l1Lpid: number | undefined

  /** `gate` counts the tables' pages. */
  constructor(pageShift: PageShift, differences: Differences, gate: AllocationGate) {
    this.pageShift = pageShift
    this.#gate = gate
    this.host = this.#newTable()
    this.#differences = differences
  }

  /** Whether the event is about L1's own table. */
  isL1(event: TraceEvent): boolean {
    return event.numberAt(FIELD.lpid) === this.#l1Lpid
  }

  /** The nested guest whose shadow table the event is about. */
  guestOf(event: TraceEvent): TraceGuest | undefined {
    return this.#byShadowLpid.get(event.numberAt(FIELD.lpid))
  }

  /** The leaf size that `pte_unmap` shows: 0 is a base page too. */
  shiftOf(event: TraceEvent): LeafShift | undefined {
    const shift = event.numberAt(FIELD.shift)
    if ((shift === 16 || shift === 12) && shift !== this.pageShift) {
      this.#differences.hints.add(`the kernel's base pages have 2^${shift} bytes: give it --page-shift ${shift}`)
    }
    return shift === 0 || shift === this.pageShift ? this.pageShift : shift === 21 || shift === 30 ? shift : undefined
  }

  /** `pte_create` */
  begin(event: TraceEvent): Creation | undefined {
    const differ = (model: string, kernel: string): undefined => this.#differences.at(event, model, kernel) as undefined
    const lpid = event.numberAt(FIELD.lpid)
    const forL1 = event.isZeroAt(FIELD.rmapp)
    if (forL1) this.#l1Lpid ??= lpid
    const guest = forL1 ? null : this.guestOf(event)
    if (guest === undefined) {
      if (!this.#released.has(lpid)) {
        this.#differences.hints.add(
          'nested guests were there before the recording began: it must begin before the first',
        )
      }
      return differ(`no nested guest has shadow LPID ${lpid}`, 'creates a leaf for it')
    }
    if (forL1 !== this.isL1(event)) {
      return differ(
        `L1's table is that of lpid ${this.#l1Lpid}, and has no rmap`,
        `lpid ${lpid}, rmapp ${hex(event.wordAt(FIELD.rmapp))}`,
      )
    }
    const level = event.numberAt(FIELD.level)
    if (level > 2) return differ('level 0..2', String(level))
    const gpaHi = event.hi[FIELD.gpa]!
    if (gpaHi >>> 20 !== 0) return differ('an address below 2^52', hex(event.wordAt(FIELD.gpa)))
    const shift: LeafShift = level === 0 ? this.pageShift : level === 1 ? 21 : 30
    const [wordHi, wordLo] = leafWord(event, 'pte')
    const creation: Creation = {
      line: event.line,
      guest,
      table: guest === null ? this.host : guest.shadow,
      shift,
      gpaHi,
      gpaLo: event.lo[FIELD.gpa]! & (-1 << shift),
      wordHi,
      wordLo,
      slotHi: event.hi[FIELD.rmapp]!,
      slotLo: event.lo[FIELD.rmapp]!,
      inserted: false,
      overtaken: false,
    }
    if (this.#creations.size === MOST_CREATIONS) this.#creations.delete(this.#creations.values().next().value!)
    this.#creations.add(creation)
    return creation
  }

  /** `rmap_insert` of a creation: its leaf is set just before. */
  insert(event: TraceEvent, creation: Creation): void {
    creation.inserted = true
    if (this.#stands(creation)) {
      this.#differences.at(
        event,
        `a leaf stands at ${whereText(creation)}, so its bits grow and nothing is inserted`,
        'an insert',
      )
    }
    this.#set(event, creation)
  }

  /** The creation is over, without a word on how. */
  abandon(creation: Creation): void {
    this.#creations.delete(creation)
  }

  /** `pte_create_ret` */
  finish(event: TraceEvent, creation: Creation): void {
    this.#creations.delete(creation)
    const failed = !event.isZeroAt(FIELD.ret)
    if (failed && event.hi[FIELD.ret]! >= 0)
      this.#differences.at(event, 'ret 0 or a negative errno', String(event.numberAt(FIELD.ret)))
    if (creation.inserted) {
      if (failed) this.#differences.at(event, 'the leaf was set, so 0', String(event.lo[FIELD.ret]))
      return
    }
    if (failed || creation.overtaken) return
    if (creation.guest !== null && !this.#stands(creation)) {
      this.#differences.at(event, `a new leaf at ${whereText(creation)}, so an rmap_insert`, 'none')
    }
    this.#set(event, creation)
  }

  /** The creations of the leaf at an address, `own` aside, that have no insert yet: when it goes, they are overtaken. */
  overtake(table: RadixTable, hi: number, lo: number, shift: LeafShift | undefined, own?: Creation): Creation[] {
    const rivals: Creation[] = []
    for (const creation of this.#creations) {
      if (creation === own || creation.inserted || creation.table !== table || creation.shift !== shift) continue
      if (creation.gpaHi !== hi || creation.gpaLo !== (lo & (-1 << shift))) continue
      creation.overtaken = true
      rivals.push(creation)
    }
    return rivals
  }

  /**
   * `pte_unmap`, outside a range removal.
   *
   * @param asked what L1 has just asked for
   * @returns what of L1's own was unmapped
   */
  unmap(event: TraceEvent, own: Creation | undefined, asked: Asked | undefined): Unmapped | undefined {
    const inMemslot = !event.isZeroAt(FIELD.memslot)
    if (inMemslot) this.#l1Lpid ??= event.numberAt(FIELD.lpid)
    const guest = this.isL1(event) ? null : this.guestOf(event)
    if (guest === undefined || (guest !== null && inMemslot)) {
      const model =
        guest === undefined
          ? `no table has lpid ${event.numberAt(FIELD.lpid)}`
          : `a leaf of LPID ${guest.lpid} has no memslot`
      this.#differences.at(event, model, `unmaps ${hex(event.wordAt(FIELD.gpa))}`)
      return undefined
    }
    const gpa = event.numberAt(FIELD.gpa)
    const shift = this.shiftOf(event)
    const wanted = asked !== undefined && asked.guest === guest && gpa >= asked.from && gpa < asked.to
    if (wanted) asked.from = gpa + (1 << (shift ?? 0)) // page after page
    // After a refused access the kernel names the address of the access, which may be in the middle of the page.
    this.#clear(event, guest, own, guest === null || own !== undefined || wanted)
    if (guest !== null || shift === undefined) return undefined
    const [hi, lo] = leafWord(event, 'pteval')
    return { line: event.line, gpa: gpa - (gpa % (1 << shift)), hpa: leafHpa(hi, lo, shift), shift, inMemslot }
  }

  /** `tlb_invalidate`, `rpt_invalidate`. @returns the addresses that are invalidated page by page, if a leaf is there */
  ask(event: TraceEvent): Asked | undefined {
    let guest: TraceGuest | undefined
    let from = 0
    let to = 0
    if (event.name === 'rpt_invalidate') {
      guest = this.guests.get(event.numberAt(FIELD.lpid))
      from = event.numberAt(FIELD.start)
      to = event.numberAt(FIELD.end)
    } else {
      const rb = event.lo[FIELD.rb]!
      const shift = AP_SHIFT.get((rb >>> 5) & 7)
      if (shift === undefined || ((rb >>> 10) & 3) !== 0) return undefined
      guest = this.guests.get(event.lo[FIELD.rs]! >>> 0)
      from = entryGpa(event.hi[FIELD.rb]!, rb & (-1 << shift))
      to = from + (1 << shift)
    }
    if (guest === undefined) return undefined
    const there =
      to - from === 1 << this.pageShift
        ? guest.shadow.refAt(from) !== NONE
        : guest.shadow.leavesBetween(from, to).next().done === false
    return there ? { guest, from, to } : undefined
  }

  /** `table_free`. @returns whether it was L1's own: L1 goes, and so does all that its slots hold (spec 9) */
  free(event: TraceEvent): boolean {
    const lpid = event.numberAt(FIELD.lpid)
    const loser = this.#loser
    this.#loser = undefined
    if (loser !== undefined && loser.pid === event.pid && loser.shadowLpid !== lpid) {
      this.#differences.at(
        event,
        `shadow LPID ${loser.shadowLpid} was released in line ${loser.line}`,
        `the table of ${lpid} is freed`,
      )
    }
    const isL1 = this.isL1(event)
    const table = isL1 ? this.host : this.guestOf(event)?.shadow
    if (table !== undefined) {
      for (const creation of this.#creations) if (creation.table === table) creation.overtaken = true
      table.clearAll()
    } else if (!this.#released.has(lpid)) {
      this.#differences.at(event, `no table ever had lpid ${lpid}`, 'it is freed')
    }
    return isL1
  }

  /** `nested_update` */
  update(event: TraceEvent): void {
    const lpid = event.numberAt(FIELD.l1_lpid)
    const shadowLpid = event.numberAt(FIELD.shadow_lpid)
    if (lpid > MAX_LPID || shadowLpid > MAX_LPID || shadowLpid === this.#l1Lpid) {
      return this.#differences.at(
        event,
        `numbers of 12 bits, and not L1's own`,
        `l1_lpid ${lpid}, shadow_lpid ${shadowLpid}`,
      )
    }
    const other = this.#byShadowLpid.get(shadowLpid)
    if (other?.lpid === lpid) {
      other.maybeDropped = true
      return
    }
    if (other !== undefined) {
      this.#differences.at(event, `shadow LPID ${shadowLpid} is of LPID ${other.lpid}`, `of LPID ${lpid}`)
      this.#drop(other)
    }
    const guest: TraceGuest = { lpid, shadowLpid, maybeDropped: false, shadow: this.#newTable() }
    this.guests.set(lpid, guest)
    const promise = this.#promised.get(lpid)
    if (promise !== undefined && event.line - promise.line < LONGEST_PROMISE) this.#promised.delete(lpid)
    this.#byShadowLpid.set(shadowLpid, guest)
  }

  /**
   * A range has met a guest of which no event has told. The kernel registers it under the lock, and reads its partition
   * entry, which tells of it, a moment later.
   */
  promise(event: TraceEvent, lpid: Lpid): void {
    if (this.guests.has(lpid) || this.#promised.has(lpid)) return
    this.#promised.set(lpid, { line: event.line, name: event.name, gp: event.wordAt(FIELD.gp) })
  }

  /** The recording has ended: what was promised and has not come were differences. */
  end(): void {
    for (const [lpid, { line, name, gp }] of this.#promised) {
      this.#differences.add(line, name, `model: no guest has LPID ${lpid}; kernel: gp ${hex(gp)}`)
    }
  }

  /** A range has shown that no guest has this one's LPID: it was dropped, and is still held. */
  unregister(guest: TraceGuest): void {
    if (this.guests.get(guest.lpid) === guest) this.guests.delete(guest.lpid)
  }

  /** `nested_release` */
  release(event: TraceEvent): void {
    const lpid = event.numberAt(FIELD.l1_lpid)
    const shadowLpid = event.numberAt(FIELD.shadow_lpid)
    const guest = this.#byShadowLpid.get(shadowLpid)
    if (guest === undefined && this.guests.has(lpid) && shadowLpid <= MAX_LPID && shadowLpid !== this.#l1Lpid) {
      // Two vCPUs made this guest at once; this is the loser's, of which nothing else has told. Its table goes next.
      this.#loser = { pid: event.pid, line: event.line, shadowLpid }
      this.#released.add(shadowLpid)
      return
    }
    if (guest?.lpid !== lpid) {
      const whose = guest === undefined ? 'no guest' : `LPID ${guest.lpid}`
      return this.#differences.at(event, `shadow LPID ${shadowLpid} is of ${whose}`, `of LPID ${lpid}`)
    }
    this.#released.add(shadowLpid)
    this.#drop(guest)
  }

  #newTable(): RadixTable {
    this.#gate.pages += ROOT_PAGES
    return new RadixTable({ pageShift: this.pageShift }, this.#gate)
  }

  #drop(guest: TraceGuest): void {
    this.#byShadowLpid.delete(guest.shadowLpid)
    if (this.guests.get(guest.lpid) === guest) this.guests.delete(guest.lpid)
    guest.shadow.clearAll()
    this.#gate.givePages(ROOT_PAGES)
  }

  /** Whether a leaf of the creation's size is there already. */
  #stands({ table, gpaHi, gpaLo, shift }: Creation): boolean {
    const ref = table.find(gpaHi, gpaLo)
    return ref !== NONE && table.shiftOf(ref) === shift
  }

  /** A leaf of the same size has the new bits OR-ed in; else it is set, and the kernel has cleared what was in the way. */
  #set(event: TraceEvent, creation: Creation): void {
    const { table, gpaHi, gpaLo, shift, wordHi, wordLo } = creation
    if (wordHi >>> 30 !== 3) return this.#differences.at(event, 'a present leaf', hex(wordOf(wordHi, wordLo)))
    const ref = table.find(gpaHi, gpaLo)
    if (ref !== NONE && table.shiftOf(ref) === shift) {
      return table.writeAt(ref, table.hiAt(ref) | wordHi, table.loAt(ref) | wordLo)
    }
    if (ref !== NONE) {
      this.#differences.at(
        event,
        `a leaf of 2^${table.shiftOf(ref)} bytes stands at ${whereText(creation)}`,
        `one of 2^${shift}`,
      )
      table.clearAt(ref)
    }
    const below = shift === this.pageShift ? 0 : table.leavesBelow(gpaHi, gpaLo, shift).length
    if (below > 0) this.#differences.at(event, `${below} smaller leaves stand below ${whereText(creation)}`, 'none')
    if (table.place(gpaHi, gpaLo, shift, wordHi, wordLo) === NONE) {
      throw new LineError(event.line, 'no memory for the page tables')
    }
  }

  /** Clears the leaf that the kernel unmaps: it must be the model's in word (referenced and changed aside) and size. */
  #clear(event: TraceEvent, guest: TraceGuest | null, own: Creation | undefined, aligned: boolean): void {
    const table = guest === null ? this.host : guest.shadow
    const [wordHi, wordLo] = leafWord(event, 'pteval')
    const shift = this.shiftOf(event)
    let hi = event.hi[FIELD.gpa]!
    let lo = event.lo[FIELD.gpa]!
    const misnamed = own !== undefined && own.table === table ? this.#misnamed(own, wordOf(wordHi, wordLo)) : undefined
    if (misnamed !== undefined) {
      hi = hiOfNumber(misnamed.gpa)
      lo = misnamed.gpa | 0
    }
    const ref = table.find(hi, lo)
    const rivals = this.overtake(table, hi, lo, shift, own)
    // What L1's own table held before the recording began is not known.
    if (ref === NONE && guest === null) return
    const isSize = ref !== NONE && table.shiftOf(ref) === shift
    const matches =
      (isSize && table.hiAt(ref) === wordHi && ((table.loAt(ref) ^ wordLo) & ~RC) === 0) ||
      (rivals.length > 0 &&
        (isSize || ref === NONE) &&
        mayBe(wordOf(wordHi, wordLo), isSize ? table.wordAt(ref) : 0n, rivals))
    if (!matches || (aligned && (lo & ((1 << this.pageShift) - 1)) !== 0) || hi >>> 20 !== 0) {
      const whose = guest === null ? 'L1' : `LPID ${guest.lpid}`
      const leaf = ref === NONE ? undefined : { word: table.wordAt(ref), shift: table.shiftOf(ref) }
      this.#differences.at(
        event,
        `${leafText(leaf)} at ${hex(event.wordAt(FIELD.gpa))} of ${whose}`,
        `${hexWord(wordOf(wordHi, wordLo))}, shift ${event.numberAt(FIELD.shift)}`,
      )
    }
    if (ref !== NONE) table.clearAt(ref)
  }

  /** A small leaf under a new large one, which Linux names by its frame when it clears it (spec 5, step 3). */
  #misnamed({ table, gpaHi, gpaLo, shift }: Creation, word: bigint): Leaf | undefined {
    if (shift === this.pageShift) return undefined
    return table.leavesBelow(gpaHi, gpaLo, shift).find((leaf) => withoutRc(leaf.word) === withoutRc(word))
  }
}

/** The leaf word that an event shows in `field`, its bytes put in plain order: [hi, lo]. */
export function leafWord(event: TraceEvent, field: 'pte' | 'pteval'): [hi: number, lo: number] {
  return [swap32(event.lo[FIELD[field]]!), swap32(event.hi[FIELD[field]]!)]
}

/**
 * Whether a leaf may hold a word, referenced and changed aside: one that was there before (0: none), with the bits that
 * some of the creations under way have OR-ed in by now.
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
