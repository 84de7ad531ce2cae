/** The events of the fault path, as the probes of Linux 6.12 show them, and the lines that a recorder writes of them. */
import { expect, test } from 'vitest'
import {
  GuestTable,
  LeafFlag,
  recorder,
  Vm,
  type Access,
  type PendingFault,
  type VmEvent,
  type VmOptions,
} from '../../src/index'

const PAGE = 0x10000
const PATH = new Set(['nested_fault', 'nested_walk', 'nested_fault_ret', 'set_rc', 'set_rc_ret'])

function l1(options: VmOptions = {}): { vm: Vm; table: GuestTable; path: () => object[] } {
  const seen: VmEvent[] = []
  const vm = new Vm({ ...options, observer: (event) => seen.push(event) })
  vm.addMemslot({ baseGfn: 0, npages: 32 })
  const table = vm.setGuestTable(5, new GuestTable())
  table.map({ gpa: PAGE, to: 3 * PAGE })
  const path = (): object[] => seen.splice(0).filter(({ event }) => PATH.has(event))
  return { vm, table, path }
}

const found = { event: 'nested_walk', ret: 0, perm: 7, rc: 0x180, pshift: 16 }
const missing = { event: 'nested_walk', ret: -2, raddr: 0n, perm: 0, rc: 0, pshift: 0 }
const ret = (value: number): object => ({ event: 'nested_fault_ret', ret: value })

test('what the hardware reports: a miss, a refusal, a fetch, and no fault at all', () => {
  const { vm, table, path } = l1()
  const fault = (gpa: number, access: Access): object[] => {
    vm.fault({ lpid: 5, gpa, access })
    return path()
  }
  const begins = { event: 'nested_fault', l1_lpid: 5, gpa4: PAGE + 0x123, dar: PAGE + 0x123, trap: 0xe00, task: 'vcpu' }
  const walks = { ...found, ngpa: PAGE + 0x123, raddr: BigInt(3 * PAGE + 0x123) }
  expect(fault(PAGE + 0x123, 'read')).toMatchObject([{ ...begins, dsisr: 0x40000000 }, walks, ret(0)])
  expect(fault(PAGE + 0x123, 'read')).toEqual([]) // the shadow leaf allows it
  vm.unmap(3)
  expect(fault(PAGE + 0x123, 'write')).toMatchObject([{ ...begins, dsisr: 0x42000000 }, walks, ret(0)])
  vm.unmap(3)
  expect(fault(PAGE + 0x123, 'execute')).toMatchObject([{ ...begins, dsisr: 0, trap: 0xe20 }, walks, ret(0)])
  table.protect(PAGE, LeafFlag.READ)
  vm.tlbie({ kind: 'lpid', lpid: 5, ric: 0 })
  fault(PAGE, 'read')
  const less = { ...walks, perm: 1, rc: 0 }
  expect(fault(PAGE + 0x123, 'write')).toMatchObject([{ ...begins, dsisr: 0x0a000000 }, less, ret(0)])
  fault(PAGE, 'read')
  const fetch = [{ ...begins, dsisr: 0x08000000, trap: 0xe20 }, less, ret(0)]
  expect(fault(PAGE + 0x123, 'execute')).toMatchObject(fetch)
  expect(fault(0, 'read')).toMatchObject([{ dsisr: 0x40000000 }, { ...missing, ngpa: 0 }, ret(2)])
})

