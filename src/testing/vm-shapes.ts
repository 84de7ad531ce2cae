/**
 * What random sequences of level `vm` are made of: the first steps, and the shapes of those that follow.
 *
 * (This file is over 300 lines: one shape for each operation.)
 */
import { PRESENT, LEAF } from '../page-table/leaf'
import type { LeafShift, PageShift } from '../base/units'
import type { Access } from '../vm/fault-result'
import { wordText } from './operation'
import { shapesOf, type Field, type RareThing, type Shape } from './shapes'
import type { VmOperation } from './vm-operation'
import type { VmSettings } from './vm-model'
import { down, type VmStep } from './vm-scenario'

/** All access, referenced and changed. */
const ALL_FLAGS = 0x187
/** The same without write. */
const NOT_WRITABLE = 0x185
/** Bits 11..0 of guest leaves: mostly all that L0 asks for, else something less. */
const FLAGS = [...Array<number>(12).fill(0x187), 0x185, 0x107, 0x104, 0x002, 0x00d, 0x000]
/** Where L1's memory is mapped, in units of 64 KiB from its begin: few pages, so that lists form; the last is outside. */
const TOS = [0, 1, 2, 3, 5, 8, 13, 21, 31, 32, 33, 50, 63, 69]
/** Nested addresses: four regions that share no table page below the root, or below the next level; a few pages of each. */
const REGIONS = [0, 2 ** 21, 2 ** 30, 2 ** 52 - 2 ** 30]
const BYTES = [0, 0, 0, 0x123, 0xff8, 0xfff8]

const times = <T>(n: number, value: T): T[] => Array.from({ length: n }, () => value)

/** The values of the fields, for one geometry. */
class Values {
  /** Pages of a unit: of the largest host page. */
  readonly unitPages: number
  /** Where L1's memory begins, in gfns: the first gfn of the first memslot. */
  readonly origin: number
  readonly lpids: Field<number>
  readonly gpas: Field<number> = {
    values: REGIONS.flatMap((region) =>
      [0, 1, 2, 3].flatMap((page) => BYTES.map((byte) => region + page * 0x10000 + byte)),
    ),
  }
  readonly tos: Field<number>
  readonly gfns: Field<number>
  readonly accesses: Field<Access> = { values: ['read', 'write', 'execute'] }
  readonly tables: Field<number> = { values: [0, 1, 2] }
  readonly flags: Field<number> = { values: FLAGS }

  constructor({ pageShift, unitShift, allowLpidZero }: VmSettings) {
    this.unitPages = 2 ** (unitShift - pageShift)
    this.origin = 2 ** (30 - pageShift) // so that a guest leaf of 1 GiB maps it too
    this.lpids = { values: [...times(3, 1), ...times(3, 2), ...times(3, 3), 4, ...(allowLpidZero ? [0, 0, 0] : [])] }
    this.tos = { values: TOS.map((to, i) => this.origin * 2 ** pageShift + to * 0x10000 + (i % 3) * 0x1000) }
    const ats = [...TOS, ...TOS, ...TOS, ...TOS, ...Array.from({ length: 71 }, (_, at) => at)]
    this.gfns = { values: ats.map((at) => this.origin + (pageShift === 16 ? at : at * 16)) }
  }
}

const shape = shapesOf<VmStep>()
const just = (operation: VmOperation): VmStep[] => [{ kind: 'operation', operation }]

/** @internal Tables that map something, a memslot, and its backing: so that faults meet translations from the start. */
export function firstSteps(settings: VmSettings): VmStep[] {
  const { pageShift, unitShift, allowLpidZero } = settings
  const { origin, unitPages, tos } = new Values(settings)
  const tableShifts = tableShiftsOf(pageShift)
  const base = { kind: 'back', skew: 0, shared: false, npages: unitPages } as const
  return [
    ...tableShifts.flatMap((shift, table) => just({ op: 'addTable', table, pageShift: shift, rootBits: 13 })),
    ...just({
      op: 'addMemslot',
      memslot: 0,
      baseGfn: origin,
      npages: unitPages * (unitShift === 30 ? 1 : 2),
      readOnly: false,
      logDirty: false,
    }),
    { ...base, gfn: origin, shift: unitShift },
    { ...base, gfn: origin + unitPages, shift: unitShift },
    ...[1, 2, 3, 4, ...(allowLpidZero ? [0] : [])].flatMap((lpid) =>
      just({ op: 'setGuestTable', lpid, table: tableOf(lpid) }),
    ),
    ...tableShifts.flatMap((tableShift, table) =>
      Array.from({ length: 24 }, (_, i) => {
        const shift = i < 4 ? ([tableShift, 21, 30, tableShift] as const)[(i + table + 1) % 4]! : tableShift
        const gpa = down(REGIONS[i % 4]! + Math.floor(i / 4) * 0x10000, shift)
        const to = down(tos.values[(i * 3 + table + 1) % 13]!, shift)
        return {
          kind: 'edit',
          operation: { op: 'map', table, gpa, to, shift, flags: ALL_FLAGS },
          tlbie: false,
        } as const
      }),
    ),
  ]
}

