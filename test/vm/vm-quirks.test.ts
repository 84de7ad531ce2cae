/** What Linux really does, odd as it looks: an example for each quirk of the spec, and for what follows from it. */
import { expect, test } from 'vitest'
import {
  GuestTable,
  LeafFlag,
  unpackLeaf,
  Vm,
  type Backing,
  type Leaf,
  type VmEvent,
  type VmOptions,
} from '../../src/index'
import { refuses } from '../support/refuses'

const M2 = 2 ** 21
const G1 = 2 ** 30
const { CHANGED, READ, REFERENCED, WRITE, EXECUTE } = LeafFlag

/** An L1 with 1 GiB of memory that the host backs with pages of `shift`, gpa and host address in step. */
function l1(shift: 12 | 16 | 21 | 30, options: VmOptions = {}): Vm {
  const { pageShift = 16 } = options
  const vm = new Vm({
    backing: (gfn): Backing => ({ frame: 2 ** 20 + gfn * 2 ** (pageShift - 12), shift }),
    ...options,
  })
  vm.addMemslot({ baseGfn: 0, npages: G1 / 2 ** pageShift })
  return vm
}

function guestOf(vm: Vm, lpid: number, pageShift: 16 | 12 = 16): GuestTable {
  return vm.setGuestTable(lpid, new GuestTable({ pageShift }))
}

const flagsOf = (leaf: Leaf | undefined): number => unpackLeaf(leaf!.word).flags
const frameOf = (leaf: Leaf | undefined): number => unpackLeaf(leaf!.word).hpa / 4096
const broken = (vm: Vm): string[] => [...new Set(vm.check().map(({ invariant }) => invariant))].sort()

test('a 1 GiB host page under a 2 MiB guest page gives base pages, not 2 MiB ones (spec 5 step 5)', () => {
  for (const pageShift of [16, 12] as const) {
    const vm = l1(30, { pageShift })
    guestOf(vm, 1, pageShift).map({ gpa: 3 * M2, to: 5 * M2, shift: 21 })
    const result = vm.fault({ lpid: 1, gpa: 3 * M2 + 0x51234, access: 'read' })
    const base = 2 ** pageShift
    expect(result).toMatchObject({
      outcome: 'mapped',
      shift: pageShift,
      gpa: 3 * M2 + 0x51234 - (0x51234 % base),
      gfn: 0,
    })
    expect(frameOf(vm.guest(1)!.shadow.lookup(3 * M2 + 0x51234))).toBe(
      2 ** 20 + (5 * M2 + 0x51234 - (0x51234 % base)) / 4096,
    )
    expect(vm.check()).toEqual([])
  }
})

test('the entry goes to the head of the host leaf today, to the faulting gfn in 2018 (spec 5 step 4)', () => {
  for (const [placement, gfn] of [
    ['head', 32],
    ['faulting', 37],
  ] as const) {
    const vm = l1(21, { placement })
    guestOf(vm, 1).map({ gpa: 0x10000, to: M2 + 5 * 0x10000 })
    expect(vm.fault({ lpid: 1, gpa: 0x10000, access: 'read' })).toMatchObject({ outcome: 'mapped', gfn, shift: 16 })
    expect(vm.entries(gfn)).toEqual([{ lpid: 1, gpa: 0x10000 }])
    expect(vm.unmap(63).cleared).toBe(1) // any base page of the large one
  }
})

test('a leaf of the same size has the new bits OR-ed in, and no entry is inserted (spec 5 step 6)', () => {
  const vm = l1(16)
  const table = guestOf(vm, 1)
  table.map({ gpa: 0, to: 0, flags: REFERENCED | CHANGED | READ })
  vm.fault({ lpid: 1, gpa: 0, access: 'read' })
  table.protect(0, REFERENCED | CHANGED | READ | WRITE)
  expect(vm.fault({ lpid: 1, gpa: 0, access: 'write' })).toMatchObject({
    change: 'grown',
    insert: undefined,
    warning: undefined,
  })
  expect(flagsOf(vm.guest(1)!.shadow.lookup(0))).toBe(REFERENCED | CHANGED | READ | WRITE)
  expect(vm.counters.inserts).toEqual({ empty: 1, second: 0, list: 0, duplicate: 0 })
  expect([vm.check(), vm.counters.warnings]).toEqual([[], 0])
})

