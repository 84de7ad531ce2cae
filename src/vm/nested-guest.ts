/**
 * A nested guest as L0 knows it: an L2 of L1, with its shadow table (spec 9).
 *
 * It is reference counted: the registry holds one reference, every user (a vCPU that runs it, a fault in two halves)
 * one more. Dropped, it is in no registry any more; its shadow table lasts until the last put, its rmap entries longer.
 */
import { INSPECT } from '../base/inspect'
import type { Gpa, Lpid } from '../base/units'
import type { RadixTable } from '../page-table/radix-table'
import type { GuestTable } from './guest-table'

/** How a nested guest stands to the registry: in it, dropped by L1's flush, or gone with L1 (release all). */
export type GuestState = 'live' | 'dropped' | 'released'

/** A nested guest of an L1. Made by entering its LPID; to read. */
export class NestedGuest {
  /** The number L1 gave it. */
  readonly lpid: Lpid
  /** The number the hardware sees: its own while it exists, used again after. */
  readonly shadowLpid: number
  /** L0's table for it: n_gpa -> hpa. A view of the live state: to read. */
  readonly shadow: RadixTable

  /** @internal Names it in events; never used again. */
  readonly id: number
  /** @internal */
  refCount = 1
  /** @internal Those of `refCount` that callers hold. */
  entered = 0
  /** @internal */
  state: GuestState = 'live'
  /** @internal A fault was let through after it was dropped (a quirk of section 9). */
  faultedDropped = false
  /** @internal First addresses of shadow leaves whose guest mapping L1 has edited since they were made; some are gone. */
  readonly edited = new Set<Gpa>()
  /** @internal How often L1 has edited its table. */
  edits = 0
  /** @internal How often L1 has taken mappings of it away. */
  tlbies = 0

  #root: GuestTable | undefined

  /** @internal */
  constructor(lpid: Lpid, shadowLpid: number, id: number, shadow: RadixTable) {
    this.lpid = lpid
    this.shadowLpid = shadowLpid
    this.id = id
    this.shadow = shadow
  }

  /** @internal What `console.log` shows. */
  [INSPECT](): string {
    const { lpid, shadowLpid, state, refCount, shadow } = this
    return `NestedGuest { LPID ${lpid}, shadow LPID ${shadowLpid}, ${state}, refs: ${refCount}, shadow leaves: ${shadow.leafCount} }`
  }

  /** References held: the registry's, and one of each user. 0: its shadow table is freed. */
  get refs(): number {
    return this.refCount
  }

  /** Whether it has left the registry: its LPID leads to no nested guest now, or to a new one. */
  get dropped(): boolean {
    return this.state !== 'live'
  }

  /** L1's table for it, as L0 last read it in L1's partition table; undefined for an empty entry. */
  get root(): GuestTable | undefined {
    return this.#root
  }

  /** @internal */
  setRoot(root: GuestTable | undefined): void {
    this.#root?.readers.delete(this)
    root?.readers.add(this)
    this.#root = root
  }

  /** @internal Remembers which shadow leaves L1 may have outdated. */
  tableEdited(from: Gpa, to: Gpa): void {
    this.edits++
    for (const leaf of this.shadow.leavesBetween(from, to)) this.edited.add(leaf.gpa)
  }
}
