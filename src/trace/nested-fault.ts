/**
 * One nested fault, as its events show it: `nested_fault` has what the hardware reported, `nested_walk` the result of
 * L0's walk of L1's table. The fields are checked for consistency here; nested-faults.ts compares them with the model.
 */
import type { Gfn, Lpid, PageShift } from '../base/units'
import { hex, numberOf, wordOf } from '../base/word'
import { retOf, type Differences } from './differences'
import { FIELD } from './events'
import { isAllowed, type Access, type GuestWalk } from './fault-model'
import type { LeafState, LeafWatch } from './leaf-watch'
import type { TraceEvent } from './trace-event'

/** Bits of DSISR: a store; the hardware could not set referenced or changed; a present leaf refused the access. */
const DSISR_STORE = 0x02000000
const DSISR_SET_RC = 0x40000
const DSISR_REFUSED = 0x1c000008
const TRAP_DATA = 0xe00
const TRAP_INSTRUCTION = 0xe20

/** The results of a walk without a translation: none found, L1's table cannot be read, L1's table is malformed. */
const WALK_ERRNOS: ReadonlySet<number> = new Set([-2, -14, -22])

/** A nested fault in progress. */
export interface NestedFault {
  /** The line of its `nested_fault`. */
  readonly line: number
  /** L1's number for the guest. */
  readonly lpid: Lpid
  readonly access: Access
  /** The hardware reports that a present leaf refused the access; else there was no leaf, or it needs set-rc. */
  readonly refused: boolean
  readonly setRc: boolean
  /** The address that the hardware reported, and the effective address: its low 12 bits complete the former. */
  readonly asdrHi: number
  readonly asdrLo: number
  readonly dar: number
  readonly isFetch: boolean
  /** L0 has read L1's partition entry again. */
  updated: boolean
  /** The recording has its `nested_walk`. */
  walked: boolean
  /** The result of the walk; undefined if it found no translation. */
  walk: GuestWalk | undefined
  /** What L0 must do after the walk. */
  plan: 'forward' | 'clear' | 'set-rc' | 'invalid' | 'map'
  /** The host leaf, from the walk on. */
  watch: LeafWatch | undefined
  /** The host leaf that this fault has created. */
  host: LeafState | undefined
  /** {@link KernelArrays.changes} at the walk: if memslots have changed since, no creation is predicted. */
  arrays: number
  /** The results of its creations of a host leaf and of a shadow leaf. */
  hostRet: number | undefined
  shadowRet: number | undefined
  /** No host leaf that explains the shadow leaf allows the access: the creation of the shadow leaf must fail. */
  mustFail: boolean
  /** Results of set-rc so far: in the host leaf, then in the shadow leaf. */
  readonly setRcs: boolean[]
  /** It has cleared the shadow leaf. */
  cleared: boolean
}

/** Reads a `nested_fault`. */
export function readFault(event: TraceEvent, found: Differences): NestedFault {
  const dsisr = event.lo[FIELD.dsisr]!
  const trap = event.numberAt(FIELD.trap)
  if (trap !== TRAP_DATA && trap !== TRAP_INSTRUCTION) {
    found.at(event, `trap ${hex(TRAP_DATA)} or ${hex(TRAP_INSTRUCTION)}`, hex(event.wordAt(FIELD.trap)))
  }
  const isFetch = trap === TRAP_INSTRUCTION
  return {
    line: event.line,
    lpid: event.numberAt(FIELD.l1_lpid),
    access: isFetch ? 'execute' : (dsisr & DSISR_STORE) !== 0 ? 'write' : 'read',
    refused: (dsisr & DSISR_REFUSED) !== 0,
    setRc: (dsisr & DSISR_SET_RC) !== 0,
    asdrHi: event.hi[FIELD.gpa4]!,
    asdrLo: event.lo[FIELD.gpa4]!,
    dar: event.lo[FIELD.dar]!,
    isFetch,
    updated: false,
    walked: false,
    walk: undefined,
    plan: 'forward',
    watch: undefined,
    host: undefined,
    arrays: 0,
    hostRet: undefined,
    shadowRet: undefined,
    mustFail: false,
    setRcs: [],
    cleared: false,
  }
}

