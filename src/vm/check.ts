/**
 * The invariants of the data structures, checked on the state of an L1 (spec 1, 3, 12).
 *
 * They hold after every operation, unless a quirk of Linux broke one: a remap without a tlbie, a fault of a dropped nested
 * guest, LPID 0. A broken invariant is reported with its name and sentence, and where it is broken.
 *
 * (This file is over 300 lines: one function for each invariant, over one collected view of the state.)
 */
import { type Gfn, type Gpa, type HostFrame, type Lpid, MAX_GPA, type NestedGpa } from '../base/units'
import { hex, hiOf, loOf } from '../base/word'
import { leafFrame, LeafFlag, RC } from '../page-table/leaf'
import { NONE, type Leaf, type RadixTable } from '../page-table/radix-table'
import { entryOf, TAG } from '../rmap/entry'
import { InsertCounters } from '../rmap/insert-counters'
import { addInserts } from './counters'
import type { NestedGuest } from './nested-guest'
import type { VmState } from './state'
import type { VmMemslot } from './vm-memslot'

/** The invariants, by name. */
export const INVARIANTS = {
  completeness: 'A present shadow leaf has its entry in the rmap slot of the page it maps, and the entry leads to it.',
  composition: 'A shadow leaf is the host leaf after the guest leaf, where L1 has not changed the guest leaf since.',
  'changed-bit': 'A shadow leaf has the changed bit only where its host leaf has it.',
  'no-duplicates': 'No rmap slot holds an entry twice.',
  'list-end': 'A list ends in a tagged entry, and every node on the way is in use.',
  nodes: 'The list nodes in use are those that the rmap slots lead to.',
  'inside-memslot': 'A host leaf lies inside one memslot, so that no walk reads an rmap slot outside it.',
  'host-leaf': 'A host leaf is present wherever an rmap slot is not empty.',
  counters: 'The counters agree with the state.',
} as const

/** An invariant that the state breaks, and where. */
export interface BrokenInvariant {
  /** Its name in {@link INVARIANTS}. */
  readonly invariant: keyof typeof INVARIANTS
  /** The invariant, in a sentence. */
  readonly sentence: string
  /** What is wrong here. */
  readonly message: string
  /** The gfn whose rmap slot is concerned. */
  readonly gfn?: Gfn
  /** L1's number for the nested guest concerned. */
  readonly lpid?: Lpid
  /** The address concerned, in bytes: the nested guest's if `lpid` is given, else L1's. */
  readonly gpa?: NestedGpa | Gpa
}

const CHANGED = BigInt(LeafFlag.CHANGED)

type Break = (
  invariant: keyof typeof INVARIANTS,
  message: string,
  where?: { gfn?: Gfn; lpid?: Lpid; gpa?: NestedGpa | Gpa },
) => void

/** @internal The invariants that a state breaks. */
export function check(vm: VmState): BrokenInvariant[] {
  const broken: BrokenInvariant[] = []
  const breaks: Break = (invariant, message, where = {}) =>
    broken.push({ invariant, sentence: INVARIANTS[invariant], message, ...where })
  const slots = checkSlots(vm, breaks)
  const hostPages = checkHost(vm, breaks)
  for (const guest of [...vm.guests.values(), ...vm.held]) {
    if (guest.state !== 'released' || guest.faultedDropped) checkShadow(vm, guest, slots, hostPages, breaks)
  }
  checkCounters(vm, slots, breaks)
  return broken
}

/** What the walk of all rmap slots found. */
interface Slots {
  /** By entry, as `lpid:gpa`, the gfns in whose rmap slots a walk would meet it. */
  readonly gfns: Map<string, Gfn[]>
  entries: number
  nodes: number
}

const nameOf = (lpid: Lpid, gpa: NestedGpa): string => `${lpid}:${gpa}`

