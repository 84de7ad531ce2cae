import { expect, test } from 'vitest'
import { packEntry, unpackEntry, Memslot } from '../src/index'

test('an entry is LPID, frame and zeros', () => {
  expect(packEntry(3, 0x30261234)).toBe(0x0030000030261000n)
  expect(unpackEntry(0x0030000030261001n)).toEqual({ lpid: 3, gpa: 0x30261000 })
})

test('three entries are two nodes and a terminator', () => {
  const slot = new Memslot({ baseGfn: 0, npages: 4 })
  expect([1, 2, 3, 2].map((n) => slot.insert(2, n, n * 0x10000))).toEqual(['empty', 'second', 'list', 'duplicate'])
  expect(slot.entries(2).map((e) => e.lpid)).toEqual([3, 2, 1])
  expect(slot.counters.scanSteps).toBe(1 + 2 + 2)
  expect(slot.takeAll(2)).toBe(3)
  expect(slot.nodes.inUse).toBe(0)
})
