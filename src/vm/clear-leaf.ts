/**
 * Clearing one leaf (spec 6). A shadow leaf is cleared alone: that never touches the rmap. A host leaf is cleared with the
 * walk of its rmap range, which clears every shadow leaf that maps its page.
 */
import type { Gfn, Gpa, Hpa, NestedGpa } from '../base/units'
import { numberOf } from '../base/word'
import { LeafFlag, leafHpa } from '../page-table/leaf'
import type { Leaf, LeafRef, RadixTable } from '../page-table/radix-table'
import type { Entry } from '../rmap/entry'
import { hostPage, walkRange, type EntryFate, type RangeVisitor } from '../rmap/invalidate'
import type { ListNode } from '../rmap/memslot'
import { guestAddress, hardwareLpid, KVM_ADDRESS, leafAddress } from './event-addresses'
import type { NestedGuest } from './nested-guest'
import type { VmState } from './state'
import type { VmMemslot } from './vm-memslot'

/** @internal An entry that a walk removed from its list, kept until a visitor can be shown it. */
export interface TakenEntry {
  readonly gfn: Gfn
  readonly entry: Entry
  readonly fate: EntryFate
  readonly leaf: Leaf | undefined
}

/** @internal Clears a shadow leaf, for L0 or on behalf of L1, and flushes it from the nested guest's TLB. */
export function clearShadowLeaf(
  vm: VmState,
  guest: NestedGuest,
  ref: LeafRef,
  hi: number,
  lo: number,
  by: 'L0' | 'L1',
): void {
  if (vm.events.observed) emitUnmap(vm, leafAt(guest.shadow, ref, hi, lo), guest, undefined, numberOf(hi, lo))
  guest.shadow.clearAt(ref)
  vm.flushes.l2++
  if (by === 'L0') vm.leavesClearedByL0++
  else vm.leavesClearedByL1++
}

/**
 * @internal Clears a leaf that a larger one replaces, of the host table or of a shadow table: alone, without a walk.
 * **Quirk**: Linux takes the host address that the leaf maps for its guest address; events show that one.
 */
export function clearReplacedLeaf(vm: VmState, guest: NestedGuest | undefined, ref: LeafRef, first: number): void {
  const table = guest === undefined ? vm.host : guest.shadow
  if (vm.events.observed) {
    const shift = table.shiftOf(ref)
    const wrong = leafHpa(table.hiAt(ref), table.loAt(ref), shift)
    emitUnmap(vm, { gpa: first, shift, word: table.wordAt(ref) }, guest, undefined, wrong, wrong)
  }
  table.clearAt(ref)
  if (guest === undefined) {
    vm.flushes.l1++
    vm.hostLeavesCleared++
  } else {
    vm.flushes.l2++
    vm.leavesClearedByL0++
  }
}

/**
 * @internal Clears the host leaf at an address, in full, and walks its range (spec 6: unmap, remove rmap range).
 *
 * @param named the gfn that is being unmapped: dirty pages are counted from it
 * @param taken gets what the walk met
 * @param marksDirty whether a dirty leaf marks its pages in the dirty log
 */
export function clearHostLeaf(
  vm: VmState,
  ref: LeafRef,
  hi: number,
  lo: number,
  named: Gfn,
  taken: TakenEntry[] | undefined,
  marksDirty = true,
): void {
  const { host, pageShift } = vm
  const shift = host.shiftOf(ref)
  const npages = 1 << (shift - pageShift)
  const wordHi = host.hiAt(ref)
  const wordLo = host.loAt(ref)
  const hpa = leafHpa(wordHi, wordLo, shift)
  const first = named - (named % npages)
  const slot = vm.memslotOf(first)!
  const observed = vm.events.observed
    ? observeRange(vm, slot, { gfn: first, npages, hpa }, leafAt(host, ref, hi, lo))
    : undefined

  host.clearAt(ref)
  vm.hostLeavesCleared++
  vm.flushes.l1++

  const { walks } = vm
  const nodesBefore = vm.nodes.inUse
  const slotsBefore = walks.slots
  const listsBefore = walks.lists
  const clearedBefore = walks.cleared
  const met: TakenEntry[] = taken ?? []
  const visitor: RangeVisitor | undefined =
    taken === undefined && observed === undefined
      ? undefined
      : { entry: (gfn, entry, fate, leaf) => met.push({ gfn, entry, fate, leaf }) }
  const metBefore = met.length
  walkRange(vm.guests, slot.rmap, first - slot.baseGfn, npages, hostPage(hpa, shift), visitor, walks)
  const lists = walks.lists - listsBefore
  slot.lists -= lists
  slot.singles -= walks.slots - slotsBefore - lists
  slot.nodes -= nodesBefore - vm.nodes.inUse
  vm.flushes.l2 += walks.cleared - clearedBefore
  vm.leavesClearedByL0 += walks.cleared - clearedBefore

  if (marksDirty && slot.logDirty && (wordLo & LeafFlag.CHANGED) !== 0) markDirty(slot, named, npages)
  if (observed !== undefined) emitTaken(vm, slot, observed, met.slice(metBefore))
}