function checkSlots(vm: VmState, breaks: Break): Slots {
  const found: Slots = { gfns: new Map(), entries: 0, nodes: 0 }
  const seen = new Set<number>()
  for (const slot of vm.memslots) {
    const before = found.nodes
    let singles = 0
    let lists = 0
    for (let index = 0; index < slot.npages; index++) {
      if (slot.rmap.isEmptyAt(index)) continue
      if (slot.rmap.isListAt(index)) lists++
      else singles++
      checkSlot(vm, slot, index, found, seen, breaks)
    }
    if (singles !== slot.singles || lists !== slot.lists) {
      const counted = `${slot.singles} rmap slots with one entry and ${slot.lists} lists are counted`
      breaks('counters', `${counted}, there are ${singles} and ${lists}`, { gfn: slot.baseGfn })
    }
    if (found.nodes - before !== slot.nodes) {
      const reached = found.nodes - before
      breaks('nodes', `the memslot has ${slot.nodes} nodes in use, its rmap slots lead to ${reached}`, {
        gfn: slot.baseGfn,
      })
    }
  }
  if (found.nodes !== vm.nodes.inUse) {
    breaks('nodes', `${vm.nodes.inUse} nodes are in use, ${found.nodes} can be reached`)
  }
  return found
}

function checkSlot(vm: VmState, slot: VmMemslot, index: number, found: Slots, seen: Set<number>, breaks: Break): void {
  const gfn = slot.baseGfn + index
  const gpa = gfn * 2 ** vm.pageShift
  const host = vm.host.refAt(gpa)
  if (host === NONE)
    breaks('host-leaf', 'the rmap slot is not empty, and the host table has no leaf there', { gfn, gpa })

  const add = (hi: number, lo: number): void => {
    const { lpid, gpa } = entryOf(hi, lo)
    const name = nameOf(lpid, gpa)
    const gfns = found.gfns.get(name)
    if (gfns === undefined) found.gfns.set(name, [gfn])
    else if (gfns[gfns.length - 1] !== gfn) gfns.push(gfn)
    else breaks('no-duplicates', 'the entry is in the list twice', { gfn, lpid, gpa })
    found.entries++
  }
  let word = slot.rmap.words[index]!
  while ((word & BigInt(TAG)) === 0n) {
    const address = Number(word)
    if (!vm.nodes.has(address) || seen.has(address)) {
      breaks('list-end', `${hex(address)} is not a node in use, or is also part of another list`, { gfn })
      return
    }
    const node = vm.nodes.read(address)
    if (node.entry === 0n) {
      breaks('list-end', 'the entry of LPID 0, page 0 ends the list and hides the older entries', {
        gfn,
        lpid: 0,
        gpa: 0,
      })
      return
    }
    seen.add(address)
    found.nodes++
    add(hiOf(node.entry), loOf(node.entry))
    word = node.next
  }
  add(hiOf(word), loOf(word))
}

/** The host leaves by what they map: their first frame and their size. */
type HostPages = Map<string, Leaf[]>

const pageOf = (frame: HostFrame, shift: number): string => `${Math.floor(frame / 2 ** (shift - 12))}:${shift}`

function checkHost(vm: VmState, breaks: Break): HostPages {
  const pages: HostPages = new Map()
  let count = 0
  for (const leaf of vm.host.leaves()) {
    count++
    const gfn = leaf.gpa / 2 ** vm.pageShift
    const npages = 2 ** (leaf.shift - vm.pageShift)
    const slot = vm.memslotOf(gfn)
    if (slot === undefined || gfn + npages > slot.baseGfn + slot.npages) {
      breaks('inside-memslot', `the leaf of 2^${leaf.shift} bytes reaches outside its memslot`, { gfn, gpa: leaf.gpa })
    }
    const name = pageOf(leafFrame(hiOf(leaf.word), loOf(leaf.word)), leaf.shift)
    const same = pages.get(name)
    if (same === undefined) pages.set(name, [leaf])
    else same.push(leaf)
  }
  checkLeafCount(vm.host, count, breaks)
  return pages
}

