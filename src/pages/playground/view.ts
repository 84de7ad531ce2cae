/**
 * The state of an L1 after one step, as plain data. The page draws it and compares it with the state before. It does not
 * change when the L1 does.
 */
import {
  unpackLeaf,
  type BrokenInvariant,
  type EntryFate,
  type Gfn,
  type Leaf,
  type Lpid,
  type VmCounters,
} from '../../index'
import { slotsOf, type Slot } from '../../view/index'
import type { Machine } from './machine'

/** A leaf of any of the tables. */
export interface LeafView {
  /** The first address that it maps, in bytes. */
  readonly from: number
  /** The address that it maps it to, in bytes. */
  readonly to: number
  readonly shift: number
  readonly flags: number
}

/** A nested guest with both of its tables. */
export interface GuestView {
  readonly lpid: Lpid
  /** undefined: L0 has no nested guest with this LPID. */
  readonly shadowLpid: number | undefined
  /** Its guest table; undefined: its partition table entry is empty. */
  readonly table: readonly LeafView[] | undefined
  readonly shadow: readonly LeafView[]
}

/** The state of an L1 after one step. */
export interface StateView {
  /** The rmap slots that are not empty, by gfn. */
  readonly slots: readonly Slot[]
  readonly host: readonly LeafView[]
  readonly guests: readonly GuestView[]
  readonly counters: VmCounters
  readonly broken: readonly BrokenInvariant[]
  readonly mmuSeq: number
  readonly logDirty: boolean
  readonly faults: readonly { readonly n: number; readonly lpid: Lpid; readonly gpa: number }[]
  readonly unmaps: readonly { readonly n: number; readonly gfn: Gfn }[]
}

/** Copies the state of an L1. Cost: all of it. */
export function viewOf(machine: Machine): StateView {
  const { vm } = machine
  const lpids = new Set([...vm.guests.map(({ lpid }) => lpid)])
  for (let lpid = 0; lpid < 4096; lpid++) if (vm.guestTable(lpid) !== undefined) lpids.add(lpid)
  return {
    slots: [...slotsOf(machine.memslot)],
    host: leavesOf(vm.host),
    guests: [...lpids]
      .sort((a, b) => a - b)
      .map((lpid) => {
        const guest = vm.guest(lpid)
        const table = machine.tableOf(lpid)
        return {
          lpid,
          shadowLpid: guest?.shadowLpid,
          table: table && leavesOf(table),
          shadow: guest === undefined ? [] : leavesOf(guest.shadow),
        }
      }),
    counters: vm.counters,
    broken: vm.check(),
    mmuSeq: vm.mmuSeq,
    logDirty: machine.memslot.logDirty,
    faults: [...machine.faults.values()].map(({ n, op }) => ({ n, lpid: op.lpid, gpa: op.gpa })),
    unmaps: [...machine.unmaps.values()].map(({ n, gfn }) => ({ n, gfn })),
  }
}

function leavesOf(table: { leaves(): Iterable<Leaf> }): LeafView[] {
  return [...table.leaves()].map(({ gpa, shift, word }) => {
    const { hpa, flags } = unpackLeaf(word)
    return { from: gpa, to: hpa, shift, flags }
  })
}

/** The rmap slot of a gfn; undefined if it is empty. */
export function slotAt(view: StateView, gfn: Gfn): Slot | undefined {
  return view.slots.find((slot) => slot.gfn === gfn)
}

/** The leaf that maps an address. */
export function leafAt(leaves: readonly LeafView[], address: number): LeafView | undefined {
  return leaves.find(({ from, shift }) => address >= from && address < from + 2 ** shift)
}

/** What a walk would do now with an entry in a gfn's rmap slot (spec 6). */
export function fateNow(view: StateView, gfn: Gfn, entry: { lpid: Lpid; gpa: number }, pageShift: number): EntryFate {
  const guest = view.guests.find(({ lpid, shadowLpid }) => lpid === entry.lpid && shadowLpid !== undefined)
  if (guest === undefined) return 'no-guest'
  const leaf = leafAt(guest.shadow, entry.gpa)
  if (leaf === undefined) return 'no-leaf'
  const host = leafAt(view.host, gfn * 2 ** pageShift)
  if (host === undefined) return 'other-frame'
  const page = 2 ** host.shift
  return Math.floor(leaf.to / page) === Math.floor(host.to / page) ? 'cleared' : 'other-frame'
}
