/**
 * Creating a leaf, in the host table or in a shadow table (spec 5 step 6). All of it runs under the mmu_lock.
 *
 *     mmuSeq has moved                       -> 'mmu-seq', nothing changes
 *     a leaf of the same size is present     -> 'same', or its bits are OR-ed in: 'grown'; no entry is inserted (quirk)
 *     a larger leaf is present               -> cleared, if the table page right below it can be had: else 'no-table-page'
 *     a table is in the place of the leaf    -> freed, with the leaves below
 *     another table page is missing          -> 'no-memory', what was cleared before stays cleared
 *     set the leaf, insert its entry         -> 'made'
 */
import type { Gpa, LeafShift, NestedGpa } from '../base/units'
import { hex, numberOf, wordOf } from '../base/word'
import { RC, LeafFlag } from '../page-table/leaf'
import { Ref, type LeafRef, type RadixTable } from '../page-table/radix-table'
import { entryHi, entryLo, TAG } from '../rmap/entry'
import type { InsertOutcome } from '../rmap/memslot'
import { clearHostLeaf, clearReplacedLeaf, clearShadowLeaf } from './clear-leaf'
import { hardwareLpid, KVM_ADDRESS, tableAddress } from './event-addresses'
import type { NestedGuest } from './nested-guest'
import type { VmState } from './state'
import type { VmMemslot } from './vm-memslot'

/** @internal A request to create a leaf, and the rmap slot that gets its entry. Addresses and words are signed halves. */
export class LeafRequest {
  /** The first address of a shadow leaf; any address in a host leaf. */
  hi = 0
  lo = 0
  shift: LeafShift = 12
  wordHi = 0
  wordLo = 0
  /** The guest's `edits` and `tlbies` when the guest table was read. */
  readonly edits: number
  readonly tlbies: number
  /** `mmuSeq` before the host was asked. */
  mmuSeq = 0
  /** The memslot that gets its entry; none for a host leaf. */
  slot: VmMemslot | undefined
  /** The index of its rmap slot there. */
  index = 0
  /** What Linux warned of when it made the host leaf for this shadow leaf: part of the fault's result. */
  hostWarning: string | undefined

  /** @param guest whose shadow table gets the leaf; none for the host table */
  constructor(readonly guest: NestedGuest | undefined) {
    this.edits = guest?.edits ?? 0
    this.tlbies = guest?.tlbies ?? 0
  }

  /** The first address of the leaf. */
  get first(): Gpa | NestedGpa {
    return numberOf(this.hi, this.lo & (-1 << this.shift))
  }
}

/** @internal What an insert of a leaf's entry did. It has a node if it needs one: that is checked before. */
export type LeafInsert = Exclude<InsertOutcome, 'no-memory'>

/** @internal What became of a request. */
export interface LeafCreation {
  /** `'no-table-page'`: the page right below a larger leaf is missing; `'no-memory'`: any other page is. */
  readonly status: 'made' | 'grown' | 'same' | 'mmu-seq' | 'no-table-page' | 'no-memory'
  /** What the insert of the entry did; undefined where there was none. */
  readonly insert?: LeafInsert
  /** What Linux would warn of, or ought to. */
  readonly warning?: string
}

/** The creations that need no text, so that a fault allocates none. */
const PLAIN = {
  grown: { status: 'grown' },
  same: { status: 'same' },
  'mmu-seq': { status: 'mmu-seq' },
  'no-table-page': { status: 'no-table-page' },
  'no-memory': { status: 'no-memory' },
  made: { status: 'made' },
} as const satisfies Record<LeafCreation['status'], LeafCreation>
const MADE = {
  empty: { status: 'made', insert: 'empty' },
  second: { status: 'made', insert: 'second' },
  list: { status: 'made', insert: 'list' },
  duplicate: { status: 'made', insert: 'duplicate' },
} as const satisfies Record<LeafInsert, LeafCreation>

const ERRNO: Record<LeafCreation['status'], number> = {
  made: 0,
  grown: 0,
  same: 0,
  'mmu-seq': -11,
  'no-table-page': -11,
  'no-memory': -12,
}

/**
 * @internal Creates a leaf. For `'same'`, `'mmu-seq'` and `'no-table-page'` nothing has changed. For `'no-memory'` the leaf
 * was not made, but a larger leaf in the way has been cleared, and table pages above the missing one stay linked.
 */
export function createLeaf(vm: VmState, request: LeafRequest): LeafCreation {
  const { observed } = vm.events
  if (observed) emitCreate(vm, request)
  const created = create(vm, request)
  if (observed) vm.events.emit({ event: 'pte_create_ret', ret: ERRNO[created.status] })
  return created
}

function create(vm: VmState, request: LeafRequest): LeafCreation {
  if (vm.invalidatedSince(request.mmuSeq)) return PLAIN['mmu-seq']

  const { guest, hi, lo, shift } = request
  const table = guest === undefined ? vm.host : guest.shadow
  const there = table.find(hi, lo)
  if (there !== Ref.NONE) {
    const shiftThere = table.shiftOf(there)
    if (shiftThere === shift) return growLeaf(vm, table, there, request)
    if (shiftThere > shift) {
      if (!table.reserveBelow(there)) return PLAIN['no-table-page']
      if (guest === undefined) clearHostLeaf(vm, there, hi, lo, vm.gfnOf(hi, lo), undefined)
      else clearShadowLeaf(vm, guest, there, hi, lo, 'L0')
    }
  }
  const warning = shift === vm.pageShift ? undefined : clearBelow(vm, request)

  if (table.place(hi, lo, shift, request.wordHi, request.wordLo) === Ref.NONE) return PLAIN['no-memory']
  if (guest === undefined) {
    vm.hostLeavesCreated++
    return warning === undefined ? PLAIN.made : { status: 'made', warning }
  }
  vm.leavesCreated++
  if (guest.edits === request.edits) guest.edited.delete(request.first)
  else guest.edited.add(request.first) // L1 has edited its table in between: the leaf may be outdated already
  const insert = insertEntry(vm, request, guest)
  return warning === undefined ? MADE[insert] : { status: 'made', insert, warning }
}

