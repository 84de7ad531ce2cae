/**
 * The nested faults of a recording (spec 5). What the kernel does from `nested_walk` to `nested_fault_ret` must follow
 * from the first two events of the fault (nested-fault.ts) and from the host leaf.
 *
 * No event shows when the kernel reads the host leaf, so every state that the leaf may have had since the walk is
 * allowed ({@link LeafWatch}). Without `nested_walk` the faults are only counted.
 */
import { hex, hexWord, numberOf, wordOf } from '../base/word'
import { NONE } from '../page-table/radix-table'
import type { Creation, Creations } from './creations'
import { retOf, type Differences } from './differences'
import { FIELD } from './events'
import { planLeaf, serves, type GuestWalk, type PlannedLeaf } from './fault-model'
import { judge, OUTCOMES_OF_FAULTS, type FaultOutcome } from './fault-outcome'
import type { KernelArrays } from './kernel-arrays'
import type { KernelGuests, TraceGuest } from './kernel-guests'
import type { LeafWatches } from './leaf-watch'
import { addressOf, gfnOf, readFault, readWalk, type NestedFault } from './nested-fault'
import type { TraceEvent } from './trace-event'
import type { RcBits } from './rc-bits'

/** The nested faults of a recording. */
export class NestedFaults {
  /** Faults that returned, by outcome. */
  readonly byOutcome: Record<FaultOutcome, number> = OUTCOMES_OF_FAULTS()
  /** Creations of shadow leaves whose word, size, address and rmap slot were compared with the model. */
  creations = 0

  readonly #guests: KernelGuests
  readonly #arrays: KernelArrays
  readonly #creationsInProgress: Creations
  readonly #watches: LeafWatches
  readonly #rc: RcBits
  readonly #found: Differences
  /** Whether the recording has `nested_walk`; undefined until the first one, or a fault that certainly lacks it. */
  #hasWalks: boolean | undefined
  /** Whether it has `set_rc`; undefined until a fault shows it. Without it referenced and changed are not known. */
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

  /** Whether the recording has `nested_walk`, so that the model predicts the shadow leaves. */
  get predicts(): boolean {
    return this.#hasWalks === true
  }

