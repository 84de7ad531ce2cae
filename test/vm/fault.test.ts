/** What a fault answers, to the letter, and what it must not have done (spec 5). */
import { expect, test } from 'vitest'
import { GuestTable, LeafFlag, Vm, type PendingFault, type VmOptions } from '../../src/index'

const { READ, WRITE, REFERENCED } = LeafFlag
const PAGE = 0x10000
const FAR = 2 ** 33 // addresses that fill both halves

/** An L1 of 32 pages at gfn 0 and as many far above, and a nested guest that maps one of each at the same address. */
function l1(options: VmOptions = {}): { vm: Vm; table: GuestTable } {
  const vm = new Vm(options)
  vm.addMemslot({ baseGfn: 0, npages: 32 })
  vm.addMemslot({ baseGfn: FAR / PAGE, npages: 32 })
  const table = vm.setGuestTable(1, new GuestTable())
  for (const gpa of [PAGE, FAR + PAGE]) table.map({ gpa, to: gpa })
  return { vm, table }
}

test('addresses above 4 GiB, in each result that has one', () => {
  const { vm, table } = l1()
  table.map({ gpa: FAR, to: 2 * FAR })
  expect(vm.fault({ lpid: 1, gpa: FAR + 0x123, access: 'read' })).toStrictEqual({
    outcome: 'mmio',
    reason: 'no-memslot',
    l1Gpa: 2 * FAR + 0x123,
    gpa: 2 * FAR + 0x123,
  })
  expect(vm.fault({ lpid: 1, gpa: FAR + PAGE + 0x123, access: 'read' })).toStrictEqual({
    outcome: 'mapped',
    change: 'made',
    gpa: FAR + PAGE,
    shift: 16,
    gfn: FAR / PAGE + 1,
    insert: 'empty',
    warning: undefined,
  })
  expect(vm.entries(FAR / PAGE + 1)).toEqual([{ lpid: 1, gpa: FAR + PAGE }])
  vm.addMemslot({ baseGfn: (2 * FAR) / PAGE, npages: 1, readOnly: true })
  expect(vm.fault({ lpid: 1, gpa: FAR + 0x123, access: 'write' })).toStrictEqual({
    outcome: 'fault-to-l2',
    reason: 'read-only-memslot',
    l1Gpa: 2 * FAR + 0x123,
    gpa: 2 * FAR + 0x123,
  })
})

test('no list node: the host leaf has been made all the same (spec 5 step 6)', () => {
  const { vm } = l1({ maxNodes: 0 })
  expect(vm.fault({ lpid: 1, gpa: PAGE, access: 'read' })).toStrictEqual({ outcome: 'retry', reason: 'no-node' })
  expect([vm.host.leafCount, vm.guest(1)!.shadow.leafCount, vm.word(1)]).toEqual([1, 0, 0n])
  expect(vm.check()).toEqual([])
})

test('a fault between its halves holds a list node, as Linux does', () => {
  const { vm } = l1({ maxNodes: 1 })
  vm.setGuestTable(2, vm.guestTable(1))
  vm.setGuestTable(3, vm.guestTable(1))
  vm.fault({ lpid: 1, gpa: PAGE, access: 'read' })
  const two = vm.beginFault({ lpid: 2, gpa: PAGE, access: 'read' }) as PendingFault
  const noNode = { outcome: 'retry', reason: 'no-node' }
  expect(vm.beginFault({ lpid: 3, gpa: PAGE, access: 'read' })).toStrictEqual(noNode)
  expect(vm.fault({ lpid: 3, gpa: FAR + PAGE, access: 'read' })).toStrictEqual(noNode) // though it would need none
  expect(two.commit()).toMatchObject({ outcome: 'mapped', insert: 'second' })
  vm.unmap(1)
  const again = vm.beginFault({ lpid: 3, gpa: PAGE, access: 'read' }) as PendingFault
  again.abandon()
  expect(vm.fault({ lpid: 3, gpa: PAGE, access: 'read' })).toMatchObject({ outcome: 'mapped' })
  expect([vm.counters.nodes.inUse, vm.check()]).toEqual([0, []])
})

test('no table page for the shadow leaf, where the host has its own', () => {
  const { vm } = l1({ maxTablePages: 6 }) // two roots, three pages below the host's, and one below the guest's
  expect(vm.fault({ lpid: 1, gpa: PAGE, access: 'read' })).toStrictEqual({
    outcome: 'no-memory',
    reason: 'shadow-table',
  })
  expect([vm.host.leafCount, vm.guest(1)!.shadow.leafCount, vm.word(1), vm.check()]).toEqual([1, 0, 0n, []])
})

test('a host leaf that may not be written is good enough for a read', () => {
  let asked = 0
  const { vm } = l1({ backing: (gfn) => (asked++, { frame: gfn * 16, writable: false }) })
  vm.setGuestTable(2, vm.guestTable(1))
  for (const lpid of [1, 2]) vm.fault({ lpid, gpa: PAGE, access: 'read' })
  expect(asked).toBe(1)
  vm.fault({ lpid: 2, gpa: PAGE, access: 'write' })
  expect(asked).toBe(2)
})

test('a refused leaf is cleared by L0, and counted so', () => {
  const { vm, table } = l1()
  table.map({ gpa: PAGE, to: PAGE, flags: READ | REFERENCED })
  vm.fault({ lpid: 1, gpa: PAGE, access: 'read' })
  expect(vm.fault({ lpid: 1, gpa: PAGE, access: 'write' })).toStrictEqual({ outcome: 'retry', reason: 'refused' })
  expect(vm.counters.leaves).toEqual({ created: 1, clearedByL0: 1, clearedByL1: 0 })
  table.protect(PAGE, READ | WRITE)
  vm.fault({ lpid: 1, gpa: PAGE, access: 'read' })
  expect(vm.fault({ lpid: 1, gpa: PAGE, access: 'write' })).toStrictEqual({ outcome: 'present', reason: 'allowed' })
})

test('a guest that L1 left, faulting on, breaks completeness: check says so (spec 9)', () => {
  const { vm } = l1({ allowDroppedFaults: true })
  const guest = vm.enter(1)
  vm.releaseAll()
  expect(vm.check()).toEqual([])
  vm.fault({ guest, gpa: PAGE, access: 'read' })
  expect(vm.check()).toMatchObject([{ invariant: 'completeness', lpid: 1, gpa: PAGE }])
})
