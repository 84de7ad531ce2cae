/**
 * The simplest model of an L1 that one can write: lists of leaves, found by searching everything. When a page is taken away,
 * every leaf of every nested guest is compared with its frame. Ageing and harvest, which visit one rmap slot only, need to
 * know what was inserted there: a set of names by gfn.
 */
import type { Access, FaultResult, ForwardToL1, LeafShift, PageShift, Placement, SetRcResult } from '../../src/index'

const [R, C, READ, WRITE, EXECUTE] = [0x100, 0x080, 0x004, 0x002, 0x001] as const
const ALLOWING = { read: READ | WRITE, write: WRITE, execute: EXECUTE } as const

/** A leaf of any table; `frame` in units of 4 KiB: the host's, or in a guest table L1's. */
export interface ModelLeaf {
  gpa: number
  shift: number
  frame: number
  flags: number
  malformed?: boolean
  /** Of a shadow leaf: L1 has changed its guest table there since. */
  outdated?: boolean
}

export interface ModelSlot {
  base: number
  npages: number
  readOnly: boolean
  log: boolean
  invalid: boolean
  marked: Set<number>
}

export interface ModelGuest {
  lpid: number
  root: ModelLeaf[] | undefined
  leaves: ModelLeaf[]
  live: boolean
  refs: number
  tlbies: number
}

export interface Plan {
  guest: ModelGuest
  leaf: ModelLeaf
  /** The gfn whose rmap slot gets the entry. */
  slot: number
  seq: number
  tlbies: number
}

/** What backs gfns of L1, in units of 4 KiB of the host; `copy`: where a page of it is copied to before a write. */
export interface BackedRange {
  gfn: number
  npages: number
  frame: number
  shift: LeafShift
  copy: number | undefined
}

export const find = (leaves: readonly ModelLeaf[], gpa: number): ModelLeaf | undefined =>
  leaves.find((leaf) => leaf.gpa <= gpa && gpa < leaf.gpa + 2 ** leaf.shift)

const overlaps = (leaf: ModelLeaf, from: number, to: number): boolean =>
  leaf.gpa < to && from < leaf.gpa + 2 ** leaf.shift

function remove(leaves: ModelLeaf[], which: (leaf: ModelLeaf) => boolean): void {
  for (let i = leaves.length - 1; i >= 0; i--) if (which(leaves[i]!)) leaves.splice(i, 1)
}

/** Thrown where the real one refuses to map a large page that reaches outside its memslot. */
export class OutsideMemslot extends Error {}

export class Model {
  readonly host: ModelLeaf[] = []
  readonly slots: ModelSlot[] = []
  readonly guests = new Map<number, ModelGuest>()
  /** Nested guests that were dropped and are still in use. */
  readonly dropped: ModelGuest[] = []
  readonly partition = new Map<number, ModelLeaf[]>()
  /** What was inserted in the rmap slot of a gfn, oldest first: names of leaves. */
  readonly entries = new Map<number, Set<string>>()
  /** What backs L1's memory, newest first. */
  readonly #backed: BackedRange[] = []
  seq = 0
  inProgress = 0

  /** Bytes of a base page. */
  readonly page: number

  constructor(
    readonly pageShift: PageShift,
    readonly placement: Placement,
  ) {
    this.page = 2 ** pageShift
  }

  slotOf(gfn: number): ModelSlot | undefined {
    return this.slots.find((slot) => slot.base <= gfn && gfn < slot.base + slot.npages)
  }

  enter(lpid: number): ModelGuest {
    let guest = this.guests.get(lpid)
    if (guest === undefined) {
      guest = { lpid, root: this.partition.get(lpid), leaves: [], live: true, refs: 1, tlbies: 0 }
      this.guests.set(lpid, guest)
    }
    return guest
  }

  put(guest: ModelGuest): void {
    if (--guest.refs > 0) return
    guest.leaves.length = 0
    this.dropped.splice(this.dropped.indexOf(guest), 1)
  }

  drop(guest: ModelGuest): void {
    guest.live = false
    this.guests.delete(guest.lpid)
    this.dropped.push(guest)
    this.put(guest)
  }

  // ---- L1 ----