test('how a fault returns', () => {
  const { vm, table, path } = l1({ maxTablePages: 40 })
  const small = vm.setGuestTable(6, new GuestTable({ pageShift: 12 }))
  small.map({ gpa: 0, to: 0 })
  const cases: [run: () => unknown, events: object[]][] = [
    [() => vm.fault({ lpid: 7, gpa: 0, access: 'read' }), [{ l1_lpid: 7 }, ret(2)]], // no root: nothing to walk
    [() => vm.fault({ lpid: 6, gpa: 0, access: 'read' }), [{}, { pshift: 12 }, ret(-22)]],
    [
      () => {
        table.write(0, 21, 0xc000000000001187n)
        vm.fault({ lpid: 5, gpa: 0, access: 'read' })
      },
      [{}, { ...missing, ret: -22 }, ret(2)],
    ],
    [
      () => {
        table.map({ gpa: 2 ** 30, to: 2 ** 40 })
        vm.fault({ lpid: 5, gpa: 2 ** 30, access: 'read' })
      },
      [{}, { raddr: 2n ** 40n }, ret(2)], // a device of L1
    ],
    [
      () => {
        vm.addMemslot({ baseGfn: 100, npages: 1, readOnly: true })
        table.map({ gpa: 2 ** 30, to: 100 * PAGE })
        vm.fault({ lpid: 5, gpa: 2 ** 30, access: 'write' })
      },
      [{ dsisr: 0x42000000 }, {}, ret(0)],
    ],
    [
      () => {
        vm.failAllocation(1)
        table.map({ gpa: PAGE, to: 5 * PAGE })
        vm.fault({ lpid: 5, gpa: PAGE, access: 'read' })
      },
      [{}, {}, ret(-12)],
    ],
  ]
  for (const [run, events] of cases) {
    run()
    expect(path()).toMatchObject(events)
  }
})

test('set rc: in the host leaf, then in the shadow leaf', () => {
  const { vm, table, path } = l1()
  vm.fault({ lpid: 5, gpa: PAGE, access: 'read' })
  path()
  const setRc = (access: Access): object[] => {
    vm.setRc({ lpid: 5, gpa: PAGE + 8, access })
    return path()
  }
  const host = { event: 'set_rc', nested: 0, gpa: BigInt(3 * PAGE + 8), lpid: 1 }
  const shadow = { event: 'set_rc', nested: 1, gpa: BigInt(PAGE + 8), lpid: 5 }
  const done = (value: number): object => ({ event: 'set_rc_ret', ret: value })
  expect(setRc('write')).toMatchObject([
    { dsisr: 0x02040000, trap: 0xe00 },
    found,
    { ...host, writing: 1 },
    done(1),
    { ...shadow, writing: 1 },
    done(1),
    ret(0),
  ])
  vm.tlbie({ kind: 'lpid', lpid: 5, ric: 0 })
  const read = [{ dsisr: 0x40000 }, found, { ...host, writing: 0 }, done(1), { ...shadow, writing: 0 }, done(0), ret(0)]
  expect(setRc('read')).toMatchObject(read)
  vm.unmap(3)
  expect(setRc('read')).toMatchObject([{}, found, host, done(0), ret(0)])
  table.protect(PAGE, LeafFlag.READ | LeafFlag.REFERENCED)
  expect(setRc('write')).toMatchObject([{}, { perm: 1 }, ret(2)])
})

test('a fault between its halves keeps its vCPU; what comes in between runs on another', () => {
  const { vm, table, path } = l1()
  table.map({ gpa: 2 * PAGE, to: 4 * PAGE })
  const one = vm.beginFault({ lpid: 5, gpa: PAGE, access: 'read' }) as PendingFault
  expect(path()).toMatchObject([
    { event: 'nested_fault', task: 'vcpu', pid: 1 },
    { event: 'nested_walk', pid: 1 },
  ])
  const two = vm.beginFault({ lpid: 5, gpa: 2 * PAGE, access: 'read' }) as PendingFault
  expect(path()).toMatchObject([{ pid: 3 }, { pid: 3 }])
  vm.fault({ lpid: 5, gpa: 0, access: 'read' })
  expect(path()).toMatchObject([{ pid: 4 }, { pid: 4 }, { ...ret(2), pid: 4 }])
  one.commit()
  expect(path()).toMatchObject([{ ...ret(0), pid: 1 }])
  two.abandon()
  expect(path()).toMatchObject([{ ...ret(0), pid: 3 }]) // the L2 resumes
  vm.fault({ lpid: 5, gpa: 0, access: 'read' })
  expect(path()).toMatchObject([{ pid: 1 }, { pid: 1 }, { pid: 1 }])
})

test('a fault whose backing throws returns all the same, and its vCPU is free again', () => {
  let bad = true
  const { vm, path } = l1({ backing: () => (bad ? { frame: -1 } : { frame: 0 }) })
  for (const call of ['fault', 'beginFault'] as const) {
    expect(() => vm[call]({ lpid: 5, gpa: PAGE, access: 'read' })).toThrow(/^backing.frame/)
    expect(path()).toMatchObject([{ pid: 1 }, { pid: 1 }, { ...ret(0), pid: 1 }])
  }
  bad = false
  expect(vm.fault({ lpid: 5, gpa: PAGE, access: 'read' })).toMatchObject({ outcome: 'mapped' })
})

