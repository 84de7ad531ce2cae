/**
 * Restores an L1 from bytes: see `layout.ts`.
 *
 * The checksum detects damage, but bytes can be forged with a correct checksum. So everything that the model relies on is
 * checked too: pointers, lists, free nodes, overlapping memslots and leaves.
 */
import { checkFunction, checkOptionNames, wrongType } from '../base/args'
import { type LeafShift, MAX_GPA, MAX_LPID } from '../base/units'
import { hiOf, hiOfNumber, loOf } from '../base/word'
import { LEAF, PRESENT } from '../page-table/leaf'
import { RadixTable } from '../page-table/radix-table'
import { TAG } from '../rmap/entry'
import type { InsertCounters } from '../rmap/insert-counters'
import { Memslot } from '../rmap/memslot'
import type { VmObserver } from '../vm/events'
import { GuestTable } from '../vm/guest-table'
import { NestedGuest } from '../vm/nested-guest'
import type { BackingOf, VmOptions } from '../vm/options'
import type { VmState } from '../vm/state'
import { Vm } from '../vm/vm'
import { VmMemslot } from '../vm/vm-memslot'
import { ByteReader, crc32, SnapshotError } from './bytes'
import {
  CHECKED_FROM,
  FAULTS,
  FLUSHES,
  HEADER_BYTES,
  INSERTS,
  MAGIC,
  NUMBERS,
  pageEntries,
  RC_WALKS,
  STATES,
  VERSION,
  WALKS,
} from './layout'

/** Options of {@link restore}: what a snapshot does not contain. */
export interface RestoreOptions {
  /** Says what backs L1's memory; give the same as to the original. The default: base pages, with host frames in order. */
  readonly backing?: BackingOf
  /** Called with each event from now on. A {@link recorder} is refused: it must observe an L1 from its creation. */
  readonly observer?: VmObserver
}

/**
 * Restores an L1 from the bytes that {@link snapshot} returned. Its memslots, tables and nested guests are new objects:
 * get them from the L1. Cost and memory: proportional to the bytes, and 8 bytes for each gfn of a memslot.
 *
 * @throws SnapshotError, which says what is wrong with the bytes; TypeError
 */
export function restore(bytes: Uint8Array, options: RestoreOptions = {}): Vm {
  if (!(bytes instanceof Uint8Array)) throw wrongType('bytes', 'a Uint8Array', bytes)
  const { backing, observer } = checkOptionNames('options', options, ['backing', 'observer'])
  if (backing !== undefined) checkFunction('backing', backing)
  if (observer !== undefined) checkFunction('observer', observer)
  checkHeader(bytes)
  const from = new ByteReader(bytes, CHECKED_FROM + 8)
  const pageShift = oneOf(from.u8('page shift'), 'page shift', [16, 12] as const)
  const placement = from.u8('placement', 1) === 0 ? 'head' : 'faulting'
  const flags = from.u8('flags', 3)
  from.u8('byte 27', 0)
  const lpid = from.u32('lpid', MAX_LPID)
  const maxNodes = from.integer('maxNodes')
  const maxTablePages = from.integer('maxTablePages')
  const maxNpages = from.integer('maxNpages')
  const all: VmOptions = {
    pageShift,
    placement,
    lpid,
    maxNodes,
    maxTablePages,
    maxNpages,
    allowLpidZero: (flags & 1) !== 0,
    allowDroppedFaults: (flags & 2) !== 0,
    ...(backing === undefined ? {} : { backing }),
  }
  const vm = refusing(() => new Vm(all))
  readState(from, vm.state)
  if (from.left > 0) throw new SnapshotError(`${from.left} bytes follow the last nested guest`)
  vm.observe(observer)
  return vm
}

function checkHeader(bytes: Uint8Array): void {
  const { length: size } = bytes
  if (size < HEADER_BYTES) throw new SnapshotError(`expected at least ${HEADER_BYTES} bytes, got ${size}`)
  if (MAGIC.some((byte, at) => bytes[at] !== byte)) throw new SnapshotError('the bytes do not begin with "NRMAP-L1"')
  const from = new ByteReader(bytes, MAGIC.length)
  const version = from.u32('version')
  if (version !== VERSION) throw new SnapshotError(`version: expected ${VERSION}, got ${version}`)
  const sum = from.u32('checksum')
  const length = from.u64('length')
  if (length !== BigInt(size)) throw new SnapshotError(`length: the header says ${length} bytes, got ${size}`)
  const found = crc32(bytes.subarray(CHECKED_FROM))
  if (found !== sum) {
    throw new SnapshotError(`checksum: the header says 0x${sum.toString(16)}, the bytes have 0x${found.toString(16)}`)
  }
}

