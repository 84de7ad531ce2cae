/**
 * Bounds and failures of an L1: limits on nodes, table pages and memslots, and every allocation of a run failing once
 * (spec 5 step 6). Never an exception in mid-operation, never half an operation.
 */
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { GuestTable, Vm, type BackingOf, type FaultResult, type VmEvent } from '../../src/index'
import { refuses } from '../support/refuses'
import { cases } from '../support/cases'

type PageShift = 16 | 12
type Access = 'read' | 'write' | 'execute'
type Step =
  | { kind: 'fault'; lpid: number; page: number; access: Access }
  | { kind: 'remap'; lpid: number; page: number; to: number; size: number }
  | { kind: 'tlbie'; lpid: number; page: number }
  | { kind: 'unmap' | 'age'; gfn: number }

const PLACES = 6 // guest pages, each in a 2 MiB range of its own; three of them share an upper table
const lpids = fc.integer({ min: 1, max: 3 })
const pages = fc.nat(PLACES - 1)
const steps: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.record({
      kind: fc.constant('fault' as const),
      lpid: lpids,
      page: pages,
      access: fc.constantFrom<Access>('read', 'write', 'execute'),
    }),
  },
  {
    weight: 2,
    arbitrary: fc.record({
      kind: fc.constant('remap' as const),
      lpid: lpids,
      page: pages,
      to: fc.nat(5),
      size: fc.nat(2),
    }),
  },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('tlbie' as const), lpid: lpids, page: pages }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constantFrom('unmap' as const, 'age' as const), gfn: fc.nat(1023) }) },
)

/**
 * A machine whose memory is backed in a fixed way: a third by 2 MiB pages; a third by a shared one, which the first write
 * splits into base pages; a third by base pages.
 */
class Machine {
  readonly vm: Vm
  readonly tables: GuestTable[]
  readonly shift: PageShift
  readonly perLarge: number

  constructor(shift: PageShift, limits: { maxNodes?: number; maxTablePages?: number } = {}) {
    this.shift = shift
    this.perLarge = 2 ** (21 - shift)
    let shared = true
    const backing: BackingOf = (gfn, write) => {
      const third = Math.floor(gfn / this.perLarge)
      if (third === 1 && write) shared = false
      return {
        frame: (4 * this.perLarge + gfn) * 2 ** (shift - 12),
        shift: third === 0 || (third === 1 && shared) ? 21 : shift,
        writable: third !== 1 || !shared,
      }
    }
    this.vm = new Vm({ pageShift: shift, backing, ...limits })
    this.vm.addMemslot({ baseGfn: 0, npages: 3 * this.perLarge })
    this.tables = [1, 2, 3].map((lpid) => {
      const table = this.vm.setGuestTable(lpid, new GuestTable({ pageShift: shift }))
      for (let page = 0; page < PLACES; page++) table.map({ gpa: this.place(page), to: page * 2 ** 20 })
      return table
    })
  }

  place(page: number): number {
    return Math.floor(page / 3) * 2 ** 40 + (page % 3) * 2 ** 21 // page 0 and 3 begin an upper table
  }

  run(step: Step): FaultResult | undefined {
    const { vm } = this
    switch (step.kind) {
      case 'fault':
        return vm.fault({ lpid: step.lpid, gpa: this.place(step.page) + 0x123, access: step.access })
      case 'remap': {
        const size = step.size === 0 ? this.shift : 21
        const to = step.size === 0 ? step.to * 2 ** this.shift * 3 : (step.to % 3) * 2 ** 21
        this.tables[step.lpid - 1]!.map({ gpa: this.place(step.page), to, shift: size })
        vm.tlbie({ kind: 'page', lpid: step.lpid, gpa: this.place(step.page), shift: 21 })
        return undefined
      }
      case 'tlbie':
        vm.tlbie({ kind: 'page', lpid: step.lpid, gpa: this.place(step.page), shift: 21 })
        return undefined
      case 'unmap':
        vm.unmap(step.gfn % (3 * this.perLarge))
        return undefined
      case 'age':
        vm.age(step.gfn % (3 * this.perLarge))
    }
    return undefined
  }

  /** What may not change where a fault makes no leaf: slots, lists and shadow leaves. */
  shadows(): unknown {
    const [slot] = this.vm.memslots
    return {
      slots: Array.from({ length: slot!.npages }, (_, gfn) => gfn)
        .filter((gfn) => !slot!.rmap.isEmptyAt(gfn))
        .map((gfn) => [gfn, slot!.word(gfn), slot!.listNodes(gfn)]),
      guests: this.vm.guests.map((guest) => [guest.lpid, [...guest.shadow]]),
    }
  }

  /** Host leaves that went since `before`: then slots and shadow leaves went with them. */
  hostChanged(before: readonly { gpa: number; word: bigint }[]): boolean {
    return before.some(({ gpa, word }) => this.vm.host.lookup(gpa)?.word !== word)
  }

  state(): unknown {
    return { ...(this.shadows() as object), host: [...this.vm.host], nodes: this.vm.counters.nodes }
  }
}

