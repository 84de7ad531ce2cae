/** L1's invalidations, by the operands of its hypercalls (spec 8). */
import { expect, test } from 'vitest'
import { GuestTable, RptType, Vm, type HcallStatus, type PageShift } from '../../src/index'
import { refuses } from '../support/refuses'

const M2 = 2 ** 21
const G1 = 2 ** 30
const ALL_ONES = 2n ** 64n - 1n

/** One nested guest, LPID 5, with leaves at these addresses. */
function machine(pageShift: PageShift, at: readonly number[]): { vm: Vm; left(): number[] } {
  const vm = new Vm({ pageShift })
  vm.addMemslot({ baseGfn: 0, npages: 64 })
  const table = vm.setGuestTable(5, new GuestTable({ pageShift }))
  for (const gpa of at) {
    table.map({ gpa, to: 0 })
    vm.fault({ lpid: 5, gpa, access: 'read' })
  }
  return { vm, left: () => Array.from(vm.guest(5)?.shadow ?? [], ({ gpa }) => gpa) }
}

const AP = { 12: 0, 21: 1, 30: 2, 16: 5 } as const
const page = (gpa: number | bigint, shift: keyof typeof AP): bigint => BigInt(gpa) | BigInt(AP[shift] << 5)
const R = 0x10000

test('by page: the address is aligned down to the size, and every leaf in it goes', () => {
  const at = [0, 0x10000, M2 - 0x10000, M2, G1, 2 ** 52 - G1]
  for (const pageShift of [16, 12] as const) {
    const cases: [rb: bigint, left: number[]][] = [
      [page(0x1f000, pageShift), pageShift === 16 ? [0, ...at.slice(2)] : at],
      [page(0x10000, 16), [0, ...at.slice(2)]],
      [page(M2 - 0x1000, 21), at.slice(3)],
      [page(M2, 30), at.slice(4)],
      [page(2n ** 52n - 0x1000n, 30), at.slice(0, 5)],
      [page(2n ** 63n + BigInt(G1), 30), at.filter((gpa) => gpa !== G1)], // bits 52 and up are dropped
    ]
    for (const [rb, expected] of cases) {
      const { vm, left } = machine(pageShift, at)
      expect(vm.tlbInvalidate({ instr: R, rs: 5, rb })).toBe('H_SUCCESS')
      expect(left()).toEqual(expected)
      expect(vm.entries(0)).toHaveLength(at.length) // the rmap is not touched
      expect(vm.check()).toEqual([])
    }
  }
})

test('a large leaf goes whole, whichever small page of it is named', () => {
  const vm = new Vm({ backing: (gfn) => ({ frame: gfn * 16, shift: 21 }) })
  vm.addMemslot({ baseGfn: 0, npages: 32 })
  vm.setGuestTable(5, new GuestTable()).map({ gpa: M2, to: 0, shift: 21 })
  expect(vm.fault({ lpid: 5, gpa: M2, access: 'read' })).toMatchObject({ shift: 21 })
  vm.tlbInvalidate({ instr: R, rs: 5, rb: page(M2 + 0x70000, 16) })
  expect(vm.counters.leaves).toEqual({ created: 1, clearedByL0: 0, clearedByL1: 1 })
})

test('H_TLB_INVALIDATE: which operands are parameter errors', () => {
  const IS = [0, 1, 2, 3].map((is) => BigInt(is << 10))
  const cases: [instr: number, rs: bigint, rb: bigint, status: HcallStatus, left: number][] = [
    [0, 5n, IS[2]!, 'H_PARAMETER', 1], // R = 0
    [R | (1 << 17), 5n, IS[2]!, 'H_PARAMETER', 1], // PRS = 1
    [R | (3 << 18), 5n, IS[2]!, 'H_PARAMETER', 1], // RIC = 3
    [R, 5n, IS[1]!, 'H_PARAMETER', 1],
    [R | (1 << 18), 5n, IS[0]! | page(0, 16), 'H_PARAMETER', 1], // a page, with RIC 1
    [R | (2 << 18), 5n, IS[0]! | page(0, 16), 'H_PARAMETER', 1], // a page, with RIC 2
    ...[3, 4, 6, 7].map((ap): [number, bigint, bigint, HcallStatus, number] => [
      R,
      99n,
      BigInt(ap << 5),
      'H_PARAMETER',
      1,
    ]), // before the LPID
    [R, 5n, page(0, 12), 'H_PARAMETER', 1], // smaller than the base page: Linux is undefined there
    [R, 99n, page(0, 12), 'H_SUCCESS', 1], // an unknown LPID
    [R | (2 << 18), 99n, IS[2]!, 'H_SUCCESS', 1],
    [R, 5n, IS[2]!, 'H_SUCCESS', 0],
    [R, 0xabcd_0000_0005n, IS[2]!, 'H_SUCCESS', 0], // the low 32 bits of rS
    [R, 0x1_0000_0005n, page(0, 16), 'H_SUCCESS', 0],
    [R | (1 << 18), 5n, IS[2]!, 'H_SUCCESS', 1], // no page walk cache is kept
    [R | (2 << 18), 5n, IS[2]!, 'H_SUCCESS', 0],
    [R, 99n, IS[3]!, 'H_SUCCESS', 0], // all LPIDs
    [R | (1 << 18), 99n, IS[3]!, 'H_SUCCESS', 1],
  ]
  for (const [instr, rs, rb, status, leaves] of cases) {
    const { vm, left } = machine(16, [0])
    expect(
      [vm.tlbInvalidate({ instr, rs, rb }), left().length],
      `${instr.toString(16)} ${rs} ${rb.toString(16)}`,
    ).toEqual([status, leaves])
  }
})

