/**
 * The host maps a page of L1: a leaf of the host table comes to be (spec 5 step 3).
 *
 * What backs the page, and how large it is, the caller of the model decides; whether the leaf is large, L0: where the
 * backing is that large, gpa and backing address agree modulo the size, and the memslot does not log dirty pages.
 */
import { checkBoolean, checkInteger, checkObject, checkOneOf } from '../base/args'
import { type Gfn, type LeafShift, MAX_FRAME } from '../base/units'
import { hex, hiOfNumber, pow2 } from '../base/word'
import { LEAF_HI, LeafFlag, PRESENT_HI, RC } from '../page-table/leaf'
import { createLeaf, NewLeaf } from './create-leaf'
import type { FaultResult } from './fault-result'
import type { Backing, VmState } from './state'
import type { VmMemslot } from './vm-memslot'

const { READ, WRITE, EXECUTE, REFERENCED, CHANGED } = LeafFlag
const NAMED = RC | READ | WRITE | EXECUTE

/**
 * @internal Makes the host leaf of a gfn, or lets one grow that is not writable. Returns how the fault comes out where
 * there is none in the end.
 *
 * @throws RangeError when a large leaf would reach outside the memslot; RangeError, TypeError for a bad backing.
 *   Nothing has changed then
 */
export function instantiateHostLeaf(
  vm: VmState,
  slot: VmMemslot,
  gfn: Gfn,
  write: boolean,
  shadow: NewLeaf,
): FaultResult | undefined {
  const { pageShift } = vm
  const leaf = new NewLeaf(undefined)
  leaf.mmuSeq = vm.mmuSeq // a sample of its own: what asks for the backing may invalidate
  const backing = vm.settings.backing === undefined ? nextFrame(vm) : vm.settings.backing(gfn, write)
  if (backing === undefined) return { outcome: 'retry', reason: 'no-backing' }
  if (slot.invalid || !slot.rmap.contains(gfn)) return { outcome: 'retry', reason: 'mmu-seq' }

  const { frame, shift: backingShift = pageShift, writable, attributes = 0 } = checkObject('backing', backing)
  checkInteger('backing.frame', frame, 0, MAX_FRAME, 16)
  checkOneOf<LeafShift>('backing.shift', backingShift, [pageShift, 21, 30])
  const mayWrite = checkBoolean('backing.writable', writable, true) && !slot.isReadOnly
  checkInteger('backing.attributes', attributes, 0, 0xfff, 16)
  if ((attributes & NAMED) !== 0) {
    throw new RangeError(`backing.attributes: expected none of the bits ${hex(NAMED)}, got ${hex(attributes)}`)
  }
  const frames = pow2(pageShift - 12) // in a base page
  if (frame % frames !== 0)
    throw new RangeError(`backing.frame: expected a multiple of ${hex(frames)}, got ${hex(frame)}`)

  const pageFrame = frame / frames // in base pages, as gfn is
  leaf.shift = pageShift
  if (!slot.logging) {
    for (const shift of [30, 21] as const) {
      const pages = pow2(shift - pageShift)
      if (backingShift >= shift && gfn % pages === pageFrame % pages) {
        leaf.shift = shift
        break
      }
    }
  }
  const pages = pow2(leaf.shift - pageShift)
  const first = gfn - (gfn % pages)
  if (first < slot.baseGfn || first + pages > slot.baseGfn + slot.npages) {
    throw new RangeError(
      `backing.shift: a host leaf of 2^${leaf.shift} bytes for gfn ${hex(gfn)} reaches outside the memslot of gfns ` +
        `${hex(slot.baseGfn)}..${hex(slot.baseGfn + slot.npages - 1)}: Linux's walk would go out of bounds`,
    )
  }

  const firstFrame = frame - (pageFrame % pages) * frames
  const gpa = gfn * pow2(pageShift)
  leaf.hi = hiOfNumber(gpa)
  leaf.lo = gpa | 0
  leaf.wordHi = PRESENT_HI | LEAF_HI | Math.floor(firstFrame / 2 ** 20)
  leaf.wordLo =
    ((firstFrame % 2 ** 20) * 4096) | READ | EXECUTE | REFERENCED | (mayWrite ? WRITE | CHANGED : 0) | attributes

  const created = createLeaf(vm, leaf)
  shadow.warning = leaf.warning
  switch (created) {
    case 'made':
    case 'grown':
    case 'same':
      return undefined
    case 'no-memory':
      return { outcome: 'no-memory' }
    default:
      return { outcome: 'retry', reason: created }
  }
}

/** Frames in order: a page gets a new one whenever it comes back. */
function nextFrame(vm: VmState): Backing | undefined {
  const frame = vm.nextPage * pow2(vm.pageShift - 12)
  if (frame > MAX_FRAME) return undefined
  vm.nextPage++
  return { frame }
}