  /** Writes a leaf of a guest table, or with no leaf removes what is there. */
  edit(table: ModelLeaf[], leaf: ModelLeaf | undefined, gpa: number): void {
    const gone =
      leaf === undefined
        ? [find(table, gpa)]
        : table.filter((old) => overlaps(old, leaf.gpa, leaf.gpa + 2 ** leaf.shift))
    const changed = [...gone, leaf].filter((one) => one !== undefined)
    remove(table, (old) => gone.includes(old))
    if (leaf !== undefined) table.push(leaf)
    for (const guest of this.guests.values()) {
      if (guest.root !== table) continue
      for (const shadow of guest.leaves) {
        if (changed.some((one) => overlaps(shadow, one.gpa, one.gpa + 2 ** one.shift))) shadow.outdated = true
      }
    }
  }

  tlbiePage(lpid: number, gpa: number, shift: number): void {
    const guest = this.guests.get(lpid)
    if (guest === undefined) return
    guest.tlbies++
    const from = gpa - (gpa % 2 ** shift)
    remove(guest.leaves, (leaf) => overlaps(leaf, from, from + 2 ** shift))
  }

  tlbieLpid(lpid: number, ric: number): void {
    const guest = this.guests.get(lpid)
    if (guest === undefined || ric === 1) return
    guest.tlbies++
    guest.leaves.length = 0
    if (ric === 0) return
    guest.root = this.partition.get(lpid)
    if (guest.root === undefined) this.drop(guest)
  }

  // ---- the host ----

  /** The host backs gfns with other memory. */
  back(range: BackedRange): void {
    this.#backed.unshift(range)
  }

