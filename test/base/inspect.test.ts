import { inspect } from 'node:util'
import { expect, test } from 'vitest'
import { GuestTable, Memslot, RadixTable, Vm } from '../../src/index'

test('console.log prints a short form without typed arrays', () => {
  const memslot = new Memslot({ baseGfn: 0x10, npages: 0x100 })
  for (const lpid of [1, 2, 3]) memslot.insert(0x12, lpid, 0)
  memslot.insert(0x13, 1, 0)
  expect(inspect(memslot)).toBe('Memslot { gfn 0x10..0x10f, not empty: 2, longest ever: 3 }')
  expect(inspect({ memslot })).toBe('{ memslot: Memslot { gfn 0x10..0x10f, not empty: 2, longest ever: 3 } }')
  expect(inspect(memslot.nodes)).toBe('NodeHeap { in use: 2, peak: 2, limit: 134217727 }')
  const table = new RadixTable({ pageShift: 16 })
  table.set(0, 21, 0xc000000000000007n)
  expect(inspect(table)).toBe('RadixTable { page shift: 16, leaves: 1, pages: 3 }')
})

test('console.log prints an L1 and its parts', () => {
  const l1 = new Vm()
  l1.addMemslot({ baseGfn: 0, npages: 16, readOnly: true })
  const table = l1.setGuestTable(5, new GuestTable())
  for (const gpa of [0x10000, 0x20000]) {
    table.map({ gpa, to: 0x70000 })
    l1.fault({ lpid: 5, gpa, access: 'read' })
  }
  expect(inspect(l1)).toBe(
    'Vm { page shift: 16, placement: head, memslots: 1, nested guests: 1, singles: 0, lists: 1, nodes: 1 }',
  )
  expect(inspect(l1.memslots[0])).toBe('VmMemslot { gfn 0x0..0xf, singles: 0, lists: 1, read-only }')
  expect(inspect(l1.guest(5))).toBe('NestedGuest { LPID 5, shadow LPID 2, live, refs: 1, shadow leaves: 2 }')
  expect(inspect(table)).toBe('GuestTable { page shift: 16, leaves: 2 }')
})
