/**
 * The host maps a page of L1: how a leaf of the host table is made (spec 5 step 3).
 *
 * The caller of the model decides what backs the page, and how large that is. L0 decides whether the leaf is large: only
 * where gpa and host address agree modulo the size of the backing, and the memslot does not log dirty pages. There is no
 * step down: a 1 GiB backing that agrees modulo 2 MiB only gives a base page.
 */
import { checkAnswer, checkBoolean, checkInteger, checkNoPromise, checkOneOf, toInteger } from '../base/args'
import { type Gfn, type Hpa, type LeafShift, MAX_HPA } from '../base/units'
import { hex, hiOfNumber, pow2 } from '../base/word'
import { Flag, LeafHi } from '../page-table/leaf'
import { createLeaf, LeafRequest } from './create-leaf'
import type { FaultResult } from './fault-result'
import type { Backing } from './options'
import type { VmState } from './state'
import type { VmMemslot } from './vm-memslot'

const BACKING = ['hpa', 'frame', 'shift', 'writable', 'attributes'] as const
const NAMED = Flag.RC | Flag.READ | Flag.WRITE | Flag.EXECUTE

/** @internal What became of the host leaf. */
export interface HostLeafCreation {
  /** The result of the fault, if there is no host leaf now; undefined if there is. */
  readonly failure?: FaultResult
  /** What Linux would warn of. */
  readonly warning?: string
}

const MAPPED: HostLeafCreation = {}
const failed = (failure: FaultResult): HostLeafCreation => ({ failure })

/**
 * @internal Makes the host leaf of an address of L1, or makes one writable that is not.
 *
 * @throws RangeError when a large leaf would reach outside the memslot; RangeError, TypeError for a bad backing. The state
 *   is unchanged
 */
export function instantiateHostLeaf(
  vm: VmState,
  slot: VmMemslot,
  gpaHi: number,
  gpaLo: number,
  write: boolean,
): HostLeafCreation {
  const gfn = vm.gfnOf(gpaHi, gpaLo)
  const { mmuSeq } = vm // a sample of its own: what is asked for the backing may invalidate
  const backing = vm.settings.backing === undefined ? nextHostPage(vm) : vm.settings.backing(gfn, write)
  if (backing === undefined) return failed({ outcome: 'retry', reason: 'no-backing' })
  if (slot.invalid || !slot.rmap.contains(gfn)) return failed({ outcome: 'retry', reason: 'mmu-seq' })

  const request = requestOf(vm, slot, gfn, backing)
  request.mmuSeq = mmuSeq
  request.hi = gpaHi
  request.lo = gpaLo
  const { status, warning } = createLeaf(vm, request)
  switch (status) {
    case 'made':
    case 'grown':
    case 'same':
      return warning === undefined ? MAPPED : { warning }
    case 'no-memory':
      return failed({ outcome: 'no-memory', reason: 'host-table' })
    default:
      return failed({ outcome: 'retry', reason: status })
  }
}

/** The leaf for a backing: its size and its word. */
function requestOf(vm: VmState, slot: VmMemslot, gfn: Gfn, backing: Backing): LeafRequest {
  const { pageShift } = vm
  const { shift: backingShift = pageShift, writable, attributes = 0 } = checkAnswer('backing', backing, BACKING)
  const hpa = hpaOf(backing, pageShift)
  checkOneOf<LeafShift>('backing.shift', backingShift, [pageShift, 21, 30])
  const mayWrite = checkBoolean('backing.writable', writable, true) && !slot.readOnly
  checkInteger('backing.attributes', attributes, 0, 0xfff, 16)
  if ((attributes & NAMED) !== 0) {
    throw new RangeError(`backing.attributes: expected none of the bits ${hex(NAMED)}, got ${hex(attributes)}`)
  }

  const pageFrame = hpa / pow2(pageShift) // in base pages, as gfn is
  const request = new LeafRequest(undefined)
  request.shift = pageShift
  if (!slot.logDirty) {
    const pages = pow2(backingShift - pageShift)
    if (gfn % pages === pageFrame % pages) request.shift = backingShift
  }
  const pages = pow2(request.shift - pageShift)
  const first = gfn - (gfn % pages)
  if (first < slot.baseGfn || first + pages > slot.baseGfn + slot.npages) {
    throw new RangeError(
      `backing.shift: a host leaf of 2^${request.shift} bytes for gfn ${hex(gfn)} reaches outside the memslot of gfns ` +
        `${hex(slot.baseGfn)}..${hex(slot.baseGfn + slot.npages - 1)}: Linux's walk would go out of bounds`,
    )
  }

  const firstHpa = hpa - (pageFrame % pages) * pow2(pageShift)
  request.wordHi = LeafHi.PRESENT | LeafHi.LEAF | hiOfNumber(firstHpa)
  request.wordLo =
    firstHpa | Flag.READ | Flag.EXECUTE | Flag.REFERENCED | (mayWrite ? Flag.WRITE | Flag.CHANGED : 0) | attributes
  return request
}

/** The host address of a backing, in bytes. */
function hpaOf(backing: Backing, pageShift: number): Hpa {
  const { hpa, frame } = backing
  if (frame === undefined) {
    if (hpa === undefined) {
      checkNoPromise('backing', backing)
      throw new TypeError('backing: expected either hpa or frame, got neither')
    }
    const address = toInteger('backing.hpa', hpa, 0, MAX_HPA, 16)
    if (address % pow2(pageShift) === 0) return address
    throw new RangeError(`backing.hpa: expected a multiple of ${hex(pow2(pageShift))}, got ${hex(address)}`)
  }
  if (hpa !== undefined) throw new TypeError('backing.frame: expected undefined, as backing.hpa is given')
  const number = toInteger('backing.frame', frame, 0, Math.floor(MAX_HPA / 4096), 16)
  if (number % pow2(pageShift - 12) === 0) return number * 4096
  throw new RangeError(`backing.frame: expected a multiple of ${hex(pow2(pageShift - 12))}, got ${hex(number)}`)
}

/** Host pages in order: a page of L1 gets a new one whenever it is mapped anew. */
function nextHostPage(vm: VmState): Backing | undefined {
  const hpa = vm.nextPage * pow2(vm.pageShift)
  if (hpa > MAX_HPA) return undefined
  vm.nextPage++
  return { hpa }
}
