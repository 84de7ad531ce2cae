import fc from 'fast-check'
import { expect, test } from 'vitest'
import { crc32 } from '../../src/snapshot/bytes'
import { GuestTable, restore, snapshot, SnapshotError, Vm, type BackingOf, type VmEvent } from '../../src/index'
import { mutate, random } from '../support/hostile'
import { refuses } from '../support/refuses'
import { cases } from '../support/cases'

type PageShift = 16 | 12
const RUNS = cases(100_000)

interface World {
  readonly pageShift: PageShift
  readonly placement: 'head' | 'faulting'
  readonly allowLpidZero: boolean
  readonly allowDroppedFaults: boolean
  readonly ownBacking: boolean
}

const worlds: fc.Arbitrary<World> = fc.record({
  pageShift: fc.constantFrom<PageShift>(16, 12),
  placement: fc.constantFrom<'head' | 'faulting'>('head', 'faulting'),
  allowLpidZero: fc.boolean(),
  allowDroppedFaults: fc.boolean(),
  ownBacking: fc.boolean(),
})

function backingOf({ pageShift, ownBacking }: World): { backing?: BackingOf } {
  if (!ownBacking) return {}
  return {
    backing: (gfn, write) => ({
      frame: (2 ** 20 + gfn) * 2 ** (pageShift - 12),
      shift: gfn % 3 === 0 ? pageShift : 21,
      writable: write || gfn % 2 === 0,
    }),
  }
}

function machine(world: World): Vm {
  const { pageShift, placement, allowLpidZero, allowDroppedFaults } = world
  const vm = new Vm({ pageShift, placement, allowLpidZero, allowDroppedFaults, maxNpages: 4096, ...backingOf(world) })
  vm.addMemslot({ baseGfn: 0, npages: 2 ** (22 - pageShift) })
  vm.addMemslot({ baseGfn: 2 ** 12, npages: 100, logDirty: true })
  vm.addMemslot({ baseGfn: 2 ** 13, npages: 100, readOnly: true })
  for (const lpid of [1, 2, 3]) {
    const table = vm.setGuestTable(lpid, new GuestTable({ pageShift }))
    for (let page = 0; page < 12; page++) table.map({ gpa: page * 2 ** pageShift, to: (page % 4) * 2 ** pageShift })
    for (let page = 0; page < 8; page++) vm.fault({ lpid, gpa: page * 2 ** pageShift, access: 'read' })
  }
  return vm
}

/** L1's table for an LPID. */
const tableOf = (vm: Vm, lpid: number): GuestTable | undefined => vm.guestTable(lpid) as GuestTable | undefined

type Step = { kind: number; lpid: number; page: number; to: number; size: number; access: 'read' | 'write' | 'execute' }
const steps = fc.array(
  fc.record({
    kind: fc.nat(40),
    lpid: fc.integer({ min: 0, max: 4 }),
    page: fc.nat(20),
    to: fc.nat(40),
    size: fc.nat(11),
    access: fc.constantFrom<'read' | 'write' | 'execute'>('read', 'write', 'execute'),
  }),
  { maxLength: 120 },
)

/** Runs a step with objects that it gets from the L1 only. Returns the result, or the message of the error. */
function run(vm: Vm, { kind, lpid, page, to, size, access }: Step): unknown {
  const base = 2 ** vm.pageShift
  const gpa = page < 12 ? page * base : (page - 11) * 2 ** 30
  const gfn = to < 20 ? to * 2 : to < 30 ? 2 ** 12 + to : 2 ** 13 + to
  const held = vm.droppedGuests[0]
  try {
    switch (kind) {
      case 0:
        return vm.unmap(gfn)
      case 1:
        return [vm.age(gfn), vm.testAge(gfn)]
      case 2:
        return vm.tlbie({ kind: 'lpid', lpid, ric: to % 2 === 0 ? 0 : 2 })
      case 3:
        return vm.setGuestTable(
          lpid,
          to % 4 === 0 ? undefined : (tableOf(vm, lpid) ?? new GuestTable({ pageShift: vm.pageShift })),
        )?.pageShift
      case 4:
        return vm.harvestDirty(vm.memslots[1]!)
      case 5:
        return vm.setLogDirty(vm.memslots[to % 3]!, size % 2 === 0)
      case 6:
        return vm.enter(lpid).refs
      case 7:
        return vm.leave(held ?? vm.guest(lpid)!)
      case 8:
        return vm.moveMemslot(vm.memslots[2]!, 2 ** 13 + to * 64)
      case 9:
        return held === undefined ? vm.setPartitionTable(to % 5) : vm.fault({ guest: held, gpa, access })
      case 10:
        return vm.failAllocation(size)
      case 11:
        return vm.setRc({ lpid, gpa, access })
      default:
        break
    }
    if (kind < 15) {
      let table = tableOf(vm, lpid)
      if (table === undefined) vm.setGuestTable(lpid, (table = new GuestTable({ pageShift: vm.pageShift })))
      const shift = size === 0 ? 30 : size === 1 ? 21 : vm.pageShift
      table.map({ gpa: gpa - (gpa % 2 ** shift), to: gfn * base - ((gfn * base) % 2 ** shift), shift })
      if (size !== 2) vm.tlbie({ kind: 'page', lpid, gpa, shift: 30 })
      return undefined
    }
    return vm.fault({ lpid, gpa: gpa + 5, access })
  } catch (error) {
    return (error as Error).message
  }
}