test('a page that L1 moves without a tlbie, refaulted, mixes two frames in one leaf: a warning, and broken invariants (spec 5, 11)', () => {
  const seen: VmEvent[] = []
  const vm = l1(16, { observer: (event) => seen.push(event) })
  const table = guestOf(vm, 1)
  table.map({ gpa: 0, to: 0x10000, flags: REFERENCED | READ })
  vm.fault({ lpid: 1, gpa: 0, access: 'read' })
  table.map({ gpa: 0, to: 0x20000 })
  expect(vm.check()).toEqual([]) // moved, and not refaulted: the leaf and its entry are still the old page's
  const result = vm.fault({ lpid: 1, gpa: 0, access: 'write' })
  expect(result).toMatchObject({ change: 'grown', warning: expect.stringContaining('OR-ed into it') })
  expect(frameOf(vm.guest(1)!.shadow.lookup(0))).toBe(2 ** 20 + (0x10 | 0x20)) // gfn 3: neither of the two
  expect(vm.check()).toMatchObject([{ invariant: 'completeness', lpid: 1, gpa: 0 }])
  expect(vm.counters.warnings).toBe(1)
  expect(seen.filter(({ event }) => event === 'warning')).toHaveLength(1)
  expect(vm.unmap(1).staleOtherFrame).toBe(1) // the host takes the old page, and the walk misses the leaf
})

test('a warning is told even where the mixing adds no bit (spec 5 step 6)', () => {
  const vm = new Vm({ backing: (gfn) => ({ frame: gfn * 16, writable: false }) })
  vm.addMemslot({ baseGfn: 0, npages: 32 })
  const table = guestOf(vm, 1)
  table.map({ gpa: 0, to: 0x30000 })
  vm.fault({ lpid: 1, gpa: 0, access: 'read' })
  table.map({ gpa: 0, to: 0x10000 })
  const result = vm.fault({ lpid: 1, gpa: 0, access: 'write' })
  expect(result).toEqual({ outcome: 'present', reason: 'same-bits', warning: expect.stringContaining('OR-ed into it') })
  expect(frameOf(vm.guest(1)!.shadow.lookup(0))).toBe(0x30)
  expect(vm.counters.warnings).toBe(1)
})

test('set-rc is no refusal: where the guest table does not allow it, L1 gets it and the shadow leaf stays (spec 6)', () => {
  const seen: VmEvent[] = []
  const vm = l1(16)
  const table = guestOf(vm, 1)
  table.map({ gpa: 0, to: 0x10000 })
  vm.fault({ lpid: 1, gpa: 0, access: 'read' })
  table.unmap(0)
  vm.observe((event) => seen.push(event))
  const result = { outcome: 'forward-to-l1', reason: 'no-translation' }
  expect(vm.setRc({ lpid: 1, gpa: 0x123, access: 'read' })).toEqual(result)
  expect(seen.map(({ event }) => event)).toEqual(['nested_fault', 'nested_walk', 'nested_fault_ret', 'set_rc_result'])
  expect(seen[3]).toEqual({ event: 'set_rc_result', task: 'vcpu', pid: 1, lpid: 1, gpa: 0x123, result })
  expect(vm.guest(1)!.shadow.leafCount).toBe(1)
})

