/** Writes an L1 as bytes: see `layout.ts`. */
import { wrongType } from '../base/args'
import { wordOf } from '../base/word'
import { LeafHi } from '../page-table/leaf'
import type { RadixTable } from '../page-table/radix-table'
import { GuestTable } from '../vm/guest-table'
import type { GuestWalker } from '../vm/guest-walker'
import type { NestedGuest } from '../vm/nested-guest'
import type { VmState } from '../vm/state'
import { Vm } from '../vm/vm'
import type { VmMemslot } from '../vm/vm-memslot'
import { ByteWriter, crc32 } from './bytes'
import {
  CHECKED_FROM,
  FAULTS,
  FLUSHES,
  INSERTS,
  MAGIC,
  NUMBERS,
  pageEntries,
  RC_WALKS,
  STATES,
  VERSION,
  WALKS,
} from './layout'

/**
 * Writes an L1 as bytes, from which {@link restore} creates an equal one that behaves in the same way. The caller's backing
 * and observer are not written. The L1 does not change. Cost: all of the state. Size: 12 bytes for each rmap slot that is
 * not empty, 16 for each list node ever used, 11 for each leaf.
 *
 * @throws TypeError; Error while a fault, an invalidation or a change of dirty logging is between its halves, or if a guest
 *   table is a {@link GuestWalker}, which is the caller's and cannot be written
 */
export function snapshot(vm: Vm): Uint8Array {
  if (!(vm instanceof Vm)) throw wrongType('vm', 'a Vm', vm)
  const { state } = vm
  refusePending(state)
  const tables = guestTables(state)
  const out = new ByteWriter()
  const { settings, gate, nodes } = state

  out.bytes(MAGIC)
  out.u32(VERSION)
  out.u32(0) // checksum and
  out.integer(0) // length: written at the end
  out.u8(state.pageShift)
  out.u8(settings.placement === 'head' ? 0 : 1)
  out.u8((settings.allowLpidZero ? 1 : 0) | (settings.allowDroppedFaults ? 2 : 0))
  out.u8(0)
  out.u32(settings.lpid)

  for (const limit of [settings.maxNodes, settings.maxTablePages, settings.maxNpages]) out.integer(limit)
  for (const name of NUMBERS) out.integer(state[name])
  out.integer(state.events.warnings)
  for (const name of FAULTS) out.integer(state.faults[name])
  for (const name of WALKS) out.integer(state.walks[name])
  for (const name of RC_WALKS) out.integer(state.rcWalks[name])
  for (const name of FLUSHES) out.integer(state.flushes[name])
  for (const name of INSERTS) out.integer(state.retired[name])
  out.integer(gate.failIn)

  const used = nodes.everUsed
  out.u32(used.length / 4)
  out.u32(nodes.freeHead)
  out.halves(used)

  out.u32(tables.size)
  for (const table of tables.keys()) writeGuestTable(out, table)
  out.u32(state.partition.size)
  for (const [lpid, table] of state.partition) {
    out.u32(lpid)
    out.u32(tables.get(table as GuestTable)!)
  }
  writePage(out, state.host, 0, 0)
  out.u32(state.memslots.length)
  for (const slot of state.memslots) writeMemslot(out, slot)
  out.u32(state.guests.size + state.held.size)
  for (const guest of [...state.guests.values(), ...state.held]) writeGuest(out, guest, tables)

  const bytes = out.result()
  const view = new DataView(bytes.buffer)
  view.setBigUint64(16, BigInt(bytes.length), true)
  view.setUint32(12, crc32(bytes.subarray(CHECKED_FROM)), true)
  return bytes
}

/** Throws if an operation is between its halves: the caller holds its state, so it could not be restored. */
function refusePending(state: VmState): void {
  if (state.invalidationsInProgress > 0) {
    throw new Error('snapshot: an invalidation is between its halves: call its end first')
  }
  if (state.memslots.some((slot) => slot.changing)) {
    throw new Error('snapshot: a change of dirty logging is between its halves: call its end first')
  }
  for (const guest of [...state.guests.values(), ...state.held]) {
    if (guest.refCount !== guest.entered + (guest.state === 'live' ? 1 : 0)) {
      throw new Error('snapshot: a fault is between its halves: call its commit or abandon first')
    }
  }
}

/**
 * L1's tables, each once, numbered: one may be that of several LPIDs, or only a nested guest's root.
 *
 * @throws Error for one that is the caller's
 */
function guestTables(state: VmState): Map<GuestTable, number> {
  const tables = new Map<GuestTable, number>()
  const add = (lpid: number, table: GuestTable | GuestWalker | undefined): void => {
    if (table === undefined || tables.has(table as GuestTable)) return
    if (table instanceof GuestTable) tables.set(table, tables.size)
    else
      throw new Error(
        `snapshot: the guest table of LPID ${lpid} is a walk of yours, which cannot be written: use a GuestTable`,
      )
  }
  for (const [lpid, table] of state.partition) add(lpid, table)
  for (const { lpid, root } of [...state.guests.values(), ...state.held]) add(lpid, root)
  return tables
}

function writeGuestTable(out: ByteWriter, table: GuestTable): void {
  out.u8(table.pageShift)
  out.u8(table.rootBits)
  writeAll(out, table.rootLeaves, (index) => out.u32(index))
  writePage(out, table.tree, 0, 0)
}

function writeMemslot(out: ByteWriter, slot: VmMemslot): void {
  out.integer(slot.baseGfn)
  out.integer(slot.npages)
  out.u8((slot.readOnly ? 1 : 0) | (slot.logDirty ? 2 : 0) | (slot.invalid ? 4 : 0))
  out.u64(slot.address)
  out.u64(slot.arrayAddress)
  out.integer(slot.nodes)
  for (const name of INSERTS) out.integer(slot.rmap.counters[name])
  writeAll(out, slot.marked, (index) => out.u32(index))
  const taken: number[] = []
  for (let index = 0; index < slot.npages; index++) if (!slot.rmap.isEmptyAt(index)) taken.push(index)
  out.u32(taken.length)
  for (const index of taken) {
    out.u32(index)
    out.u64(slot.rmap.words[index]!)
  }
}

function writeGuest(out: ByteWriter, guest: NestedGuest, tables: Map<GuestTable, number>): void {
  out.u32(guest.lpid)
  out.u32(guest.shadowLpid)
  out.integer(guest.id)
  out.integer(guest.entered)
  out.u8(STATES.indexOf(guest.state))
  out.u8(guest.faultedDropped ? 1 : 0)
  out.u32(guest.table === undefined ? 0 : tables.get(guest.table)! + 1)
  writeAll(out, guest.edited, (gpa) => out.integer(gpa))
  writePage(out, guest.shadow, 0, 0)
}

function writePage(out: ByteWriter, table: RadixTable, page: number, level: number): void {
  const { halves } = table
  const entries = pageEntries(table.pageShift)[level]!
  let count = 0
  for (let i = 0; i < entries; i++) if (halves[(page + i) * 2 + 1] !== 0) count++
  out.u16(count)
  for (let i = 0; i < entries; i++) {
    const lo = halves[(page + i) * 2]!
    const hi = halves[(page + i) * 2 + 1]!
    if (hi === 0) continue
    out.u16(i)
    if ((hi & LeafHi.LEAF) !== 0) {
      out.u8(1)
      out.u64(wordOf(hi, lo))
    } else {
      out.u8(0)
      writePage(out, table, lo, level + 1)
    }
  }
}

function writeAll(out: ByteWriter, values: Set<number>, write: (value: number) => void): void {
  out.u32(values.size)
  for (const value of values) write(value)
}