/** L1's table for an LPID at first. Two nested guests share one; one has pages of the size that L0 does not have. */
const tableOf = (lpid: number): number => [1, 0, 1, 0, 2][lpid]!

/** log2 of the pages of L1's tables. */
const tableShiftsOf = (pageShift: PageShift): [PageShift, PageShift, PageShift] => [
  pageShift,
  pageShift,
  pageShift === 16 ? 12 : 16,
]

/** @internal The shapes of steps. */
export function vmShapes(settings: VmSettings, weights: Readonly<Record<RareThing, number>>): Shape<VmStep>[] {
  return [
    ...faultShapes(settings, weights),
    ...l1Shapes(settings, weights),
    ...hostShapes(settings, weights),
    ...memslotShapes(settings, weights),
  ]
}

function faultShapes(settings: VmSettings, { races, reuse }: Record<RareThing, number>): Shape<VmStep>[] {
  const { lpids, gpas, accesses, tos, gfns } = new Values(settings)
  const four: Field<number> = { values: [0, 1, 2, 3] }
  const two: Field<number> = { values: [0, 1] }
  return [
    ...shape(240, { lpid: lpids, gpa: gpas, access: accesses, to: tos }, (fields) => [{ kind: 'fault', ...fields }]),
    ...shape(20, { lpid: lpids, gpa: gpas, access: accesses, to: tos }, (fields) => [{ kind: 'remap', ...fields }]),
    ...shape(10, { lpid: lpids, gpa: gpas, access: accesses }, (fields) => just({ op: 'setRc', ...fields })),
    ...shape(15 * races, { fault: four, lpid: lpids, gpa: gpas, access: accesses }, (fields) =>
      just({ op: 'beginFault', ...fields }),
    ),
    ...shape(20 * races, { fault: four }, ({ fault }) => just({ op: 'commit', fault })),
    ...shape(races, { fault: four }, ({ fault }) => just({ op: 'abandon', fault })),
    // another vCPU reads the page between the halves
    ...shape(10 * races, { fault: four, lpid: lpids, gpa: gpas, to: tos }, ({ fault, lpid, gpa, to }) => [
      ...just({ op: 'beginFault', fault, lpid, gpa, access: 'write' }),
      { kind: 'fault', lpid, gpa, access: 'read', to },
      ...just({ op: 'commit', fault }),
    ]),
    // a fault while the host takes a page away
    ...shape(10 * races, { unmap: two, gfn: gfns, lpid: lpids, gpa: gpas, access: accesses }, (fields) => [
      ...just({ op: 'beginUnmap', unmap: fields.unmap, gfn: fields.gfn, npages: 1 }),
      ...just({ op: 'fault', lpid: fields.lpid, gpa: fields.gpa, access: fields.access }),
      ...just({ op: 'endUnmap', unmap: fields.unmap }),
    ]),
    ...shape(races, { unmap: two, gfn: gfns }, ({ unmap, gfn }) => just({ op: 'beginUnmap', unmap, gfn, npages: 1 })),
    ...shape(20 * races, { unmap: two }, ({ unmap }) => just({ op: 'endUnmap', unmap })),
    ...shape(10 * reuse, { held: four, lpid: lpids }, (fields) => just({ op: 'enter', ...fields })),
    ...shape(10 * reuse, { held: four }, (fields) => just({ op: 'leave', ...fields })),
    ...shape(10 * reuse, { held: four, gpa: gpas, access: accesses }, (fields) => just({ op: 'fault', ...fields })),
    ...shape(2 * reuse, { held: four, gpa: gpas, access: accesses }, (fields) => just({ op: 'setRc', ...fields })),
  ]
}