/** The counters without the bytes of indexes: they are not restored, an insert creates the index it needs. */
function counted(vm: Vm): unknown {
  return { ...vm.counters, bytes: { ...vm.counters.bytes, indexes: 0 } }
}

test('a restored L1 equals the original in every word, and behaves in the same way', () => {
  let lists = 0
  fc.assert(
    fc.property(worlds, steps, steps, (world, before, after) => {
      const vm = machine(world)
      for (const step of before) run(vm, step)
      const bytes = snapshot(vm)
      const other = restore(bytes, backingOf(world))
      expect(snapshot(other)).toEqual(bytes)
      expect(counted(other)).toEqual(counted(vm))
      expect(other.check()).toEqual(vm.check())
      vm.memslots.forEach((slot, n) => {
        expect([...other.memslots[n]!.rmap.words]).toEqual([...slot.rmap.words])
        expect({ ...other.memslots[n]!.rmap.counters, indexBytes: 0 }).toEqual({ ...slot.rmap.counters, indexBytes: 0 })
      })
      expect([...other.host]).toEqual([...vm.host])
      const seen = (l1: Vm): unknown =>
        [...l1.guests, ...l1.droppedGuests].map((guest) => [
          guest.lpid,
          guest.shadowLpid,
          guest.refs,
          guest.dropped,
          [...guest.shadow],
          guest.root && [...(guest.root as GuestTable).leaves()],
        ])
      expect(seen(other)).toEqual(seen(vm))
      lists += vm.counters.slots.list

      const events: VmEvent[][] = [[], []]
      ;[vm, other].forEach((l1, n) => l1.observe((event) => events[n]!.push(event)))
      for (const step of after) expect(run(other, step)).toEqual(run(vm, step))
      expect(events[1]).toEqual(events[0])
      expect(snapshot(other)).toEqual(snapshot(vm))
    }),
    { numRuns: cases(100) },
  )
  expect(lists).toBeGreaterThan(50)
}, 120_000)

test('a list of any length is restored: outcomes, order and scan steps of later inserts are the same', () => {
  for (const length of [1, 2, 15, 16, 17, 18, 40, 1000]) {
    const vm = new Vm()
    vm.addMemslot({ baseGfn: 0, npages: 1 })
    const table = vm.setGuestTable(1, new GuestTable())
    for (let n = 0; n < length + 30; n++) table.map({ gpa: n * 0x10000, to: 0 })
    for (let n = 0; n < length; n++) vm.fault({ lpid: 1, gpa: n * 0x10000, access: 'read' })
    const other = restore(snapshot(vm))
    vm.tlbie({ kind: 'lpid', lpid: 1, ric: 0 })
    other.tlbie({ kind: 'lpid', lpid: 1, ric: 0 })
    for (let n = length + 29; n >= 0; n -= 7) {
      // new entries and duplicates
      expect(other.fault({ lpid: 1, gpa: n * 0x10000, access: 'read' })).toEqual(
        vm.fault({ lpid: 1, gpa: n * 0x10000, access: 'read' }),
      )
    }
    expect(counted(other)).toEqual(counted(vm))
    expect(other.entries(0)).toEqual(vm.entries(0))
    expect(other.unmap(0)).toEqual(vm.unmap(0))
    expect(snapshot(other)).toEqual(snapshot(vm))
  }
})

