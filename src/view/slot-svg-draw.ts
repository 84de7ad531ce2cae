/**
 * Draws the boxes of slot-svg-boxes.ts: their sizes, their places in rows, and the arrows. All lengths are CSS pixels.
 */
import { hex } from '../base/word'
import type { Box, WordRow } from './slot-svg-boxes'
import { classes, type StyleName, type SvgTheme } from './slot-svg-style'
import { escapeXml, round, tag } from './svg'

const GUTTER = 47 // the width of the column with the names of the words
const TAG = 30
export const ROW = 28
const TITLE = 17
export const NOTE = 14
export const GAP = 30 // between boxes: the length of an arrow
export const MARGIN = 22 // left and right: space for the arrows to the next row of boxes
export const SPACE = 14 // between rows of boxes
const CHARACTER = 7.3 // the width of a character of a word
export const NOTE_CHARACTER = 6.6 // the width of a character of a note

/** The widths that all boxes of a picture have in common, so that columns are aligned. */
export interface Sizes {
  readonly lpid: number
  readonly gpa: number
  readonly box: number
}

/** The widths that fit the text of all boxes. */
export function sizesOf(boxes: readonly Box[]): Sizes {
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

/** Draws the boxes of one slot in rows, and the arrows between them. @returns the markup, and the y of its lower end */
export function drawChain(
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

/** Draws a word: its name, and its fields (a pointer, or LPID, gpa and tag). */
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

/** An arrow to a node that could not be read: a flaw of the slot says why. */
function brokenArrow(from: number, y: number, to: number, theme: SvgTheme): string {
  const d = `M${round(from)} ${round(y)}H${round(to)}m-5 -5l10 10m0 -10l-10 10`
  return tag('path', { d, class: classes(theme, 'line', 'cleared-line') })
}

/** Draws text at a point. */
export function text(
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
