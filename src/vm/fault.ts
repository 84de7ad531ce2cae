/**
 * A nested fault: how a shadow leaf and its entry are made (spec 5).
 *
 * It has two halves, and the mmuSeq check closes the race between them (spec 7): the first reads the guest table and the
 * host table and plans the shadow leaf, the second creates it. Between them the host may take the page away.
 */
import type { Gpa, LeafShift, Lpid } from '../base/units'
import { hiOfNumber, numberOf } from '../base/word'
import { Flag } from '../page-table/leaf'
import { Ref, type LeafRef } from '../page-table/radix-table'
import { clearShadowLeaf } from './clear-leaf'
import { createLeaf, LeafRequest } from './create-leaf'
import type { Access, FaultResult, FaultToL2, ForwardToL1, Mmio, NoMemory, Present, Retry } from './fault-result'
import { findOrMakeGuest, putGuest, readPartitionEntry } from './guest-life'
import { emitFault, emitWalk, guestLeafAt } from './fault-events'
import { MALFORMED } from './guest-table'
import { askWalker, type WalkedLeaf } from './ask-walker'
import type { NoGuestTranslation } from './guest-walker'
import { instantiateHostLeaf } from './host-page'
import type { NestedGuest } from './nested-guest'
import type { AnyRequest } from './options'
import { PendingFault } from './pending'
import type { VmState } from './state'
import type { VmMemslot } from './vm-memslot'

const enum Bits {
  /** The bits that a shadow leaf has only if host leaf and guest leaf have them; all others come from the host leaf. */
  FROM_BOTH = Flag.READ | Flag.WRITE | Flag.EXECUTE | Flag.RC,
}

/** The permission bits of which a leaf must have one. */
const ALLOWING: Record<Access, number> = { read: Flag.READ | Flag.WRITE, write: Flag.WRITE, execute: Flag.EXECUTE }

/** @internal Bits 51..32 of an address: L0 drops those above. */
export const GPA_HI = 0xfffff
/** @internal Bits 56..32 of the ISA's frame field: a guest leaf may name an address that no memslot has. */
export const ISA_FRAME_HI = 0x01ffffff

/** What the hardware reports beside a store: no leaf, or one that refuses the access. */
const DSISR = { MISS: 0x4000_0000, REFUSED: 0x0800_0000 } as const

/** What `nested_fault_ret` shows (KVM: RESUME_GUEST, RESUME_HOST, or a negative errno). */
const RET = {
  mapped: 0,
  present: 0,
  retry: 0,
  'fault-to-l2': 0,
  'forward-to-l1': 2,
  mmio: 2,
  invalid: -22,
  'no-memory': -12,
} as const satisfies Record<FaultResult['outcome'], number>

const ALLOWED: Present = /* @__PURE__ */ Object.freeze({ outcome: 'present', reason: 'allowed' })
const SAME_BITS: Present = /* @__PURE__ */ Object.freeze({ outcome: 'present', reason: 'same-bits' })
const NO_ROOT_PAGE: NoMemory = /* @__PURE__ */ Object.freeze({ outcome: 'no-memory', reason: 'shadow-root' })
const NO_SHADOW_PAGE: NoMemory = /* @__PURE__ */ Object.freeze({ outcome: 'no-memory', reason: 'shadow-table' })
const retry = (reason: Retry['reason']): Retry => ({ outcome: 'retry', reason })
const forward = (reason: ForwardToL1['reason']): ForwardToL1 => ({ outcome: 'forward-to-l1', reason })

/** @internal Both halves of a fault at once. */
export function fault(vm: VmState, request: AnyRequest): FaultResult {
  const { gpa, access } = request
  const guest = holdGuest(vm, request)
  if (guest === undefined) return noGuest(vm, request)
  let result: FaultResult | undefined
  let begun = false
  let faulted = false
  try {
    const asked = guest.table === undefined ? askCaller(vm, guest, gpa, access) : undefined
    begun = true
    const plan = planLeaf(vm, guest, hiOfNumber(gpa) & GPA_HI, gpa | 0, access, asked)
    faulted = plan !== ALLOWED
    result = 'outcome' in plan ? plan : commitLeaf(vm, plan)
    return finish(vm, guest.lpid, gpa, result, faulted)
  } finally {
    if (begun && result === undefined) giveUp(vm) // the caller's backing has thrown
    putGuest(vm, guest)
  }
}

