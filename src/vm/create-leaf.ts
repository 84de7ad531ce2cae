/**
 * Creating a leaf, in the host table or in a shadow table (spec 5 step 6). All of it is under the mmu_lock.
 *
 *     mmuSeq has moved                    -> 'mmu-seq', nothing changes
 *     a leaf of the same size is there    -> 'same', or its bits are OR-ed in: 'grown'; no entry is inserted (quirk)
 *     a larger leaf is there              -> cleared, and a smaller one put below
 *     a table stands where the leaf goes  -> freed, with what is below
 *     set the leaf, insert its entry      -> 'made'
 */
import type { LeafShift } from '../base/units'
import { hex, hiOfNumber, numberOf, wordOf } from '../base/word'
import { RC, LeafFlag } from '../page-table/leaf'
import { NONE, type LeafRef, type RadixTable } from '../page-table/radix-table'
import { entryHi, entryLo, TAG } from '../rmap/entry'
import type { InsertOutcome } from '../rmap/memslot'
import { clearHostLeaf, clearShadowLeaf } from './clear-leaf'
import type { NestedGuest } from './nested-guest'
import type { VmState } from './state'
import type { VmMemslot } from './vm-memslot'

/** @internal What came of it: `'no-table-page'` for the page right below a larger leaf, `'no-memory'` for any other. */
export type Created = 'made' | 'grown' | 'same' | 'mmu-seq' | 'no-table-page' | 'no-memory'

/** @internal A leaf to be, and where its entry goes. Addresses and words are signed halves. */
export class NewLeaf {
  /** Any address of it. */
  hi = 0
  lo = 0
  shift: LeafShift = 12
  wordHi = 0
  wordLo = 0
  /** How often L1 had edited the guest table, and taken mappings away, when the guest table was read. */
  edits = 0
  tlbies = 0
  /** `mmuSeq` as it was before the host was asked. */
  mmuSeq = 0
  /** The memslot that gets its entry; none for a host leaf. */
  slot: VmMemslot | undefined
  /** Which of its slots. */
  index = 0
  /** What the insert of its entry did. */
  insert: Exclude<InsertOutcome, 'no-memory'> | undefined
  /** What Linux would warn of. */
  warning: string | undefined

  /** `guest`: none for a host leaf */
  constructor(readonly guest: NestedGuest | undefined) {
    if (guest === undefined) return
    this.edits = guest.edits
    this.tlbies = guest.tlbies
  }

  /** Adds a warning: the host leaf that was made for this one may have had one too. */
  warn(vm: VmState, message: string): void {
    const before = this.warning === undefined ? '' : `${this.warning}; `
    this.warning = before + vm.warn(message)
  }
}

const ERRNO: Record<Created, number> = {
  made: 0,
  grown: 0,
  same: 0,
  'mmu-seq': -11,
  'no-table-page': -11,
  'no-memory': -12,
}

/** @internal Creates the leaf. Unless it is `'made'` or `'grown'`, no leaf and no slot has changed. */
export function createLeaf(vm: VmState, leaf: NewLeaf): Created {
  const observed = vm.observer !== undefined
  if (observed) emitCreate(vm, leaf)
  const created = create(vm, leaf)
  if (observed) vm.emit({ event: 'pte_create_ret', ret: ERRNO[created] })
  return created
}

function create(vm: VmState, leaf: NewLeaf): Created {
  if (vm.invalidatedSince(leaf.mmuSeq)) return 'mmu-seq'

  const { guest, hi, lo, shift } = leaf
  const table = guest === undefined ? vm.host : guest.shadow
  const there = table.find(hi, lo)
  if (there !== NONE) {
    const shiftThere = table.shiftOf(there)
    if (shiftThere === shift) return growLeaf(vm, table, there, leaf)
    if (shiftThere > shift) {
      const missing = table.reserveBelow(there, shift)
      if (missing !== 0) return missing === 1 ? 'no-table-page' : 'no-memory'
      clear(vm, guest, there, hi, lo)
    }
  }
  if (shift !== vm.pageShift) clearBelow(vm, table, leaf)

  if (table.place(hi, lo, shift, leaf.wordHi, leaf.wordLo) === NONE) return 'no-memory'
  if (guest === undefined) {
    vm.hostLeavesCreated++
  } else {
    vm.leavesCreated++
    if (guest.edits === leaf.edits) guest.edited.delete(firstAddress(leaf))
    else guest.edited.add(firstAddress(leaf)) // it is outdated already, maybe: L1 has yet to say so
    insertEntry(vm, leaf, guest)
  }
  return 'made'
}

/**
 * A leaf of that size is there. **Quirk**: another word is OR-ed in, with no insert. That is right where only write,
 * referenced or changed differ; where L1 has moved the page without a tlbie, it mixes two frames.
 */