function readState(from: ByteReader, state: VmState): void {
  for (const name of NUMBERS) state[name] = from.integer(name)
  state.events.warnings = from.integer('warnings')
  for (const name of FAULTS) state.faults[name] = from.integer(`faults ${name}`)
  for (const name of WALKS) state.walks[name] = from.integer(`walks ${name}`)
  for (const name of RC_WALKS) state.rcWalks[name] = from.integer(`rcWalks ${name}`)
  for (const name of FLUSHES) state.flushes[name] = from.integer(`flushes ${name}`)
  readInserts(from, state.retired)
  oneOf(state.partitionEntries, 'partitionEntries', [256, 512, 1024, 2048, 4096])
  const failIn = from.integer('failIn')

  const nodes = from.count('nodes', 16)
  const freeHead = from.u32('free list')
  const wrong = state.nodes.load(from.halves('nodes', nodes * 4), freeHead)
  if (wrong !== undefined) throw new SnapshotError(`nodes: ${wrong}`)

  const tables = list(from, 'guest tables', 8, () => readGuestTable(from))
  list(from, 'partition', 8, () => {
    const lpid = readLpid(from, state)
    if (state.partition.has(lpid)) throw new SnapshotError(`partition: LPID ${lpid} occurs twice`)
    state.partition.set(lpid, at(tables, from.u32('guest table'), 'partition'))
  })
  readPage(from, 'host table', state.host, 0, 0)
  const met = new Uint8Array(nodes + 1)
  list(from, 'memslots', 97, () => readMemslot(from, state, met))
  checkHostLeaves(state)
  checkNodes(state, met)
  list(from, 'nested guests', 36, () => readGuest(from, state, tables))
  state.gate.failIn = failIn
}

function readInserts(from: ByteReader, counters: { -readonly [K in keyof InsertCounters]: InsertCounters[K] }): void {
  for (const name of INSERTS) counters[name] = from.integer(`inserts ${name}`)
}

function readLpid(from: ByteReader, state: VmState): number {
  const lpid = from.u32('LPID', MAX_LPID)
  if (lpid === 0 && !state.settings.allowLpidZero) throw new SnapshotError('LPID: expected at least 1, got 0')
  return lpid
}

function readGuestTable(from: ByteReader): GuestTable {
  const pageShift = oneOf(from.u8('guest table'), 'guest table: page shift', [16, 12] as const)
  const rootBits = from.u8('guest table: root bits')
  const table = refusing(() => new GuestTable({ pageShift, rootBits }))
  list(from, 'root leaves', 4, () => table.rootLeaves.add(from.u32('root leaf', 2 ** 13 - 1)))
  readPage(from, 'guest table', table.tree, 0, 0)
  return table
}

function readMemslot(from: ByteReader, state: VmState, met: Uint8Array): void {
  const baseGfn = from.integer('baseGfn', 2 ** (52 - state.pageShift))
  const npages = from.integer('npages', Math.min(state.settings.maxNpages, 2 ** (52 - state.pageShift) - baseGfn))
  const last = state.memslots[state.memslots.length - 1]
  if (last !== undefined && baseGfn < last.baseGfn + last.npages) {
    throw new SnapshotError(`memslot: gfn 0x${baseGfn.toString(16)} is not above those of the memslot before it`)
  }
  const flags = from.u8('memslot flags', 7)
  const address = from.u64('memslot address')
  const array = from.u64('array address')
  const {
    nodes,
    settings: { allowLpidZero },
  } = state
  const rmap = refusing(() => new Memslot({ baseGfn, npages, nodes, allowLpidZero }))
  const slot = new VmMemslot(rmap, { readOnly: (flags & 1) !== 0, logDirty: (flags & 2) !== 0 }, address, array)
  slot.invalid = (flags & 4) !== 0
  slot.nodes = from.integer('memslot nodes')
  readInserts(from, rmap.insertCounters)
  list(from, 'marked pages', 4, () => slot.marked.add(from.u32('marked page', npages - 1)))
  let next = 0
  list(from, 'slots', 12, () => {
    const index = from.u32('slot index', npages - 1)
    if (index < next) throw new SnapshotError(`slot index: expected at least ${next}, got ${index}`)
    next = index + 1
    const word = from.u64('slot word')
    if ((word & BigInt(TAG)) !== 0n) slot.singles++
    else slot.lists++
    checkList(state, word, met)
    rmap.writeAt(index, hiOf(word), loOf(word))
  })
  state.memslots.push(slot)
}

/** Checks a list: its nodes are in use and in no other list, and its entries are valid. @param met by node: 1 if in a list */
function checkList(state: VmState, head: bigint, met: Uint8Array): void {
  let word = head
  for (; (word & BigInt(TAG)) === 0n;) {
    const address = Number(word)
    if (!state.nodes.has(address)) throw new SnapshotError(`rmap slot: 0x${word.toString(16)} is not a node in use`)
    if (met[address / 16] !== 0)
      throw new SnapshotError(`rmap slot: node 0x${word.toString(16)} is in two lists, or twice in one`)
    met[address / 16] = 1
    const { next, entry } = state.nodes.read(address)
    checkEntryWord(state, entry)
    word = next
  }
  checkEntryWord(state, word - BigInt(TAG))
}

function checkEntryWord(state: VmState, entry: bigint): void {
  if ((entry & 0xfffn) !== 0n || (entry < 1n << 52n && !state.settings.allowLpidZero)) {
    throw new SnapshotError(`rmap slot: 0x${entry.toString(16)} is not an entry`)
  }
}

