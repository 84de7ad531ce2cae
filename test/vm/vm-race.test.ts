/** The race that mmuSeq closes (spec 7): a fault and an invalidation in halves, with anything between. */
import * as fc from 'fast-check'
import { expect, test } from 'vitest'
import { GuestTable, Vm, type Access, type PendingFault, type Placement } from '../../src/index'
import { refuses } from '../support/refuses'
import { cases } from '../support/cases'

const PAGE = 0x10000

/** Two nested guests that share L1's pages, one host page of 2 MiB and base pages, half of them in use already. */
function machine(placement: Placement, log = false): Vm {
  const frames = new Map<number, number>()
  let next = 32
  const vm = new Vm({
    placement,
    backing: (gfn) => {
      const unit = gfn < 32 ? 0 : gfn // the first 2 MiB are one page
      if (vm.host.lookup(gfn * PAGE) === undefined || !frames.has(unit)) frames.set(unit, (next += 32))
      const frame = frames.get(unit)! * 16
      return gfn < 32 ? { frame: frame + gfn * 16, shift: 21 } : { frame }
    },
  })
  vm.addMemslot({ baseGfn: 0, npages: 48, logDirty: log })
  vm.addMemslot({ baseGfn: 48, npages: 16, logDirty: log })
  for (const lpid of [1, 2]) {
    const table = vm.setGuestTable(lpid, new GuestTable())
    for (let i = 0; i < 8; i++) table.map({ gpa: i * PAGE, to: (24 + i * 4) * PAGE })
    for (let i = 0; i < 8; i += 2) vm.fault({ lpid, gpa: i * PAGE, access: 'read' })
  }
  return vm
}

type Between = readonly [name: string, arg: number]

function run(vm: Vm, [name, arg]: Between): void {
  const gfn = 24 + arg * 4
  const slot = vm.memslots[arg % Math.max(1, vm.memslots.length)]
  switch (name) {
    case 'unmap':
      vm.unmap(gfn)
      break
    case 'unmapAll':
      vm.unmap(0, { npages: 64 })
      break
    case 'migrate':
      vm.unmap(gfn)
      vm.fault({ lpid: 2, gpa: arg * PAGE, access: 'read' })
      break
    case 'age':
      vm.age(gfn)
      break
    case 'log':
      if (slot !== undefined) vm.setLogDirty(slot, !slot.logDirty)
      break
    case 'logWindow':
      if (slot !== undefined) {
        const change = vm.beginSetLogDirty(slot, !slot.logDirty)
        vm.fault({ lpid: 2, gpa: arg * PAGE, access: 'read' })
        change.end()
      }
      break
    case 'harvest':
      if (slot?.logDirty === true) vm.harvestDirty(slot)
      break
    case 'move':
      if (vm.memslots.length === 2) vm.moveMemslot(vm.memslots[1]!, 64 + arg)
      break
    case 'remove':
      if (slot !== undefined) vm.removeMemslot(slot)
      break
    case 'fault':
      vm.fault({ lpid: 1, gpa: arg * PAGE, access: 'write' })
      break
    case 'setRc':
      vm.setRc({ lpid: 1, gpa: arg * PAGE, access: 'read' })
      break
    case 'tlbie':
      vm.tlbie({ kind: 'page', lpid: 1, gpa: arg * PAGE, shift: 16 })
      break
    case 'flush':
      vm.tlbie({ kind: 'all', ric: 0 })
      break
    case 'drop':
      vm.setGuestTable(1, undefined)
      vm.tlbie({ kind: 'lpid', lpid: 1, ric: 2 })
      break
    case 'edit':
      ;(vm.guest(1)?.root as GuestTable | undefined)?.unmap(arg * PAGE)
      break
    case 'release':
      vm.releaseAll()
      break
  }
}

const NAMES = [
  'unmap',
  'unmapAll',
  'migrate',
  'age',
  'log',
  'logWindow',
  'harvest',
  'harvest',
  'harvest',
  'harvest',
  'move',
  'remove',
  'fault',
  'setRc',
  'tlbie',
  'flush',
  'drop',
  'edit',
  'release',
]
const between = fc.array(fc.tuple(fc.constantFrom(...NAMES), fc.nat(7)), { minLength: 1, maxLength: 3 })
const race = fc.record({
  placement: fc.constantFrom<Placement>('head', 'faulting'),
  page: fc.nat(7),
  access: fc.constantFrom<Access>('read', 'write', 'execute'),
  log: fc.boolean(),
  between,
})

test('a fault in two halves, with anything between: no invariant breaks, but by a harvest within a write', () => {
  const outcomes = new Set<string>()
  let lost = 0
  fc.assert(
    fc.property(race, ({ placement, page, access, log, between }) => {
      const vm = machine(placement, log)
      const mayLose = access === 'write' && between.some(([name]) => name === 'harvest')
      const pending = vm.beginFault({ lpid: 1, gpa: page * PAGE, access })
      for (const one of between) run(vm, one)
      expect(vm.check()).toEqual([])
      if (pending.outcome !== 'pending') return
      const result = pending.commit()
      outcomes.add(result.reason ?? result.outcome)
      const broken = vm.check()
      if (mayLose && broken.length > 0) {
        expect(broken).toMatchObject([{ invariant: 'changed-bit', lpid: 1, gpa: page * PAGE }])
        lost++
      } else {
        expect(broken).toEqual([])
      }
      vm.unmap(0, { npages: 80 })
      expect(vm.guests.map(({ shadow }) => shadow.leafCount)).toEqual(vm.guests.map(() => 0))
      expect([vm.check(), vm.counters.nodes.inUse]).toEqual([[], 0])
    }),
    { numRuns: cases(1000), seed: 7 },
  )
  expect([...outcomes].sort()).toEqual(['dropped', 'mapped', 'mmu-seq', 'same-bits', 'tlbie'])
  expect(lost).toBeGreaterThan(0)
}, 60_000)

