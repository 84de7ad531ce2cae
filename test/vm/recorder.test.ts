/** What an L1 does, written as a recording, replays with no difference: the cases that random runs seldom meet. */
import { expect, test } from 'vitest'
import { Replay } from '../../src/trace/index'
import { GuestTable, recorder, Vm, type VmOptions } from '../../src/index'

function recorded(options: VmOptions = {}): {
  vm: Vm
  table: GuestTable
  replayed: () => { first: readonly unknown[]; stale: unknown }
} {
  const lines: string[] = []
  const vm = new Vm({ ...options, observer: recorder((line) => lines.push(line)) })
  vm.addMemslot({ baseGfn: 0, npages: 32 })
  const table = vm.setGuestTable(1, new GuestTable())
  const replayed = (): { first: readonly unknown[]; stale: unknown } => {
    const run = new Replay()
    run.feed(Buffer.from(lines.join('\n')))
    run.end()
    const { first, stale } = run.result()
    return { first, stale }
  }
  return { vm, table, replayed }
}

test('a range clears a large leaf through the entry of a small one that was there before', () => {
  const { vm, table, replayed } = recorded({ backing: (gfn) => ({ frame: 512 + gfn * 16, shift: 21 }) })
  const read = (gpa: number): void => {
    expect(vm.fault({ lpid: 1, gpa, access: 'read' }).outcome).toBe('mapped')
  }
  table.map({ gpa: 0, to: 0, shift: 21 })
  read(0)
  vm.tlbie({ kind: 'page', lpid: 1, gpa: 0, shift: 21 })
  table.map({ gpa: 0x10000, to: 0x10000 })
  read(0x10000)
  table.map({ gpa: 0, to: 0, shift: 21 })
  vm.tlbie({ kind: 'page', lpid: 1, gpa: 0, shift: 21 })
  read(0)
  expect(vm.unmap(0)).toMatchObject({ cleared: 1, entries: 2 })
  expect(replayed().first).toEqual([])
})

test('a nested guest that was dropped while it is held', () => {
  const { vm, table, replayed } = recorded()
  table.map({ gpa: 0, to: 0 })
  vm.fault({ lpid: 1, gpa: 0, access: 'read' })
  const held = vm.enter(1)
  vm.setGuestTable(1, undefined)
  vm.tlbie({ kind: 'lpid', lpid: 1, ric: 2 })
  expect(vm.unmap(0)).toMatchObject({ staleNoGuest: 1 })
  vm.leave(held)
  expect(replayed()).toEqual({ first: [], stale: { noGuest: 1, noLeaf: 0, otherFrame: 0 } })
})

test('one that faults on beside a new guest of its LPID', () => {
  const { vm, table, replayed } = recorded({ allowDroppedFaults: true })
  table.map({ gpa: 0, to: 0 })
  const held = vm.enter(1)
  vm.setGuestTable(1, undefined)
  vm.tlbie({ kind: 'lpid', lpid: 1, ric: 2 })
  vm.setGuestTable(1, table)
  vm.enter(1)
  vm.fault({ guest: held, gpa: 0, access: 'read' })
  expect(replayed().first).toEqual([])
})