/**
 * @internal The first half of a fault. Its nested guest is held until the second, unless it is over.
 *
 * @param run runs the second half as an operation of its own
 */
export function beginFault(
  vm: VmState,
  request: AnyRequest,
  run: <T>(operation: () => T) => T,
): PendingFault | FaultResult {
  const { gpa, access } = request
  const guest = holdGuest(vm, request)
  if (guest === undefined) return noGuest(vm, request)
  let begun = false
  let pending = false
  let result: FaultResult | undefined
  try {
    const asked = guest.table === undefined ? askCaller(vm, guest, gpa, access) : undefined
    begun = true
    const plan = planLeaf(vm, guest, hiOfNumber(gpa) & GPA_HI, gpa | 0, access, asked)
    if ('outcome' in plan) return (result = finish(vm, guest.lpid, gpa, plan, plan !== ALLOWED))
    pending = true
    vm.nodesHeld++
    const vcpu = vm.events.keepVcpu()
    const secondHalf = <T>(operation: () => T): T =>
      run(() => {
        vm.events.resumeVcpu(vcpu)
        vm.nodesHeld--
        const done = operation()
        putGuest(vm, guest)
        return done
      })
    return new PendingFault(
      () => secondHalf(() => finish(vm, guest.lpid, gpa, commitLeaf(vm, plan), true)),
      () => secondHalf(() => giveUp(vm)),
    )
  } finally {
    if (!pending) {
      if (begun && result === undefined) giveUp(vm) // the caller's backing has thrown
      putGuest(vm, guest)
    }
  }
}

/** The nested guest of a request, held; undefined if it cannot be made: its table would pass the limit. */
function holdGuest(vm: VmState, request: AnyRequest): NestedGuest | undefined {
  const guest = request.guest ?? findOrMakeGuest(vm, request.lpid!)
  if (guest !== undefined) guest.refCount++
  return guest
}

function noGuest(vm: VmState, { lpid, gpa }: AnyRequest): FaultResult {
  return finish(vm, lpid!, gpa, NO_ROOT_PAGE, false)
}

