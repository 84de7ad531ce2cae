/**
 * The L1 of the playground: a `Vm` of the library, and the operations of the page on it. It adds to the model only the
 * numbers of faults and invalidations that are between their halves.
 */
import {
  GuestTable,
  LeafFlag,
  restore,
  snapshot,
  Vm,
  type Backing,
  type Entry,
  type EntryFate,
  type FaultResult,
  type Gfn,
  type PendingFault,
  type PendingUnmap,
  type RangeCounters,
  type VmMemslot,
  type VmOptions,
} from '../../index'
import { MEMORY_BYTES, type Op, type Settings } from './ops'

/** The outcome of an operation. */
export interface Outcome {
  /** The result of a fault, or of one of its halves. */
  readonly fault?: FaultResult | { readonly outcome: 'pending' }
  /** The counters of an invalidation by the host. */
  readonly walk?: Readonly<RangeCounters>
  /** The entries that its walk visited, in order. */
  readonly met?: readonly Met[]
  /** The result of ageing: whether the page was referenced. */
  readonly wasReferenced?: boolean
  /** The result of a harvest: the dirty pages. */
  readonly dirty?: readonly Gfn[]
}

/** An entry that a walk visited, and its fate. */
export interface Met {
  readonly gfn: Gfn
  readonly entry: Entry
  readonly fate: EntryFate
}

/** A fault between its halves. */
export interface BegunFault {
  readonly n: number
  readonly op: Op & { readonly kind: 'begin-fault' }
  readonly pending: PendingFault
}

/** An invalidation between its halves. */
export interface BegunUnmap {
  readonly n: number
  readonly gfn: Gfn
  readonly pending: PendingUnmap
}

/** How many faults and invalidations were begun: after a restore the numbering continues. */
export interface Begun {
  readonly faults: number
  readonly unmaps: number
}

/** The host address that backs gfn 0 if the host uses 2 MiB pages: 1 GiB, in bytes. */
export const FIRST_HPA = 0x40000000

const { REFERENCED, CHANGED } = LeafFlag

/** The options of a `Vm` with these settings. */
export function vmOptions({ pageShift, placement, hostPages, allowLpidZero }: Settings): VmOptions {
  const backing = (gfn: Gfn): Backing => ({ hpa: FIRST_HPA + gfn * 2 ** pageShift, shift: 21 })
  return { pageShift, placement, allowLpidZero, ...(hostPages === '2m' ? { backing } : {}) }
}

/** The flags of a guest leaf: permissions, and referenced and changed, which L1 sets in advance. */
export function guestFlags(allow: number): number {
  return allow | REFERENCED | CHANGED
}

/** One L1. */
export class Machine {
  readonly settings: Settings
  readonly vm: Vm
  /** The faults that are between their halves, by number. */
  readonly faults = new Map<number, BegunFault>()
  /** The invalidations that are between their halves, by number. */
  readonly unmaps = new Map<number, BegunUnmap>()
  #begun: Begun

  private constructor(settings: Settings, vm: Vm, begun: Begun) {
    this.settings = settings
    this.vm = vm
    this.#begun = begun
  }

  /** A new L1 with 4 MiB of memory. */
  static create(settings: Settings): Machine {
    const vm = new Vm(vmOptions(settings))
    vm.addMemslot({ baseGfn: 0, npages: MEMORY_BYTES / 2 ** settings.pageShift })
    return new Machine(settings, vm, { faults: 0, unmaps: 0 })
  }

  /** Restores the L1 of a snapshot. */
  static restore(settings: Settings, bytes: Uint8Array, begun: Begun): Machine {
    const { backing } = vmOptions(settings)
    return new Machine(settings, restore(bytes, backing === undefined ? {} : { backing }), begun)
  }

  get memslot(): VmMemslot {
    return this.vm.memslots[0]!
  }

  get begun(): Begun {
    return this.#begun
  }

  /** A snapshot of the L1; undefined if a fault or an invalidation is between its halves. */
  save(): Uint8Array | undefined {
    return this.faults.size + this.unmaps.size > 0 ? undefined : snapshot(this.vm)
  }

