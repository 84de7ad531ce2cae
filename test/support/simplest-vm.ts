/** The simplest model of an L1 (`vm-model.ts`) as something that runs the operations of level `vm`. */
import type { Entry, FaultResult, HcallStatus, Leaf, LeafShift, SetRcResult } from '../../src/index'
import type { VmAnswer, VmImplementation, VmOperation, VmSettings } from '../../src/testing/index'
import { faultAnswer } from '../../src/testing/vm-model'
import { find, Model, OutsideMemslot, type ModelGuest, type ModelLeaf, type ModelSlot, type Plan } from './vm-model'

/** The operations with these names. */
type Of<Name extends VmOperation['op'], O = VmOperation> = O extends { op: infer Op }
  ? [Extract<Op, Name>] extends [never]
    ? never
    : O
  : never

const CHANGED = 0x080
const ALL_ONES = 2n ** 64n - 1n
/** log2 of a page's size, by the field AP of rB. */
const AP_SHIFTS: (LeafShift | undefined)[] = [12, 21, 30, undefined, undefined, 16]

/** Bits of a word, `from` the lowest. */
const bits = (word: string, from: number, count: number): number =>
  Number((BigInt(word) >> BigInt(from)) & ((1n << BigInt(count)) - 1n))

/** Leaves in address order, with words. */
function inOrder(leaves: readonly ModelLeaf[]): Leaf[] {
  return leaves
    .map(({ gpa, shift, frame, flags }) => ({
      gpa,
      shift: shift as LeafShift,
      word: (3n << 62n) | (BigInt(frame) << 12n) | BigInt(flags),
    }))
    .sort((a, b) => a.gpa - b.gpa)
}

export class SimplestVm implements VmImplementation {
  readonly model: Model
  readonly #memslots = new Map<number, ModelSlot>()
  readonly #tables = new Map<number, ModelLeaf[]>()
  readonly #held = new Map<number, ModelGuest>()
  readonly #faults = new Map<number, Plan>()
  /** Changes of dirty logging between their halves; undefined: it was so already. */
  readonly #changes = new Map<number, ModelSlot | undefined>()
  /** How the last operation ended, if it was a fault or set-rc. */
  result: FaultResult | SetRcResult | undefined
  /** A harvest came between the halves of a write: a page may be lost to the dirty log (a quirk, spec 7). */
  harvestedInside = false

  constructor({ pageShift, placement }: VmSettings) {
    this.model = new Model(pageShift, placement)
  }

  /**
   * Where L1 has moved a page without a tlbie, a fault can mix two frames in one leaf, and set-rc can set the bits of another
   * page's host leaf, as in Linux. Both break invariants, so such operations are left out.
   */
  accepts(operation: VmOperation): boolean {
    if (operation.op === 'commit') {
      const plan = this.#faults.get(operation.fault)
      return plan === undefined || !this.model.mixes(plan)
    }
    if (operation.op !== 'fault' && operation.op !== 'beginFault' && operation.op !== 'setRc') return true
    const guest = 'lpid' in operation ? this.model.guests.get(operation.lpid) : this.#held.get(operation.held)
    return !this.model.isOutdated(guest, operation.gpa)
  }

  host(): Leaf[] {
    return inOrder(this.model.host)
  }

  shadow(lpid: number): Leaf[] | undefined {
    const guest = this.model.guests.get(lpid)
    return guest && inOrder(guest.leaves)
  }

  /** Newest first. */
  entries(gfn: number): Entry[] {
    return [...(this.model.entries.get(gfn) ?? [])].reverse().map((name) => {
      const [lpid, gpa] = name.split(':').map(Number)
      return { lpid: lpid!, gpa: gpa! }
    })
  }

  /** All nested guests, those in the registry first. */
  get guests(): ModelGuest[] {
    const { guests, dropped } = this.model
    return [...[...guests.values()].sort((a, b) => a.lpid - b.lpid), ...dropped]
  }

  /** The shadow leaves of those that were dropped. */
  droppedLeaves(): Leaf[][] {
    return this.model.dropped.map(({ leaves }) => inOrder(leaves))
  }

  run(operation: VmOperation): VmAnswer {
    this.result = undefined
    return this.#run(operation) ?? {}
  }

