/**
 * A nested fault: how a shadow leaf and its entry come to be (spec 5).
 *
 * Its two halves are what the mmuSeq check is for (section 7): the first reads the guest table and the host table and
 * plans the shadow leaf, the second creates it. Between them the host may take the page away.
 */
import type { Lpid } from '../base/units'
import { numberOf } from '../base/word'
import { LeafFlag } from '../page-table/leaf'
import { NONE, type LeafRef } from '../page-table/radix-table'
import { clearShadowLeaf } from './clear-leaf'
import { createLeaf, firstAddress, NewLeaf, type Created } from './create-leaf'
import type { Access, FaultResult, ForwardToL1, NoMemory, Present, Retry } from './fault-result'
import { readPartitionEntry } from './guest-life'
import { MALFORMED, type GuestTable } from './guest-table'
import { instantiateHostLeaf } from './host-page'
import type { NestedGuest } from './nested-guest'
import type { VmState } from './state'

const { READ, WRITE, EXECUTE, REFERENCED, CHANGED } = LeafFlag

/** The bits that a shadow leaf has only if host and guest leaf do; all others come from the host leaf. */
const FROM_BOTH = READ | WRITE | EXECUTE | REFERENCED | CHANGED

/** The permission bits of which a leaf must have one. */
const ALLOWING: Record<Access, number> = { read: READ | WRITE, write: WRITE, execute: EXECUTE }

const PRESENT: Present = Object.freeze({ outcome: 'present' })
const NO_MEMORY: NoMemory = Object.freeze({ outcome: 'no-memory' })
const retry = (reason: Retry['reason']): Retry => ({ outcome: 'retry', reason })
const forward = (reason: ForwardToL1['reason']): ForwardToL1 => ({ outcome: 'forward-to-l1', reason })

/** @internal The first half: steps 1 to 5. The leaf to be, or how the fault came out without one. */
export function planLeaf(
  vm: VmState,
  guest: NestedGuest,
  hi: number,
  lo: number,
  access: Access,
): NewLeaf | FaultResult {
  // what the hardware says: no fault, refused, or a miss
  const there = guest.shadow.find(hi, lo)
  if (there !== NONE && (guest.shadow.loAt(there) & ALLOWING[access]) !== 0) return PRESENT

  // 1. the walk of the guest table
  const walked = walkGuestTable(vm, guest, hi, lo, access)
  if (walked === 'no-root') return forward(walked)
  if (typeof walked === 'string') return refuse(vm, guest, there, hi, lo, walked)
  const { tree } = guest.root!
  const guestShift = tree.shiftOf(walked)
  if (guestShift < vm.pageShift) return { outcome: 'invalid', shift: guestShift }

  // 2. the memslot
  const offset = (1 << guestShift) - 1
  const guestLo = tree.loAt(walked)
  const gpaHi = tree.hiAt(walked) & ISA_FRAME_HI
  const gpaLo = (guestLo & ~offset) | (lo & offset)
  const gfn = vm.gfnOf(gpaHi, gpaLo)
  const slot = vm.memslotOf(gfn)
  if (slot === undefined || slot.invalid) return { outcome: 'mmio', gpa: numberOf(gpaHi, gpaLo) }
  if (slot.isReadOnly && access === 'write') return { outcome: 'fault-to-l2', gpa: numberOf(gpaHi, gpaLo) }

  // the node: Linux brings one along before it knows whether it needs one
  if (!vm.gate.pass() || vm.nodes.nextAddress() === 0) return retry('no-node')

  // 3. the host leaf
  const leaf = new NewLeaf(guest)
  leaf.mmuSeq = vm.mmuSeq
  let host = vm.host.find(gpaHi, gpaLo)
  if (host === NONE || (access === 'write' && (vm.host.loAt(host) & WRITE) === 0)) {
    const failed = instantiateHostLeaf(vm, slot, gfn, access === 'write', leaf)
    if (failed !== undefined) return failed
    host = vm.host.find(gpaHi, gpaLo)
  }
  const hostShift = vm.host.shiftOf(host)
  const hostHi = vm.host.hiAt(host)
  const hostLo = vm.host.loAt(host)

  // 4. the rmap slot
  const head = gfn - (gfn % (1 << (hostShift - vm.pageShift)))
  leaf.slot = slot
  leaf.index = (vm.settings.placement === 'head' ? head : gfn) - slot.baseGfn

  // 5. the shadow leaf. Quirk: a host leaf that is larger than the guest leaf gives a base page, never 2 MiB
  leaf.hi = hi
  leaf.lo = lo
  leaf.wordHi = hostHi
  if (hostShift <= guestShift) {
    leaf.shift = hostShift
    leaf.wordLo = hostLo
  } else {
    leaf.shift = vm.pageShift
    leaf.wordLo = hostLo | (gpaLo & ((1 << hostShift) - 1) & (-1 << vm.pageShift))
  }
  leaf.wordLo &= guestLo | ~FROM_BOTH
  if (access !== 'write') leaf.wordLo &= ~CHANGED
  return leaf
}