function checkLeafCount(table: RadixTable, count: number, breaks: Break, lpid?: Lpid): void {
  if (table.leafCount === count) return
  breaks('counters', `a table counts ${table.leafCount} leaves and has ${count}`, lpid === undefined ? {} : { lpid })
}

function checkShadow(vm: VmState, guest: NestedGuest, slots: Slots, hostPages: HostPages, breaks: Break): void {
  const { lpid } = guest
  let count = 0
  for (const leaf of guest.shadow.leaves()) {
    count++
    const { gpa } = leaf
    const where = { lpid, gpa }
    if (vm.guests.get(lpid) !== guest) {
      breaks('completeness', 'its nested guest was dropped: the entry leads to none, or to another', where)
      continue
    }
    const outdated = guest.walker !== undefined || guest.edited.has(gpa) // edits of the caller's table are not seen
    const maps = outdated ? hostLeavesOf(vm, leaf, hostPages) : hostLeafBehind(vm, guest, leaf)
    const listed = slots.gfns.get(nameOf(lpid, gpa)) ?? []
    if (maps.length === 0) {
      breaks('completeness', 'the host table does not map the page that the leaf maps', where)
    } else if (!maps.some((page) => listed.some((gfn) => isSlotOf(vm, leaf, page, gfn)))) {
      const gfn = vm.settings.placement === 'head' ? maps[0]!.host.gpa / 2 ** vm.pageShift : maps[0]!.gfn
      breaks('completeness', 'the rmap slot of the page that the leaf maps does not lead to the leaf', {
        ...where,
        gfn,
      })
    }
    if ((leaf.word & CHANGED) !== 0n && maps.length > 0 && maps.every(({ host }) => (host.word & CHANGED) === 0n)) {
      breaks('changed-bit', 'the host leaf is not changed: writes through this leaf will not be harvested', where)
    }
    if (!outdated) checkComposition(vm, guest, leaf, maps[0], breaks)
  }
  checkLeafCount(guest.shadow, count, breaks, lpid)
}

/** A host leaf that a shadow leaf maps, and the gfn at which the shadow leaf begins. */
interface PageBehind {
  readonly host: Leaf
  readonly gfn: Gfn
}

/** The host leaf that the guest table leads to now. */
function hostLeafBehind(vm: VmState, guest: NestedGuest, leaf: Leaf): PageBehind[] {
  const found = guest.table?.lookup(leaf.gpa)
  if (found === undefined) return []
  const gpa = leafFrame(hiOf(found.word), loOf(found.word)) * 4096 + (leaf.gpa - found.gpa)
  const host = gpa <= MAX_GPA ? vm.host.lookup(gpa) : undefined
  return host === undefined ? [] : [{ host, gfn: Math.floor(gpa / 2 ** vm.pageShift) }]
}

/** The host leaves that map the frame of a shadow leaf; several where the host shares a page. */
function hostLeavesOf(vm: VmState, leaf: Leaf, hostPages: HostPages): PageBehind[] {
  const frame = frameOf(leaf, vm.pageShift)
  return [vm.pageShift, 21, 30]
    .filter((shift) => shift >= leaf.shift)
    .flatMap((shift) =>
      (hostPages.get(pageOf(frame, shift)) ?? []).map((host) => {
        const offset = frame - frameOf(host, vm.pageShift)
        return { host, gfn: Math.floor((host.gpa + offset * 4096) / 2 ** vm.pageShift) }
      }),
    )
}

/**
 * Whether spec 5 step 4 puts the entry there: at the first gfn of the host leaf, or at whichever gfn of the shadow leaf
 * faulted. A host leaf that a larger one has replaced had its first gfn elsewhere in that one; the walk visits it as well.
 */