function growLeaf(vm: VmState, table: RadixTable, there: LeafRef, leaf: NewLeaf): Created {
  const oldHi = table.hiAt(there)
  const oldLo = table.loAt(there)
  if (oldHi === leaf.wordHi && oldLo === leaf.wordLo) return 'same'
  if (oldHi !== leaf.wordHi || ((oldLo ^ leaf.wordLo) & ~(LeafFlag.WRITE | RC)) !== 0) {
    const whose = leaf.guest === undefined ? 'host table' : `LPID ${leaf.guest.lpid}`
    leaf.warn(
      vm,
      `${whose}: the leaf at ${hex(firstAddress(leaf))} is ${hex(wordOf(oldHi, oldLo))}, ` +
        `and ${hex(wordOf(leaf.wordHi, leaf.wordLo))} is OR-ed into it`,
    )
  }
  const wordHi = oldHi | leaf.wordHi
  const wordLo = oldLo | leaf.wordLo
  if (wordHi === oldHi && wordLo === oldLo) return 'same'
  table.writeAt(there, wordHi, wordLo)
  return 'grown'
}

/** Clears the leaves that the new one would hide. Their table is freed when it takes their place. */
function clearBelow(vm: VmState, table: RadixTable, leaf: NewLeaf): void {
  const below = table.leavesBelow(leaf.hi, leaf.lo, leaf.shift)
  if (below.length === 0) return
  for (const { gpa } of below) {
    const hi = hiOfNumber(gpa)
    clear(vm, leaf.guest, table.find(hi, gpa | 0), hi, gpa | 0)
  }
  const whose = leaf.guest === undefined ? 'host table' : `LPID ${leaf.guest.lpid}`
  leaf.warn(vm, `${whose}: ${below.length} leaves stood below a larger one at ${hex(firstAddress(leaf))}`)
}

/** A host leaf goes with the walk, a shadow leaf alone. */
function clear(vm: VmState, guest: NestedGuest | undefined, ref: LeafRef, hi: number, lo: number): void {
  if (guest === undefined) clearHostLeaf(vm, ref, hi, lo, vm.gfnOf(hi, lo), undefined)
  else clearShadowLeaf(vm, guest, ref, hi, lo, 'L0')
}

/** Inserts the leaf's entry: LPID, and the first address that the leaf maps. */
function insertEntry(vm: VmState, leaf: NewLeaf, guest: NestedGuest): void {
  const slot = leaf.slot!
  const { index } = leaf
  const lo = entryLo(leaf.lo & (-1 << leaf.shift))
  const hi = entryHi(guest.lpid, 0) | leaf.hi
  const old = vm.observer === undefined ? 0n : slot.rmap.words[index]!
  const node = vm.nodes.nextAddress()
  const outcome = slot.rmap.insertEntry(index, hi, lo)
  if (outcome === 'no-memory') throw new Error('insert: the node that was asked for is gone')
  leaf.insert = outcome
  if (outcome === 'empty') {
    slot.singles++
  } else if (outcome !== 'duplicate') {
    slot.nodes++
    if (outcome === 'second') {
      slot.singles--
      slot.lists++
    }
  }
  if (vm.observer !== undefined) emitInsert(vm, slot, index, old, node, wordOf(hi, lo), outcome)
}

/** @internal Where a leaf begins: it may be made for an address in its middle. */
export function firstAddress(leaf: NewLeaf): number {
  return numberOf(leaf.hi, leaf.lo & (-1 << leaf.shift))
}

function emitCreate(vm: VmState, leaf: NewLeaf): void {
  vm.emit({
    event: 'pte_create',
    kvm: vm.kvmAddress,
    pgtable: vm.tableAddress(leaf.guest),
    pte: wordOf(leaf.wordHi, leaf.wordLo),
    gpa: numberOf(leaf.hi, leaf.lo),
    level: leaf.shift === 30 ? 2 : leaf.shift === 21 ? 1 : 0,
    mmu_seq: leaf.mmuSeq,
    lpid: vm.hardwareLpid(leaf.guest),
    rmapp: leaf.slot?.slotAddress(leaf.index) ?? 0n,
  })
}

function emitInsert(
  vm: VmState,
  slot: VmMemslot,
  index: number,
  old: bigint,
  address: number,
  entry: bigint,
  outcome: InsertOutcome,
): void {
  const rmapp = slot.slotAddress(index)
  const node = BigInt(address)
  vm.emit({ event: 'rmap_insert', kvm: vm.kvmAddress, rmapp, old, node, new: entry })
  if (outcome === 'empty') vm.emit({ event: 'rmap_insert_empty', rmapp, slot: entry | BigInt(TAG) })
  else if (outcome === 'duplicate') vm.emit({ event: 'rmap_insert_duplicate', rmapp, node, new: entry })
  else vm.emit({ event: 'rmap_insert_node', old, node, next: old, rmap: entry })
}
