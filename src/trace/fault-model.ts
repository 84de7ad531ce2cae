/** The rules of spec 5 for a nested fault: whether the access is allowed, and which shadow leaf it creates. */
import type { LeafShift, PageShift } from '../base/units'
import { LeafFlag } from '../page-table/leaf'
import type { LeafState } from './leaf-watch'

/** How a nested guest accesses a page. */
export type Access = 'read' | 'write' | 'execute'

/** The result of L0's walk of L1's table: the fields of `nested_walk`. */
export interface GuestWalk {
  /** The nested gpa, below 2^52. */
  readonly ngpaHi: number
  readonly ngpaLo: number
  /** The address in L1 that it maps to. */
  readonly raddrHi: number
  readonly raddrLo: number
  /** The permissions of the guest leaf: 1 read, 2 write, 4 execute. */
  readonly perm: number
  /** Its referenced and changed bits: 0x100, 0x80. */
  readonly rc: number
  /** log2 of its size in bytes. */
  readonly shift: number
}

/** The shadow leaf that a `pte_create` must have. */
export interface PlannedLeaf {
  readonly wordHi: number
  readonly wordLo: number
  readonly shift: LeafShift
  /** Its first nested gpa. */
  readonly gpaHi: number
  readonly gpaLo: number
  /** The first L1 address of the host leaf: the entry goes to the rmap slot of its gfn. */
  readonly headHi: number
  readonly headLo: number
  /** Bits of the word that are in doubt, because they are in doubt in the host leaf. */
  readonly doubt: number
}

const { READ, WRITE, EXECUTE, REFERENCED, CHANGED } = LeafFlag

/** Whether the guest leaf allows an access. It allows a read if it is readable or writable (spec 5, step 1). */
export function isAllowed(access: Access, perm: number): boolean {
  return (perm & (access === 'write' ? 2 : access === 'execute' ? 4 : 3)) !== 0
}

/** Whether the host leaf allows an access; if not, L0 must create a host leaf (spec 5, step 3). */
export function serves(host: LeafState | undefined, access: Access): boolean {
  return host !== undefined && (access !== 'write' || (host.lo & WRITE) !== 0)
}

/** The shadow leaf for a host leaf and a guest leaf (spec 5, steps 4 and 5). Without a host leaf its word is 0. */
export function planLeaf(
  host: LeafState | undefined,
  walk: GuestWalk,
  access: Access,
  pageShift: PageShift,
): PlannedLeaf {
  const hostShift = host?.shift ?? pageShift
  // Quirk: if the host leaf is larger than the guest leaf, Linux creates a base page, never a 2 MiB leaf.
  const shift = hostShift <= walk.shift ? hostShift : pageShift
  const guestBits =
    ((walk.perm & 1) !== 0 ? READ : 0) |
    ((walk.perm & 2) !== 0 ? WRITE : 0) |
    ((walk.perm & 4) !== 0 ? EXECUTE : 0) |
    (walk.rc & (access === 'write' ? REFERENCED | CHANGED : REFERENCED))
  const fromBoth = READ | WRITE | EXECUTE | REFERENCED | CHANGED
  const between = ~(-1 << hostShift) & (-1 << shift) // the address bits inside the host leaf that a smaller leaf needs
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
