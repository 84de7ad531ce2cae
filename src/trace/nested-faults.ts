/**
 * The nested faults of a recording (spec 5): `nested_fault` shows what the hardware reported, `nested_walk` what L0 found
 * in L1's table; what the kernel does then, up to `nested_fault_ret`, must follow from these and from the host leaf.
 *
 * The moment at which the kernel reads the host leaf is not shown, so every state that the leaf may have had since the
 * walk is allowed ({@link LeafWatch}). Recordings without `nested_walk` are counted, and nothing is predicted.
 *
 * (This file is over 300 lines: the outcome, the word and the size of a fault are predicted from the same reading of it.)
 */
import type { Lpid } from '../base/units'
import { hex, hexWord, numberOf, wordOf } from '../base/word'
import { NONE } from '../page-table/radix-table'
import type { Creation, Creations } from './creations'
import { retOf, type Differences } from './differences'
import { FIELD } from './events'
import { isAllowed, planLeaf, serves, type Access, type GuestWalk, type PlannedLeaf } from './fault-model'
import { judge, OUTCOMES_OF_FAULTS, type FaultOutcome } from './fault-outcome'
import type { KernelArrays } from './kernel-arrays'
import type { KernelGuests, TraceGuest } from './kernel-guests'
import type { LeafState, LeafWatch, LeafWatches } from './leaf-watch'
import type { TraceEvent } from './trace-event'
import type { RcBits } from './rc-bits'

/** Bits of DSISR: a store; set-rc; the access was refused by a leaf that is present. */
const DSISR_STORE = 0x02000000
const DSISR_SET_RC = 0x40000
const DSISR_REFUSED = 0x1c000008
const TRAP_DATA = 0xe00
const TRAP_INSTRUCTION = 0xe20

/** What a walk returns that finds no translation: none, L1's table cannot be read, it is malformed. */
const WALK_ERRNOS: ReadonlySet<number> = new Set([-2, -14, -22])

/** A nested fault in progress. */
export interface NestedFault {
  readonly line: number
  /** L1's number for the guest. */
  readonly lpid: Lpid
  readonly access: Access
  /** The hardware says: a leaf is present and refused the access. Else a miss, or set-rc. */
  readonly refused: boolean
  readonly setRc: boolean
  /** The address as the hardware reported it, and the effective address, whose low 12 bits complete it. */
  readonly asdrHi: number
  readonly asdrLo: number
  readonly dar: number
  readonly isFetch: boolean
  /** L0 has read L1's partition entry again. */
  updated: boolean
  /** `nested_walk` was seen. */
  walked: boolean
  /** What the walk found; undefined where it found no translation. */
  walk: GuestWalk | undefined
  /** What must happen after the walk. */
  plan: 'forward' | 'clear' | 'set-rc' | 'invalid' | 'map'
  /** The host leaf, from the walk on. */
  watch: LeafWatch | undefined
  /** The host leaf that this fault has created. */
  host: LeafState | undefined
  /** {@link KernelArrays.changes} at the walk: of a fault whose memslots have changed since, no creation is predicted. */
  arrays: number
  /** Results of its creations of a host leaf and of a shadow leaf. */
  hostRet: number | undefined
  shadowRet: number | undefined
  /** No state of the host leaf that explains the shadow leaf serves the access: its creation must fail. */
  mustFail: boolean
  /** Results of set-rc so far: in the host leaf, then in the shadow leaf. */
  readonly setRcs: boolean[]
  /** It has cleared the shadow leaf. */
  cleared: boolean
}

/** The nested faults of a recording. */
export class NestedFaults {
  /** Faults that returned, by outcome. */
  readonly byOutcome: Record<FaultOutcome, number> = OUTCOMES_OF_FAULTS()
  /** Creations of shadow leaves whose word, size, address and rmap slot were compared. */
  creations = 0