test('ageing that starts in the middle of a large page misses the list at its head (spec 6)', () => {
  const vm = l1(21)
  guestOf(vm, 1).map({ gpa: 0, to: M2, shift: 21 })
  vm.fault({ lpid: 1, gpa: 0, access: 'read' })
  expect([vm.testAge(40), vm.age(40), vm.testAge(40)]).toEqual([true, true, false])
  expect(flagsOf(vm.guest(1)!.shadow.lookup(0)) & REFERENCED).toBe(REFERENCED)
  vm.setRc({ lpid: 1, gpa: 0, access: 'read' }) // the host leaf is referenced again
  expect(vm.age(32)).toBe(true)
  expect(flagsOf(vm.guest(1)!.shadow.lookup(0)) & REFERENCED).toBe(0)
  expect(vm.age(32)).toBe(false)
})

test('ageing and harvest flush the nested guest under the number in the entry, the walk under the right one (spec 6)', () => {
  const flushed: number[] = []
  const vm = l1(16, { observer: (event) => event.event === 'tlb_flush' && flushed.push(event.lpid) })
  guestOf(vm, 7).map({ gpa: 0, to: 0 })
  vm.setLogDirty(vm.memslots[0]!, true)
  vm.fault({ lpid: 7, gpa: 0, access: 'write' })
  expect(vm.guest(7)!.shadowLpid).toBe(2)
  expect(vm.age(0)).toBe(true)
  expect(flushed.splice(0)).toEqual([7]) // and not the host's TLB
  expect(vm.harvestDirty(vm.memslots[0]!)).toEqual([0])
  expect(flushed.splice(0)).toEqual([7, 1])
  expect(vm.harvestDirty(vm.memslots[0]!)).toEqual([])
  vm.unmap(0)
  expect(flushed.splice(0)).toEqual([1, 2])
  expect(vm.counters.flushes).toEqual({ l1: 2, l2: 1, wrongPartition: 2 })
})

test('the pages of a dirty host leaf are marked from the named gfn on, not from its first (spec 6)', () => {
  const vm = l1(21)
  const [slot] = vm.memslots
  guestOf(vm, 1).map({ gpa: 0, to: M2 })
  vm.fault({ lpid: 1, gpa: 0, access: 'read' })
  const change = vm.beginSetLogDirty(slot!, true) // large leaves are still there, until the flush
  vm.unmap(40)
  change.end()
  expect(vm.harvestDirty(slot!)).toEqual(Array.from({ length: 32 }, (_, i) => 40 + i))

  const last = new Vm({ backing: () => ({ frame: 0, shift: 21 }) })
  const short = last.addMemslot({ baseGfn: 0, npages: 32 })
  guestOf(last, 1).map({ gpa: 0, to: 0 })
  last.fault({ lpid: 1, gpa: 0, access: 'read' })
  const shortChange = last.beginSetLogDirty(short, true)
  last.unmap(30)
  shortChange.end()
  expect(last.harvestDirty(short)).toEqual([30, 31]) // the dirty log ends with the memslot
})

test('a dropped nested guest that faults again has leaves that the walk misses (spec 9)', () => {
  const drop = (vm: Vm): void => {
    vm.setGuestTable(1, undefined)
    expect(vm.tlbInvalidate({ instr: 0x90000, rs: 1, rb: 0x800 })).toBe('H_SUCCESS')
  }
  const strict = l1(16)
  guestOf(strict, 1).map({ gpa: 0, to: 0 })
  const gone = strict.enter(1)
  drop(strict)
  refuses(
    () => strict.fault({ guest: gone, gpa: 0, access: 'read' }),
    Error,
    'guest: LPID 1 was dropped: call enter for its new nested guest',
  )

  const vm = l1(16, { allowDroppedFaults: true })
  const table = guestOf(vm, 1)
  table.map({ gpa: 0, to: 0 })
  const old = vm.enter(1)
  vm.fault({ lpid: 1, gpa: 0, access: 'read' })
  drop(vm)
  expect([old.dropped, old.refs, old.shadow.leafCount, vm.guest(1)]).toEqual([true, 1, 0, undefined])
  expect(vm.entries(0)).toEqual([{ lpid: 1, gpa: 0 }]) // its entries stay
  expect(vm.fault({ guest: old, gpa: 0, access: 'read' })).toEqual({ outcome: 'forward-to-l1', reason: 'no-root' })
  vm.setGuestTable(1, table)
  expect(vm.fault({ guest: old, gpa: 0, access: 'read' })).toMatchObject({ outcome: 'mapped', insert: 'duplicate' })
  expect(vm.check()).toMatchObject([
    { invariant: 'completeness', lpid: 1, gpa: 0, message: expect.stringContaining('dropped') },
  ])
  expect(vm.unmap(0)).toMatchObject({ cleared: 0, staleNoGuest: 1 })
  expect(old.shadow.leafCount).toBe(1) // it maps a page that is gone
  vm.leave(old)
  expect(vm.check()).toEqual([])
})