for (const shift of [16, 12] as const) {
  test(`every allocation of a run fails once: no invariant breaks, nothing is half done, and a retry succeeds, page shift ${shift}`, () => {
    let failures = 0
    const reasons = new Set<string>()
    fc.assert(
      fc.property(fc.array(steps, { minLength: 5, maxLength: 25 }), (run) => {
        const whole = new Machine(shift)
        whole.vm.failAllocation(2 ** 40) // counts, and never fails
        for (const step of run) whole.run(step)
        const allocations = 2 ** 40 - whole.vm.state.gate.failIn
        for (let n = 1; n <= allocations; n++) {
          const machine = new Machine(shift)
          machine.vm.failAllocation(n)
          for (const step of run) {
            const armed = machine.vm.state.gate.failIn > 0
            const before = armed ? machine.shadows() : undefined
            const host = armed ? [...machine.vm.host] : []
            const result = machine.run(step)
            if (!armed || machine.vm.state.gate.failIn > 0) continue
            failures++
            expect(machine.vm.check()).toEqual([])
            expect(['no-memory', 'retry']).toContain(result?.outcome)
            if (result?.outcome === 'no-memory' || result?.outcome === 'retry') reasons.add(result.reason)
            const { slots, guests } = machine.shadows() as { slots: unknown; guests: [number, unknown[]][] }
            const was = before as { slots: unknown; guests: [number, unknown[]][] }
            if (!machine.hostChanged(host)) {
              // else the host had broken a large page up, with a walk
              expect(slots).toEqual(was.slots)
              const known = guests.filter(([lpid]) => was.guests.some(([other]) => other === lpid))
              if (result?.outcome !== 'no-memory') expect(known).toEqual(was.guests)
              // else a larger shadow leaf in the way has been cleared, maybe
              else known.forEach(([, leaves], at) => expect(was.guests[at]![1]).toEqual(expect.arrayContaining(leaves)))
            }
            machine.run(step) // the guest faults again
          }
          expect(machine.vm.check()).toEqual([])
          expect(machine.state()).toEqual(whole.state())
        }
      }),
      { numRuns: cases(12), seed: 1 },
    )
    expect(failures).toBeGreaterThan(100)
    expect([...reasons].sort()).toEqual(['host-table', 'no-node', 'no-table-page', 'shadow-root', 'shadow-table'])
  }, 120_000)

  test(`limits hold, whatever is done, and a fault that meets one changes nothing, page shift ${shift}`, () => {
    const limits = fc.record({
      maxNodes: fc.constantFrom(0, 1, 3, 1000),
      maxTablePages: fc.integer({ min: 1, max: 20 }),
    })
    const met = new Set<string>()
    fc.assert(
      fc.property(fc.array(steps, { maxLength: 60 }), limits, (run, { maxNodes, maxTablePages }) => {
        const machine = new Machine(shift, { maxNodes, maxTablePages })
        for (const step of run) {
          const before = machine.shadows()
          const host = [...machine.vm.host]
          const result = machine.run(step)
          const { nodes, tablePages } = machine.vm.counters
          expect(nodes.inUse <= maxNodes && tablePages <= maxTablePages).toBe(true)
          const shadowPages = machine.vm.guests.reduce((sum, { shadow }) => sum + shadow.pageCount, 0)
          expect(tablePages).toBe(machine.vm.host.pageCount + shadowPages)
          if (result?.outcome !== 'retry' && result?.outcome !== 'no-memory') continue
          met.add(result.reason)
          if (machine.hostChanged(host)) continue
          expect((machine.shadows() as { slots: unknown }).slots).toEqual((before as { slots: unknown }).slots)
        }
        expect(machine.vm.check()).toEqual([])
      }),
      { numRuns: cases(150) },
    )
    expect([...met]).toEqual(expect.arrayContaining(['host-table', 'no-node', 'shadow-root', 'shadow-table']))
  }, 120_000)
}

test('the largest memslot is a limit of the L1, checked when one is added', () => {
  const vm = new Vm({ maxNpages: 100 })
  refuses(
    () => vm.addMemslot({ baseGfn: 0, npages: 101 }),
    RangeError,
    'npages: expected an integer in 1..100, got 101',
  )
  expect(vm.memslots).toEqual([])
  expect(vm.addMemslot({ baseGfn: 0, npages: 100 }).npages).toBe(100)
  refuses(
    () => new Vm({ maxNpages: 2 ** 28 + 1 }),
    RangeError,
    'maxNpages: expected an integer in 1..268435456, got 268435457',
  )
  refuses(
    () => new Vm({ maxTablePages: 0 }),
    RangeError,
    'maxTablePages: expected an integer in 1..9007199254740991, got 0',
  )
  refuses(() => new Vm({ maxNodes: -1 }), RangeError, 'maxNodes: expected an integer in 0..134217727, got -1')
})

test('a node that cannot be had is a retry, even where none would have been needed', () => {
  const vm = new Vm({ maxNodes: 0 })
  vm.addMemslot({ baseGfn: 0, npages: 4 })
  vm.setGuestTable(1, new GuestTable()).map({ gpa: 0, to: 0 })
  expect(vm.fault({ lpid: 1, gpa: 0, access: 'read' })).toEqual({ outcome: 'retry', reason: 'no-node' })
  expect([vm.word(0), vm.guest(1)!.shadow.leafCount]).toEqual([0n, 0])
})

test('a nested guest whose root page cannot be had', () => {
  const seen: VmEvent[] = []
  const vm = new Vm({ maxTablePages: 1, observer: (event) => seen.push(event) })
  const result = { outcome: 'no-memory', reason: 'shadow-root' }
  expect(vm.fault({ lpid: 1, gpa: 0, access: 'read' })).toEqual(result)
  expect(seen).toEqual([{ event: 'fault', task: 'vcpu', pid: 1, lpid: 1, gpa: 0, result }])
  expect(vm.setRc({ lpid: 1, gpa: 0, access: 'read' })).toEqual({ outcome: 'retry', reason: 'no-table-page' })
  refuses(() => vm.enter(1), Error, 'enter: no table page for a new nested guest: give the Vm more maxTablePages')
  expect([vm.guests, vm.counters.tablePages, vm.check()]).toEqual([[], 1, []])
})
