/** What check() finds wrong in a shadow leaf, and which leaves it excuses since L1 has edited its table (spec 1, 5). */
import { expect, test } from 'vitest'
import { GuestTable, LeafFlag, Vm } from '../../src/index'

const PAGE = 0x10000
const M2 = 2 ** 21

/** A nested guest with a 2 MiB guest leaf at 0 and base pages from 2 MiB on, all of them in base shadow leaves. */
function l1(): { vm: Vm; table: GuestTable } {
  const vm = new Vm({ backing: (gfn) => ({ frame: 2 ** 20 + gfn * 16 }) })
  vm.addMemslot({ baseGfn: 0, npages: 128 })
  const table = vm.setGuestTable(1, new GuestTable())
  table.map({ gpa: 0, to: 0, shift: 21, flags: LeafFlag.READ | LeafFlag.REFERENCED })
  for (let i = 0; i < 4; i++) table.map({ gpa: M2 + i * PAGE, to: M2 + i * PAGE })
  for (let i = 0; i < 4; i++) for (const base of [0, M2]) vm.fault({ lpid: 1, gpa: base + i * PAGE, access: 'read' })
  return { vm, table }
}

/** Flips bits of the shadow leaf at an address; returns the addresses of composition errors. */
function errorsAfter(vm: Vm, gpa: number, bits: bigint): (number | undefined)[] {
  const { shadow } = vm.guest(1)!
  const leaf = shadow.lookup(gpa)!
  shadow.set(gpa, leaf.shift, leaf.word ^ bits)
  const broken = vm.check().filter(({ invariant }) => invariant === 'composition')
  shadow.set(gpa, leaf.shift, leaf.word)
  return broken.map((one) => one.gpa)
}

test('another frame, a permission that the guest leaf lacks, an attribute that the host leaf lacks', () => {
  const { vm } = l1()
  expect(vm.check()).toEqual([])
  for (const bits of [1n << 16n, 1n << 40n, BigInt(LeafFlag.WRITE), BigInt(LeafFlag.EXECUTE), 0x20n, 1n << 58n]) {
    expect(errorsAfter(vm, PAGE, bits)).toEqual([PAGE])
  }
  expect(errorsAfter(vm, PAGE, BigInt(LeafFlag.REFERENCED))).toEqual([]) // the hardware sets these
})

test('an edit of L1 excuses the leaves that it overlaps, and no other', () => {
  const wrong = 1n << 20n
  const edits: [edit: (table: GuestTable) => void, outdated: number[]][] = [
    [(table) => table.map({ gpa: M2 + PAGE, to: 0 }), [M2 + PAGE]],
    [(table) => table.unmap(M2 + PAGE), [M2 + PAGE]],
    [(table) => table.protect(M2 + PAGE, LeafFlag.READ), [M2 + PAGE]],
    [(table) => table.map({ gpa: PAGE, to: 5 * PAGE }), [0, 1, 2, 3].map((i) => i * PAGE)], // the 2 MiB leaf is removed
    [(table) => table.unmap(3 * PAGE), [0, 1, 2, 3].map((i) => i * PAGE)],
    [(table) => table.map({ gpa: M2, to: 0, shift: 21 }), [0, 1, 2, 3].map((i) => M2 + i * PAGE)],
    [(table) => table.map({ gpa: M2 + 4 * PAGE, to: 0 }), []],
    [(table) => table.protect(0, LeafFlag.READ | LeafFlag.REFERENCED), []], // the same word
  ]
  for (const [edit, outdated] of edits) {
    const { vm, table } = l1()
    edit(table)
    expect(vm.check()).toEqual([])
    for (const base of [0, M2]) {
      for (let gpa = base; gpa < base + 4 * PAGE; gpa += PAGE) {
        expect(errorsAfter(vm, gpa, wrong)).toEqual(outdated.includes(gpa) ? [] : [gpa])
      }
    }
  }
})

test("a leaf in the root of L1's table outdates all below it, also after it is removed", () => {
  const { vm, table } = l1()
  table.write(0, 39, 0xc000000000000187n)
  expect(vm.check()).toEqual([])
  table.unmap(0)
  expect(vm.check()).toEqual([])
  table.map({ gpa: PAGE, to: 7 * PAGE })
  expect(vm.fault({ lpid: 1, gpa: PAGE, access: 'execute' })).toMatchObject({
    warning: expect.stringContaining('OR-ed'),
  })
})

test('a leaf made anew from an edited table is checked again', () => {
  const { vm, table } = l1()
  table.map({ gpa: M2, to: 9 * PAGE })
  vm.tlbie({ kind: 'page', lpid: 1, gpa: M2, shift: 16 })
  vm.fault({ lpid: 1, gpa: M2, access: 'read' })
  expect(errorsAfter(vm, M2, 1n << 20n)).toEqual([M2])
  // planned before an edit, made after it: outdated from the start
  const pending = vm.beginFault({ lpid: 1, gpa: M2 + 5 * PAGE, access: 'read' })
  expect(pending.outcome).toBe('forward-to-l1')
  table.map({ gpa: M2 + 5 * PAGE, to: 0 })
  const planned = vm.beginFault({ lpid: 1, gpa: M2 + 5 * PAGE, access: 'read' })
  table.map({ gpa: M2 + 5 * PAGE, to: PAGE })
  if (planned.outcome !== 'pending') throw new Error(planned.outcome)
  planned.commit()
  expect(vm.check()).toEqual([])
  expect(errorsAfter(vm, M2 + 5 * PAGE, BigInt(LeafFlag.PRIVILEGED))).toEqual([])
})

test('a leaf that grows by what was planned before an edit is outdated', () => {
  const { vm, table } = l1()
  table.map({ gpa: M2, to: 9 * PAGE })
  vm.tlbie({ kind: 'page', lpid: 1, gpa: M2, shift: 16 })
  const planned = vm.beginFault({ lpid: 1, gpa: M2, access: 'read' })
  table.map({ gpa: M2, to: 9 * PAGE, flags: 0x185 }) // no longer writable, and no tlbie
  vm.fault({ lpid: 1, gpa: M2, access: 'read' })
  expect(planned.outcome === 'pending' && planned.commit()).toMatchObject({ outcome: 'mapped', change: 'grown' })
  expect(vm.check()).toEqual([])
})