test('a recorder writes them as ftrace does: the same fields, in the same order and form', () => {
  const lines: string[] = []
  const vm = new Vm({ observer: recorder((line) => lines.push(line)) })
  vm.addMemslot({ baseGfn: 0, npages: 32 })
  vm.setGuestTable(5, new GuestTable()).map({ gpa: PAGE, to: 3 * PAGE })
  vm.fault({ lpid: 5, gpa: PAGE, access: 'write' })
  vm.setRc({ lpid: 5, gpa: PAGE, access: 'write' })
  vm.fault({ lpid: 5, gpa: 0, access: 'read' })
  // Lines of a recording of Linux 6.12
  const real = [
    'nested_fault: (f+0xc/0x9c0 [kvm_hv]) vcpu=0xc00000001f2b2000 l1_lpid=5 gpa4=0x10173d08 dsisr=0x40000000 dar=0x10173d08 trap=0xe00',
    'nested_walk: (f+0xf4/0x9c0 [kvm_hv]) ret=0 ngpa=0x10173d08 raddr=0x2173d08 perm=0x3 rc=0x180 pshift=16',
    'nested_walk: (f+0xf4/0x9c0 [kvm_hv]) ret=-2 ngpa=0x10173d08 raddr=0x0 perm=0x0 rc=0x0 pshift=0',
    'nested_fault_ret: (f+0x1124/0x19f0 [kvm_hv] <- g) ret=2',
    'set_rc: (f+0xc/0x150 [kvm_hv]) kvm=0xc000000002fe0000 nested=1 writing=1 gpa=0x101e99c8 lpid=5',
    'set_rc_ret: (f+0x614/0x9c0 [kvm_hv] <- g) ret=1',
  ]
  const formOf = (line: string): string =>
    line
      .replace(/^.*?(nested_\w+|set_rc\w*): \(.*?\) /, '$1 ')
      .replace(/0x[0-9a-f]+/g, 'HEX')
      .replace(/=-?\d+/g, '=DEC')
  const written = new Set(lines.map(formOf))
  for (const line of real) expect(written).toContain(formOf(line))
  expect(
    lines.some((line) => /^ +vcpu-1 +\[000\] \.{5} +[\d.]+: set_rc: \(model\) kvm=0x\w+ nested=0 /.test(line)),
  ).toBe(true)
})

test("a leaf's kernel address is its own, and stays: within its table, whatever the guest and the address", () => {
  const seen: VmEvent[] = []
  const vm = new Vm({ pageShift: 12, observer: (event) => seen.push(event) })
  vm.addMemslot({ baseGfn: 0, npages: 0x10000 })
  const addresses = new Map<bigint, string>()
  const gpas = [0, 0x1000, 0x2000, 2 ** 28, 2 ** 32, 2 ** 40, 2 ** 52 - 0x1000]
  for (const round of [0, 1]) {
    for (const lpid of [1, 2]) {
      const table = vm.setGuestTable(lpid, (vm.guestTable(lpid) as GuestTable) ?? new GuestTable({ pageShift: 12 }))
      gpas.forEach((gpa, i) => table.map({ gpa, to: i * 0x1000 * lpid }))
      for (const gpa of gpas) vm.fault({ lpid, gpa, access: 'read' })
    }
    vm.unmap(0, { npages: 0x10000 })
    const tables = new Map<number, bigint>()
    for (const event of seen) if (event.event === 'pte_create') tables.set(event.lpid, event.pgtable)
    for (const event of seen.splice(0)) {
      if (event.event !== 'pte_unmap') continue
      const name = `${event.lpid}:${event.gpa}`
      expect(addresses.get(event.ptep) ?? (round === 0 ? name : undefined)).toBe(name)
      addresses.set(event.ptep, name)
      expect(event.ptep - tables.get(event.lpid)!).toBeGreaterThanOrEqual(0n)
      expect(event.ptep - tables.get(event.lpid)!).toBeLessThan(2n ** 40n)
    }
  }
  expect(addresses.size).toBe(2 * gpas.length + 10)
})
