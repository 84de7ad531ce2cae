/**
 * An rmap slot and its list as an SVG picture: the boxes and arrows of spec 3.
 *
 *     gfn 0x2              node 0x20                     node 0x10
 *     +------+---------+   +-------+-------------+       +-------+-------------+
 *     | word |  -> 0x20 ---> next  |  -> 0x10    ------->| next  | LPID gpa  1 |  oldest
 *     +------+---------+   | entry | LPID gpa  0 |       | entry | LPID gpa  0 |
 *                          +-------+-------------+       +-------+-------------+
 *                            newest
 *
 * The picture is text: it is made without a DOM, so that the library, the pages and the command line draw alike. Boxes are
 * laid out in rows that fit the width; long lists are shortened in the middle. It never reads more than the slot given.
 *
 * (This file is over 300 lines: measuring, placing and drawing a box share its geometry.)
 */
import {
  checkBoolean,
  checkFunction,
  checkInteger,
  checkIterable,
  checkObject,
  checkOneOf,
  checkOptionNames,
  wrongType,
} from '../base/args'
import { hex } from '../base/word'
import { unpackEntry, type Entry } from '../rmap/entry'
import { count, formatEntry } from './format'
import { wrap } from './picture'
import type { Slot } from './slot'
import { classes, styleSheet, type StyleName, type SvgTheme } from './slot-svg-style'
import { escapeXml, round, tag } from './svg'

/**
 * How an entry is highlighted: `new` was inserted, `found` is the duplicate that a scan found, `cleared` led to a shadow
 * leaf that was cleared, `stale` led to none.
 */
export type SlotMark = 'new' | 'found' | 'cleared' | 'stale'

/** What is special about a slot's entries and its word. */
export interface SlotLook {
  /** How to highlight an entry, by its place in the list: 0 is the newest. */
  readonly mark?: (place: number) => SlotMark | undefined
  /** A few words about an entry, by its place: written below its box. By default the mark's own name. */
  readonly remark?: (place: number) => string
  /** Highlights the slot word as changed. */
  readonly wordChanged?: boolean
}

/** How to draw a picture. */
export interface SvgOptions {
  /** The width that boxes may take, in CSS pixels: an integer in 240..100000, 960 by default. One box always fits. */
  readonly width?: number
  /** Most entries of one list to draw: an integer in 3..2^30, 12 by default. The others are counted, in the middle. */
  readonly entries?: number
  /** Colours: `'auto'` (the default) follows the viewer's light or dark setting. */
  readonly theme?: SvgTheme
  /** The picture's accessible title; by default it says which slots they are. */
  readonly title?: string
}

/** How to draw one slot. */
export interface SlotSvgOptions extends SvgOptions, SlotLook {}

/** How to draw several slots. */
export interface SlotsSvgOptions extends SvgOptions {
  /** What is special about a slot, by its place among the slots given. */
  readonly look?: (place: number) => SlotLook
}

const LOOK = ['mark', 'remark', 'wordChanged'] as const
const OPTIONS = ['width', 'entries', 'theme', 'title'] as const

/**
 * Draws one rmap slot with its list (spec 3). Cost: the entries drawn.
 *
 * @returns an SVG document without an XML declaration: for a file, for `<img>`, or for a page's markup. All text of the
 *   options is escaped
 * @throws RangeError, TypeError
 * @example
 * ```ts
 * import { Memslot } from 'nested-rmap'
 * import { slotsOf, slotSvg } from 'nested-rmap/view'
 *
 * const memslot = new Memslot({ baseGfn: 0, npages: 16 })
 * memslot.insert(7, 5, 0x10000)
 * const [slot] = slotsOf(memslot, [7])
 * const svg = slotSvg(slot!, { mark: (place) => (place === 0 ? 'new' : undefined) })
 * console.log(svg.slice(0, 4)) // => <svg
 * ```
 */
export function slotSvg(slot: Slot, options: SlotSvgOptions = {}): string {
  checkOptionNames('options', options, [...OPTIONS, ...LOOK])
  return picture([[checkSlot('slot', slot), checkLook(options)]], options)
}

/**
 * Draws several rmap slots below each other in one picture. Cost: the entries drawn.
 *
 * @returns as {@link slotSvg}
 * @throws RangeError, TypeError
 */