test("RIC 2 reads L1's partition entry again: another table, or none, and the nested guest is dropped", () => {
  const { vm } = machine(16, [0])
  const other = vm.setGuestTable(5, new GuestTable())
  expect(vm.guest(5)!.root).not.toBe(other) // L0 has not looked yet
  vm.tlbie({ kind: 'lpid', lpid: 5, ric: 0 })
  expect(vm.guest(5)!.root).not.toBe(other)
  vm.tlbie({ kind: 'lpid', lpid: 5, ric: 2 })
  expect(vm.guest(5)!.root).toBe(other)
  vm.setPartitionTable(0) // 256 entries: LPID 5 has one
  vm.tlbie({ kind: 'all', ric: 2 })
  expect(vm.guests).toHaveLength(1)
  vm.setGuestTable(5, undefined)
  vm.tlbie({ kind: 'all', ric: 2 })
  expect(vm.guests).toEqual([])
  expect(vm.fault({ lpid: 5, gpa: 0, access: 'read' })).toEqual({ outcome: 'forward-to-l1', reason: 'no-root' })
  vm.setGuestTable(5, other).map({ gpa: 0, to: 0 })
  expect(vm.fault({ lpid: 5, gpa: 0, access: 'read' })).toMatchObject({ outcome: 'mapped' }) // L0 looks again
})

test('an LPID beyond the partition table does not exist', () => {
  const vm = new Vm()
  vm.setPartitionTable(1)
  vm.enter(511)
  refuses(() => vm.enter(512), RangeError, 'lpid: expected an integer in 1..511, got 512')
  refuses(
    () => vm.fault({ lpid: 512, gpa: 0, access: 'read' }),
    RangeError,
    'lpid: expected an integer in 1..511, got 512',
  )
  refuses(() => vm.setPartitionTable(5), RangeError, 'sizeField: expected an integer in 0..4, got 5')
})