/** A small L1 in which every part of a snapshot is used. */
function sample(allowLpidZero = false): Uint8Array {
  const vm = machine({ pageShift: 16, placement: 'head', allowLpidZero, allowDroppedFaults: false, ownBacking: false })
  for (const lpid of [1, 2, 3]) {
    const table = vm.setGuestTable(lpid, new GuestTable())
    for (let page = 0; page < 4; page++) {
      table.map({ gpa: page * 0x10000, to: (page % 3) * 0x10000 })
      vm.fault({ lpid, gpa: page * 0x10000, access: 'write' })
    }
  }
  vm.enter(3)
  vm.setGuestTable(3, undefined)
  vm.tlbie({ kind: 'lpid', lpid: 3, ric: 2 })
  vm.unmap(1)
  tableOf(vm, 1)!.write(2 ** 40, 39, 3n << 62n)
  tableOf(vm, 1)!.unmap(0x20000)
  return snapshot(vm)
}

test('any truncation is refused, and the error names the length', () => {
  const bytes = sample()
  expect(restore(bytes).check()).toEqual([])
  for (let length = 0; length < bytes.length; length++) {
    refuses(
      () => restore(bytes.subarray(0, length)),
      SnapshotError,
      length < 32
        ? `snapshot: expected at least 32 bytes, got ${length}`
        : `snapshot: length: the header says ${bytes.length} bytes, got ${length}`,
    )
  }
  const longer = new Uint8Array(bytes.length + 1)
  longer.set(bytes)
  refuses(
    () => restore(longer),
    SnapshotError,
    `snapshot: length: the header says ${bytes.length} bytes, got ${longer.length}`,
  )
})

test('any single altered byte is refused, and the error names what is wrong', () => {
  const bytes = sample()
  const parts: [number, RegExp][] = [
    [8, /^snapshot: the bytes do not begin with "NRMAP-L1"$/],
    [12, /^snapshot: version: expected 1, got \d+$/],
    [16, /^snapshot: checksum: the header says 0x[0-9a-f]+, the bytes have 0x[0-9a-f]+$/],
    [24, /^snapshot: length: the header says \d+ bytes, got \d+$/],
    [Infinity, /^snapshot: checksum: /],
  ]
  for (let at = 0; at < bytes.length; at++) {
    for (const change of at < 200 ? [1, 2, 4, 8, 16, 32, 64, 128, 255] : [1 + (at % 255)]) {
      const altered = bytes.slice()
      altered[at]! ^= change
      const expected = parts.find(([end]) => at < end)![1]
      let thrown: unknown
      try {
        restore(altered)
      } catch (error) {
        thrown = error
      }
      if (!(thrown instanceof SnapshotError && expected.test(thrown.message)))
        expect.fail(`byte ${at} ^ ${change}: ${String(thrown)}`)
    }
  }
})

/** Corrects length and checksum, as an attacker would. */
function sealed(bytes: Uint8Array): Uint8Array {
  if (bytes.length < 32) return bytes
  const copy = bytes.slice()
  const view = new DataView(copy.buffer)
  view.setBigUint64(16, BigInt(copy.length), true)
  view.setUint32(12, crc32(copy.subarray(16)), true)
  return copy
}

/** Replaces the one place with these 32-bit numbers by others, and seals the result. */
function forged(bytes: Uint8Array, from: readonly number[], to: readonly number[]): Uint8Array {
  const text = (numbers: readonly number[]): string => Buffer.from(Uint32Array.from(numbers).buffer).toString('latin1')
  const parts = Buffer.from(bytes).toString('latin1').split(text(from))
  expect(parts.length).toBe(2)
  return sealed(new Uint8Array(Buffer.from(parts.join(text(to)), 'latin1')))
}

test('the error of a forged snapshot says what is wrong', () => {
  const vm = new Vm()
  vm.addMemslot({ baseGfn: 0, npages: 8 })
  for (const lpid of [1, 2]) {
    const table = vm.setGuestTable(lpid, new GuestTable())
    for (const page of [5, 6, lpid === 1 ? 7 : 6]) {
      table.map({ gpa: page * 0x10000, to: page * 0x10000 })
      vm.fault({ lpid, gpa: page * 0x10000, access: 'read' })
    }
  }
  const bytes = snapshot(vm)
  const single = [7, 0x70001, 0x00100000] // gfn 7: the entry of LPID 1, page 7
  for (const [from, to, message] of [
    [[2, 1, 0, 2, 1], [2, 1, 0, 1, 1], 'partition: LPID 1 occurs twice'],
    [[2, 1, 0, 2, 1], [2, 1, 0, 2, 9], 'partition: guest table 9 does not exist, the snapshot has 2'],
    [single, [7, 0x1230, 0], 'rmap slot: 0x1230 is not a node in use'],
    [single, [7, 0x10, 0], 'rmap slot: node 0x10 is in two lists, or twice in one'],
    [single, [7, 0x70003, 0x00100000], 'rmap slot: 0x10000000070002 is not an entry'],
    [single, [5, 0x70001, 0x00100000], 'slot index: expected at least 7, got 5'],
    [[2, 3], [2, 2], 'shadow LPID: 2 is already in use'],
    [[2, 3], [1, 3], 'nested guest: LPID 1 occurs twice, or after a dropped guest'],
  ] as const) {
    refuses(() => restore(forged(bytes, from, to)), SnapshotError, `snapshot: ${message}`)
  }
})