export function slotsSvg(slots: Iterable<Slot>, options: SlotsSvgOptions = {}): string {
  const { look = () => ({}) } = checkOptionNames('options', options, [...OPTIONS, 'look'])
  checkFunction('look', look)
  const checked = [...checkIterable('slots', slots)].map((slot, i) => {
    return [checkSlot(`slots[${i}]`, slot), checkLook(checkOptionNames<SlotLook>('look', look(i), LOOK))] as const
  })
  return picture(checked, options)
}

function checkLook({ mark = () => undefined, remark, wordChanged }: SlotLook): Required<SlotLook> {
  checkFunction('mark', mark)
  if (remark !== undefined) checkFunction('remark', remark)
  return {
    mark,
    remark: remark ?? ((place) => mark(place) ?? ''),
    wordChanged: checkBoolean('wordChanged', wordChanged, false),
  }
}

/** A 64-bit word in a box: what it is, whose entry it holds, and its fields. */
interface WordRow {
  readonly name: string
  readonly age: string
  readonly pointer: string | undefined
  readonly entry: Entry | undefined
  readonly isTagged: boolean
  readonly mark: SlotMark | undefined
}

/** A box: the slot word, a list node, or the entries left out (no rows). */
interface Box {
  readonly title: string
  readonly rows: readonly WordRow[]
  readonly notes: readonly { readonly text: string; readonly mark: SlotMark | undefined }[]
  /** Whether an arrow leads on from it. */
  readonly leads: boolean
}

const GUTTER = 47 // the column with the names of the words
const TAG = 30
const ROW = 28
const TITLE = 17
const NOTE = 14
const GAP = 30 // between boxes: an arrow's length
const MARGIN = 22 // left and right, with room for the arrows that lead to the next row of boxes
const SPACE = 14 // between rows of boxes
const CHARACTER = 7.3 // of a word's font
const NOTE_CHARACTER = 6.6
const MARKS: readonly SlotMark[] = ['new', 'found', 'cleared', 'stale']

function picture(slots: readonly (readonly [Slot, Required<SlotLook>])[], options: SvgOptions): string {
  const { width = 960, entries = 12, theme = 'auto', title = titleOf(slots.map(([slot]) => slot)) } = options
  checkInteger('width', width, 240, 100_000)
  checkInteger('entries', entries, 3, 2 ** 30)
  checkOneOf<SvgTheme>('theme', theme, ['auto', 'light', 'dark'])
  if (typeof title !== 'string') throw wrongType('title', 'a string', title)

  const chains = slots.map(([slot, look]) => boxesOf(slot, entries, look))
  const sizes = sizesOf(chains.flat())
  const columns = Math.max(Math.floor((width - 2 * MARGIN + GAP) / (sizes.box + GAP)), 1)
  const body: string[] = []
  let y = SPACE
  const smallest = sizes.box + 2 * MARGIN
  let widest = 1
  let longestLine = 0
  chains.forEach((boxes, i) => {
    const drawn = drawChain(boxes, columns, sizes, y, theme)
    body.push(drawn.markup)
    y = drawn.end
    widest = Math.max(widest, Math.min(boxes.length, columns))
    for (const line of flawLines(slots[i]![0], entries, Math.max(width, smallest) - 2 * MARGIN)) {
      body.push(text(MARGIN, y + 10, line, theme, 'note', 'cleared-text'))
      y += NOTE
      longestLine = Math.max(longestLine, line.length)
    }
    y += SPACE
  })
  const right = 2 * MARGIN + widest * sizes.box + (widest - 1) * GAP
  const [w, h] = [round(Math.max(right, longestLine * NOTE_CHARACTER + 2 * MARGIN)), round(Math.max(y, ROW))]
  return tag(
    'svg',
    { xmlns: 'http://www.w3.org/2000/svg', viewBox: `0 0 ${w} ${h}`, width: w, height: h, role: 'img' },
    tag('title', {}, escapeXml(title)),
    tag('desc', {}, escapeXml(slots.map(([slot, look]) => description(slot, entries, look)).join(' '))),
    tag('style', {}, styleSheet(theme)),
    tag('rect', { width: w, height: h, class: classes(theme, 'back') }),
    ...body,
  )
}

/** What is wrong with a list, in lines that fit. */
function flawLines({ flaws }: Slot, most: number, width: number): string[] {
  const lines = flaws.slice(0, most).flatMap(({ message }) => wrap(message, Math.floor(width / NOTE_CHARACTER), 2))
  return flaws.length > most ? [...lines, count(flaws.length - most, 'more flaw')] : lines
}