  /** What backs a gfn: the newest range that has it; in base pages, if a newer one has some of it. */
  #backing(gfn: number): Omit<BackedRange, 'gfn' | 'npages'> | undefined {
    const at = this.#backed.findIndex((range) => range.gfn <= gfn && gfn < range.gfn + range.npages)
    const range = this.#backed[at]
    if (range === undefined) return undefined
    const cut = this.#backed
      .slice(0, at)
      .some((newer) => newer.gfn < range.gfn + range.npages && range.gfn < newer.gfn + newer.npages)
    const offset = (gfn - range.gfn) * (this.page / 4096)
    return {
      frame: range.frame + offset,
      shift: cut ? this.pageShift : range.shift,
      copy: range.copy === undefined ? undefined : range.copy + offset,
    }
  }

  /** A host leaf is cleared, and every leaf of every nested guest that maps a frame of it. */
  clearHost(host: ModelLeaf, named: number, marks = true): void {
    remove(this.host, (leaf) => leaf === host)
    const npages = 2 ** (host.shift - this.pageShift)
    const slot = this.slotOf(Math.floor(host.gpa / this.page))!
    if (marks && slot.log && (host.flags & C) !== 0) {
      for (let gfn = named; gfn < Math.min(named + npages, slot.base + slot.npages); gfn++)
        slot.marked.add(gfn - slot.base)
    }
    for (let i = 0; i < npages; i++) this.entries.delete(Math.floor(host.gpa / this.page) + i)
    for (const guest of this.guests.values()) {
      remove(guest.leaves, (leaf) => leaf.frame >= host.frame && leaf.frame < host.frame + 2 ** (host.shift - 12))
    }
  }

  /** The first half of an unmap, but for the count of those in progress. */
  unmap(gfn: number, npages: number, marks = true): void {
    const [from, to] = [gfn * this.page, (gfn + npages) * this.page]
    for (const leaf of this.host.filter((leaf) => overlaps(leaf, from, to))) {
      this.clearHost(leaf, Math.max(gfn, Math.floor(leaf.gpa / this.page)), marks)
    }
  }

  flush(slot: ModelSlot, marks = true): void {
    this.unmap(slot.base, slot.npages, marks)
    this.seq++
  }

  /** The logging is switched: the memslot is visible with an empty log, and then flushed as it was before. */
  beginSetLog(slot: ModelSlot, on: boolean): void {
    slot.log = on
    slot.marked.clear()
  }

  /** The host leaf of a gfn loses a bit, and so do the leaves that its own rmap slot leads to. */
  clearBits(gfn: number, bits: number): boolean {
    const host = find(this.host, gfn * this.page)
    if (host === undefined || (host.flags & bits) === 0) return false
    host.flags &= ~bits
    for (const guest of this.guests.values()) {
      for (const leaf of guest.leaves) {
        const listed = this.entries.get(gfn)?.has(`${guest.lpid}:${leaf.gpa}`)
        if (listed === true && leaf.frame >= host.frame && leaf.frame < host.frame + 2 ** (host.shift - 12))
          leaf.flags &= ~bits
      }
    }
    return true
  }

  harvest(slot: ModelSlot): number[] {
    const dirty = new Set([...slot.marked].map((index) => slot.base + index))
    slot.marked.clear()
    for (let gfn = slot.base; gfn < slot.base + slot.npages; gfn++) if (this.clearBits(gfn, C)) dirty.add(gfn)
    return [...dirty].sort((a, b) => a - b)
  }

  releaseAll(): void {
    for (const guest of [...this.guests.values()]) this.drop(guest)
    this.entries.clear()
  }

  // ---- faults ----

  /** The guest leaf, or why there is none to use. */
  #translate(guest: ModelGuest, gpa: number, access: Access): ModelLeaf | ForwardToL1['reason'] {
    guest.root ??= this.partition.get(guest.lpid)
    if (guest.root === undefined) return 'no-root'
    const leaf = find(guest.root, gpa)
    if (leaf === undefined) return 'no-translation'
    return leaf.malformed === true ? 'malformed' : (leaf.flags & ALLOWING[access]) === 0 ? 'not-allowed' : leaf
  }

  #walk(guest: ModelGuest, gpa: number, access: Access): ModelLeaf | FaultResult {
    const walked = this.#translate(guest, gpa, access)
    if (typeof walked !== 'string') return walked
    const there = find(guest.leaves, gpa)
    if (walked === 'no-root' || there === undefined) return { outcome: 'forward-to-l1', reason: walked }
    remove(guest.leaves, (one) => one === there)
    return { outcome: 'retry', reason: 'refused' }
  }

  /** @throws OutsideMemslot */
  plan(guest: ModelGuest, gpa: number, access: Access): Plan | FaultResult {
    const there = find(guest.leaves, gpa)
    if (there !== undefined && (there.flags & ALLOWING[access]) !== 0) return { outcome: 'present', reason: 'allowed' }
    const walked = this.#walk(guest, gpa, access)
    if ('outcome' in walked) return walked
    if (walked.shift < this.pageShift)
      return { outcome: 'invalid', reason: 'small-guest-leaf', shift: walked.shift as LeafShift }
    const to = walked.frame * 4096 + gpa - walked.gpa
    const gfn = Math.floor(to / this.page)
    const slot = this.slotOf(gfn)
    if (slot === undefined || slot.invalid)
      return { outcome: 'mmio', reason: slot === undefined ? 'no-memslot' : 'invalid-memslot', l1Gpa: to, gpa: to }
    if (slot.readOnly && access === 'write')
      return { outcome: 'fault-to-l2', reason: 'read-only-memslot', l1Gpa: to, gpa: to }
    const seq = this.seq
    let host = find(this.host, to)
    if (host === undefined || (access === 'write' && (host.flags & WRITE) === 0)) {
      const backing = this.#backing(gfn)
      if (backing === undefined) return { outcome: 'retry', reason: 'no-backing' }
      if (access === 'write' && backing.copy !== undefined) {
        // the host breaks the sharing first
        this.unmap(gfn, 1)
        this.seq++
        this.back({ gfn, npages: 1, frame: backing.copy, shift: this.pageShift, copy: undefined })
        return { outcome: 'retry', reason: 'mmu-seq' }
      }
      if (!this.#instantiate(slot, gfn, backing)) return { outcome: 'retry', reason: 'mmu-seq' }
      host = find(this.host, to)!
    }
    const shift = host.shift <= walked.shift ? host.shift : this.pageShift
    const offset = shift === host.shift ? 0 : to - host.gpa - ((to - host.gpa) % this.page)
    let flags = host.flags & walked.flags
    if (access !== 'write') flags &= ~C
    const leaf = { gpa: gpa - (gpa % 2 ** shift), shift, frame: host.frame + offset / 4096, flags }
    const head = Math.floor(host.gpa / this.page)
    return { guest, leaf, slot: this.placement === 'head' ? head : gfn, seq, tlbies: guest.tlbies }
  }

  #instantiate(slot: ModelSlot, gfn: number, backing: Omit<BackedRange, 'gfn' | 'npages'>): boolean {
    const pageFrames = this.page / 4096
    const inStep = (gfn * pageFrames - backing.frame) % 2 ** (backing.shift - 12) === 0
    const shift = slot.log || !inStep ? this.pageShift : backing.shift
    const npages = 2 ** (shift - this.pageShift)
    const first = gfn - (gfn % npages)
    if (first < slot.base || first + npages > slot.base + slot.npages) throw new OutsideMemslot()
    if (this.inProgress > 0) return false
    const writable = backing.copy === undefined && !slot.readOnly
    const leaf = {
      gpa: first * this.page,
      shift,
      frame: backing.frame - (gfn - first) * pageFrames,
      flags: READ | EXECUTE | R | (writable ? WRITE | C : 0),
    }
    const there = find(this.host, leaf.gpa)
    if (there !== undefined && there.shift === shift) {
      there.flags |= leaf.flags
      return true
    }
    if (there !== undefined && there.shift > shift) this.clearHost(there, gfn)
    // Linux clears smaller ones under a wrong address: nothing that they lead to is found
    remove(this.host, (old) => overlaps(old, leaf.gpa, leaf.gpa + 2 ** shift))
    this.host.push(leaf)
    return true
  }

  /** Whether there is a shadow leaf of a page that L1 has moved without a tlbie, and one of the new page may be made. */
  isOutdated(guest: ModelGuest | undefined, gpa: number): boolean {
    const leaf = guest === undefined ? undefined : find(guest.leaves, gpa)
    return leaf?.outdated === true && (find(guest!.root ?? [], gpa)?.flags ?? 0) !== 0
  }

  /** Whether a planned leaf would be OR-ed into one that maps another frame. */
  mixes(plan: Plan): boolean {
    if (this.#racedBy(plan) !== undefined) return false
    const same = sameSize(plan)
    return same !== undefined && same.frame !== plan.leaf.frame
  }

  #racedBy({ guest, tlbies, seq }: Plan): 'dropped' | 'tlbie' | 'mmu-seq' | undefined {
    if (!guest.live) return 'dropped'
    if (tlbies !== guest.tlbies) return 'tlbie'
    return this.inProgress > 0 || seq !== this.seq ? 'mmu-seq' : undefined
  }

  commit(plan: Plan): FaultResult {
    const { guest, leaf, slot: gfn } = plan
    const reason = this.#racedBy(plan)
    if (reason !== undefined) return { outcome: 'retry', reason }
    const { gpa } = leaf
    const shift = leaf.shift as LeafShift
    const same = sameSize(plan)
    if (same !== undefined) {
      const flags = same.flags | leaf.flags
      if (flags === same.flags && leaf.frame === same.frame) return { outcome: 'present', reason: 'same-bits' }
      same.flags = flags
      return { outcome: 'mapped', change: 'grown', gpa, shift, gfn, insert: undefined, warning: undefined }
    }
    remove(guest.leaves, (old) => overlaps(old, leaf.gpa, leaf.gpa + 2 ** leaf.shift))
    guest.leaves.push({ ...leaf })
    const entries = this.entries.get(gfn) ?? new Set()
    const name = `${guest.lpid}:${leaf.gpa}`
    const insert = entries.has(name) ? 'duplicate' : ((['empty', 'second'] as const)[entries.size] ?? 'list')
    this.entries.set(gfn, entries.add(name))
    return { outcome: 'mapped', change: 'made', gpa, shift, gfn, insert, warning: undefined }
  }

  setRc(guest: ModelGuest, gpa: number, access: Access): SetRcResult {
    const walked = this.#translate(guest, gpa, access)
    if (typeof walked === 'string') return { outcome: 'forward-to-l1', reason: walked }
    const write = access === 'write'
    const bits = write ? R | C : R
    if ((walked.flags & bits) !== bits) return { outcome: 'forward-to-l1', reason: 'no-rc' }
    const to = walked.frame * 4096 + gpa - walked.gpa
    for (const [leaves, at, reason] of [
      [this.host, to, 'host-leaf'],
      [guest.leaves, gpa, 'shadow-leaf'],
    ] as const) {
      const leaf = find(leaves, at)
      if (leaf === undefined || (write && (leaf.flags & WRITE) === 0)) {
        const shadow = find(guest.leaves, gpa)
        remove(guest.leaves, (one) => one === shadow)
        return { outcome: 'retry', reason }
      }
      leaf.flags |= bits
    }
    return { outcome: 'set' }
  }
}

/** The leaf of the same size in the place of a planned one. */
function sameSize({ guest, leaf }: Plan): ModelLeaf | undefined {
  return guest.leaves.find((one) => one.gpa === leaf.gpa && one.shift === leaf.shift)
}
