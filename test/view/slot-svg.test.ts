import fc from 'fast-check'
import { expect, test } from 'vitest'
import { Memslot } from '../../src/index'
import { SlotReader, slotsOf, type Slot } from '../../src/view/slot'
import { slotsSvg, slotSvg } from '../../src/view/slot-svg'
import { refuses } from '../support/refuses'
import { cases } from '../support/cases'

function slotWith(entries: number): Slot {
  const memslot = new Memslot({ baseGfn: 7, npages: 1 })
  for (let n = 1; n <= entries; n++) memslot.insert(7, n, n * 0x10000)
  return [...slotsOf(memslot, [7])][0]!
}

/** The texts of a picture, in the order in which they are drawn. */
function texts(svg: string): string[] {
  return [...svg.matchAll(/<text [^>]*>([^<]*)<\/text>/g)].map(([, text]) => text!)
}

/** Reads markup as strictly as XML demands, for what a picture is made of. @returns the depth reached */
function readXml(svg: string): { elements: string[]; depth: number } {
  const elements: string[] = []
  const open: string[] = []
  let depth = 0
  const token = /<(\/?)([a-z]+)((?: [A-Za-z-]+="[^"<>]*")*)(\/?)>|([^<>]+)/gy
  for (let at = 0; at < svg.length; at = token.lastIndex) {
    token.lastIndex = at
    const match = token.exec(svg)
    if (match === null) throw new Error(`not XML at ${at}: ${svg.slice(at, at + 40)}`)
    const [, closes, name, attributes = '', empty, content = ''] = match
    if (/&(?!amp;|lt;|gt;|quot;)/.test(attributes + content)) throw new Error(`bare & at ${at}`)
    if (name === undefined) continue
    if (closes === '/') {
      if (open.pop() !== name) throw new Error(`</${name}> at ${at}`)
      continue
    }
    elements.push(name)
    if (empty === '') open.push(name)
    depth = Math.max(depth, open.length)
  }
  if (open.length > 0) throw new Error(`not closed: ${open.join()}`)
  return { elements, depth }
}

test('the three forms of a slot in spec 3', () => {
  const memslot = new Memslot({ baseGfn: 0, npages: 3 })
  memslot.insert(1, 1, 0x10000)
  for (const n of [1, 2, 3]) memslot.insert(2, n, n * 0x10000)
  const svg = slotsSvg(slotsOf(memslot, [0, 1, 2]))
  const field = (lpid: string, gpa: string, tag: string): string[] => ['LPID', lpid, 'gpa', gpa, 'tag', tag]
  expect(texts(svg)).toEqual(
    [
      ['gfn 0x0', 'word', '0', 'no entry'],
      ['gfn 0x1', 'word', 'only', ...field('1', '0x10000', '1')],
      ['gfn 0x2', 'word', '→ 0x20', '3 entries'],
      ['node 0x20', 'next', '→ 0x10', 'entry', 'newest', ...field('3', '0x30000', '0')],
      ['node 0x10', 'next', 'oldest', ...field('1', '0x10000', '1'), 'entry', ...field('2', '0x20000', '0')],
    ].flat(),
  )
  expect(svg).toContain('<title>3 rmap slots</title>')
  expect(svg).toContain(
    '<desc>gfn 0x0: the word is 0, no entry. gfn 0x1, newest first: LPID 1  gpa 0x10000 (in the word, tag 1). ' +
      'gfn 0x2, newest first: LPID 3  gpa 0x30000 (node 0x20); LPID 2  gpa 0x20000 (node 0x10); ' +
      "LPID 1  gpa 0x10000 (in the last node's next, tag 1).</desc>",
  )
})

test('every picture is well-formed, shows its entries, and fits the width', () => {
  const mark = fc.constantFrom(undefined, 'new' as const, 'found' as const, 'cleared' as const, 'stale' as const)
  fc.assert(
    fc.property(
      fc.array(fc.tuple(fc.integer({ min: 1, max: 4095 }), fc.integer({ min: 0, max: 2 ** 52 - 1 })), {
        maxLength: 30,
      }),
      fc.integer({ min: 240, max: 2000 }),
      fc.integer({ min: 3, max: 40 }),
      fc.constantFrom('auto' as const, 'light' as const, 'dark' as const),
      fc.array(mark, { minLength: 30, maxLength: 30 }),
      fc.string({ unit: 'binary', maxLength: 20 }),
      (inserts, width, entries, theme, marks, remark) => {
        const memslot = new Memslot({ baseGfn: 7, npages: 1 })
        for (const [lpid, gpa] of inserts) memslot.insert(7, lpid, gpa)
        const [slot] = slotsOf(memslot, [7])
        const svg = slotSvg(slot!, {
          width,
          entries,
          theme,
          mark: (place) => marks[place],
          remark: () => remark,
          title: remark,
        })
        const { elements } = readXml(svg)
        expect(elements.slice(0, 4)).toEqual(['svg', 'title', 'desc', 'style'])
        const all = slot!.entries.map(({ lpid, gpa }) => `LPID|${lpid}|gpa|0x${gpa.toString(16)}`)
        // A box has `next` before its entry, so in the last box the oldest entry comes first.
        const drawn = [
          ...texts(svg)
            .join('|')
            .matchAll(/LPID\|\d+\|gpa\|0x[0-9a-f]+/g),
        ].map(([text]) => text)
        if (drawn.length > 1) drawn.push(...drawn.splice(-2, 1))
        const head = all.length <= entries ? all.length : Math.ceil((entries - 1) / 2)
        expect(drawn).toEqual([...all.slice(0, head), ...all.slice(Math.max(all.length - entries + head, head))])
        const [, drawnWidth] = /viewBox="0 0 ([\d.]+) /.exec(svg)!
        expect(Number(drawnWidth)).toBeLessThanOrEqual(Math.max(width, 320))
      },
    ),
    { numRuns: cases(60) },
  )
})

test('a change is highlighted by colour and by text', () => {
  const svg = slotSvg(slotWith(3), {
    mark: (place) => (['new', 'stale', 'cleared'] as const)[place],
    remark: (place) => ['', 'stale: no leaf there', 'leaf cleared'][place]!,
    wordChanged: true,
  })
  expect(texts(svg)).toEqual(
    expect.arrayContaining(['3 entries, word changed', 'stale: no leaf there', 'oldest: leaf cleared']),
  )
  for (const mark of ['new', 'stale', 'cleared'])
    expect(svg).toMatch(new RegExp(`<rect [^>]*class="[^"]*nra-${mark}-line`))
  expect(texts(slotSvg(slotWith(1), { mark: () => 'found' }))).toContain('found')
  expect(slotSvg(slotWith(3))).not.toMatch(/<rect [^>]*class="nra-mark/)
})

test('a long list is shortened in the middle, and the hidden nodes are counted', () => {
  const drawn = texts(slotSvg(slotWith(40), { entries: 5 }))
  expect(drawn.filter((text) => /^gfn|^node|more/.test(text))).toEqual([
    'gfn 0x7',
    'node 0x270',
    'node 0x260',
    '… 35 more …',
    'node 0x20',
    'node 0x10',
  ])
  expect(texts(slotSvg(slotWith(12))).join()).not.toContain('more')
})

test("only the theme auto follows the viewer's setting", () => {
  expect(slotSvg(slotWith(2))).toContain('@media (prefers-color-scheme:dark)')
  const light = slotSvg(slotWith(2), { theme: 'light' })
  const dark = slotSvg(slotWith(2), { theme: 'dark' })
  expect(light + dark).not.toContain('@media')
  expect(light).toContain('.nrl-back{fill:#ffffff}')
  expect(dark).toContain('.nrd-back{fill:#14171c}')
})

test('a flawed list is drawn as far as it was read, with its flaws below', () => {
  const reader = new SlotReader((address) => ({ next: address === 0x10n ? 0x20n : 0x10n, entry: address << 48n }))
  const svg = slotSvg(reader.slot(5, 0x10n))
  expect(texts(svg)).toContain('node 0x20: pointer 0x10 leads back into the list')
  expect(svg).toContain('nra-cleared-line')
  readXml(svg)
})

test('invalid arguments are refused', () => {
  const slot = slotWith(2)
  refuses(() => slotSvg(slot, { width: 239 }), RangeError, 'width: expected an integer in 240..100000, got 239')
  refuses(() => slotSvg(slot, { entries: 2 }), RangeError, 'entries: expected an integer in 3..1073741824, got 2')
  refuses(
    () => slotSvg(slot, { theme: 'blue' as never }),
    RangeError,
    'theme: expected one of auto, light, dark, got blue',
  )
  refuses(
    () => slotSvg(slot, { mark: () => 'red' as never }),
    RangeError,
    'mark: expected one of new, found, cleared, stale, got red',
  )
  refuses(() => slotSvg(slot, { mark: 1 as never }), TypeError, 'mark: expected a function, got number')
  refuses(() => slotSvg(slot, { title: 1 as never }), TypeError, 'title: expected a string, got number')
  refuses(() => slotSvg({} as never), TypeError, 'slot.word: expected a BigInt, got undefined')
  refuses(() => slotSvg(undefined as never), TypeError, 'slot: expected an object, got undefined')
  refuses(() => slotsSvg(slot as never), TypeError, 'slots: expected an iterable object, got object')
  refuses(() => slotsSvg([slot, 1 as never]), TypeError, 'slots[1]: expected an object, got number')
})
