import { expect, test } from 'vitest'
import { GuestTable, Vm } from '../../src/index'

test('a slot goes from 0 to a single entry to a list, and a page that goes takes its shadow leaves along', () => {
  const vm = new Vm({ pageShift: 16 })
  vm.addMemslot({ baseGfn: 0, npages: 0x1000 })
  const words: bigint[] = [vm.word(5)]
  for (const lpid of [1, 2, 3]) {
    vm.setGuestTable(lpid, new GuestTable()).map({ gpa: 0x10000 * lpid, to: 0x50000 })
    expect(vm.fault({ lpid, gpa: 0x10000 * lpid + 0x123, access: 'read' })).toMatchObject({
      outcome: 'mapped',
      change: 'made',
      gpa: 0x10000 * lpid,
      shift: 16,
      gfn: 5,
    })
    words.push(vm.word(5))
  }
  expect(words).toEqual([0n, 0x0010000000010001n, 0x10n, 0x20n])
  expect(vm.entries(5).map(({ lpid }) => lpid)).toEqual([3, 2, 1])
  expect(vm.check()).toEqual([])

  const went: unknown[] = []
  const walks = vm.unmap(5, { visitor: { entry: (_gfn, { lpid }, fate) => went.push([lpid, fate]) } })
  expect(went).toEqual([
    [3, 'cleared'],
    [2, 'cleared'],
    [1, 'cleared'],
  ])
  expect(walks).toMatchObject({ slots: 1, entries: 3, cleared: 3 })
  expect(vm.word(5)).toBe(0n)
  expect(vm.guests.map((guest) => guest.shadow.leafCount)).toEqual([0, 0, 0])
  expect(vm.check()).toEqual([])
})
