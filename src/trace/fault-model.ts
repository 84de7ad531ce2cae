/**
 * What spec 5 makes of what a nested fault saw: whether the access is allowed, and which shadow leaf it creates. Pure
 * functions: no state, no recording.
 */
import type { LeafShift, PageShift } from '../base/units'
import { LeafFlag } from '../page-table/leaf'
import type { LeafState } from './leaf-watch'

/** What a nested guest does to a page. */
export type Access = 'read' | 'write' | 'execute'

/** What L0's walk of L1's table found: the fields of `nested_walk`. */
export interface GuestWalk {
  /** The nested address, below 2^52. */
  readonly ngpaHi: number
  readonly ngpaLo: number
  /** L1's address. */
  readonly raddrHi: number
  readonly raddrLo: number
  /** Bits 1 read, 2 write, 4 execute of the guest leaf. */
  readonly perm: number
  /** Its referenced and changed bits. */
  readonly rc: number
  /** log2 of its size. */
  readonly shift: number
}

/** The leaf of a `pte_create`. */
export interface PlannedLeaf {
  readonly wordHi: number
  readonly wordLo: number
  readonly shift: LeafShift
  /** Its first address. */
  readonly gpaHi: number
  readonly gpaLo: number
  /** L1's address of the first base page of the host leaf: its gfn has the rmap slot. */
  readonly headHi: number
  readonly headLo: number
  /** Bits of the word that the host leaf has in doubt. */
  readonly doubt: number
}

const { READ, WRITE, EXECUTE, REFERENCED, CHANGED } = LeafFlag

/** Whether the guest leaf allows an access: reading, if it may be read or written (spec 5, step 1). */
export function isAllowed(access: Access, perm: number): boolean {
  return (perm & (access === 'write' ? 2 : access === 'execute' ? 4 : 3)) !== 0
}

/** Whether the host leaf serves an access as it is: else L0 must instantiate it (spec 5, step 3). */
export function serves(host: LeafState | undefined, access: Access): boolean {
  return host !== undefined && (access !== 'write' || (host.lo & WRITE) !== 0)
}

/** The shadow leaf of a host leaf and a guest leaf (spec 5, steps 4 and 5); with no host leaf, the word 0. */
export function planLeaf(
  host: LeafState | undefined,
  walk: GuestWalk,
  access: Access,
  pageShift: PageShift,
): PlannedLeaf {
  const hostShift = host?.shift ?? pageShift
  // Quirk: a host leaf that is larger than the guest leaf gives a base page, never 2 MiB.
  const shift = hostShift <= walk.shift ? hostShift : pageShift
  const guestBits =
    ((walk.perm & 1) !== 0 ? READ : 0) |
    ((walk.perm & 2) !== 0 ? WRITE : 0) |
    ((walk.perm & 4) !== 0 ? EXECUTE : 0) |
    (walk.rc & (access === 'write' ? REFERENCED | CHANGED : REFERENCED))
  const fromBoth = READ | WRITE | EXECUTE | REFERENCED | CHANGED
  const between = ~(-1 << hostShift) & (-1 << shift) // address bits that the smaller leaf adds to the frame
  const wordLo = host === undefined ? 0 : (host.lo & (guestBits | ~fromBoth)) | (walk.raddrLo & between)
  return {
    wordHi: host?.hi ?? 0,
    wordLo,
    shift,
    gpaHi: walk.ngpaHi,
    gpaLo: walk.ngpaLo & (-1 << shift),
    headHi: walk.raddrHi,
    headLo: walk.raddrLo & (-1 << hostShift),
    doubt: (host?.doubt ?? 0) & guestBits,
  }
}
