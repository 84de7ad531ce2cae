import fc from 'fast-check'
import { expect, test } from 'vitest'
import { drawMemslot, drawSlot } from '../../src/view/picture'
import { SlotReader, slotsOf } from '../../src/view/slot'
import { GuestTable, Memslot, Vm } from '../../src/index'
import { cases } from '../support/cases'

function example(): Memslot {
  const memslot = new Memslot({ baseGfn: 0, npages: 8 })
  memslot.insert(1, 1, 0x10000)
  for (const n of [1, 2, 3]) memslot.insert(2, n, n * 0x10000)
  return memslot
}

function long(entries: number): Memslot {
  const memslot = new Memslot({ baseGfn: 0x100, npages: 1 })
  for (let n = 1; n <= entries; n++) memslot.insert(0x100, 1, n * 0x10000)
  return memslot
}

test('the three pictures of spec 3', () => {
  expect(drawMemslot(example(), { gfns: [0, 1, 2], width: 100 }).split('\n')).toEqual([
    'memslot gfn 0x0..0x7: 2 slots not empty (1 single, 1 list), 4 entries, 2 nodes, longest 3',
    'gfn 0x0  [ 0                  ]  no entry',
    'gfn 0x1  [ 0x0010000000010001 ]  LPID 1  gpa 0x10000  the only one',
    'gfn 0x2  [ -> 0x20            ]                                    3 entries',
    '  --> node 0x20 { next -> 0x10,              0x0030000000030000 }  LPID 3  gpa 0x30000  newest',
    '  --> node 0x10 { next = 0x0010000000010001, 0x0020000000020000 }  LPID 2  gpa 0x20000',
    '      ^ that next, its tag off                                     LPID 1  gpa 0x10000  oldest',
  ])
})

test('a memslot of a Vm is drawn like a Memslot', () => {
  const l1 = new Vm()
  const memslot = l1.addMemslot({ baseGfn: 0, npages: 8 })
  l1.setGuestTable(1, new GuestTable()).map({ gpa: 0x10000, to: 0x10000 })
  l1.fault({ lpid: 1, gpa: 0x10000, access: 'read' })
  expect(drawMemslot(memslot, { width: 100 }).split('\n')[1]).toBe(
    'gfn 0x1  [ 0x0010000000010001 ]  LPID 1  gpa 0x10000  the only one',
  )
})

test('in a narrow terminal a node has two lines', () => {
  const [slot] = slotsOf(example(), [2])
  expect(drawSlot(slot!, { width: 60 }).split('\n')).toEqual([
    'gfn 0x2  [ -> 0x20            ]  3 entries',
    '  --> node 0x20 { next -> 0x10,',
    '        0x0030000000030000 }  LPID 3  gpa 0x30000  newest',
    '  --> node 0x10 { next = 0x0010000000010001,',
    '        0x0020000000020000 }  LPID 2  gpa 0x20000',
    '      ^ that next, its tag off  LPID 1  gpa 0x10000  oldest',
  ])
})

test('a long list is shortened in the middle, and the hidden entries are counted', () => {
  const lines = drawSlot([...slotsOf(long(40))][0]!, { entries: 3, width: 100 }).split('\n')
  expect(lines.map((line) => line.match(/(?<=gpa )\S+|more|entries/)?.[0])).toEqual([
    'entries',
    '0x280000',
    '0x270000',
    'more',
    '0x10000',
  ])
  expect(lines[3]).toBe('  ... 37 more ...')
  expect(drawSlot([...slotsOf(long(8))][0]!)).not.toContain('more')
})

test('if two lines for a node do not fit, lines are broken between words', () => {
  expect(drawMemslot(example(), { gfns: [1, 2], width: 40 }).split('\n')).toEqual([
    'memslot gfn 0x0..0x7: 2 slots not empty',
    '  (1 single, 1 list), 4 entries, 2',
    '  nodes, longest 3',
    'gfn 0x1  [ 0x0010000000010001 ]',
    '        LPID 1  gpa 0x10000  the only',
    '        one',
    'gfn 0x2  [ -> 0x20            ]',
    '        3 entries',
    '  --> node 0x20 { next -> 0x10,',
    '        0x0030000000030000 }',
    '        LPID 3  gpa 0x30000  newest',
    '  --> node 0x10',
    '        { next = 0x0010000000010001,',
    '        0x0020000000020000 }',
    '        LPID 2  gpa 0x20000',
    '      ^ that next, its tag off',
    '        LPID 1  gpa 0x10000  oldest',
  ])
})