  #run(operation: VmOperation): VmAnswer | void {
    const { model } = this
    switch (operation.op) {
      case 'addMemslot': {
        const { memslot, baseGfn: base, npages, readOnly, logDirty: log } = operation
        const slot = { base, npages, readOnly, log, invalid: false, marked: new Set<number>() }
        model.slots.push(slot)
        this.#memslots.set(memslot, slot)
        return
      }
      case 'invalidateMemslot':
      case 'removeMemslot':
      case 'moveMemslot':
        return this.#takeMemslot(operation)
      case 'flushMemslot':
        return model.flush(this.#slot(operation))
      case 'setLogDirty':
      case 'beginSetLogDirty': {
        const slot = this.#slot(operation)
        const changes = slot.log !== operation.on
        if (changes) model.beginSetLog(slot, operation.on)
        if (operation.op === 'beginSetLogDirty') this.#changes.set(operation.change, changes ? slot : undefined)
        else if (changes) model.flush(slot, false)
        return
      }
      case 'endSetLogDirty': {
        const slot = this.#changes.get(operation.change)
        this.#changes.delete(operation.change)
        if (slot !== undefined) model.flush(slot, false)
        return
      }
      case 'harvestDirty':
        if ([...this.#faults.values()].some(({ leaf }) => (leaf.flags & CHANGED) !== 0)) this.harvestedInside = true
        return { dirty: model.harvest(this.#slot(operation)) }
      case 'back': {
        const { gfn, npages, hpa, shift, copy } = operation
        model.unmap(gfn, npages)
        if (model.slots.some((slot) => slot.base < gfn + npages && gfn < slot.base + slot.npages)) model.seq++
        model.back({ gfn, npages, shift, frame: hpa / 4096, copy: copy === undefined ? undefined : copy / 4096 })
        return
      }
      case 'addTable':
        this.#tables.set(operation.table, [])
        return
      case 'map':
      case 'write':
      case 'unmapGuest':
      case 'protect':
        return this.#edit(operation)
      case 'setPartitionTable':
        return // its least size has all LPIDs that there are
      case 'setGuestTable':
        if (operation.table === null) model.partition.delete(operation.lpid)
        else model.partition.set(operation.lpid, this.#tables.get(operation.table)!)
        return
      case 'enter': {
        const guest = model.enter(operation.lpid)
        guest.root ??= model.partition.get(operation.lpid) // each entry reads it again, while there is none
        guest.refs++
        this.#held.set(operation.held, guest)
        return
      }
      case 'leave':
        model.put(this.#held.get(operation.held)!)
        this.#held.delete(operation.held)
        return
      case 'fault':
      case 'beginFault':
        return this.#fault(operation)
      case 'commit':
      case 'abandon': {
        const plan = this.#faults.get(operation.fault)!
        this.#faults.delete(operation.fault)
        const answer = operation.op === 'commit' ? this.#ended(model.commit(plan)) : undefined
        model.put(plan.guest)
        return answer
      }
      case 'setRc':
        return this.#ended(model.setRc(this.#guest(operation), operation.gpa, operation.access))
      case 'unmap':
      case 'beginUnmap':
        model.unmap(operation.gfn, operation.npages)
        if (operation.op === 'unmap') model.seq++
        else model.inProgress++
        return
      case 'endUnmap':
        model.inProgress--
        model.seq++
        return
      case 'age':
        return { referenced: model.clearBits(operation.gfn, 0x100) }
      case 'testAge':
        return { referenced: ((find(model.host, operation.gfn * model.page)?.flags ?? 0) & 0x100) !== 0 }
      case 'tlbInvalidate':
        return { status: this.#tlbInvalidate(operation) }
      case 'rptInvalidate':
        return { status: this.#rptInvalidate(operation) }
      case 'releaseAll':
        return model.releaseAll()
    }
  }

  #slot({ memslot }: { memslot: number }): ModelSlot {
    return this.#memslots.get(memslot)!
  }

  #guest(operation: Of<'fault' | 'beginFault' | 'setRc'>): ModelGuest {
    return 'lpid' in operation ? this.model.enter(operation.lpid) : this.#held.get(operation.held)!
  }

  #takeMemslot(operation: Of<'invalidateMemslot' | 'removeMemslot' | 'moveMemslot'>): void {
    const slot = this.#slot(operation)
    if (!slot.invalid) this.model.flush(slot)
    slot.invalid = operation.op === 'invalidateMemslot'
    if (operation.op === 'moveMemslot') slot.base = operation.baseGfn
    if (operation.op === 'removeMemslot') {
      this.model.slots.splice(this.model.slots.indexOf(slot), 1)
      this.#memslots.delete(operation.memslot)
    }
  }

  #edit(operation: Of<'map' | 'write' | 'unmapGuest' | 'protect'>): void {
    const table = this.#tables.get(operation.table)!
    const { gpa } = operation
    const old = find(table, gpa)
    if (operation.op === 'unmapGuest') return this.model.edit(table, undefined, gpa)
    if (operation.op === 'protect') {
      if (old !== undefined && old.shift < 39) old.flags = operation.flags // the page has not moved
      return
    }
    if (operation.op === 'map') {
      const { shift, to, flags } = operation
      return this.#write(table, { gpa, shift, frame: to / 4096, flags, malformed: false })
    }
    const { shift } = operation
    const frame = bits(operation.word, 12, 45)
    const malformed = shift === 39 || frame % 2 ** (shift - 12) !== 0
    return this.#write(table, { gpa, shift, frame, flags: bits(operation.word, 0, 12), malformed })
  }

  /** Writing what is there is no edit. */
  #write(table: ModelLeaf[], leaf: ModelLeaf): void {
    const { gpa, shift, frame, flags } = leaf
    const old = find(table, gpa)
    if (shift === 39 || old?.gpa !== gpa || old.shift !== shift || old.frame !== frame || old.flags !== flags)
      this.model.edit(table, leaf, gpa)
  }

  #fault(operation: Of<'fault' | 'beginFault'>): VmAnswer {
    const guest = this.#guest(operation)
    let plan: Plan | FaultResult
    try {
      plan = this.model.plan(guest, operation.gpa, operation.access)
    } catch (error) {
      if (error instanceof OutsideMemslot) return { outcome: 'outside-memslot' }
      throw error
    }
    if ('outcome' in plan) return this.#ended(plan)
    if (!('fault' in operation)) return this.#ended(this.model.commit(plan))
    guest.refs++
    this.#faults.set(operation.fault, plan)
    return { outcome: 'pending' }
  }

  #ended(result: FaultResult | SetRcResult): VmAnswer {
    this.result = result
    return faultAnswer(result)
  }

  #tlbInvalidate({ instr, rs, rb }: Of<'tlbInvalidate'>): HcallStatus {
    const { model } = this
    const ric = bits(instr, 18, 2)
    const lpid = bits(rs, 0, 32)
    const is = bits(rb, 10, 2)
    if (bits(instr, 16, 2) !== 1 || ric === 3 || is === 1 || (is === 0 && ric !== 0)) return 'H_PARAMETER'
    if (is === 0) {
      const shift = AP_SHIFTS[bits(rb, 5, 3)]
      if (shift === undefined || (shift < model.pageShift && model.guests.has(lpid))) return 'H_PARAMETER'
      model.tlbiePage(lpid, bits(rb, 12, 40) * 4096, shift)
    } else {
      const all = [...model.guests.keys()].sort((a, b) => a - b)
      for (const one of is === 3 ? all : [lpid]) model.tlbieLpid(one, ric)
    }
    return 'H_SUCCESS'
  }