test('a forged snapshot is refused with a SnapshotError, or restores an L1 that works', () => {
  const samples = [sample(), sample(true)]
  let refused = 0
  for (let at = 0; at < RUNS * 0.05; at++) {
    const next = random(at)
    const input = sealed(mutate(samples[next(2)]!, next))
    let vm: Vm
    try {
      vm = restore(input)
    } catch (error) {
      if (!(error instanceof SnapshotError)) throw new Error(`input ${at}`, { cause: error })
      refused++
      continue
    }
    try {
      vm.check()
      for (const lpid of [1, 2])
        for (let page = 0; page < 5; page++) run(vm, { kind: 19, lpid, page, to: 0, size: 9, access: 'write' })
      for (let to = 0; to < 4; to++) run(vm, { kind: to % 2, lpid: 1, page: 0, to, size: 9, access: 'read' })
      vm.releaseAll()
      for (const slot of vm.memslots) vm.removeMemslot(slot)
      snapshot(vm)
    } catch (error) {
      throw new Error(`restored input ${at}`, { cause: error })
    }
  }
  expect(refused).toBeGreaterThan(RUNS * 0.01)
  expect(refused).toBeLessThan(RUNS * 0.05)
}, 600_000)

test('snapshot refuses an operation that is between its halves', () => {
  const vm = new Vm()
  vm.addMemslot({ baseGfn: 0, npages: 1 })
  vm.setGuestTable(1, new GuestTable()).map({ gpa: 0, to: 0 })
  const fault = vm.beginFault({ lpid: 1, gpa: 0, access: 'read' })
  refuses(() => snapshot(vm), Error, 'snapshot: a fault is between its halves: call its commit or abandon first')
  if (fault.outcome === 'pending') fault.commit()
  const unmap = vm.beginUnmap(0)
  refuses(() => snapshot(vm), Error, 'snapshot: an invalidation is between its halves: call its end first')
  unmap.end()
  expect(restore(snapshot(vm)).mmuSeq).toBe(1)
})

test('invalid arguments are refused', () => {
  refuses(() => snapshot({} as never), TypeError, 'vm: expected a Vm, got object')
  refuses(() => restore('x' as never), TypeError, 'bytes: expected a Uint8Array, got string "x"')
  refuses(() => restore(new ArrayBuffer(99) as never), TypeError, 'bytes: expected a Uint8Array, got object')
  refuses(() => restore(sample(), null as never), TypeError, 'options: expected an object, got null')
  refuses(() => restore(sample(), { backing: 1 as never }), TypeError, 'backing: expected a function, got number')
  refuses(() => restore(sample(), { observer: {} as never }), TypeError, 'observer: expected a function, got object')
})

test('the layout is the documented one', () => {
  const bytes = sample()
  const view = new DataView(bytes.buffer)
  expect(new TextDecoder().decode(bytes.subarray(0, 8))).toBe('NRMAP-L1')
  expect([
    view.getUint32(8, true),
    view.getBigUint64(16, true),
    bytes[24],
    bytes[25],
    bytes[26],
    bytes[27],
    view.getUint32(28, true),
  ]).toEqual([1, BigInt(bytes.length), 16, 0, 0, 0, 1])
  expect(view.getBigUint64(32, true)).toBe(2n ** 27n - 1n) // maxNodes
  expect(crc32(new TextEncoder().encode('123456789'))).toBe(0xcbf43926) // the check value of CRC-32
  // The bytes can start anywhere in a buffer.
  const shifted = new Uint8Array(bytes.length + 3)
  shifted.set(bytes, 3)
  expect(snapshot(restore(shifted.subarray(3)))).toEqual(bytes)
})