/** Any memslot of three gfns, with addresses of every length. */
const memslots = fc
  .array(fc.tuple(fc.nat(2), fc.integer({ min: 1, max: 4095 }), fc.integer({ min: 0, max: 2 ** 52 - 1 })), {
    maxLength: 40,
  })
  .map((inserts) => {
    const memslot = new Memslot({ baseGfn: 2 ** 40, npages: 3 })
    for (const [gfn, lpid, gpa] of inserts) memslot.insert(2 ** 40 + gfn, lpid, gpa)
    return memslot
  })

test('no line is wider than the width, and every drawn entry is in the list', () => {
  fc.assert(
    fc.property(
      memslots,
      fc.integer({ min: 40, max: 200 }),
      fc.integer({ min: 2, max: 50 }),
      fc.string({ maxLength: 60 }),
      (memslot, width, entries, remark) => {
        const widest = (text: string): number => Math.max(...text.split('\n').map((line) => line.length))
        expect(widest(drawMemslot(memslot, { width, entries }))).toBeLessThanOrEqual(width)
        for (const slot of slotsOf(memslot)) {
          const picture = drawSlot(slot, { width, entries, remark: () => remark })
          expect(widest(picture)).toBeLessThanOrEqual(width)
          const drawn = drawSlot(slot, { width, entries }).match(/LPID \d+  gpa 0x[0-9a-f]+/g) ?? []
          const all = slot.entries.map(({ lpid, gpa }) => `LPID ${lpid}  gpa 0x${gpa.toString(16)}`)
          expect(drawn.length).toBe(Math.min(entries, all.length))
          const head = Math.ceil(drawn.length / 2)
          expect(drawn).toEqual([...all.slice(0, head), ...all.slice(all.length - drawn.length + head)])
        }
      },
    ),
    { numRuns: cases(300) },
  )
})

test('the message of a flaw fits the width, too', () => {
  const reader = new SlotReader((address) => ({ next: address ^ 0x30n, entry: 1n << 52n }))
  const lines = drawSlot(reader.slot(5, 0xc000_0000_2bf8_4c10n), { width: 40 }).split('\n')
  expect(Math.max(...lines.map((line) => line.length))).toBeLessThanOrEqual(40)
  expect(lines.join(' ').replace(/\s+/g, ' ')).toContain(
    '!! node 0xc00000002bf84c20: pointer 0xc00000002bf84c10 leads back into the list',
  )
})

test('the flaws of a list are written below it', () => {
  const reader = new SlotReader((address) => ({ next: address === 0x10n ? 0x20n : 0x10n, entry: address << 48n }))
  expect(drawSlot(reader.slot(5, 0x10n), { width: 100 }).split('\n')).toEqual([
    'gfn 0x5  [ -> 0x10            ]                       2 entries        flawed',
    '  --> node 0x10 { next -> 0x20, 0x0010000000000000 }  LPID 1  gpa 0x0  newest',
    '  --> node 0x20 { next -> 0x10, 0x0020000000000000 }  LPID 2  gpa 0x0',
    '  !! node 0x20: pointer 0x10 leads back into the list',
  ])
})

test('slots over the limit are counted, not drawn', () => {
  const memslot = new Memslot({ baseGfn: 0, npages: 100 })
  for (let gfn = 0; gfn < 100; gfn++) memslot.insert(gfn, 1, 0)
  const lines = drawMemslot(memslot, { slots: 10, width: 120 }).split('\n')
  expect(lines.length).toBe(12)
  expect(lines.at(-1)).toBe('... 90 slots more ...')
  expect(drawMemslot(new Memslot({ baseGfn: 0, npages: 4 }), { width: 120 })).toBe(
    'memslot gfn 0x0..0x3: 0 slots not empty (0 single, 0 lists), 0 entries, 0 nodes, longest 0',
  )
})

test('invalid arguments are refused', () => {
  const [slot] = slotsOf(example(), [1])
  expect(() => drawSlot(slot!, { width: 39 })).toThrow(
    new RangeError('width: expected an integer in 40..1048576, got 39'),
  )
  expect(() => drawSlot(slot!, { entries: 1 })).toThrow(RangeError)
  expect(() => drawMemslot(example(), { gfns: [8] })).toThrow(
    new RangeError('gfn: expected an integer in 0x0..0x7, got 0x8'),
  )
  expect(() => drawMemslot({} as never)).toThrow(new TypeError('memslot: expected a Memslot, got object'))
  expect(() => drawMemslot(example(), null as never)).toThrow(TypeError)
})