/** The boxes of a slot: its word, and its nodes but for those in the middle of a long list. */
function boxesOf(slot: Slot, most: number, { mark, remark, wordChanged }: Required<SlotLook>): Box[] {
  const { word, nodes, entries } = slot
  const markAt = (place: number): SlotMark | undefined => {
    const chosen = mark(place)
    return chosen === undefined ? undefined : checkOneOf<SlotMark>('mark', chosen, MARKS)
  }
  const isPointer = word !== 0n && (word & 1n) === 0n
  const note = (place: number, prefix: string, marked: SlotMark | undefined): Box['notes'] => {
    const said = remark(place)
    if (typeof said !== 'string') throw wrongType('remark', 'a function that returns a string', said)
    return said === '' ? [] : [{ text: prefix + said, mark: marked }]
  }

  const only = entries.length === 1 && !isPointer ? markAt(0) : undefined
  const boxes: Box[] = [
    {
      title: nameOf(slot),
      rows: [row('word', word === 0n || isPointer ? '' : 'only', word, isPointer, only)],
      notes: isPointer
        ? [
            {
              text: count(entries.length, 'entry', 'entries') + (wordChanged ? ', word changed' : ''),
              mark: wordChanged ? 'new' : undefined,
            },
          ]
        : word === 0n
          ? [{ text: wordChanged ? 'no entry, word changed' : 'no entry', mark: wordChanged ? 'new' : undefined }]
          : note(0, '', only),
      leads: isPointer,
    },
  ]
  const nodeBox = (place: number): Box => {
    const { address, next, entry } = nodes[place]!
    const leads = next !== 0n && (next & 1n) === 0n
    const mine = markAt(place)
    const oldest = (next & 1n) === 1n ? markAt(place + 1) : undefined
    return {
      title: `node ${hex(address)}`,
      rows: [
        row('next', (next & 1n) === 1n ? 'oldest' : '', next, leads, oldest),
        row('entry', place === 0 ? 'newest' : '', entry, false, mine),
      ],
      notes: [
        ...((next & 1n) === 1n ? note(place + 1, 'oldest: ', oldest) : []),
        ...note(place, (next & 1n) === 1n && place === 0 ? 'newest: ' : '', mine),
      ],
      leads,
    }
  }
  const head = Math.ceil((most - 1) / 2)
  const hidden = nodes.length - (most - 1)
  if (hidden <= 0) return [...boxes, ...nodes.map((_, place) => nodeBox(place))]
  for (let place = 0; place < head; place++) boxes.push(nodeBox(place))
  boxes.push({ title: '', rows: [], notes: [{ text: `${hidden} more`, mark: undefined }], leads: true })
  for (let place = head + hidden; place < nodes.length; place++) boxes.push(nodeBox(place))
  return boxes
}

function row(name: string, age: string, word: bigint, isPointer: boolean, mark: SlotMark | undefined): WordRow {
  const isEntry = !isPointer && (word !== 0n || name === 'entry')
  return {
    name,
    age,
    pointer: isPointer ? `→ ${hex(word)}` : word === 0n && name !== 'entry' ? '0' : undefined,
    entry: isEntry ? unpackEntry(word) : undefined,
    isTagged: (word & 1n) === 1n,
    mark,
  }
}

/** Widths that all boxes of a picture share, so that columns line up. */
interface Sizes {
  readonly lpid: number
  readonly gpa: number
  readonly box: number
}

function sizesOf(boxes: readonly Box[]): Sizes {
  const rows = boxes.flatMap((box) => box.rows)
  const widest = (texts: readonly string[]): number => Math.max(0, ...texts.map((of) => of.length)) * CHARACTER + 14
  const lpid = Math.max(widest(rows.map(({ entry }) => String(entry?.lpid ?? ''))), 36)
  const pointer = Math.max(
    widest(rows.map((of) => of.pointer ?? '')) + 8,
    widest(boxes.map((box) => box.title)) - GUTTER,
  )
  const gpa = Math.max(
    widest(rows.map(({ entry }) => (entry === undefined ? '' : hex(entry.gpa)))),
    pointer - lpid - TAG,
    50,
  )
  return { lpid, gpa, box: GUTTER + lpid + gpa + TAG }
}