/**
 * Marks as many pages as the host leaf had, counted from the named gfn (a **quirk** of Linux where that is not the leaf's
 * first). Those past the memslot are left out: its dirty log has no bit for them.
 */
function markDirty(slot: VmMemslot, named: Gfn, npages: number): void {
  const from = named - slot.baseGfn
  for (let index = from; index < Math.min(from + npages, slot.npages); index++) slot.marked.add(index)
}

function leafAt(table: RadixTable, ref: LeafRef, hi: number, lo: number): Leaf {
  const shift = table.shiftOf(ref)
  return { gpa: numberOf(hi, lo & (-1 << shift)), shift, word: table.wordAt(ref) }
}

/**
 * @param gpa the address by which the leaf was found, which may lie in the middle of a large one
 * @param flushed the address that is flushed from the TLB
 */
function emitUnmap(
  vm: VmState,
  leaf: Leaf,
  guest: NestedGuest | undefined,
  slot?: VmMemslot,
  gpa: Gpa | NestedGpa | Hpa = leaf.gpa,
  flushed: Gpa | NestedGpa | Hpa = leaf.gpa,
): void {
  const lpid = hardwareLpid(vm, guest)
  vm.events.emit({
    event: 'pte_unmap',
    kvm: KVM_ADDRESS,
    ptep: leafAddress(guest, leaf.gpa),
    pteval: leaf.word,
    gpa,
    shift: leaf.shift,
    memslot: slot?.address ?? 0n,
    lpid,
  })
  vm.events.emit({ event: 'tlb_flush', lpid, gpa: flushed, shift: leaf.shift })
}

/** The rmap slots of a range that are not empty, as they are before the walk. */
type Observed = Map<Gfn, { readonly word: bigint; readonly nodes: ListNode[] }>

function observeRange(
  vm: VmState,
  slot: VmMemslot,
  range: { gfn: Gfn; npages: number; hpa: number },
  leaf: Leaf,
): Observed {
  emitUnmap(vm, leaf, undefined, slot)
  vm.events.emit({
    event: 'rmap_remove_range',
    kvm: KVM_ADDRESS,
    memslot: slot.address,
    gpa: leaf.gpa,
    hpa: BigInt(range.hpa),
    nbytes: 2 ** leaf.shift,
    base_gfn: slot.baseGfn,
    npages: slot.npages,
    rmap: slot.arrayAddress,
  })
  const observed: Observed = new Map()
  for (let gfn = range.gfn; gfn < range.gfn + range.npages; gfn++) {
    const word = slot.word(gfn)
    if (word !== 0n) observed.set(gfn, { word, nodes: slot.listNodes(gfn) })
  }
  return observed
}

function emitTaken(vm: VmState, slot: VmMemslot, observed: Observed, met: TakenEntry[]): void {
  let at = 0
  for (const [gfn, { word, nodes }] of observed) {
    const index = gfn - slot.baseGfn
    vm.events.emit({ event: 'rmap_take', slotp: slot.slotAddress(index), old: word, idx: index })
    for (let i = 0; met[at]?.gfn === gfn; i++, at++) {
      const { entry, leaf } = met[at]!
      const guest = vm.guests.get(entry.lpid)
      if (leaf !== undefined) emitUnmap(vm, leaf, guest, undefined, entry.gpa)
      const node = nodes[i]
      vm.events.emit({
        event: 'rmap_take_node',
        node: BigInt(node?.address ?? 0),
        next: node?.next ?? 0n,
        gp: guest === undefined ? 0n : guestAddress(guest),
        rmap: node?.entry ?? 0n,
      })
    }
  }
}