  /** `nested_fault` */
  begin(event: TraceEvent): NestedFault {
    return readFault(event, this.#found)
  }

  /** `nested_walk` */
  walk(event: TraceEvent, fault: NestedFault): void {
    if (this.#hasWalks !== true) this.#rc.judged = true
    this.#hasWalks = true
    if (fault.walked)
      return this.#found.at(event, `one walk for the nested fault of line ${fault.line}`, 'a second walk')
    fault.walked = true
    readWalk(event, fault, this.#guests.pageShift, this.#found)
    fault.arrays = this.#arrays.changes
    const { walk, plan } = fault
    if (walk !== undefined && plan === 'map' && walk.raddrHi >>> 20 === 0)
      fault.watch = this.#creationsInProgress.watch(this.#guests.host, walk.raddrHi, walk.raddrLo)
  }

  /** `pte_create` of a host leaf, in a fault. */
  createHost(event: TraceEvent, fault: NestedFault, creation: Creation): void {
    const { walk, watch } = fault
    if (!this.predicts) return
    if (fault.plan !== 'map' || walk === undefined || fault.hostRet !== undefined || fault.shadowRet !== undefined) {
      return this.#found.at(event, `no creation of a host leaf in the nested fault of line ${fault.line}`, 'one begins')
    }
    const lo = event.lo[FIELD.gpa]!
    // The kernel names the leaf by the address of the access, or by the leaf's own.
    if (
      event.hi[FIELD.gpa] !== walk.raddrHi ||
      (lo !== walk.raddrLo && lo !== (walk.raddrLo & (-1 << creation.shift)))
    ) {
      this.#found.at(event, `gpa ${hex(wordOf(walk.raddrHi, walk.raddrLo))}`, hex(event.wordAt(FIELD.gpa)))
    }
    if (watch?.states.every((state) => serves(state, fault.access)) === true) {
      this.#found.at(event, 'the host leaf allows the access', 'creates a host leaf')
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
    // If the host leaf is older than the recording, it is not known, and the shadow leaf cannot be predicted.
    if (fault.host === undefined && states.includes(undefined) && !this.#isKnown(walk)) return
    if (fault.arrays !== this.#arrays.changes) return // the memslots have changed, and with them the rmap slots
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
    if (!fits) fault.mustFail = false // already a difference
  }

  /** `pte_create_ret` in a fault */
  created(event: TraceEvent, fault: NestedFault, creation: Creation): void {
    const ret = retOf(event)
    if (creation.guest !== null) {
      fault.shadowRet = ret
      if (fault.mustFail && ret === 0) this.#found.at(event, 'no host leaf allows the access, so -11', '0')
      return
    }
    fault.hostRet = ret
    if (ret !== 0) return
    fault.host = { hi: creation.wordHi, lo: creation.wordLo, shift: creation.shift, doubt: 0 }
    if (fault.watch !== undefined) fault.watch.states.splice(0, fault.watch.states.length - 1)
  }

  /** `set_rc`: a fault does it first in the host leaf, then in the shadow leaf. */
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

  /** `pte_unmap` of a shadow leaf that no other operation explains. @returns whether the fault explains it */
  unmaps(event: TraceEvent, fault: NestedFault, guest: TraceGuest): boolean {
    const { plan, setRcs, cleared } = fault
    const clears =
      plan === 'clear' || (plan === 'set-rc' && (setRcs.includes(false) || (setRcs.length === 0 && !this.#hasSetRc)))
    if (!clears || cleared || guest.lpid !== fault.lpid) return false
    fault.cleared = true
    const [hi, lo] = addressOf(fault)
    // The kernel names the leaf by the address of the access, or by that of its page.
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
    const gfn = fault.walk === undefined ? undefined : gfnOf(fault.walk, this.#guests.pageShift)
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

  #isPlanned(event: TraceEvent, creation: Creation, plan: PlannedLeaf, walk: GuestWalk): boolean {
    const gpaLo = event.lo[FIELD.gpa]
    return (
      creation.wordHi === plan.wordHi &&
      ((creation.wordLo ^ plan.wordLo) & ~plan.doubt) === 0 &&
      creation.shift === plan.shift &&
      event.hi[FIELD.gpa] === plan.gpaHi &&
      (gpaLo === plan.gpaLo || gpaLo === walk.ngpaLo) && // the address of the leaf, or of the access
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
        'the words differ only in bits 0x180: hardware that sets referenced and changed by itself causes no event',
      )
    }
  }

  /** The address of the rmap slot for a planned leaf's entry, if its array is known. */
  #slotOf({ headHi, headLo }: PlannedLeaf): bigint | undefined {
    if (headHi >>> 20 !== 0) return undefined
    const gfn = Math.floor(numberOf(headHi, headLo) / (1 << this.#guests.pageShift))
    const array = this.#arrays.arrayOf(gfn)
    return array === undefined ? undefined : array.rmap + 8n * BigInt(gfn - array.baseGfn)
  }

  /** Whether the host leaf is known: its memslot was created in the recording, or no memslot can have it. */
  #isKnown(walk: GuestWalk): boolean {
    const gfn = gfnOf(walk, this.#guests.pageShift)
    return gfn === undefined || this.#arrays.arrayOf(gfn)?.isNew === true
  }

  /** After a refused access that L1's table does not allow, the shadow leaf must have been cleared. */
  #checkCleared(event: TraceEvent, fault: NestedFault): void {
    const guest = this.#guests.byLpid.get(fault.lpid)
    const [hi, lo] = addressOf(fault)
    if (guest === undefined || guest.maybeDropped || guest.shadow.find(hi, lo) === NONE) return
    this.#found.at(
      event,
      `the nested fault of line ${fault.line} was refused, so the shadow leaf at ${hex(wordOf(hi, lo))} is cleared`,
      'it is not cleared',
    )
  }
}