function l1Shapes(settings: VmSettings, weights: Record<RareThing, number>): Shape<VmStep>[] {
  const { large, reuse, malformed } = weights
  const { lpids, gpas, tos, tables, flags, gfns } = new Values(settings)
  const { pageShift } = settings
  const tlbies: Field<boolean> = { values: [true, true, true, false] }
  const tableShifts = tableShiftsOf(pageShift)
  const largeShifts: Field<LeafShift> = { values: [21, 21, 30] }
  const map = (
    table: number,
    gpa: number,
    to: number,
    shift: LeafShift,
    leafFlags: number,
    tlbie: boolean,
  ): VmStep => ({
    kind: 'edit',
    operation: { op: 'map', table, gpa: down(gpa, shift), to: down(to, shift), shift, flags: leafFlags },
    tlbie,
  })
  return [
    ...shape(30, { table: tables, gpa: gpas, to: tos, flags, tlbie: tlbies }, ({ table, gpa, to, flags, tlbie }) => [
      map(table, gpa, to, tableShifts[table]!, flags, tlbie),
    ]),
    ...shape(10 * large, { table: tables, gpa: gpas, to: tos, flags, tlbie: tlbies, shift: largeShifts }, (fields) => [
      map(fields.table, fields.gpa, fields.to, fields.shift, fields.flags, fields.tlbie),
    ]),
    ...shape(10, { table: tables, gpa: gpas, tlbie: tlbies }, ({ table, gpa, tlbie }) => [
      { kind: 'edit', operation: { op: 'unmapGuest', table, gpa }, tlbie },
    ]),
    ...shape(10, { table: tables, gpa: gpas, flags, tlbie: tlbies }, ({ table, gpa, flags, tlbie }) => [
      { kind: 'edit', operation: { op: 'protect', table, gpa, flags }, tlbie },
    ]),
    // L1 allows a write, which needs no tlbie: the next fault has the bit OR-ed into the shadow leaf
    ...shape(5, { lpid: lpids, gpa: gpas, to: tos }, ({ lpid, gpa, to }) => [
      { kind: 'edit', operation: { op: 'protect', table: tableOf(lpid), gpa, flags: NOT_WRITABLE }, tlbie: true },
      { kind: 'fault', lpid, gpa, access: 'read', to },
      { kind: 'edit', operation: { op: 'protect', table: tableOf(lpid), gpa, flags: ALL_FLAGS }, tlbie: false },
      { kind: 'fault', lpid, gpa, access: 'write', to },
    ]),
    ...shape(
      malformed,
      { table: tables, gpa: gpas, shift: { values: [21, 30, 39] as const } },
      ({ table, gpa, shift }) => {
        const word = wordText(PRESENT | LEAF | 0x1000n | BigInt(ALL_FLAGS)) // a frame bit below the leaf's size
        return [{ kind: 'edit', operation: { op: 'write', table, gpa: down(gpa, shift), shift, word }, tlbie: true }]
      },
    ),
    ...invalidationShapes(settings, weights),
    ...shape(20, { lpid: lpids, table: { values: [0, 0, 0, 1, 1, 1, 2, null] } }, ({ lpid, table }) =>
      just({ op: 'setGuestTable', lpid, table }),
    ),
    // the nested guest is dropped, and another one gets its LPID at the next fault
    ...shape(5 * reuse, { lpid: lpids, gfn: gfns }, ({ lpid, gfn }) => [
      ...just({ op: 'setGuestTable', lpid, table: null }),
      ...just({ op: 'tlbInvalidate', instr: '0x90000', rs: wordText(BigInt(lpid)), rb: '0x800' }),
      ...just({ op: 'unmap', gfn, npages: 20 }),
      ...just({ op: 'setGuestTable', lpid, table: tableOf(lpid) }),
    ]),
    ...shape(reuse, { sizeField: { values: [0, 1, 2, 3, 4, 4, 4] } }, (fields) =>
      just({ op: 'setPartitionTable', ...fields }),
    ),
    ...shape(reuse, {}, () => just({ op: 'releaseAll' })),
  ]
}