function isSlotOf(vm: VmState, leaf: Leaf, maps: PageBehind, gfn: Gfn): boolean {
  if (vm.settings.placement === 'head') {
    const head = maps.host.gpa / 2 ** vm.pageShift
    return gfn >= head && gfn < head + 2 ** (maps.host.shift - vm.pageShift)
  }
  return gfn >= maps.gfn && gfn < maps.gfn + 2 ** (leaf.shift - vm.pageShift)
}

function checkComposition(
  vm: VmState,
  guest: NestedGuest,
  leaf: Leaf,
  maps: PageBehind | undefined,
  breaks: Break,
): void {
  const where = { lpid: guest.lpid, gpa: leaf.gpa }
  const found = guest.table?.lookup(leaf.gpa)
  if (found === undefined || maps === undefined) {
    breaks('composition', `the ${found === undefined ? 'guest' : 'host'} table maps nothing there`, where)
    return
  }
  const { host, gfn } = maps
  const shift = host.shift <= found.shift ? host.shift : vm.pageShift
  const offset = gfn * 2 ** (vm.pageShift - 12) - host.gpa / 4096
  const frame = frameOf(host, vm.pageShift) + offset
  // A base leaf stays where a larger host leaf has replaced the one behind it (a quirk, spec 5 step 3)
  if (leaf.shift !== shift && leaf.shift !== vm.pageShift) {
    breaks('composition', `the leaf has 2^${leaf.shift} bytes, not 2^${shift}`, where)
  }
  if (frameOf(leaf, vm.pageShift) !== frame) {
    breaks('composition', `the leaf maps frame ${hex(frameOf(leaf, vm.pageShift))}, not ${hex(frame)}`, where)
  }
  const permissions = BigInt(LeafFlag.READ | LeafFlag.WRITE | LeafFlag.EXECUTE)
  if ((leaf.word & permissions & ~(host.word & found.word)) !== 0n) {
    breaks('composition', 'the leaf allows what host and guest do not both allow', where)
  }
  const others = ~(permissions | BigInt(RC)) & ~0x1ffffffffff000n
  if ((leaf.word & others & ~host.word) !== 0n)
    breaks('composition', 'the leaf has bits that the host leaf does not have', where)
}

/** The frame of a leaf's first byte, in units of 4 KiB; bits below the base page are ignored. */
function frameOf(leaf: Leaf, pageShift: number): HostFrame {
  const frame = leafFrame(hiOf(leaf.word), loOf(leaf.word))
  return frame - (frame % 2 ** (pageShift - 12))
}

function checkCounters(vm: VmState, slots: Slots, breaks: Break): void {
  const agree = (what: string, counted: number, there: number): void => {
    if (counted !== there) breaks('counters', `${what}: ${counted} are counted, there are ${there}`)
  }
  const inserts = Object.assign(new InsertCounters(), vm.retired)
  for (const slot of vm.memslots) addInserts(inserts, slot.rmap.counters)
  const tables = [vm.host]
  let leaves = 0
  for (const guest of [...vm.guests.values(), ...vm.held]) {
    tables.push(guest.shadow)
    leaves += guest.shadow.leafCount
  }
  agree('entries', inserts.empty + inserts.second + inserts.list - vm.walks.entries - vm.released, slots.entries)
  agree('shadow leaves', vm.leavesCreated - vm.leavesClearedByL0 - vm.leavesClearedByL1, leaves)
  agree('host leaves', vm.hostLeavesCreated - vm.hostLeavesCleared, vm.host.leafCount)
  agree(
    'table pages',
    vm.gate.pages,
    tables.reduce((sum, table) => sum + table.pageCount, 0),
  )
  const { walks, rcWalks } = vm
  agree('entries taken', walks.cleared + walks.staleNoGuest + walks.staleNoLeaf + walks.staleOtherFrame, walks.entries)
  const kept = rcWalks.staleNoGuest + rcWalks.staleNoLeaf + rcWalks.staleOtherFrame
  agree('entries visited', kept + vm.flushes.wrongPartition, rcWalks.entries)
}
