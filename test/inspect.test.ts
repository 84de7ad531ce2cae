import { inspect } from 'node:util'
import { expect, test } from 'vitest'
import { Memslot, RadixTable } from '../src/index'

test('what console.log prints is short, and has no typed arrays', () => {
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