test('a new nested guest inherits the entries of the one before with its LPID: harmless (spec 9)', () => {
  const vm = l1(16)
  const table = guestOf(vm, 1)
  table.map({ gpa: 0, to: 0 })
  const first = vm.enter(1)
  vm.fault({ lpid: 1, gpa: 0, access: 'read' })
  vm.setGuestTable(1, undefined)
  vm.tlbie({ kind: 'all', ric: 2 })
  vm.setGuestTable(1, table)
  const second = vm.enter(1)
  expect([second === first, second.shadowLpid]).toEqual([false, 3]) // the first is held: its number is not free
  expect(vm.fault({ lpid: 1, gpa: 0, access: 'read' })).toMatchObject({ insert: 'duplicate' })
  expect(vm.check()).toEqual([])
  vm.leave(first)
  vm.setGuestTable(9, table)
  expect(vm.enter(9).shadowLpid).toBe(2) // used again
  expect(vm.unmap(0)).toMatchObject({ cleared: 1 })
})

test('LPID 0 is refused, unless asked for; then a node of (LPID 0, page 0) breaks its list (spec 11)', () => {
  const strict = l1(16)
  refuses(() => strict.setGuestTable(0, new GuestTable()), RangeError, 'lpid: expected an integer in 1..4095, got 0')
  refuses(
    () => strict.fault({ lpid: 0, gpa: 0, access: 'read' }),
    RangeError,
    'lpid: expected an integer in 1..4095, got 0',
  )

  const vm = l1(16, { allowLpidZero: true })
  for (const lpid of [0, 1, 2]) guestOf(vm, lpid).map({ gpa: 0, to: 0 })
  // As a single word it has its tag, and does no harm.
  vm.fault({ lpid: 0, gpa: 0, access: 'read' })
  expect(vm.word(0)).toBe(1n)
  vm.fault({ lpid: 1, gpa: 0, access: 'read' })
  expect(vm.check()).toEqual([])
  expect(vm.unmap(0).cleared).toBe(2)

  // As a node it ends every scan and every walk.
  for (const lpid of [1, 2, 0]) vm.fault({ lpid, gpa: 0, access: 'read' })
  expect(vm.entries(0)).toEqual([])
  expect(broken(vm)).toEqual(['completeness', 'counters', 'list-end', 'nodes'])
  expect(
    vm
      .check()
      .filter(({ invariant }) => invariant === 'completeness')
      .map(({ lpid }) => lpid),
  ).toEqual([0, 1, 2])

  // A duplicate of an older entry is not found, and it never matches itself: growth without bound.
  for (let i = 0; i < 100; i++) {
    vm.tlbie({ kind: 'page', lpid: 0, gpa: 0, shift: 16 })
    expect(vm.fault({ lpid: 0, gpa: 0, access: 'read' })).toMatchObject({ insert: 'list' })
  }
  vm.tlbie({ kind: 'page', lpid: 1, gpa: 0, shift: 16 })
  expect(vm.fault({ lpid: 1, gpa: 0, access: 'read' })).toMatchObject({ insert: 'list' })
  expect(vm.counters.nodes.inUse).toBe(103)

  // What is older is not visited, and its nodes and that node itself are lost.
  expect(vm.unmap(0)).toMatchObject({ entries: 1, cleared: 1 })
  expect(vm.word(0)).toBe(0n)
  expect(vm.guest(0)!.shadow.leafCount + vm.guest(2)!.shadow.leafCount).toBe(2)
  expect(vm.counters.nodes.inUse).toBe(102)
  expect(broken(vm)).toEqual(['completeness', 'composition', 'counters', 'nodes'])
  vm.removeMemslot(vm.memslots[0]!)
  expect(vm.counters).toMatchObject({ warnings: 1, nodes: { inUse: 102 } }) // and the flush says so
})