/** The first half: steps 1 to 5. Returns the leaf to create, or the result if the fault ended without one. */
function planLeaf(
  vm: VmState,
  guest: NestedGuest,
  hi: number,
  lo: number,
  access: Access,
  asked: Asked,
): LeafRequest | FaultResult {
  // what the hardware says: no fault, refused, or a miss
  const there = guest.shadow.find(hi, lo)
  if (allows(guest, there, access)) return ALLOWED

  if (vm.events.observed) emitFault(vm, guest.lpid, hi, lo, access, there === Ref.NONE ? DSISR.MISS : DSISR.REFUSED)

  // 1. the walk of the guest table
  const walked = walkGuestTable(vm, guest, hi, lo, access, asked)
  if (walked === 'no-root') return forward(walked)
  if (typeof walked === 'string') return refuse(vm, guest, there, hi, lo, walked)
  let guestShift: LeafShift
  let guestHi: number
  let guestLo: number
  if (typeof walked === 'number') {
    const { tree } = guest.table!
    guestShift = tree.shiftOf(walked)
    guestHi = tree.hiAt(walked)
    guestLo = tree.loAt(walked)
  } else {
    if (guest.tlbies !== walked.tlbies) return retry('tlbie') // the caller's walk has invalidated mappings
    guestShift = walked.shift
    guestHi = walked.hi
    guestLo = walked.lo
  }
  if (guestShift < vm.pageShift) return { outcome: 'invalid', reason: 'small-guest-leaf', shift: guestShift }

  // 2. the memslot
  const offset = (1 << guestShift) - 1
  const gpaHi = guestHi & ISA_FRAME_HI
  const gpaLo = (guestLo & ~offset) | (lo & offset)
  const gfn = vm.gfnOf(gpaHi, gpaLo)
  const slot = vm.memslotOf(gfn)
  if (slot === undefined || slot.invalid || (slot.readOnly && access === 'write')) {
    return withoutMemory(slot, numberOf(gpaHi, gpaLo))
  }

  // 3. the host leaf
  const request = new LeafRequest(guest)
  request.mmuSeq = vm.mmuSeq
  let host = vm.host.find(gpaHi, gpaLo)
  if (host === Ref.NONE || (access === 'write' && (vm.host.loAt(host) & Flag.WRITE) === 0)) {
    const { failure, warning } = instantiateHostLeaf(vm, slot, gpaHi, gpaLo, access === 'write')
    if (failure !== undefined) return failure
    request.hostWarning = warning
    host = vm.host.find(gpaHi, gpaLo)
  }
  const hostShift = vm.host.shiftOf(host)
  const hostHi = vm.host.hiAt(host)
  const hostLo = vm.host.loAt(host)

  // the list node: Linux allocates one before it knows whether it needs one
  if (!vm.gate.pass() || !hasNode(vm)) return withWarning(retry('no-node'), request.hostWarning)

  // 4. the rmap slot
  const head = gfn - (gfn % (1 << (hostShift - vm.pageShift)))
  request.slot = slot
  request.index = (vm.settings.placement === 'head' ? head : gfn) - slot.baseGfn

  // 5. the shadow leaf. Quirk: a host leaf that is larger than the guest leaf gives a base page, never 2 MiB
  request.wordHi = hostHi
  if (hostShift <= guestShift) {
    request.shift = hostShift
    request.wordLo = hostLo
  } else {
    request.shift = vm.pageShift
    request.wordLo = hostLo | (gpaLo & ((1 << hostShift) - 1) & (-1 << vm.pageShift))
  }
  request.hi = hi
  request.lo = lo & (-1 << request.shift)
  request.wordLo &= guestLo | ~Bits.FROM_BOTH
  if (access !== 'write') request.wordLo &= ~Flag.CHANGED
  return request
}

/** Whether a nested guest has a shadow leaf there that allows the access: then the hardware reports no fault. */
function allows(guest: NestedGuest, there: LeafRef, access: Access): boolean {
  return there !== Ref.NONE && (guest.shadow.loAt(there) & ALLOWING[access]) !== 0
}

/** The result where L1 has no memory that the access may use. */
function withoutMemory(slot: VmMemslot | undefined, l1Gpa: Gpa): Mmio | FaultToL2 {
  if (slot !== undefined && !slot.invalid) {
    return { outcome: 'fault-to-l2', reason: 'read-only-memslot', l1Gpa, gpa: l1Gpa }
  }
  return { outcome: 'mmio', reason: slot === undefined ? 'no-memslot' : 'invalid-memslot', l1Gpa, gpa: l1Gpa }
}

/** The second half: step 6. */
function commitLeaf(vm: VmState, request: LeafRequest): FaultResult {
  const guest = request.guest!
  if (guest.dropped) {
    if (!vm.settings.allowDroppedFaults) return retry('dropped')
    guest.faultedDropped = true
  }
  if (guest.tlbies !== request.tlbies) return retry('tlbie')
  if (vm.nodes.nextAddress() === 0) return retry('no-node') // the platform has no memory for it
  const { status, insert, warning: shadowWarning } = createLeaf(vm, request)
  const warning = joined(request.hostWarning, shadowWarning)
  if (status === 'made' || status === 'grown') {
    const { first: gpa, shift, index } = request
    return { outcome: 'mapped', change: status, gpa, shift, gfn: request.slot!.baseGfn + index, insert, warning }
  }
  const result = status === 'same' ? SAME_BITS : status === 'no-memory' ? NO_SHADOW_PAGE : retry(status)
  return withWarning(result, warning)
}

function withWarning(result: Present | NoMemory | Retry, warning: string | undefined): FaultResult {
  return warning === undefined ? result : { ...result, warning }
}

/** Whether there is a list node for this fault: those between their halves have one each. */
function hasNode(vm: VmState): boolean {
  return vm.nodes.inUse + vm.nodesHeld < vm.settings.maxNodes && vm.nodes.nextAddress() !== 0
}