  readonly #guests: KernelGuests
  readonly #arrays: KernelArrays
  readonly #creationsInProgress: Creations
  readonly #watches: LeafWatches
  readonly #rc: RcBits
  readonly #found: Differences
  /** Whether the recording has `nested_walk`: the first that is seen, or that is missing for sure, shows it. */
  #hasWalks: boolean | undefined
  /** Whether it has `set_rc`: without it, referenced and changed bits cannot be followed. */
  #hasSetRc: boolean | undefined

  constructor(parts: {
    guests: KernelGuests
    arrays: KernelArrays
    creations: Creations
    watches: LeafWatches
    rc: RcBits
    found: Differences
  }) {
    this.#guests = parts.guests
    this.#arrays = parts.arrays
    this.#creationsInProgress = parts.creations
    this.#watches = parts.watches
    this.#rc = parts.rc
    this.#found = parts.found
  }

  /** Whether the recording shows what the fault path saw, so that it must explain every shadow leaf. */
  get predicts(): boolean {
    return this.#hasWalks === true
  }

  /** `nested_fault` */
  begin(event: TraceEvent): NestedFault {
    const dsisr = event.lo[FIELD.dsisr]!
    const trap = event.numberAt(FIELD.trap)
    if (trap !== TRAP_DATA && trap !== TRAP_INSTRUCTION) {
      this.#found.at(event, `trap ${hex(TRAP_DATA)} or ${hex(TRAP_INSTRUCTION)}`, hex(event.wordAt(FIELD.trap)))
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

  /** `nested_walk` */
  walk(event: TraceEvent, fault: NestedFault): void {
    if (this.#hasWalks !== true) this.#rc.judged = true
    this.#hasWalks = true
    if (fault.walked)
      return this.#found.at(event, `one walk for the nested fault of line ${fault.line}`, 'a second one')
    fault.walked = true
    this.#checkAddress(event, fault)
    const ret = retOf(event)
    if (ret !== 0) {
      if (!WALK_ERRNOS.has(ret)) this.#found.at(event, 'ret 0, -2, -14 or -22', String(ret))
      fault.plan = fault.refused ? 'clear' : 'forward'
      return
    }
    const walk = this.#walkOf(event)
    fault.walk = walk
    if (!isAllowed(fault.access, walk.perm)) fault.plan = fault.refused ? 'clear' : 'forward'
    else if (fault.setRc) fault.plan = this.#hasRc(fault.access, walk.rc) ? 'set-rc' : 'forward'
    else if (walk.shift < this.#guests.pageShift) fault.plan = 'invalid'
    else {
      fault.plan = 'map'
      fault.arrays = this.#arrays.changes
      if (walk.raddrHi >>> 20 === 0)
        fault.watch = this.#creationsInProgress.watch(this.#guests.host, walk.raddrHi, walk.raddrLo)
    }
  }

  /** `pte_create` of a host leaf, in a fault. */
  createHost(event: TraceEvent, fault: NestedFault, creation: Creation): void {
    const { walk, watch } = fault
    if (!this.predicts) return
    if (fault.plan !== 'map' || walk === undefined || fault.hostRet !== undefined || fault.shadowRet !== undefined) {
      return this.#found.at(event, `no creation of a host leaf in the nested fault of line ${fault.line}`, 'one begins')
    }
    const lo = event.lo[FIELD.gpa]!
    // The address of the access, or the leaf's.
    if (
      event.hi[FIELD.gpa] !== walk.raddrHi ||
      (lo !== walk.raddrLo && lo !== (walk.raddrLo & (-1 << creation.shift)))
    ) {
      this.#found.at(event, `gpa ${hex(wordOf(walk.raddrHi, walk.raddrLo))}`, hex(event.wordAt(FIELD.gpa)))
    }
    if (watch?.states.every((state) => serves(state, fault.access)) === true) {
      this.#found.at(event, 'the host leaf serves the access', 'creates a host leaf')
    }
  }

  /** `pte_create` of a shadow leaf; `fault` is undefined outside a nested fault of this task. */
  createShadow(event: TraceEvent, fault: NestedFault | undefined, creation: Creation): void {
    if (!this.predicts) return
    if (fault === undefined || fault.plan !== 'map' || fault.walk === undefined || fault.shadowRet !== undefined) {
      const where = fault === undefined ? 'outside a nested fault' : `in the nested fault of line ${fault.line}`
      return this.#found.at(event, `no creation of a shadow leaf ${where}`, 'one begins')
    }
    const { walk, access, watch } = fault
    if (creation.guest!.lpid !== fault.lpid) {
      this.#found.at(event, `a leaf of LPID ${fault.lpid}`, `one of LPID ${creation.guest!.lpid}`)
    }
    const states = watch?.states ?? [undefined]
    if (watch !== undefined) this.#watches.end(watch)
    // A host leaf that was made before the recording began is not known, nor what the kernel makes of it.
    if (fault.host === undefined && states.includes(undefined) && !this.#isKnown(walk)) return
    if (fault.arrays !== this.#arrays.changes) return
    this.creations++
    let last: PlannedLeaf | undefined
    fault.mustFail = true
    let fits = false
    for (const state of fault.host === undefined ? states : [...states, fault.host]) {
      const plan = planLeaf(state, walk, access, this.#guests.pageShift)
      last = plan
      if (!this.#isPlanned(event, creation, plan, walk)) continue
      fits = true
      if (serves(state, access)) fault.mustFail = false
    }
    if (!fits) this.#differ(event, creation, last!)
    if (!fits) fault.mustFail = false // said already
  }

  /** `pte_create_ret` in a fault */
  created(event: TraceEvent, fault: NestedFault, creation: Creation): void {
    const ret = retOf(event)
    if (creation.guest !== null) {
      fault.shadowRet = ret
      if (fault.mustFail && ret === 0) this.#found.at(event, 'no host leaf serves the access, so -11', '0')
      return
    }
    fault.hostRet = ret
    if (ret !== 0) return
    fault.host = { hi: creation.wordHi, lo: creation.wordLo, shift: creation.shift, doubt: 0 }
    if (fault.watch !== undefined) fault.watch.states.splice(0, fault.watch.states.length - 1)
  }

  /** `set_rc`; in a fault first in the host leaf, then in the shadow leaf. */
  beginSetRc(event: TraceEvent, fault: NestedFault | undefined): void {
    this.#hasSetRc ??= true
    if (fault === undefined || !this.predicts) return
    const { walk, setRcs } = fault
    if (fault.plan !== 'set-rc' || walk === undefined || setRcs.length > 1 || setRcs[0] === false) {
      return this.#found.at(event, `no set-rc in the nested fault of line ${fault.line}`, 'one begins')
    }
    const nested = setRcs.length
    this.#found.same(event, FIELD.nested, 0, nested)
    this.#found.same(event, FIELD.writing, 0, fault.access === 'write' ? 1 : 0)
    if (nested === 0) this.#found.same(event, FIELD.gpa, walk.raddrHi, walk.raddrLo)
    else {
      this.#found.same(event, FIELD.gpa, walk.ngpaHi, walk.ngpaLo)
      this.#found.same(event, FIELD.lpid, 0, fault.lpid)
    }
  }

  /** `pte_unmap` of a shadow leaf that nothing else explains. @returns whether the fault does */
  unmaps(event: TraceEvent, fault: NestedFault, guest: TraceGuest): boolean {
    const { plan, setRcs, cleared } = fault
    const clears =
      plan === 'clear' || (plan === 'set-rc' && (setRcs.includes(false) || (setRcs.length === 0 && !this.#hasSetRc)))
    if (!clears || cleared || guest.lpid !== fault.lpid) return false
    fault.cleared = true
    const [hi, lo] = this.#addressOf(fault)
    // The address of the access, or that of its page.
    const isPage = event.lo[FIELD.gpa] === (lo & (-1 << this.#guests.pageShift))
    this.#found.same(event, FIELD.gpa, hi, isPage ? event.lo[FIELD.gpa]! : lo)
    return true
  }

  /** `nested_fault_ret` */
  finish(event: TraceEvent, fault: NestedFault): void {
    if (fault.watch !== undefined) this.#watches.end(fault.watch)
    const ret = retOf(event)
    if (!fault.walked && this.#hasWalks === undefined && (ret !== 2 || !fault.updated)) this.#hasWalks = false
    if (fault.plan === 'set-rc' && this.#hasSetRc === undefined) {
      this.#hasSetRc = false
      this.#rc.judged = false
    }
    const gfn = this.#gfnOf(fault)
    const array = gfn === undefined ? undefined : this.#arrays.arrayOf(gfn)
    const { outcome, expected, later } = judge(fault, ret, array, this.#hasSetRc !== false)
    this.byOutcome[outcome]++
    if (!this.predicts) return
    if (!this.#guests.exists(fault.lpid)) {
      this.#found.at(event, `no nested guest has LPID ${fault.lpid}`, `its fault of line ${fault.line} returns`)
    }
    if (expected !== undefined) {
      this.#found.at(event, `${expected} for the nested fault of line ${fault.line}`, String(ret))
    } else if (later !== undefined && array !== undefined) {
      const message = `model: ${later} for the nested fault of line ${fault.line}; kernel: ${ret}`
      this.#arrays.differUnlessDeleted(array, { line: event.line, event: event.name, message })
    }
    if (fault.plan === 'clear' && !fault.cleared) this.#checkCleared(event, fault)
  }

  /** The task has begun another fault, or the replay has ended. */
  abandon({ watch }: NestedFault): void {
    if (watch !== undefined) this.#watches.end(watch)
  }

  #hasRc(access: Access, rc: number): boolean {
    const bits = access === 'write' ? 0x180 : 0x100
    return (rc & bits) === bits
  }

  /** The nested address is the one that the hardware reported; the effective address gives the offset in its page. */
  #checkAddress(event: TraceEvent, { asdrHi, asdrLo, dar, isFetch }: NestedFault): void {
    const hi = event.hi[FIELD.ngpa]!
    const lo = event.lo[FIELD.ngpa]!
    const samePage = ((hi ^ asdrHi) & 0xfffff) === 0 && ((lo ^ asdrLo) & ~0xfff) === 0
    const isUnknown = isFetch && (asdrHi | asdrLo) === 0
    const offset = lo & 0xfff
    const isOffset = (word: number): boolean => (word & 0xfff) === offset
    // The hardware may report the page alone, and an access by its own table walk has no offset.
    const sameOffset = (isOffset(dar) || offset === 0) && (isOffset(asdrLo) || (asdrLo & 0xfff) === 0)
    if (hi >>> 20 === 0 && (samePage || isUnknown) && sameOffset) return
    this.#found.at(event, `ngpa ${hex(wordOf(asdrHi & 0xfffff, asdrLo))}`, hex(event.wordAt(FIELD.ngpa)))
  }

  #walkOf(event: TraceEvent): GuestWalk {
    const shift = event.numberAt(FIELD.pshift)
    const perm = event.numberAt(FIELD.perm)
    const rc = event.numberAt(FIELD.rc)
    const ngpaLo = event.lo[FIELD.ngpa]!
    const raddrLo = event.lo[FIELD.raddr]!
    if (shift !== 12 && shift !== 16 && shift !== 21 && shift !== 30) {
      this.#found.at(event, 'pshift 12, 16, 21 or 30', String(shift))
    } else if (((ngpaLo ^ raddrLo) & ~(-1 << shift)) !== 0) {
      const model = `the offset of ngpa ${hex(event.wordAt(FIELD.ngpa))} in a page of 2^${shift} bytes`
      this.#found.at(event, model, `raddr ${hex(event.wordAt(FIELD.raddr))}`)
    }
    if (perm > 7) this.#found.at(event, 'perm 0x0..0x7', hex(perm))
    if ((rc & ~0x180) !== 0 || rc > 0x180) this.#found.at(event, 'no bits but 0x180 in rc', hex(event.wordAt(FIELD.rc)))
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

  #isPlanned(event: TraceEvent, creation: Creation, plan: PlannedLeaf, walk: GuestWalk): boolean {
    const gpaLo = event.lo[FIELD.gpa]
    return (
      creation.wordHi === plan.wordHi &&
      ((creation.wordLo ^ plan.wordLo) & ~plan.doubt) === 0 &&
      creation.shift === plan.shift &&
      event.hi[FIELD.gpa] === plan.gpaHi &&
      (gpaLo === plan.gpaLo || gpaLo === walk.ngpaLo) && // the leaf's address, or that of the access
      (this.#slotOf(plan) ?? event.wordAt(FIELD.rmapp)) === event.wordAt(FIELD.rmapp)
    )
  }

  #differ(event: TraceEvent, { wordHi, wordLo, shift, slotHi, slotLo }: Creation, plan: PlannedLeaf): void {
    const text = (
      hi: number,
      lo: number,
      size: number,
      gpaHi: number,
      gpaLo: number,
      slot: bigint | undefined,
    ): string =>
      `${hexWord(wordOf(hi, lo))} of 2^${size} bytes at ${hex(wordOf(gpaHi, gpaLo))}` +
      (slot === undefined ? '' : `, rmapp ${hex(slot)}`)
    this.#found.at(
      event,
      text(plan.wordHi, plan.wordLo, plan.shift, plan.gpaHi, plan.gpaLo, this.#slotOf(plan)),
      text(wordHi, wordLo, shift, event.hi[FIELD.gpa]!, event.lo[FIELD.gpa]!, wordOf(slotHi, slotLo)),
    )
    if (wordHi === plan.wordHi && ((wordLo ^ plan.wordLo) & ~0x180) === 0) {
      this.#found.hints.add(
        'a difference in the bits 0x180 alone: hardware that sets referenced and changed bits by itself leaves no event',
      )
    }
  }

  /** The address of the rmap slot that a planned leaf's entry goes to, where its array is known. */
  #slotOf({ headHi, headLo }: PlannedLeaf): bigint | undefined {
    if (headHi >>> 20 !== 0) return undefined
    const gfn = Math.floor(numberOf(headHi, headLo) / (1 << this.#guests.pageShift))
    const array = this.#arrays.arrayOf(gfn)
    return array === undefined ? undefined : array.rmap + 8n * BigInt(gfn - array.baseGfn)
  }

  /** Whether L1's own table is known at an address: the memslot was made in the recording. */
  #isKnown({ raddrHi, raddrLo }: GuestWalk): boolean {
    if (raddrHi >>> 20 !== 0) return true
    const gfn = Math.floor(numberOf(raddrHi, raddrLo) / (1 << this.#guests.pageShift))
    return this.#arrays.arrayOf(gfn)?.isNew === true
  }

  #gfnOf({ walk }: NestedFault): number | undefined {
    if (walk === undefined || walk.raddrHi >>> 20 !== 0) return undefined
    return Math.floor(numberOf(walk.raddrHi, walk.raddrLo) / (1 << this.#guests.pageShift))
  }

  /** The nested address of a fault: what the walk named, else what the hardware reported. */
  #addressOf({ walk, asdrHi, asdrLo, dar }: NestedFault): [hi: number, lo: number] {
    if (walk !== undefined) return [walk.ngpaHi, walk.ngpaLo]
    return [asdrHi & 0xfffff, (asdrLo & ~0xfff) | (dar & 0xfff)]
  }

  /** After a refused access that L1's table does not allow, no shadow leaf is left there. */
  #checkCleared(event: TraceEvent, fault: NestedFault): void {
    const guest = this.#guests.byLpid.get(fault.lpid)
    const [hi, lo] = this.#addressOf(fault)
    if (guest === undefined || guest.maybeDropped || guest.shadow.find(hi, lo) === NONE) return
    this.#found.at(
      event,
      `the nested fault of line ${fault.line} was refused, so the shadow leaf at ${hex(wordOf(hi, lo))} is cleared`,
      'it stays',
    )
  }
}