test('a large host leaf that would reach outside its memslot is refused, which Linux does not (spec 5 step 3)', () => {
  for (const [baseGfn, npages, gfn] of [
    [8, 64, 9],
    [0, 40, 33],
  ] as const) {
    const vm = new Vm({ backing: (at) => ({ frame: at * 16, shift: 21 }) })
    vm.addMemslot({ baseGfn, npages })
    guestOf(vm, 1).map({ gpa: 0, to: gfn * 0x10000 })
    const before = vm.counters
    refuses(
      () => vm.fault({ lpid: 1, gpa: 0, access: 'read' }),
      RangeError,
      `backing.shift: a host leaf of 2^21 bytes for gfn 0x${gfn.toString(16)} reaches outside the memslot of gfns ` +
        `0x${baseGfn.toString(16)}..0x${(baseGfn + npages - 1).toString(16)}: Linux's walk would go out of bounds`,
    )
    expect({ ...vm.counters, bytes: 0, tablePages: 0 }).toEqual({ ...before, bytes: 0, tablePages: 0 })
  }
})

test('small host leaves under a new larger one are cleared without a walk: their shadow leaves stay (spec 5 step 3)', () => {
  const seen: VmEvent[] = []
  const vm = l1(21, { observer: (event) => seen.push(event) })
  const [slot] = vm.memslots
  const table = guestOf(vm, 1)
  for (let i = 0; i < 4; i++) table.map({ gpa: i * 0x10000, to: M2 + i * 0x10000 })
  vm.setLogDirty(slot!, true)
  for (let i = 0; i < 3; i++) vm.fault({ lpid: 1, gpa: i * 0x10000, access: 'read' })
  const change = vm.beginSetLogDirty(slot!, false)
  seen.length = 0
  expect(vm.fault({ lpid: 1, gpa: 0x30000, access: 'read' })).toMatchObject({ gfn: 32, warning: undefined })
  expect(Array.from(vm.host, ({ shift }) => shift)).toEqual([21])
  expect([vm.guest(1)!.shadow.leafCount, vm.entries(33), vm.check()]).toEqual([4, [{ lpid: 1, gpa: 0x10000 }], []])
  // Linux takes the host address for the guest address
  const cleared = seen.filter((event) => event.event === 'pte_unmap')
  expect(cleared.map(({ gpa, memslot, lpid }) => [gpa, memslot, lpid])).toEqual(
    [0, 1, 2].map((i) => [2 ** 32 + M2 + i * 0x10000, 0n, 1]),
  )
  expect(seen.some(({ event }) => event === 'rmap_remove_range' || event === 'warning')).toBe(false)
  change.end() // the range of the large leaf has all of those rmap slots
  expect([vm.guest(1)!.shadow.leafCount, vm.counters.nodes.inUse, vm.check()]).toEqual([0, 0, []])
})

test('a harvest within a write fault: the page is dirty, and no harvest will report it (spec 7)', () => {
  const vm = l1(16)
  const [slot] = vm.memslots
  guestOf(vm, 1).map({ gpa: 0, to: 0x50000 })
  vm.setLogDirty(slot!, true)
  const pending = vm.beginFault({ lpid: 1, gpa: 0, access: 'write' })
  expect(vm.harvestDirty(slot!)).toEqual([5])
  expect(pending.outcome === 'pending' && pending.commit()).toMatchObject({ outcome: 'mapped' })
  expect(vm.check()).toMatchObject([{ invariant: 'changed-bit', lpid: 1, gpa: 0 }])
  // the leaf is changed already, so the hardware reports no write to it
  expect(vm.fault({ lpid: 1, gpa: 0, access: 'write' })).toEqual({ outcome: 'present', reason: 'allowed' })
  expect(vm.harvestDirty(slot!)).toEqual([])
})