  #rptInvalidate(operation: Of<'rptInvalidate'>): HcallStatus {
    const { model } = this
    const [start, end] = [BigInt(operation.start), BigInt(operation.end)]
    const type = Number(operation.type)
    const lpid = bits(operation.lpid, 0, 32)
    if (end < start) return 'H_P5'
    if ((type & 1) === 0) return 'H_SUCCESS'
    if (BigInt(operation.target) !== 1n) return 'H_P2'
    if (!model.guests.has(lpid)) return 'H_SUCCESS'
    if ((type & 14) === 14) model.tlbieLpid(lpid, 2)
    else if (start === 0n && end === ALL_ONES) model.tlbieLpid(lpid, 0)
    else if ((type & 2) !== 0) return this.#rptPages(lpid, Number(operation.pageSizes), start, end)
    return 'H_SUCCESS'
  }

  #rptPages(lpid: number, sizes: number, start: bigint, end: bigint): HcallStatus {
    const { model } = this
    const shifts = [12, 16, 21, 30].filter((_, bit) => (sizes & (1 << bit)) !== 0)
    if (shifts.length === 0) return 'H_P4'
    for (const shift of shifts) {
      const pages = (end - start) >> BigInt(shift)
      if (pages > 33n) {
        model.tlbieLpid(lpid, 0)
        return 'H_SUCCESS'
      }
      if (shift < model.pageShift) return 'H_P4'
      for (let at = start; at === start || at < end; at += 1n << BigInt(shift)) {
        model.tlbiePage(lpid, Number(at % 2n ** 52n), shift)
      }
    }
    return 'H_SUCCESS'
  }
}
