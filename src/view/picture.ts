/**
 * Slots and lists as text, drawn like spec 3 but downwards, so that real words fit a terminal:
 *
 *     gfn 0x1  [ 0x0010000000010001 ]  LPID 1  gpa 0x10000  the only one
 *     gfn 0x2  [ -> 0x20            ]                              3 entries
 *       --> node 0x20 { next -> 0x10,               0x003...0000 } LPID 3  gpa 0x30000  newest
 *       --> node 0x10 { next = 0x0010000000010001,  0x002...0000 } LPID 2  gpa 0x20000
 *           ^ that next, its tag off                               LPID 1  gpa 0x10000  oldest
 *
 * Where this does not fit the width, a node has two lines. Long lists are shortened in the middle.
 */
import { checkFunction, checkInteger, checkObject } from '../base/args'
import type { Gfn } from '../base/units'
import { hex, hexWord } from '../base/word'
import type { Entry } from '../rmap/entry'
import type { Memslot } from '../rmap/memslot'
import type { VmMemslot } from '../vm/vm-memslot'
import { count, formatEntry } from './format'
import { formatSummary, slotsOf, summarize, type Slot } from './slot'

/** How to draw. */
export interface PictureOptions {
  /** Columns that a line may have, at least 40; 100 by default. Lines with a flaw's sentence may be longer. */
  readonly width?: number
  /** Most entries of one list to draw, at least 2; 8 by default. The others are counted, in the middle. */
  readonly entries?: number
  /** Something to say of an entry, by its place in the list: it is put beside it. */
  readonly remark?: (place: number) => string
}

/** A line in columns: words, more words (which may go on a line of their own), what they say, a remark. */
type Row = readonly [words: string, more: string, reading: string, remark: string]

/**
 * Draws one slot, without a line end after the last line. Cost: the entries drawn.
 *
 * @throws RangeError, TypeError
 */
export function drawSlot(slot: Slot, options: PictureOptions = {}): string {
  return drawAlike([{ slot, options }])[0]!
}

/** @internal Draws slots to be compared: the nodes of all have two lines where those of one must. */
export function drawAlike(pictures: readonly { readonly slot: Slot; readonly options: PictureOptions }[]): string[] {
  const tables = pictures.map(({ slot, options }) => {
    const { width, entries: most, remark } = checkOptions(options)
    const rows = rowsOf(checkObject('slot', slot), most, remark)
    const columns = [0, 1, 2, 3].map((column) => Math.max(...rows.map((row) => row[column]!.length)))
    const alone = Math.max(...rows.map(([words, more]) => (more === '' ? words.length : 0))) // words without more
    const hasMore = columns[1]! > 0
    const left = hasMore ? Math.max(columns[0]! + 1 + columns[1]!, alone) : alone
    const fits = !hasMore || left + 2 + columns[2]! + 2 + columns[3]! <= width
    return { rows, columns, left, fits, flaws: slot.flaws, most }
  })
  const broken = tables.some(({ fits }) => !fits)
  return tables.map(({ rows, columns, left, flaws, most }) => {
    const lines = rows.flatMap(([words, more, reading, remark]) => {
      const said = `  ${reading.padEnd(columns[2]!)}  ${remark}`
      if (!broken) return `${more === '' ? words : `${words.padEnd(columns[0]!)} ${more}`}`.padEnd(left) + said
      return more === '' ? words + said : [words, `        ${more}${said}`]
    })
    for (const { message } of flaws.slice(0, most)) lines.push(`  !! ${message}`)
    if (flaws.length > most) lines.push(`  !! ... ${flaws.length - most} more ...`)
    return lines.map((line) => line.trimEnd()).join('\n')
  })
}

/**
 * Draws slots of a memslot under a line that sums them up.
 *
 * @param options.gfns which ones; all that are not empty by default
 * @param options.slots most of them to draw, 64 by default: the others are counted at the end
 * @throws RangeError, TypeError
 */
export function drawMemslot(
  memslot: Memslot | VmMemslot,
  options: PictureOptions & { readonly gfns?: Iterable<Gfn>; readonly slots?: number } = {},
): string {
  const { gfns, slots: most = 64 } = checkObject('options', options)
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
  return [title, ...drawn].join('\n')
}

/** The options with their defaults, each read once. */
function checkOptions(options: PictureOptions): Required<PictureOptions> {
  const { width = 100, entries = 8, remark = () => '' } = checkObject('options', options)
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
    `${title}  [ ${cell.padEnd(18)} ]`,
    '',
    reading,
    join(remarks),
  ]
  if (word === 0n) return [slot('0', 'no entry')]
  if ((word & 1n) === 1n) return [slot(hexWord(word), formatEntry(entries[0]!), 'the only one', remarkOn(0))]

  const row = (entry: Entry, place: number): Row => {
    const node = nodes[place]
    const remark = join([place === 0 ? 'newest' : node === undefined ? 'oldest' : '', remarkOn(place)])
    if (node === undefined) return ['      ^ that next, its tag off', '', formatEntry(entry), remark]
    const next = node.next !== 0n && (node.next & 1n) === 0n ? `-> ${hex(node.next)}` : `= ${hexWord(node.next)}`
    return [`  --> node ${hex(node.address)} { next ${next},`, `${hexWord(node.entry)} }`, formatEntry(entry), remark]
  }
  const left = Math.max(entries.length - most, 0)
  const head = Math.ceil(Math.min(most, entries.length) / 2)
  return [
    slot(`-> ${hex(word)}`, count(entries.length, 'entry', 'entries'), flaws.length > 0 ? 'flawed' : ''),
    ...entries.slice(0, head).map(row),
    ...(left > 0 ? [[`  ... ${left} more ...`, '', '', ''] as const] : []),
    ...entries.slice(head + left).map((entry, i) => row(entry, head + left + i)),
  ]
}

function join(remarks: readonly string[]): string {
  return remarks.filter((remark) => remark !== '').join(', ')
}