test('a 1 GiB backing that is in step modulo 2 MiB only gives a base page: there is no step down (spec 5 step 3)', () => {
  for (const [offset, shift] of [
    [0, 30],
    [M2, 16],
    [0x10000, 16],
  ] as const) {
    const vm = new Vm({ backing: (gfn) => ({ frame: 2 ** 20 + gfn * 16 + offset / 4096, shift: 30 }) })
    vm.addMemslot({ baseGfn: 0, npages: G1 / 2 ** 16 })
    guestOf(vm, 1).map({ gpa: 0, to: 5 * M2 })
    vm.fault({ lpid: 1, gpa: 0, access: 'read' })
    expect(Array.from(vm.host, (leaf) => leaf.shift)).toEqual([shift])
  }
})

test('a missing table page: what was done before remains (spec 5 step 6)', () => {
  const shadow = l1(30, { maxTablePages: 5 })
  const table = guestOf(shadow, 1)
  table.map({ gpa: 0, to: 0, shift: 30, flags: REFERENCED | READ })
  shadow.fault({ lpid: 1, gpa: 0, access: 'read' })
  expect(shadow.counters.tablePages).toBe(4)
  table.map({ gpa: 0, to: 0 })
  expect(shadow.fault({ lpid: 1, gpa: 0, access: 'write' })).toEqual({ outcome: 'no-memory', reason: 'shadow-table' })
  expect([shadow.guest(1)!.shadow.leafCount, shadow.counters.tablePages, shadow.check()]).toEqual([0, 5, []])
  expect(shadow.entries(0)).toEqual([{ lpid: 1, gpa: 0 }])

  // the page right below the larger leaf is missing: nothing changes
  const right = l1(30, { maxTablePages: 4 })
  const other = guestOf(right, 1)
  other.map({ gpa: 0, to: 0, shift: 30, flags: REFERENCED | READ })
  right.fault({ lpid: 1, gpa: 0, access: 'read' })
  other.map({ gpa: 0, to: 0 })
  const retry = { outcome: 'retry', reason: 'no-table-page' }
  expect(right.fault({ lpid: 1, gpa: 0, access: 'write' })).toEqual(retry)
  expect([right.guest(1)!.shadow.leafCount, right.counters.tablePages, right.check()]).toEqual([1, 4, []])
})

test('a dropped guest that is refused, or sets rc, acts on the guest that has its LPID now (spec 9)', () => {
  const vm = l1(16, { allowDroppedFaults: true })
  const table = guestOf(vm, 1)
  table.map({ gpa: 0, to: 0, flags: REFERENCED | CHANGED | READ })
  const old = vm.enter(1)
  vm.setGuestTable(1, undefined)
  vm.tlbie({ kind: 'lpid', lpid: 1, ric: 2 })
  vm.setGuestTable(1, table)
  vm.fault({ guest: old, gpa: 0, access: 'read' })
  const write = { guest: old, gpa: 0, access: 'write' } as const
  const read = { guest: old, gpa: 0, access: 'read' } as const
  const refused = { outcome: 'retry', reason: 'refused' }
  expect([vm.fault(write), old.shadow.leafCount]).toEqual([refused, 1]) // nobody has the LPID: nothing is cleared
  expect(vm.setRc(read)).toEqual({ outcome: 'retry', reason: 'shadow-leaf' })
  expect(old.shadow.leafCount).toBe(1)
  vm.fault({ lpid: 1, gpa: 0, access: 'read' })
  const now = vm.guest(1)!
  vm.age(0)
  expect([vm.setRc(read), flagsOf(now.shadow.lookup(0)) & REFERENCED]).toEqual([{ outcome: 'set' }, REFERENCED])
  expect([vm.fault(write), old.shadow.leafCount, now.shadow.leafCount]).toEqual([refused, 1, 0])
})