/** H_TLB_INVALIDATE and H_RPT_INVALIDATE, well formed and not. */
function invalidationShapes(settings: VmSettings, { malformed }: Record<RareThing, number>): Shape<VmStep>[] {
  const { lpids, gpas } = new Values(settings)
  const { pageShift } = settings
  const text = (value: number | bigint): string => wordText(BigInt(value))
  const ap = { values: [...times(4, pageShift === 16 ? 5 : 0), 1, 2] }
  const pages = { values: [0, 1, 2, 5, 20, 33, 34, 40] }
  const small = pageShift === 16 ? 2 : 1
  return [
    ...shape(10, { lpid: lpids, gpa: gpas, ap }, ({ lpid, gpa, ap }) =>
      just({
        op: 'tlbInvalidate',
        instr: '0x10000',
        rs: text(lpid),
        rb: text((BigInt(gpa) & ~0xfffn) | BigInt(ap << 5)),
      }),
    ),
    ...shape(10, { lpid: lpids, ric: { values: [0, 1, 2] }, is: { values: [2, 2, 2, 3] } }, ({ lpid, ric, is }) =>
      just({ op: 'tlbInvalidate', instr: text(0x10000 | (ric << 18)), rs: text(lpid), rb: text(is << 10) }),
    ),
    ...shape(10, { lpid: lpids, gpa: gpas, pages }, ({ lpid, gpa, pages }) =>
      just({
        op: 'rptInvalidate',
        lpid: text(lpid),
        target: '0x1',
        type: '0x3',
        pageSizes: text(small),
        start: text(gpa),
        end: text(gpa + pages * 2 ** pageShift),
      }),
    ),
    ...shape(
      malformed,
      {
        instr: { values: [0, 0x10000, 0x30000, 0x50000, 0x90000, 0xd0000] },
        lpid: { values: [...lpids.values, 4095, 0x1_0000_0001] },
        gpa: gpas,
        is: { values: [0, 1, 2, 3] },
        ap: { values: [0, 1, 2, 3, 5, 7] },
      },
      ({ instr, lpid, gpa, is, ap }) =>
        just({
          op: 'tlbInvalidate',
          instr: text(instr),
          rs: text(lpid),
          rb: text((BigInt(gpa) & ~0xfffn) | BigInt((is << 10) | (ap << 5))),
        }),
    ),
    ...shape(
      malformed,
      {
        lpid: { values: [...lpids.values, 4095, 0x1_0000_0001] },
        target: { values: [1, 1, 1, 0, 2] },
        type: { values: [0, 1, 2, 3, 0xf] },
        pageSizes: { values: [0, 1, 2, 4, 8, 6, 0xf] },
        start: { values: [0n, 0x10000n, 0x10008n, 2n ** 52n - 0x10000n] },
        end: { values: [0n, 0x10000n, 0x30000n, 2n ** 52n, 2n ** 64n - 1n] },
      },
      ({ lpid, target, type, pageSizes, start, end }) =>
        just({
          op: 'rptInvalidate',
          lpid: text(lpid),
          target: text(target),
          type: text(type),
          pageSizes: text(pageSizes),
          start: text(start),
          end: text(end),
        }),
    ),
  ]
}

function hostShapes(settings: VmSettings, { large }: Record<RareThing, number>): Shape<VmStep>[] {
  const { gfns, origin, unitPages } = new Values(settings)
  const { pageShift, unitShift } = settings
  const units: Field<number> = { values: [0, 1, 2].map((unit) => origin + unit * unitPages) }
  // in step, or out of step by a base page; 1 GiB pages also by 2 MiB, which is in step for leaves of that size
  const skews: Field<number> = { values: [0, 0, 2 ** pageShift, ...(unitShift === 30 ? [2 ** 21, 0] : [])] }
  return [
    ...shape(10, { gfn: gfns, npages: { values: [1, 1, 1, 1, 1, 1, 2, 2, 40] } }, (fields) =>
      just({ op: 'unmap', ...fields }),
    ),
    ...shape(10, { gfn: gfns }, ({ gfn }) => just({ op: 'age', gfn })),
    ...shape(5, { gfn: gfns }, ({ gfn }) => just({ op: 'testAge', gfn })),
    ...shape(5, { gfn: gfns, shared: { values: [true, false] } }, ({ gfn, shared }) => [
      { kind: 'back', gfn, npages: 1, shift: pageShift, skew: 0, shared },
    ]),
    ...shape(3 * large, { gfn: units, skew: skews }, ({ gfn, skew }) => [
      { kind: 'back', gfn, npages: unitPages, shift: unitShift, skew, shared: false },
    ]),
    ...shape(large, { gfn: units }, ({ gfn }) => [
      { kind: 'back', gfn, npages: unitPages, shift: pageShift, skew: 0, shared: false },
    ]),
  ]
}

