/**
 * A nested guest as L0 knows it: an L2 of L1, with its shadow table (spec 9).
 *
 * It is reference counted: the registry holds one reference, every user (a vCPU that runs it, a fault between its halves)
 * one more. A dropped guest has left the registry; its shadow table is freed at the last put, its rmap entries stay.
 */
import { inspectable } from '../base/inspect'
import type { Lpid, NestedGpa } from '../base/units'
import { hexWord } from '../base/word'
import type { RadixTable } from '../page-table/radix-table'
import { GuestTable } from './guest-table'
import type { GuestWalker } from './guest-walker'

/** @internal The leaves of a table as JSON has them: words as hex strings. */
export function tableJson(table: RadixTable): object[] {
  return Array.from(table.leaves(), ({ gpa, shift, word }) => ({ gpa, shift, word: hexWord(word) }))
}

/** In the registry; dropped when L1 flushed an empty partition entry; or released with L1 (release all). */
export type GuestState = 'live' | 'dropped' | 'released'

/** A nested guest of an L1: made when L1 enters its LPID, changed by the L1 only. */
export class NestedGuest {
  /** The number L1 gave it. */
  readonly lpid: Lpid
  /** The number that the hardware uses for it. It is its own while it exists, and used again afterwards. */
  readonly shadowLpid: number
  /** L0's table for it: n_gpa -> hpa. A view of the live state, to read. */
  readonly shadow: RadixTable

  /** @internal Names it in events; never used again. */
  readonly id: number
  /** @internal {@link refs} */
  refCount = 1
  /** @internal Those of `refCount` that callers hold. */
  entered = 0
  /** @internal */
  state: GuestState = 'live'
  /** @internal A fault was let through after it was dropped (a quirk, spec 9). */
  faultedDropped = false
  /** @internal First addresses of shadow leaves whose guest mapping L1 has edited since; some are cleared by now. */
  readonly edited = new Set<NestedGpa>()
  /** @internal How often L1 has edited its table. */
  edits = 0
  /** @internal How often L1 has invalidated mappings of it. */
  tlbies = 0

  /** @internal {@link root}, where it is a table of the library. */
  table: GuestTable | undefined
  /** @internal {@link root}, where it is a table of the caller. */
  walker: GuestWalker | undefined

  /** @internal */
  constructor(lpid: Lpid, shadowLpid: number, id: number, shadow: RadixTable) {
    this.lpid = lpid
    this.shadowLpid = shadowLpid
    this.id = id
    this.shadow = shadow
    inspectable(this)
  }

  /** @internal What `console.log` shows. */
  inspect(): string {
    const { lpid, shadowLpid, state, refCount, shadow } = this
    return `NestedGuest { LPID ${lpid}, shadow LPID ${shadowLpid}, ${state}, refs: ${refCount}, shadow leaves: ${shadow.leafCount} }`
  }

  /** What `JSON.stringify` shows: its shadow leaves, with words as hex strings. */
  toJSON(): object {
    const { lpid, shadowLpid, refs, dropped } = this
    return { lpid, shadowLpid, refs, dropped, shadow: tableJson(this.shadow) }
  }

  /** References: the registry's, and one for each user. 0: its shadow table has been freed. */
  get refs(): number {
    return this.refCount
  }

  /** Whether it has left the registry: its LPID now belongs to no nested guest, or to a new one. */
  get dropped(): boolean {
    return this.state !== 'live'
  }

  /** L1's table for it, as L0 last read it in L1's partition table; undefined for an empty entry. */
  get root(): GuestTable | GuestWalker | undefined {
    return this.table ?? this.walker
  }

  /** @internal Sets {@link root}. */
  setRoot(root: GuestTable | GuestWalker | undefined): void {
    const isTable = root instanceof GuestTable
    this.table?.readers.delete(this)
    this.table = isTable ? root : undefined
    this.walker = isTable ? undefined : root
    this.table?.readers.add(this)
  }

  /** @internal L1 has edited its table: the shadow leaves there may be outdated. */
  tableEdited(from: NestedGpa, to: NestedGpa): void {
    this.edits++
    for (const leaf of this.shadow.leavesBetween(from, to)) this.edited.add(leaf.gpa)
  }
}