test("entering reads an empty partition entry again; a root once read stays until L1's flush (spec 9)", () => {
  const vm = l1(16)
  const guest = vm.enter(1)
  expect(guest.root).toBeUndefined()
  const table = guestOf(vm, 1)
  table.map({ gpa: 0, to: 0 })
  expect([vm.enter(1).root === table, guest.refs]).toEqual([true, 3])
  vm.setGuestTable(1, undefined)
  vm.enter(1)
  expect(vm.fault({ lpid: 1, gpa: 0, access: 'read' })).toMatchObject({ outcome: 'mapped' })
  vm.tlbie({ kind: 'lpid', lpid: 1, ric: 2 })
  expect([guest.root, guest.dropped]).toEqual([undefined, true])
})

test("set rc looks the host leaf up at the guest leaf's address modulo 2^52 (spec 6)", () => {
  const vm = l1(16)
  const table = guestOf(vm, 1)
  table.map({ gpa: 0, to: 0x30000 })
  vm.fault({ lpid: 1, gpa: 0, access: 'read' })
  vm.age(3)
  table.write(0, 16, table.lookup(0)!.word | (1n << 52n))
  expect(vm.setRc({ lpid: 1, gpa: 0, access: 'read' })).toEqual({ outcome: 'set' })
  expect([vm.testAge(3), flagsOf(vm.guest(1)!.shadow.lookup(0)) & REFERENCED]).toEqual([true, REFERENCED])
})

test('a write-only guest page over a read-only host page gives a leaf that allows nothing (spec 5 step 5, to the letter)', () => {
  const vm = new Vm({ backing: (gfn) => ({ frame: gfn * 16, writable: false }) })
  vm.addMemslot({ baseGfn: 0, npages: 1 })
  guestOf(vm, 1).map({ gpa: 0, to: 0, flags: WRITE | REFERENCED })
  expect(vm.fault({ lpid: 1, gpa: 0, access: 'read' })).toMatchObject({ outcome: 'mapped' })
  expect(flagsOf(vm.guest(1)!.shadow.lookup(0)) & (READ | WRITE | EXECUTE)).toBe(0)
  expect(vm.fault({ lpid: 1, gpa: 0, access: 'read' })).toEqual({ outcome: 'present', reason: 'same-bits' })
})

test('a nested guest that is held keeps its leaves through release all; the slots do not (spec 9)', () => {
  const vm = l1(16)
  guestOf(vm, 1).map({ gpa: 0, to: 0 })
  guestOf(vm, 2).map({ gpa: 0, to: 0 })
  const held = vm.enter(1)
  for (const lpid of [1, 2]) vm.fault({ lpid, gpa: 0, access: 'read' })
  vm.releaseAll()
  expect([held.dropped, held.shadow.leafCount, vm.guests, vm.word(0), vm.counters.nodes.inUse]).toEqual([
    true,
    1,
    [],
    0n,
    0,
  ])
  expect(vm.check()).toEqual([])
  vm.leave(held)
  expect(vm.counters.leaves).toEqual({ created: 2, clearedByL0: 2, clearedByL1: 0 })
  expect(vm.check()).toEqual([])
})

test('a guest that faults and flushes the same pages for ever does not grow the lists (spec 3, 8)', () => {
  const vm = l1(21)
  const pages = 8
  for (const lpid of [1, 2, 3]) {
    const table = guestOf(vm, lpid)
    for (let i = 0; i < pages; i++) table.map({ gpa: i * 0x10000, to: (i % 3) * 0x10000 })
  }
  for (let round = 0; round < 100_000 / pages / 3; round++) {
    for (const lpid of [1, 2, 3]) {
      for (let i = 0; i < pages; i++) vm.fault({ lpid, gpa: i * 0x10000, access: 'read' })
      vm.tlbie({ kind: 'lpid', lpid, ric: 0 })
    }
  }
  expect(vm.entries(0)).toHaveLength(3 * pages)
  expect(vm.counters).toMatchObject({ longestList: 3 * pages, nodes: { peak: 3 * pages - 1 } })
  expect(vm.counters.faults.mapped).toBeGreaterThanOrEqual(100_000 - 3 * pages)
  expect(vm.check()).toEqual([])
}, 60_000)