function memslotShapes(settings: VmSettings, { memslots }: Record<RareThing, number>): Shape<VmStep>[] {
  const { origin, unitPages, lpids, gpas, accesses, tos, gfns } = new Values(settings)
  const step = settings.unitShift === 30 ? 1 : unitPages / 32
  const ids: Field<number> = { values: [0, 1, 2, 3] }
  /** Those that an operation finds most often. */
  const used: Field<number> = { values: [0, 0, 0, 1, 1, 2, 3] }
  const changes: Field<number> = { values: [0, 1] }
  const bases: Field<number> = { values: [0, 0, 0, 0, 0, 32, 32, 32, 64, 64, 3, 40].map((at) => origin + at * step) }
  const first: Field<number> = { values: [0, 0, 0, 0, 2, 2, 2, 2, 4, 4, 1, 5] }
  const added = (memslot: number, at: number, readOnly: boolean, logDirty: boolean): VmStep[] => {
    const baseGfn = origin + Math.floor(at / 2) * unitPages + (at % 2) * 3
    return just({ op: 'addMemslot', memslot, baseGfn, npages: at % 2 === 0 ? unitPages : 20, readOnly, logDirty })
  }
  const flags = {
    readOnly: { values: [false, false, false, false, true] },
    logDirty: { values: [false, false, false, true] },
  }
  return [
    ...shape(60 * memslots, { memslot: ids, at: first, ...flags }, ({ memslot, at, readOnly, logDirty }) =>
      added(memslot, at, readOnly, logDirty),
    ),
    // removed in two steps, with a fault in between that finds no memslot
    ...shape(2 * memslots, { memslot: used, at: first, lpid: lpids, gpa: gpas }, ({ memslot, at, lpid, gpa }) => [
      ...just({ op: 'invalidateMemslot', memslot }),
      ...just({ op: 'fault', lpid, gpa, access: 'read' }),
      ...just({ op: 'removeMemslot', memslot }),
      ...added(memslot, at, false, false),
    ]),
    ...shape(memslots, { memslot: used }, ({ memslot }) => just({ op: 'flushMemslot', memslot })),
    ...shape(2 * memslots, { memslot: used, baseGfn: bases }, (fields) => just({ op: 'moveMemslot', ...fields })),
    ...shape(2 * memslots, { memslot: used, at: first, ...flags }, ({ memslot, at, readOnly, logDirty }) => [
      ...just({ op: 'removeMemslot', memslot }),
      ...added(memslot, at, readOnly, logDirty),
    ]),
    ...shape(6 * memslots, { memslot: used, on: { values: [true, false] } }, (fields) =>
      just({ op: 'setLogDirty', ...fields }),
    ),
    // pages that were written are unmapped; the log is empty when it is switched on again
    ...shape(
      2 * memslots,
      { memslot: used, off: { values: [true, false] }, lpid: lpids, gpa: gpas, to: tos },
      ({ memslot, off, lpid, gpa, to }) => [
        ...just({ op: 'setLogDirty', memslot, on: true }),
        { kind: 'fault', lpid, gpa, access: 'write', to },
        { kind: 'fault', lpid, gpa, access: 'write', to },
        ...just({ op: 'unmap', gfn: origin, npages: unitPages }),
        ...(off ? [false, true].flatMap((on) => just({ op: 'setLogDirty', memslot, on })) : []),
        ...just({ op: 'harvestDirty', memslot }),
      ],
    ),
    // in two halves, with faults in between
    ...shape(
      4 * memslots,
      {
        change: changes,
        memslot: used,
        on: { values: [true, false] },
        lpid: lpids,
        gpa: gpas,
        access: accesses,
        to: tos,
      },
      ({ change, memslot, on, lpid, gpa, access, to }) => [
        ...just({ op: 'beginSetLogDirty', change, memslot, on }),
        { kind: 'fault', lpid, gpa, access, to },
        { kind: 'fault', lpid, gpa, access, to },
        ...just({ op: 'endSetLogDirty', change }),
      ],
    ),
    // a large dirty leaf is unmapped while the log is switched on: its pages are marked from the named gfn on
    ...shape(
      3 * memslots,
      { change: changes, memslot: used, lpid: lpids, gpa: gpas, to: tos, gfn: gfns, npages: { values: [1, 2, 40] } },
      ({ change, memslot, lpid, gpa, to, gfn, npages }) => [
        ...just({ op: 'setLogDirty', memslot, on: false }),
        { kind: 'fault', lpid, gpa, access: 'write', to },
        { kind: 'fault', lpid, gpa, access: 'write', to },
        ...just({ op: 'beginSetLogDirty', change, memslot, on: true }),
        ...just({ op: 'unmap', gfn, npages }),
        ...just({ op: 'endSetLogDirty', change }),
        ...just({ op: 'harvestDirty', memslot }),
      ],
    ),
    ...shape(2 * memslots, { change: changes, memslot: used, on: { values: [true, false] } }, (fields) =>
      just({ op: 'beginSetLogDirty', ...fields }),
    ),
    ...shape(8 * memslots, { change: changes }, ({ change }) => just({ op: 'endSetLogDirty', change })),
    ...shape(10 * memslots, { memslot: used }, ({ memslot }) => just({ op: 'harvestDirty', memslot })),
  ]
}
