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
 * The picture is text, made without a DOM, so that the library, the pages and the command line draw the same. This file
 * checks the options and builds the document; slot-svg-boxes.ts says what is in each box, slot-svg-draw.ts draws the
 * boxes.
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
import { count, formatEntry } from './format'
import { wrap } from './picture'
import type { Slot } from './slot'
import { boxesOf, leftOut, nameOf, type SlotLook } from './slot-svg-boxes'
import { drawChain, GAP, MARGIN, NOTE, NOTE_CHARACTER, ROW, sizesOf, SPACE, text } from './slot-svg-draw'
import { classes, styleSheet, type SvgTheme } from './slot-svg-style'
import { escapeXml, round, tag } from './svg'

/** Options of a picture. */
export interface SvgOptions {
  /** Width for a row of boxes, in CSS pixels: an integer in 240..100000, 960 by default. One box always fits. */
  readonly width?: number
  /** Most entries of one list to draw: an integer in 3..2^30, 12 by default. The others are counted, in the middle. */
  readonly entries?: number
  /** Colours: `'auto'` (the default) follows the viewer's light or dark setting. */
  readonly theme?: SvgTheme
  /** The picture's accessible title; by default it names the slots. */
  readonly title?: string
}

/** Options of {@link slotSvg}. */
export interface SlotSvgOptions extends SvgOptions, SlotLook {}

/** Options of {@link slotsSvg}. */
export interface SlotsSvgOptions extends SvgOptions {
  /** What is highlighted in a slot, by its place among the given slots. */
  readonly look?: (place: number) => SlotLook
}

const LOOK = ['mark', 'remark', 'wordChanged'] as const
const OPTIONS = ['width', 'entries', 'theme', 'title'] as const

/**
 * Draws one rmap slot with its list (spec 3). Cost: the entries drawn.
 *
 * @returns an SVG document without an XML declaration, for a file, for `<img>`, or for the markup of a page. The text of
 *   the options is escaped
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

/** The flaws of a list, in lines that fit the width. */
function flawLines({ flaws }: Slot, most: number, width: number): string[] {
  const lines = flaws.slice(0, most).flatMap(({ message }) => wrap(message, Math.floor(width / NOTE_CHARACTER), 2))
  return flaws.length > most ? [...lines, count(flaws.length - most, 'more flaw')] : lines
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

/** The drawn content of a slot in words. */
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
  const { head, hidden } = leftOut(nodes.length, most)
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