test('what Linux would warn of at the host leaf is in the result of the fault that made it', () => {
  let frame = 16
  const vm = new Vm({ backing: (_, write) => ({ frame, writable: write }) })
  vm.addMemslot({ baseGfn: 0, npages: 32 })
  guestOf(vm, 1).map({ gpa: 0, to: 0 })
  vm.fault({ lpid: 1, gpa: 0, access: 'read' })
  frame = 32 // the host moves the page without an unmap: it may not
  vm.tlbie({ kind: 'page', lpid: 1, gpa: 0, shift: 16 })
  expect(vm.fault({ lpid: 1, gpa: 0, access: 'write' })).toMatchObject({
    outcome: 'mapped',
    warning: expect.stringMatching(/^host table: the leaf at 0x0 is .* OR-ed into it$/),
  })
})

test('smaller shadow leaves under a new larger one are cleared, with a warning (spec 5 step 6)', () => {
  const vm = l1(21)
  const table = guestOf(vm, 1)
  for (const gpa of [0, 0x10000]) table.map({ gpa, to: gpa })
  for (const gpa of [0, 0x10000]) vm.fault({ lpid: 1, gpa, access: 'read' })
  table.map({ gpa: 0, to: 0, shift: 21 }) // without a tlbie
  expect(vm.fault({ lpid: 1, gpa: 0x20000, access: 'read' })).toMatchObject({
    shift: 21,
    insert: 'duplicate',
    warning: 'LPID 1: cleared 2 leaves below a larger one at 0x0',
  })
  expect(vm.counters).toMatchObject({ warnings: 1, leaves: { created: 3, clearedByL0: 2 } })
  expect(vm.check()).toEqual([])
})

test('a host leaf that a larger one replaces under a fault: its entry is where the walk comes by', () => {
  const vm = new Vm({ backing: (gfn) => ({ frame: 512 + gfn * 16, shift: gfn === 5 ? 16 : 21 }) })
  vm.addMemslot({ baseGfn: 0, npages: 32 })
  const table = vm.setGuestTable(1, new GuestTable())
  for (const gpa of [0x50000, 0x10000]) table.map({ gpa, to: gpa })
  const fault = vm.beginFault({ lpid: 1, gpa: 0x50000, access: 'read' })
  vm.fault({ lpid: 1, gpa: 0x10000, access: 'read' })
  expect(fault.outcome === 'pending' && fault.commit().outcome).toBe('mapped')
  expect(vm.check()).toEqual([])
  expect(vm.unmap(0)).toMatchObject({ cleared: 2 })
})

test('an LPID beyond the partition table does not exist, whoever had it before', () => {
  const vm = new Vm()
  vm.addMemslot({ baseGfn: 0, npages: 32 })
  vm.setGuestTable(1000, new GuestTable()).map({ gpa: 0, to: 0 })
  vm.fault({ lpid: 1000, gpa: 0, access: 'read' })
  vm.setPartitionTable(0)
  expect(() => vm.fault({ lpid: 1000, gpa: 0, access: 'read' })).toThrow(
    new RangeError('lpid: expected an integer in 1..255, got 1000'),
  )
  vm.tlbie({ kind: 'lpid', lpid: 1000, ric: 0 })
  expect(vm.tlbInvalidate({ instr: 0x10000, rs: 1000, rb: 0 })).toBe('H_SUCCESS') // 4 KiB: unknown LPIDs first
  expect(vm.guest(1000)!.shadow.leafCount).toBe(1)
})