test('H_RPT_INVALIDATE: its rules, in their order', () => {
  const { NESTED, TLB, WALK_CACHE, PARTITION_TABLE } = RptType
  const ALL = NESTED | TLB | WALK_CACHE | PARTITION_TABLE
  const at = [0, 0x10000, 0x20000, M2, G1]
  type Case = [what: Partial<Parameters<Vm['rptInvalidate']>[0]>, status: HcallStatus, left: number[]]
  const cases: Case[] = [
    [{ start: 1, end: 0, target: 7, lpid: 99 }, 'H_P5', at],
    [{ target: 2, lpid: 99 }, 'H_P2', at],
    [{ lpid: 99, pageSizes: 0 }, 'H_SUCCESS', at],
    [{ lpid: 2n ** 63n }, 'H_SUCCESS', at],
    [{ type: TLB, target: 9 }, 'H_SUCCESS', at], // not of nested guests
    [{ type: ALL, pageSizes: 0, start: 3, end: 4 }, 'H_SUCCESS', []],
    [{ type: NESTED, start: 0, end: ALL_ONES, pageSizes: 0 }, 'H_SUCCESS', []],
    [{ type: NESTED | WALK_CACHE, pageSizes: 0 }, 'H_SUCCESS', at], // no TLB type
    [{ type: NESTED | WALK_CACHE | PARTITION_TABLE, pageSizes: 2 }, 'H_SUCCESS', at],
    [{ pageSizes: 0 }, 'H_P4', at],
    [{ pageSizes: 16 }, 'H_P4', at],
    [{ pageSizes: 2, start: 0, end: 0 }, 'H_SUCCESS', at.slice(1)], // at least one
    [{ pageSizes: 2, start: 0x10fff, end: 0x11000 }, 'H_SUCCESS', [0, 0x20000, M2, G1]],
    [{ pageSizes: 2, start: 0, end: 0x20000 }, 'H_SUCCESS', at.slice(2)],
    [{ pageSizes: 2, start: 0, end: 0x20001 }, 'H_SUCCESS', at.slice(3)],
    [{ pageSizes: 2, start: 0, end: 33 * 0x10000 + 0xffff }, 'H_SUCCESS', [G1]],
    [{ pageSizes: 2, start: 0, end: 34 * 0x10000 }, 'H_SUCCESS', []], // more than 33 pages
    [{ pageSizes: 4, start: M2, end: M2 + 1 }, 'H_SUCCESS', [...at.slice(0, 3), G1]],
    [{ pageSizes: 2 | 4, start: M2, end: M2 + 1 }, 'H_SUCCESS', [...at.slice(0, 3), G1]],
    [{ pageSizes: 4 | 8, start: 0, end: 1 }, 'H_SUCCESS', [G1]],
    [{ pageSizes: 8, start: 2n ** 52n + BigInt(G1), end: 2n ** 52n + BigInt(G1) }, 'H_SUCCESS', at.slice(0, 4)], // cut to 52 bits
    [{ pageSizes: 1 | 8, start: 0, end: 0x1000 }, 'H_P4', at], // 4 KiB pages are smaller than the base page
    [{ pageSizes: 1 | 2, start: 0, end: 34 * 0x1000 }, 'H_SUCCESS', []], // the whole LPID needs no page size
  ]
  for (const [what, status, left] of cases) {
    const m = machine(16, at)
    const operands = { lpid: 5, target: 1, type: NESTED | TLB, pageSizes: 2, start: 0, end: 0x10000, ...what }
    expect([m.vm.rptInvalidate(operands), m.left()], Object.entries(what).join(' ')).toEqual([status, left])
    expect(m.vm.check()).toEqual([])
  }
  const small = machine(12, [0, 0x1000, 0x10000])
  expect(small.vm.rptInvalidate({ lpid: 5, target: 1, type: 3, pageSizes: 3, start: 0, end: 0x1000 })).toBe('H_SUCCESS')
  expect(small.left()).toEqual([0x10000])

  // the LPID is cut to 32 bits
  const wide = machine(16, at)
  expect(
    wide.vm.rptInvalidate({ lpid: 2n ** 32n + 5n, target: 1, type: 3, pageSizes: 2, start: 0, end: 0x10000 }),
  ).toBe('H_SUCCESS')
  expect(wide.left()).toEqual(at.slice(1))

  // Linux wraps at 2^64 and goes on; the model stops there (a documented deviation)
  const top = machine(16, [...at, 2 ** 52 - 0x10000])
  const end = { start: 2n ** 64n - 0x10000n, end: 2n ** 64n - 1n }
  expect(top.vm.rptInvalidate({ lpid: 5, target: 1, type: 3, pageSizes: 2, ...end })).toBe('H_SUCCESS')
  expect(top.left()).toEqual(at)

  const empty = machine(16, at)
  empty.vm.setGuestTable(5, undefined)
  empty.vm.rptInvalidate({ lpid: 5, target: 1, type: ALL, pageSizes: 0, start: 0, end: 0 })
  expect(empty.vm.guest(5)).toBeUndefined() // as RIC 2
})

test('H_RPT_INVALIDATE knows a guest beyond a partition table that has shrunk, and invalidates nothing of it (spec 8)', () => {
  const vm = new Vm()
  vm.addMemslot({ baseGfn: 0, npages: 64 })
  vm.setGuestTable(1000, new GuestTable()).map({ gpa: 0, to: 0 })
  vm.fault({ lpid: 1000, gpa: 0, access: 'read' })
  vm.setPartitionTable(0)
  const base = { lpid: 1000, target: 1, type: 3, pageSizes: 2, start: 0, end: 0x10000 }
  expect(vm.rptInvalidate({ ...base, pageSizes: 16 })).toBe('H_P4')
  for (const what of [{}, { type: 15 }, { end: ALL_ONES }, { pageSizes: 1 }, { end: 2 ** 30 }]) {
    expect(vm.rptInvalidate({ ...base, ...what })).toBe('H_SUCCESS')
  }
  expect(vm.guest(1000)!.shadow.leafCount).toBe(1)
})