/** Each host leaf must lie in one memslot: its removal walks the rmap slots of all its gfns. */
function checkHostLeaves(state: VmState): void {
  for (const { gpa, shift } of state.host.leaves()) {
    const first = gpa / 2 ** state.pageShift
    const slot = state.memslotOf(first)
    if (slot === undefined || first + 2 ** (shift - state.pageShift) > slot.baseGfn + slot.npages) {
      throw new SnapshotError(`host table: the leaf at 0x${gpa.toString(16)} does not lie in one memslot`)
    }
  }
}

/** Only LPID 0 can leak nodes: nodes in use that no rmap slot leads to. */
function checkNodes(state: VmState, met: Uint8Array): void {
  const reached = met.reduce((sum, is) => sum + is, 0)
  const lost = state.nodes.inUse - reached
  if (lost > 0 && !state.settings.allowLpidZero) throw new SnapshotError(`nodes: ${lost} are in use but in no list`)
  const counted = state.memslots.reduce((sum, slot) => sum + slot.nodes, state.leaked)
  const { inUse } = state.nodes
  if (counted !== inUse) throw new SnapshotError(`nodes: the memslots count ${counted}, ${inUse} are in use`)
}

function readGuest(from: ByteReader, state: VmState, tables: GuestTable[]): void {
  const lpid = readLpid(from, state)
  const shadowLpid = from.u32('shadow LPID')
  if (shadowLpid <= state.settings.lpid || state.shadowLpids.has(shadowLpid)) {
    throw new SnapshotError(`shadow LPID: ${shadowLpid} is already in use`)
  }
  const id = from.integer('id', state.nextId)
  const entered = from.integer('references')
  const status = STATES[from.u8('guest state', STATES.length - 1)]!
  const faultedDropped = from.u8('faulted when dropped', 1) === 1
  const root = from.u32('root')
  const edited = list(from, 'edited addresses', 8, () => from.integer('edited address', MAX_GPA))
  const shadow = state.newTable()
  if (shadow === undefined) throw new SnapshotError('maxTablePages: the tables have more pages')
  readPage(from, 'shadow table', shadow, 0, 0)

  const live = status === 'live'
  if (live ? state.guests.has(lpid) || state.held.size > 0 : entered === 0) {
    const wrong = live ? 'occurs twice, or after a dropped guest' : 'is dropped but has no reference'
    throw new SnapshotError(`nested guest: LPID ${lpid} ${wrong}`)
  }
  const guest = new NestedGuest(lpid, shadowLpid, id, shadow)
  guest.state = status
  guest.entered = entered
  guest.refCount = entered + (live ? 1 : 0)
  guest.faultedDropped = faultedDropped
  if (root > 0) guest.setRoot(at(tables, root - 1, 'root'))
  for (const gpa of edited) guest.edited.add(gpa)
  state.shadowLpids.add(shadowLpid)
  if (live) state.guests.set(lpid, guest)
  else state.held.add(guest)
}

/** Reads a page of a table and all pages below it. @param first the first address that the page maps */
function readPage(from: ByteReader, what: string, table: RadixTable, level: number, first: number): void {
  const entries = pageEntries(table.pageShift)[level]!
  const span = level === 3 ? 2 ** table.pageShift : 2 ** (39 - 9 * level)
  const count = from.u16(what, entries)
  for (let i = 0, next = 0; i < count; i++) {
    const index = from.u16(what, entries - 1)
    if (index < next) throw new SnapshotError(`${what}: index ${index} after ${next - 1} in a page of level ${level}`)
    next = index + 1
    const gpa = first + index * span
    const hi = hiOfNumber(gpa)
    if (from.u8(what, level === 0 ? 0 : 1) === 1) {
      const word = from.u64(what)
      if (word < (PRESENT | LEAF)) throw new SnapshotError(`${what}: 0x${word.toString(16)} is not a leaf`)
      table.place(hi, gpa | 0, Math.log2(span) as LeafShift, hiOf(word), loOf(word))
    } else {
      if (level === 3) throw new SnapshotError(`${what}: a page below the last level`)
      if (!table.reach(hi, gpa | 0, level + 1)) {
        throw new SnapshotError(`${what}: no memory, or more pages than maxTablePages`)
      }
      readPage(from, what, table, level + 1, gpa)
    }
  }
}

/** Reads a count, then that many items of at least `bytes` each. */
function list<T>(from: ByteReader, what: string, bytes: number, read: () => T): T[] {
  return Array.from({ length: from.count(what, bytes) }, read)
}

function at<T>(items: readonly T[], index: number, what: string): T {
  if (index >= items.length) {
    throw new SnapshotError(`${what}: guest table ${index} does not exist, the snapshot has ${items.length}`)
  }
  return items[index]!
}

function oneOf<T extends number>(value: number, what: string, allowed: readonly T[]): T {
  if (allowed.includes(value as T)) return value as T
  throw new SnapshotError(`${what}: expected one of ${allowed.join(', ')}, got ${value}`)
}

/** Calls `make`; an error of the library is an error of the snapshot. */
function refusing<T>(make: () => T): T {
  try {
    return make()
  } catch (error) {
    throw new SnapshotError((error as Error).message)
  }
}
