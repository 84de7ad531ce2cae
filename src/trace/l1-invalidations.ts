/**
 * What L1 asks L0 to invalidate page by page: `tlb_invalidate` and `rpt_invalidate` (spec 8). The leaves that the same
 * task unmaps next are named by their pages.
 */
import type { Gpa } from '../base/units'
import { AP_SHIFT } from '../page-table/leaf'
import { NONE } from '../page-table/radix-table'
import { entryGpa } from '../rmap/entry'
import { FIELD } from './events'
import type { KernelGuests, TraceGuest } from './kernel-guests'
import type { TraceEvent } from './parser'

/** What L1 has asked to invalidate page by page, and not all of which is unmapped yet. */
export interface PendingInvalidation {
  readonly guest: TraceGuest
  from: Gpa
  readonly to: Gpa
}

/** `tlb_invalidate`, `rpt_invalidate`. @returns the addresses to invalidate page by page, if a leaf is present there */
export function pendingInvalidation(event: TraceEvent, guests: KernelGuests): PendingInvalidation | undefined {
  let guest: TraceGuest | undefined
  let from = 0
  let to = 0
  if (event.name === 'rpt_invalidate') {
    guest = guests.byLpid.get(event.numberAt(FIELD.lpid))
    from = event.numberAt(FIELD.start)
    to = event.numberAt(FIELD.end)
  } else {
    const rb = event.lo[FIELD.rb]!
    const shift = AP_SHIFT.get((rb >>> 5) & 7)
    if (shift === undefined || ((rb >>> 10) & 3) !== 0) return undefined
    guest = guests.byLpid.get(event.lo[FIELD.rs]! >>> 0)
    from = entryGpa(event.hi[FIELD.rb]!, rb & (-1 << shift))
    to = from + (1 << shift)
  }
  if (guest === undefined) return undefined
  const isPresent =
    to - from === 1 << guests.pageShift
      ? guest.shadow.refAt(from) !== NONE
      : guest.shadow.leavesBetween(from, to).next().done === false
  return isPresent ? { guest, from, to } : undefined
}