/** Reads a `nested_walk` into its fault: the result of the walk, and what L0 must do then. */
export function readWalk(event: TraceEvent, fault: NestedFault, pageShift: PageShift, found: Differences): void {
  checkAddress(event, fault, found)
  const ret = retOf(event)
  const notAllowed = fault.refused ? 'clear' : 'forward'
  if (ret !== 0) {
    if (!WALK_ERRNOS.has(ret)) found.at(event, 'ret 0, -2, -14 or -22', String(ret))
    fault.plan = notAllowed
    return
  }
  const walk = walkOf(event, found)
  fault.walk = walk
  if (!isAllowed(fault.access, walk.perm)) fault.plan = notAllowed
  else if (fault.setRc) fault.plan = hasRc(fault.access, walk.rc) ? 'set-rc' : 'forward'
  else fault.plan = walk.shift < pageShift ? 'invalid' : 'map'
}

/** The nested address of a fault: that of the walk, else what the hardware reported. */
export function addressOf({ walk, asdrHi, asdrLo, dar }: NestedFault): [hi: number, lo: number] {
  if (walk !== undefined) return [walk.ngpaHi, walk.ngpaLo]
  return [asdrHi & 0xfffff, (asdrLo & ~0xfff) | (dar & 0xfff)]
}

/** The gfn of the L1 address that the walk found; undefined for an address of 2^52 or more. */
export function gfnOf({ raddrHi, raddrLo }: GuestWalk, pageShift: PageShift): Gfn | undefined {
  return raddrHi >>> 20 !== 0 ? undefined : Math.floor(numberOf(raddrHi, raddrLo) / (1 << pageShift))
}

/** Whether the guest leaf has the referenced bit, and for a write the changed bit. */
function hasRc(access: Access, rc: number): boolean {
  const bits = access === 'write' ? 0x180 : 0x100
  return (rc & bits) === bits
}

/** The nested address must be the one that the hardware reported, with the effective address's offset in its page. */
function checkAddress(event: TraceEvent, { asdrHi, asdrLo, dar, isFetch }: NestedFault, found: Differences): void {
  const hi = event.hi[FIELD.ngpa]!
  const lo = event.lo[FIELD.ngpa]!
  const samePage = ((hi ^ asdrHi) & 0xfffff) === 0 && ((lo ^ asdrLo) & ~0xfff) === 0
  const isUnknown = isFetch && (asdrHi | asdrLo) === 0
  const offset = lo & 0xfff
  const isOffset = (word: number): boolean => (word & 0xfff) === offset
  // The hardware may report only the page. An access by the hardware's table walk has no offset.
  const sameOffset = (isOffset(dar) || offset === 0) && (isOffset(asdrLo) || (asdrLo & 0xfff) === 0)
  if (hi >>> 20 === 0 && (samePage || isUnknown) && sameOffset) return
  found.at(event, `ngpa ${hex(wordOf(asdrHi & 0xfffff, asdrLo))}`, hex(event.wordAt(FIELD.ngpa)))
}

/** The result of a walk that found a translation. Its fields are checked. */
function walkOf(event: TraceEvent, found: Differences): GuestWalk {
  const shift = event.numberAt(FIELD.pshift)
  const perm = event.numberAt(FIELD.perm)
  const rc = event.numberAt(FIELD.rc)
  const ngpaLo = event.lo[FIELD.ngpa]!
  const raddrLo = event.lo[FIELD.raddr]!
  if (shift !== 12 && shift !== 16 && shift !== 21 && shift !== 30) {
    found.at(event, 'pshift 12, 16, 21 or 30', String(shift))
  } else if (((ngpaLo ^ raddrLo) & ~(-1 << shift)) !== 0) {
    const model = `the offset of ngpa ${hex(event.wordAt(FIELD.ngpa))} in a page of 2^${shift} bytes`
    found.at(event, model, `raddr ${hex(event.wordAt(FIELD.raddr))}`)
  }
  if (perm > 7) found.at(event, 'perm 0x0..0x7', hex(perm))
  if ((rc & ~0x180) !== 0 || rc > 0x180) found.at(event, 'no bits but 0x180 in rc', hex(event.wordAt(FIELD.rc)))
  return {
    ngpaHi: event.hi[FIELD.ngpa]! & 0xfffff,
    ngpaLo,
    raddrHi: event.hi[FIELD.raddr]!,
    raddrLo,
    perm,
    rc,
    shift,
  }
}