  /** Runs an operation. @throws Error if it is not possible; nothing has changed then */
  apply(op: Op): Outcome {
    const { vm } = this
    switch (op.kind) {
      case 'guest': {
        const { lpid } = op
        if (vm.guestTable(lpid) !== undefined)
          throw new Error(`LPID ${lpid} has a guest table: drop the nested guest first`)
        vm.setGuestTable(lpid, new GuestTable({ pageShift: this.settings.pageShift }))
        vm.leave(vm.enter(lpid))
        return {}
      }
      case 'map': {
        const { lpid, gpa, to, shift, allow } = op
        this.#table(lpid).map({ gpa, to, shift, flags: guestFlags(allow) })
        return {}
      }
      case 'unmap-guest':
        if (this.#table(op.lpid).unmap(op.gpa) === undefined) throw this.#notMapped(op)
        return {}
      case 'protect':
        if (!this.#table(op.lpid).protect(op.gpa, guestFlags(op.allow))) throw this.#notMapped(op)
        return {}
      case 'tlbie-page':
        vm.tlbie({ kind: 'page', lpid: op.lpid, gpa: op.gpa, shift: op.shift })
        return {}
      case 'tlbie':
        vm.tlbie({ kind: 'lpid', lpid: op.lpid, ric: op.ric })
        return {}
      case 'drop':
        this.#table(op.lpid)
        vm.setGuestTable(op.lpid, undefined)
        vm.tlbie({ kind: 'lpid', lpid: op.lpid, ric: 2 })
        return {}
      case 'fault':
        return { fault: vm.fault({ lpid: op.lpid, gpa: op.gpa, access: op.access }) }
      case 'begin-fault':
        return this.#beginFault({ ...op, kind: 'begin-fault' })
      case 'commit-fault': {
        const begun = this.faults.get(op.n)
        if (begun === undefined) throw new Error(`fault ${op.n} is not pending: begin a fault first`)
        this.faults.delete(op.n)
        return { fault: begun.pending.commit() }
      }
      case 'unmap': {
        const met: Met[] = []
        const visitor = { entry: (gfn: Gfn, entry: Entry, fate: EntryFate) => void met.push({ gfn, entry, fate }) }
        return { walk: vm.unmap(op.gfn, { visitor }), met }
      }
      case 'begin-unmap': {
        const met: Met[] = []
        const visitor = { entry: (gfn: Gfn, entry: Entry, fate: EntryFate) => void met.push({ gfn, entry, fate }) }
        const pending = vm.beginUnmap(op.gfn, { visitor })
        this.#begun = { ...this.#begun, unmaps: this.#begun.unmaps + 1 }
        const { unmaps: n } = this.#begun
        this.unmaps.set(n, { n, gfn: op.gfn, pending })
        return { walk: pending.walks, met }
      }
      case 'end-unmap': {
        const begun = this.unmaps.get(op.n)
        if (begun === undefined) throw new Error(`invalidation ${op.n} is not in progress: begin one first`)
        this.unmaps.delete(op.n)
        begun.pending.end()
        return {}
      }
      case 'age':
        return { wasReferenced: vm.age(op.gfn) }
      case 'log':
        if (this.memslot.logDirty === op.on) throw new Error(`dirty logging is ${op.on ? 'on' : 'off'} already`)
        vm.setLogDirty(this.memslot, op.on)
        return {}
      case 'harvest':
        return { dirty: vm.harvestDirty(this.memslot) }
    }
  }

  #beginFault(op: Op & { readonly kind: 'begin-fault' }): Outcome {
    const fault = this.vm.beginFault({ lpid: op.lpid, gpa: op.gpa, access: op.access })
    if (fault.outcome !== 'pending') return { fault }
    this.#begun = { ...this.#begun, faults: this.#begun.faults + 1 }
    const { faults: n } = this.#begun
    this.faults.set(n, { n, op, pending: fault })
    return { fault: { outcome: 'pending' } }
  }

  /** L1's table for an LPID; undefined: there is none. */
  tableOf(lpid: number): GuestTable | undefined {
    const table = this.vm.guestTable(lpid)
    return table instanceof GuestTable ? table : undefined
  }

  #table(lpid: number): GuestTable {
    const table = this.tableOf(lpid)
    if (table === undefined) throw new Error(`LPID ${lpid} has no guest table: add the nested guest first`)
    return table
  }

  #notMapped({ lpid, gpa }: { readonly lpid: number; readonly gpa: number }): Error {
    return new Error(`LPID ${lpid}: its guest table does not map 0x${gpa.toString(16)}: map a page first`)
  }
}
