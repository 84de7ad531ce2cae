/**
 * Rmap slots and lists as text: the pictures of spec 3, but with the nodes below each other to fit a terminal:
 *
 *     gfn 0x1  [ 0x0010000000010001 ]  LPID 1  gpa 0x10000  the only one
 *     gfn 0x2  [ -> 0x20            ]                              3 entries
 *       --> node 0x20 { next -> 0x10,               0x003...0000 } LPID 3  gpa 0x30000  newest
 *       --> node 0x10 { next = 0x0010000000010001,  0x002...0000 } LPID 2  gpa 0x20000
 *           ^ that next, its tag off                               LPID 1  gpa 0x10000  oldest
 *
 * If this is too wide, a node has two lines. If that is too wide as well, lines are broken between words. Long lists
 * are shortened in the middle.
 */
import { checkFunction, checkInteger, checkObject, checkOptionNames } from '../base/args'
import type { Gfn } from '../base/units'
import { hex, hexWord } from '../base/word'
import type { Entry } from '../rmap/entry'
import type { Memslot } from '../rmap/memslot'
import type { VmMemslot } from '../vm/vm-memslot'
import { count, formatEntry } from './format'
import { formatSummary, slotsOf, summarize, type Slot } from './slot'

/** Options of {@link drawSlot}. */
export interface PictureOptions {
  /** Most columns of a line: an integer in 40..2^20, 80 by default. */
  readonly width?: number
  /** Most entries of one list to draw: an integer in 2..2^30, 8 by default. The others are counted, in the middle. */
  readonly entries?: number
  /** A remark on an entry, by its place in the list (0 is the newest): written beside it. None by default. */
  readonly remark?: (place: number) => string
}

const OPTIONS = ['width', 'entries', 'remark'] as const

/** A line in columns: words in pieces, more words (which may be on their own line), their reading, a remark. */
type Row = readonly [words: readonly string[], more: string, reading: string, remark: string]

/** How rows become lines: one line each; two lines for a node; or lines broken to fit the width. */
type Layout = 'one' | 'two' | 'broken'

/**
 * Draws one rmap slot (spec 3), without a line end after the last line. Cost: the entries drawn.
 *
 * @throws RangeError, TypeError
 */
export function drawSlot(slot: Slot, options: PictureOptions = {}): string {
  return drawAlike([{ slot, options }])[0]!
}

/** @internal Draws slots for comparison: all have the layout that the widest needs. */
export function drawAlike(pictures: readonly { readonly slot: Slot; readonly options: PictureOptions }[]): string[] {
  const tables = pictures.map(({ slot, options }) => {
    const { width, entries: most, remark } = checkOptions(checkOptionNames('options', options, OPTIONS))
    const rows = rowsOf(checkObject('slot', slot), most, remark)
    return { rows, width, layouts: layoutsFor(rows, width), flaws: slot.flaws, most }
  })
  const layout: Layout = tables.every(({ layouts }) => layouts.one)
    ? 'one'
    : tables.every(({ layouts }) => layouts.two)
      ? 'two'
      : 'broken'
  return tables.map(({ rows, width, flaws, most }) => {
    const lines = linesOf(rows, layout, width)
    for (const { message } of flaws.slice(0, most)) lines.push(...wrap(`  !! ${message}`, width, 5))
    if (flaws.length > most) lines.push(`  !! ... ${flaws.length - most} more ...`)
    return lines.map((line) => line.trimEnd()).join('\n')
  })
}

const wordsOf = ([words]: Row): string => words.join('')
const widest = (texts: readonly string[]): number => Math.max(0, ...texts.map(({ length }) => length))

/** The widths of the columns: the words, everything left of the reading, the reading. */
function columnsOf(rows: readonly Row[]): { words: number; left: number; reading: number } {
  const nodes = rows.filter(([, more]) => more !== '')
  const words = widest(nodes.map(wordsOf))
  const alone = widest(rows.filter(([, more]) => more === '').map(wordsOf))
  const left = nodes.length === 0 ? alone : Math.max(words + 1 + widest(nodes.map(([, more]) => more)), alone)
  return { words, left, reading: widest(rows.map(([, , reading]) => reading)) }
}

/** Which layouts fit a width. */
function layoutsFor(rows: readonly Row[], width: number): { one: boolean; two: boolean } {
  const one = linesOf(rows, 'one', width)
  const two = linesOf(rows, 'two', width)
  return { one: widest(one) <= width, two: widest(two) <= width }
}

function linesOf(rows: readonly Row[], layout: Layout, width: number): string[] {
  const columns = columnsOf(rows)
  return rows.flatMap((row) => {
    const [words, more, reading, remark] = row
    if (layout === 'broken') {
      const pieces = [...words]
      if (more !== '') pieces.push(` ${more}`)
      if (reading !== '') pieces.push(`  ${reading}`)
      if (remark !== '') pieces.push(...`  ${remark}`.split(WORDS))
      return fill(pieces, width, 8)
    }
    const said = `  ${reading.padEnd(columns.reading)}  ${remark}`
    if (layout === 'one') {
      const left = more === '' ? wordsOf(row) : `${wordsOf(row).padEnd(columns.words)} ${more}`
      return [(left.padEnd(columns.left) + said).trimEnd()]
    }
    return more === '' ? [(wordsOf(row) + said).trimEnd()] : [wordsOf(row), `        ${more}${said}`.trimEnd()]
  })
}