const joined = (a: string | undefined, b: string | undefined): string | undefined =>
  a === undefined ? b : b === undefined ? a : `${a}; ${b}`

/** Counts a fault that has ended, and emits its events; `faulted`: the hardware has reported one. */
function finish(vm: VmState, lpid: Lpid, gpa: number, result: FaultResult, faulted: boolean): FaultResult {
  vm.faults[result.outcome]++
  if (vm.events.observed) {
    if (faulted) vm.events.emit({ event: 'nested_fault_ret', ret: RET[result.outcome] })
    vm.events.emit({ event: 'fault', lpid, gpa: numberOf(hiOfNumber(gpa) & GPA_HI, gpa | 0), result })
  }
  return result
}

/** @internal Clears the shadow leaf at an address, if there is one, of the nested guest that has the LPID now. */
export function clearByLpid(vm: VmState, lpid: Lpid, hi: number, lo: number): void {
  const guest = vm.guests.get(lpid)
  if (guest === undefined) return
  const ref = guest.shadow.find(hi, lo)
  if (ref !== Ref.NONE) clearShadowLeaf(vm, guest, ref, hi, lo, 'L0')
}

/** A fault that ends without a result: the L2 resumes. */
function giveUp(vm: VmState): void {
  if (vm.events.observed) vm.events.emit({ event: 'nested_fault_ret', ret: 0 })
}

/** What the caller's walk has found; undefined: it was not asked. */
type Asked = WalkedLeaf | NoGuestTranslation | undefined

/** Asks the caller, where L1's table is the caller's and there is a fault: before it begins, as the caller may throw. */
function askCaller(vm: VmState, guest: NestedGuest, gpa: number, access: Access): Asked {
  if (allows(guest, guest.shadow.refAt(gpa), access)) return undefined
  return askWalker(vm, guest, hiOfNumber(gpa) & GPA_HI, gpa | 0)
}

/**
 * @internal L0's walk of L1's table, and its permission check: the guest leaf, or why there is none to use. The leaf is a
 * reference into the guest's `table`, or what the caller's walk has found.
 *
 * @param asked what that walk has found, where the table is the caller's: see {@link askWalker}
 */
export function walkGuestTable(
  vm: VmState,
  guest: NestedGuest,
  hi: number,
  lo: number,
  access: Access,
  asked: Asked,
): LeafRef | WalkedLeaf | ForwardToL1['reason'] {
  let { table } = guest
  if (table === undefined) {
    if (guest.walker === undefined) readPartitionEntry(vm, guest)
    if (guest.walker !== undefined) {
      if (vm.events.observed) emitWalk(vm, hi, lo, asked!)
      return typeof asked === 'object' && (asked.lo & ALLOWING[access]) === 0 ? 'not-allowed' : asked!
    }
    table = guest.table
    if (table === undefined) return 'no-root'
  }
  const ref = table.find(hi, lo)
  if (ref === Ref.NONE || ref === MALFORMED) {
    const reason: NoGuestTranslation = ref === Ref.NONE ? 'no-translation' : 'malformed'
    if (vm.events.observed) emitWalk(vm, hi, lo, reason)
    return reason
  }
  const { tree } = table
  if (vm.events.observed) emitWalk(vm, hi, lo, guestLeafAt(tree, ref))
  return (tree.loAt(ref) & ALLOWING[access]) === 0 ? 'not-allowed' : ref
}

/**
 * After a miss L1 gets the fault; after a refusal the shadow leaf is cleared, and the retried access misses. **Quirk**:
 * Linux looks the nested guest up by its LPID, so for a dropped guest it clears the leaf of the guest that has the LPID now.
 */
function refuse(
  vm: VmState,
  guest: NestedGuest,
  there: LeafRef,
  hi: number,
  lo: number,
  reason: ForwardToL1['reason'],
): ForwardToL1 | Retry {
  if (there === Ref.NONE) return forward(reason)
  clearByLpid(vm, guest.lpid, hi, lo)
  return retry('refused')
}