/**
 * A leaf of the same size is present. **Quirk**: Linux ORs the bits of another word in and inserts no entry. That is right
 * where only write, referenced or changed differ; where L1 has moved the page without a tlbie, it mixes two frames.
 */
function growLeaf(vm: VmState, table: RadixTable, there: LeafRef, request: LeafRequest): LeafCreation {
  const oldHi = table.hiAt(there)
  const oldLo = table.loAt(there)
  const wordHi = oldHi | request.wordHi
  const wordLo = oldLo | request.wordLo
  const mixes = oldHi !== request.wordHi || ((oldLo ^ request.wordLo) & ~(LeafFlag.WRITE | RC)) !== 0
  const grows = wordHi !== oldHi || wordLo !== oldLo
  if (grows) {
    table.writeAt(there, wordHi, wordLo)
    const { guest } = request
    if (guest !== undefined && guest.edits !== request.edits) guest.edited.add(request.first) // by bits of before the edit
  }
  if (!mixes) return grows ? PLAIN.grown : PLAIN.same
  const warning = vm.events.warn(
    `${request.guest === undefined ? 'host table' : `LPID ${request.guest.lpid}`}: the leaf at ${hex(request.first)} is ${hex(wordOf(oldHi, oldLo))}, ` +
      `and ${hex(wordOf(request.wordHi, request.wordLo))} is OR-ed into it`,
  )
  return { status: grows ? 'grown' : 'same', warning }
}

/**
 * Clears the leaves that the new one would hide. Their table is freed when the leaf is placed. Returns the warning.
 *
 * **Quirk**: Linux clears them under a wrong address, and for host leaves logs nothing and does not walk their rmap slots:
 * their entries stay, and so do the shadow leaves behind them. The later removal of the large leaf's range finds them.
 */
function clearBelow(vm: VmState, request: LeafRequest): string | undefined {
  const { guest } = request
  const table = guest === undefined ? vm.host : guest.shadow
  const below = table.leavesBelow(request.hi, request.lo, request.shift)
  if (below.length === 0) return undefined
  for (const { gpa } of below) clearReplacedLeaf(vm, guest, table.refAt(gpa), gpa)
  return guest === undefined
    ? undefined
    : vm.events.warn(`LPID ${guest.lpid}: cleared ${below.length} leaves below a larger one at ${hex(request.first)}`)
}

/** Inserts the leaf's entry: the LPID, and the first address that the leaf maps. */
function insertEntry(vm: VmState, request: LeafRequest, guest: NestedGuest): LeafInsert {
  const slot = request.slot!
  const { index } = request
  const lo = entryLo(request.lo & (-1 << request.shift))
  const hi = entryHi(guest.lpid, 0) | request.hi
  const { observed } = vm.events
  const old = observed ? slot.rmap.words[index]! : 0n
  const node = vm.nodes.nextAddress()
  const outcome = slot.rmap.insertEntry(index, hi, lo)
  if (outcome === 'no-memory') throw new Error('insert: there is no node, although there was one before')
  if (outcome === 'empty') {
    slot.singles++
  } else if (outcome !== 'duplicate') {
    slot.nodes++
    if (outcome === 'second') {
      slot.singles--
      slot.lists++
    }
  }
  if (observed) emitInsert(vm, slot, index, old, node, wordOf(hi, lo), outcome)
  return outcome
}

function emitCreate(vm: VmState, request: LeafRequest): void {
  vm.events.emit({
    event: 'pte_create',
    kvm: KVM_ADDRESS,
    pgtable: tableAddress(request.guest),
    pte: wordOf(request.wordHi, request.wordLo),
    gpa: numberOf(request.hi, request.lo),
    level: request.shift === 30 ? 2 : request.shift === 21 ? 1 : 0,
    mmu_seq: request.mmuSeq,
    lpid: hardwareLpid(vm, request.guest),
    rmapp: request.slot === undefined ? 0n : request.slot.slotAddress(request.index),
  })
}

function emitInsert(
  vm: VmState,
  slot: VmMemslot,
  index: number,
  old: bigint,
  address: number,
  entry: bigint,
  outcome: LeafInsert,
): void {
  const rmapp = slot.slotAddress(index)
  const node = BigInt(address)
  vm.events.emit({ event: 'rmap_insert', kvm: KVM_ADDRESS, rmapp, old, node, new: entry })
  if (outcome === 'empty') vm.events.emit({ event: 'rmap_insert_empty', rmapp, slot: entry | BigInt(TAG) })
  else if (outcome === 'duplicate') vm.events.emit({ event: 'rmap_insert_duplicate', rmapp, node, new: entry })
  else vm.events.emit({ event: 'rmap_insert_node', old, node, next: old, rmap: entry })
}