/** Where text may be broken: before a space that follows a word. */
const WORDS = /(?<=\S)(?= )/

/** @internal Text broken between words into lines of at most `width`; lines after the first are indented. */
export function wrap(text: string, width: number, indent: number): string[] {
  return fill(text.split(WORDS), width, indent)
}

/** Joins pieces to lines of at most `width`, all but the first indented. Only a piece that is too wide is broken. */
function fill(pieces: readonly string[], width: number, indent: number): string[] {
  const lines = ['']
  for (const piece of pieces) {
    if (lines.at(-1)!.length + piece.length <= width) {
      lines[lines.length - 1] += piece
      continue
    }
    let rest = piece.trimStart()
    if (lines.at(-1) === '') lines.pop()
    do {
      lines.push(' '.repeat(indent) + rest.slice(0, width - indent))
      rest = rest.slice(width - indent)
    } while (rest !== '')
  }
  return lines
}

/** Options of {@link drawMemslot}. */
export interface MemslotPictureOptions extends PictureOptions {
  /** The gfns whose slots are drawn; by default all slots that are not empty. */
  readonly gfns?: Iterable<Gfn>
  /** Most slots to draw: an integer in 1..2^30, 64 by default. The others are counted at the end. */
  readonly slots?: number
}

/**
 * Draws rmap slots of a memslot, below a line with the memslot's totals. Cost: the slots of the memslot.
 *
 * @throws RangeError, TypeError
 */
export function drawMemslot(memslot: Memslot | VmMemslot, options: MemslotPictureOptions = {}): string {
  const { gfns, slots: most = 64 } = checkOptionNames('options', options, [...OPTIONS, 'gfns', 'slots'])
  checkInteger('slots', most, 1, 2 ** 30)
  const picture = checkOptions(options)
  const drawn: string[] = []
  let left = 0
  for (const slot of slotsOf(memslot, gfns)) {
    if (drawn.length < most) drawn.push(drawSlot(slot, picture))
    else left++
  }
  if (left > 0) drawn.push(`... ${count(left, 'slot')} more ...`)
  const { baseGfn, npages } = memslot
  const title = `memslot gfn ${hex(baseGfn)}..${hex(baseGfn + npages - 1)}: ${formatSummary(summarize(slotsOf(memslot)))}`
  return [...wrap(title, picture.width, 2), ...drawn].join('\n')
}

/** Checks the options, and sets the defaults. */
function checkOptions({ width = 80, entries = 8, remark = () => '' }: PictureOptions): Required<PictureOptions> {
  checkInteger('width', width, 40, 2 ** 20)
  checkInteger('entries', entries, 2, 2 ** 30)
  return { width, entries, remark: checkFunction('remark', remark) }
}

function rowsOf(
  { gfn, address, word, nodes, entries, flaws }: Slot,
  most: number,
  remarkOn: (place: number) => string,
): Row[] {
  const title = gfn === undefined ? `slot ${hex(address ?? 0n)}` : `gfn ${hex(gfn)}`
  const slot = (cell: string, reading: string, ...remarks: string[]): Row => [
    [title, `  [ ${cell.padEnd(18)} ]`],
    '',
    reading,
    join(remarks),
  ]
  if (word === 0n) return [slot('0', 'no entry')]
  if ((word & 1n) === 1n) return [slot(hexWord(word), formatEntry(entries[0]!), 'the only one', remarkOn(0))]

  const row = (entry: Entry, place: number): Row => {
    const node = nodes[place]
    const remark = join([place === 0 ? 'newest' : node === undefined ? 'oldest' : '', remarkOn(place)])
    if (node === undefined) return [['      ^ that next, its tag off'], '', formatEntry(entry), remark]
    const next = node.next !== 0n && (node.next & 1n) === 0n ? `-> ${hex(node.next)}` : `= ${hexWord(node.next)}`
    const words = [`  --> node ${hex(node.address)}`, ` { next ${next},`]
    return [words, `${hexWord(node.entry)} }`, formatEntry(entry), remark]
  }
  const left = Math.max(entries.length - most, 0)
  const head = Math.ceil(Math.min(most, entries.length) / 2)
  return [
    slot(`-> ${hex(word)}`, count(entries.length, 'entry', 'entries'), flaws.length > 0 ? 'flawed' : ''),
    ...entries.slice(0, head).map(row),
    ...(left > 0 ? [[[`  ... ${left} more ...`], '', '', ''] as const] : []),
    ...entries.slice(head + left).map((entry, i) => row(entry, head + left + i)),
  ]
}

function join(remarks: readonly string[]): string {
  return remarks.filter((remark) => remark !== '').join(', ')
}