/** @internal The second half: step 6. */
export function commitLeaf(vm: VmState, leaf: NewLeaf): FaultResult {
  const guest = leaf.guest!
  if (guest.dropped) {
    if (!vm.settings.allowDroppedFaults) return retry('dropped')
    guest.faultedDropped = true
  }
  if (guest.tlbies !== leaf.tlbies) return retry('tlbie')
  if (vm.nodes.nextAddress() === 0) return retry('no-node') // another fault took the one that was to be had
  const created = createLeaf(vm, leaf)
  return created === 'made' || created === 'grown'
    ? {
        outcome: 'mapped',
        change: created,
        gpa: firstAddress(leaf),
        shift: leaf.shift,
        gfn: leaf.slot!.baseGfn + leaf.index,
        insert: leaf.insert,
        warning: leaf.warning,
      }
    : withoutLeaf(created, leaf.warning)
}

/** How a fault comes out whose leaf was not made. */
function withoutLeaf(created: Exclude<Created, 'made' | 'grown'>, warning: string | undefined): FaultResult {
  const result = created === 'same' ? PRESENT : created === 'no-memory' ? NO_MEMORY : retry(created)
  return warning === undefined ? result : { ...result, warning }
}

/** @internal Counts a fault that is over, and shows it. */
export function finishFault(vm: VmState, lpid: Lpid, hi: number, lo: number, result: FaultResult): FaultResult {
  vm.faults[result.outcome]++
  if (vm.observer !== undefined) vm.emit({ event: 'fault', lpid, gpa: numberOf(hi, lo), result })
  return result
}

/** @internal Bits 56..32 of the ISA's frame field: a guest leaf may name an address that no memslot has. */
export const ISA_FRAME_HI = 0x01ffffff

/** @internal L0's walk of L1's table, and its permission check: the guest leaf, or why there is none to use. */
export function walkGuestTable(
  vm: VmState,
  guest: NestedGuest,
  hi: number,
  lo: number,
  access: Access,
): LeafRef | ForwardToL1['reason'] {
  let root: GuestTable | undefined = guest.root
  if (root === undefined) {
    readPartitionEntry(vm, guest)
    root = guest.root
    if (root === undefined) return 'no-root'
  }
  const ref = root.find(hi, lo)
  if (ref === NONE) return 'no-translation'
  if (ref === MALFORMED) return 'malformed'
  return (root.tree.loAt(ref) & ALLOWING[access]) === 0 ? 'not-allowed' : ref
}

/** After a miss L1 gets the fault; after a refusal the leaf goes, and the retried access misses. */
function refuse(
  vm: VmState,
  guest: NestedGuest,
  there: LeafRef,
  hi: number,
  lo: number,
  reason: ForwardToL1['reason'],
): ForwardToL1 | Retry {
  if (there === NONE) return forward(reason)
  clearShadowLeaf(vm, guest, there, hi, lo, 'L0')
  return retry('refused')
}