/** Draws the boxes of one slot in rows, and the arrows between them. */
function drawChain(
  boxes: readonly Box[],
  columns: number,
  sizes: Sizes,
  top: number,
  theme: SvgTheme,
): { markup: string; end: number } {
  const parts: string[] = []
  const pitch = sizes.box + GAP
  let y = top
  for (let first = 0; first < boxes.length; first += columns) {
    const inRow = boxes.slice(first, first + columns)
    const words = Math.max(...inRow.map(({ rows }) => rows.length))
    const notes = Math.max(...inRow.map((box) => box.rows.length * ROW + box.notes.length * NOTE))
    const height = TITLE + Math.max(words * ROW, notes)
    const middle = y + TITLE + ROW / 2
    inRow.forEach((box, i) => {
      const x = MARGIN + i * pitch
      parts.push(drawBox(box, x, y, sizes, theme))
      if (!box.leads) return
      const from = x + sizes.box - (box.rows.length === 0 ? 20 : 8)
      const target = boxes[first + i + 1]
      if (target === undefined) parts.push(brokenArrow(from, middle, x + sizes.box + GAP - 10, theme))
      else if (i < inRow.length - 1) {
        const to = x + pitch + (target.rows.length === 0 ? 20 : 0)
        parts.push(arrow(`M${round(from)} ${round(middle)}H${round(to - 7)}`, to, middle, theme))
      } else {
        const below = y + height + SPACE / 2
        const next = y + height + SPACE + TITLE + ROW / 2
        const right = x + sizes.box + 12
        const to = MARGIN + (target.rows.length === 0 ? 20 : 0)
        const path = `M${round(from)} ${round(middle)}H${round(right)}V${round(below)}H${10}V${round(next)}H${round(to - 7)}`
        parts.push(arrow(path, to, next, theme))
      }
    })
    y += height + SPACE
  }
  return { markup: parts.join(''), end: y - SPACE }
}

function drawBox(box: Box, x: number, y: number, sizes: Sizes, theme: SvgTheme): string {
  const top = y + TITLE
  if (box.rows.length === 0) {
    return (
      tag('rect', {
        x: x + 20,
        y: top,
        width: sizes.box - 40,
        height: ROW,
        rx: 6,
        class: classes(theme, 'frame', 'box', 'dashed'),
      }) + text(x + sizes.box / 2, top + 18, `… ${box.notes[0]!.text} …`, theme, 'note', 'dim', 'middle')
    )
  }
  const height = box.rows.length * ROW
  const marked = box.rows.map(({ mark }, i) =>
    mark === undefined
      ? ''
      : tag('rect', {
          x: x - 1,
          y: top + i * ROW - 1,
          width: sizes.box + 2,
          height: ROW + 2,
          rx: 4,
          class: classes(theme, 'mark', `${mark}-line`, ...(mark === 'stale' ? (['dashed'] as const) : [])),
        }),
  )
  return [
    text(
      x,
      y + 11,
      box.title,
      theme,
      box.title.startsWith('node') ? 'name' : 'title',
      box.title.startsWith('node') ? 'dim' : 'ink',
    ),
    ...box.rows.map((of, i) => drawWord(of, x, top + i * ROW, sizes, theme)),
    tag('rect', { x, y: top, width: sizes.box, height, rx: 3, class: classes(theme, 'frame', 'box') }),
    ...marked,
    ...box.notes.map(({ text: said, mark }, i) =>
      text(x, top + height + 12 + i * NOTE, said, theme, 'note', mark === undefined ? 'dim' : `${mark}-text`),
    ),
  ].join('')
}