test('the same without the mmuSeq check leaves a leaf that no walk finds', () => {
  const broken = new Set<string>()
  fc.assert(
    fc.property(race, ({ placement, page, access, log, between }) => {
      const vm = machine(placement, log)
      const pending = vm.beginFault({ lpid: 1, gpa: page * PAGE, access })
      const { mmuSeq } = vm
      for (const one of between) run(vm, one)
      if (pending.outcome !== 'pending') return
      vm.state.mmuSeq = mmuSeq // as if the fault did not look
      pending.commit()
      for (const { invariant } of vm.check()) broken.add(invariant)
    }),
    { numRuns: cases(1000), seed: 7 },
  )
  expect([...broken]).toEqual(expect.arrayContaining(['completeness', 'composition', 'host-leaf']))
}, 60_000)

test('while an invalidation is in progress no leaf comes to be, and at its end mmuSeq moves', () => {
  const vm = machine('head')
  const before = vm.mmuSeq
  const early = vm.beginFault({ lpid: 1, gpa: PAGE, access: 'read' }) as PendingFault
  const one = vm.beginUnmap(60)
  const two = vm.beginUnmap(61, { npages: 2 })
  expect(vm.mmuSeq).toBe(before)
  const retry = { outcome: 'retry', reason: 'mmu-seq' }
  expect(early.commit()).toEqual(retry)
  expect(vm.fault({ lpid: 1, gpa: 3 * PAGE, access: 'read' })).toEqual(retry) // the host leaf already cannot be made
  one.end()
  expect(vm.fault({ lpid: 1, gpa: 0, access: 'write' })).toEqual({ outcome: 'present', reason: 'allowed' })
  expect(vm.fault({ lpid: 1, gpa: 3 * PAGE, access: 'read' })).toEqual(retry)
  two.end()
  expect(vm.mmuSeq).toBe(before + 2)
  expect(vm.fault({ lpid: 1, gpa: 3 * PAGE, access: 'read' }).outcome).toBe('mapped')
  refuses(() => two.end(), Error, 'end: this invalidation is over: call beginUnmap for another')
  expect(vm.check()).toEqual([])
})

test('only a host invalidation and a memslot flush move mmuSeq', () => {
  const vm = machine('head')
  const moved = (act: () => unknown): number => {
    const before = vm.mmuSeq
    act()
    return vm.mmuSeq - before
  }
  const [slot, other] = vm.memslots
  expect(moved(() => vm.setLogDirty(slot!, true))).toBe(1)
  expect(
    moved(() => {
      vm.age(24)
      vm.testAge(24)
      vm.harvestDirty(slot!)
      vm.tlbie({ kind: 'all', ric: 0 })
    }),
  ).toBe(0)
  expect(moved(() => vm.unmap(24))).toBe(1)
  expect(moved(() => vm.unmap(0, { npages: 64 }))).toBe(1)
  expect(moved(() => vm.invalidateMemslot(other!))).toBe(1)
  expect(moved(() => vm.moveMemslot(other!, 100))).toBe(0) // it is flushed already
  expect(moved(() => vm.removeMemslot(other!))).toBe(1)
})

test('a fault that is over is over, and one between its halves holds its nested guest', () => {
  const vm = machine('head')
  const one = vm.beginFault({ lpid: 1, gpa: PAGE, access: 'read' }) as PendingFault
  const two = vm.beginFault({ lpid: 1, gpa: PAGE, access: 'read' }) as PendingFault
  const guest = vm.guest(1)!
  expect(guest.refs).toBe(3)
  expect(one.commit()).toMatchObject({ outcome: 'mapped', change: 'made' })
  expect(two.commit()).toEqual({ outcome: 'present', reason: 'same-bits' }) // the other vCPU was first
  expect(guest.refs).toBe(1)
  refuses(() => one.commit(), Error, 'commit: this fault is over: call beginFault for another')
  refuses(() => two.abandon(), Error, 'abandon: this fault is over: call beginFault for another')
  const three = vm.beginFault({ lpid: 1, gpa: 3 * PAGE, access: 'read' }) as PendingFault
  vm.releaseAll()
  expect([guest.refs, guest.dropped]).toEqual([1, true])
  three.abandon()
  expect([guest.refs, guest.shadow.leafCount]).toEqual([0, 0])
  expect(vm.check()).toEqual([])
})

test('a caller may take pages away where the host asks for the backing, as it breaks a sharing', () => {
  let shared = true
  const vm = new Vm({
    backing: (gfn, write) => {
      if (write && shared) {
        vm.unmap(gfn)
        shared = false
      }
      return { frame: shared ? 16 : 32, writable: !shared }
    },
  })
  vm.addMemslot({ baseGfn: 0, npages: 1 })
  vm.setGuestTable(1, new GuestTable()).map({ gpa: 0, to: 0 })
  expect(vm.fault({ lpid: 1, gpa: 0, access: 'read' })).toMatchObject({ outcome: 'mapped' })
  expect(vm.fault({ lpid: 1, gpa: 0, access: 'write' })).toEqual({ outcome: 'retry', reason: 'mmu-seq' })
  expect(vm.fault({ lpid: 1, gpa: 0, access: 'write' })).toMatchObject({
    outcome: 'mapped',
    change: 'made',
    insert: 'empty',
  })
  expect(vm.check()).toEqual([])
})