/** One word: its name, and its fields: a pointer, or LPID, gpa and tag. */
function drawWord(of: WordRow, x: number, y: number, sizes: Sizes, theme: SvgTheme): string {
  const { name, age, pointer, entry } = of
  const cell = (left: number, width: number, fill: StyleName): string =>
    tag('rect', { x: left, y, width, height: ROW, class: classes(theme, fill) })
  const rule = (at: number): string =>
    tag('path', { d: `M${round(at)} ${round(y)}v${ROW}`, class: classes(theme, 'split', 'rule') })
  const field = (left: number, width: number, fill: StyleName, label: string, value: string): string =>
    cell(left, width, fill) +
    text(left + width / 2, y + 10, label, theme, 'label', 'dim', 'middle') +
    text(left + width / 2, y + 23, value, theme, 'word', 'ink', 'middle') +
    rule(left)
  const parts = [
    cell(x, GUTTER, 'cell'),
    text(x + 5, y + (age === '' ? 18 : 11), name, theme, 'label', 'dim'),
    ...(age === '' ? [] : [text(x + 5, y + 23, age, theme, 'label', 'ink', 'start', 'strong')]),
  ]
  const left = x + GUTTER
  if (entry !== undefined) {
    parts.push(
      field(left, sizes.lpid, 'lpid', 'LPID', String(entry.lpid)),
      field(left + sizes.lpid, sizes.gpa, 'gpa', 'gpa', hex(entry.gpa)),
      field(left + sizes.lpid + sizes.gpa, TAG, of.isTagged ? 'tag' : 'zero', 'tag', of.isTagged ? '1' : '0'),
    )
  } else {
    const width = sizes.box - GUTTER
    parts.push(cell(left, width, 'back'), text(left + 8, y + 18, pointer!, theme, 'word', 'ink'), rule(left))
    if (pointer !== '0') {
      parts.push(tag('circle', { cx: x + sizes.box - 8, cy: y + ROW / 2, r: 3, class: classes(theme, 'ink') }))
    }
  }
  if (name === 'entry') {
    parts.push(
      tag('path', { d: `M${round(x)} ${round(y)}H${round(x + sizes.box)}`, class: classes(theme, 'split', 'box') }),
    )
  }
  return parts.join('')
}

function arrow(path: string, x: number, y: number, theme: SvgTheme): string {
  const head = `M${round(x)} ${round(y)}l-8 -4v8z`
  return (
    tag('path', { d: path, class: classes(theme, 'line', 'arrow'), 'stroke-linejoin': 'round' }) +
    tag('path', { d: head, class: classes(theme, 'ink') })
  )
}

/** An arrow to a place where there is no node that can be read: a flaw says why. */
function brokenArrow(from: number, y: number, to: number, theme: SvgTheme): string {
  const d = `M${round(from)} ${round(y)}H${round(to)}m-5 -5l10 10m0 -10l-10 10`
  return tag('path', { d, class: classes(theme, 'line', 'cleared-line') })
}

function text(
  x: number,
  y: number,
  content: string,
  theme: SvgTheme,
  shape: StyleName,
  colour: StyleName,
  anchor: 'start' | 'middle' = 'start',
  ...more: readonly StyleName[]
): string {
  const placed = anchor === 'start' ? { x, y } : { x, y, 'text-anchor': anchor }
  return tag('text', { ...placed, class: classes(theme, shape, colour, ...more) }, escapeXml(content))
}

function nameOf({ gfn, address }: Slot): string {
  return gfn === undefined ? `slot ${hex(address ?? 0n)}` : `gfn ${hex(gfn)}`
}

function titleOf(slots: readonly Slot[]): string {
  const [slot] = slots
  if (slots.length !== 1) return count(slots.length, 'rmap slot')
  const { word, entries } = slot!
  const form =
    word === 0n
      ? 'no entry'
      : (word & 1n) === 1n
        ? 'one entry'
        : `a list of ${count(entries.length, 'entry', 'entries')}`
  return `rmap slot of ${nameOf(slot!)}: ${form}`
}

/** The picture in words, as far as it is drawn. */
function description(slot: Slot, most: number, { mark, remark }: Required<SlotLook>): string {
  const { word, nodes, entries } = slot
  if (word === 0n) return `${nameOf(slot)}: the word is 0, no entry.`
  const said = entries.map(({ lpid, gpa }, place) => {
    const where =
      nodes[place] === undefined
        ? nodes.length === 0
          ? 'in the word, tag 1'
          : "in the last node's next, tag 1"
        : `node ${hex(nodes[place].address)}`
    const more = remark(place) || (mark(place) ?? '')
    return `${formatEntry({ lpid, gpa })} (${where}${more === '' ? '' : `, ${more}`})`
  })
  const hidden = nodes.length - (most - 1)
  const head = Math.ceil((most - 1) / 2)
  if (hidden > 0) said.splice(head, hidden, `${hidden} more`)
  return `${nameOf(slot)}, newest first: ${said.join('; ')}.`
}

function checkSlot(name: string, slot: Slot): Slot {
  const { word, nodes, entries, flaws } = checkObject(name, slot)
  if (typeof word !== 'bigint') throw wrongType(`${name}.word`, 'a BigInt', word)
  for (const [of, list] of [
    ['nodes', nodes],
    ['entries', entries],
    ['flaws', flaws],
  ] as const) {
    if (!Array.isArray(list)) throw wrongType(`${name}.${of}`, 'an array', list)
  }
  return slot
}
