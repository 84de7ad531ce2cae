/// <reference lib="dom" />
/**
 * The map of a report: a square for each rmap slot, in rows of 32 gfns, coloured by its number of entries at the current
 * step. Rows without a slot of the recording are omitted: a line shows where.
 */
import { count } from '../../view/format'
import { placeText, type Place } from './describe'
import type { Cell } from './history'

const COLUMNS = 32
const LABEL = 84
/** Most rows drawn, and the height in pixels that every browser allows a canvas. */
const MOST_ROWS = 4096
const MOST_PIXELS = 16384

/** Colours by the number of entries: each up to `most`. They are visible on light and on dark backgrounds. */
const COLOURS: readonly (readonly [most: number, colour: string, text: string])[] = [
  [0, '', 'empty now'],
  [1, '#3b8eea', 'single'],
  [3, '#2fb380', '2-3'],
  [7, '#a8c023', '4-7'],
  [15, '#f0a020', '8-15'],
  [63, '#e4572e', '16-63'],
  [255, '#c2185b', '64-255'],
  [Infinity, '#7b2fbf', '256 and more'],
]

export class SlotMap {
  /** Called with the slot that the reader chose. */
  onChoose: (slot: number) => void = () => {}

  readonly #canvas: HTMLCanvasElement
  readonly #text: HTMLElement
  readonly #places: readonly Place[]
  readonly #rows: { readonly first: number; readonly slots: (number | undefined)[] }[] = []
  readonly #label: string
  readonly #order: number[] = [] // slots in the order of the map
  readonly #where = new Map<number, readonly [row: number, column: number]>()
  #heads: readonly (Cell | undefined)[] = []
  #marked: ReadonlySet<number> = new Set()
  #size = 10
  #at = -1 // position in #order of the slot with the keyboard focus
  #wanted = false

  /** How many slots are not on the map. */
  readonly hidden: number

  constructor(canvas: HTMLCanvasElement, text: HTMLElement, legend: HTMLElement, places: readonly Place[]) {
    this.#canvas = canvas
    this.#text = text
    this.#places = places
    // If the recording does not tell the gfns, slots are in the order of their addresses.
    const byGfn = places.every(({ gfn }) => gfn !== undefined)
    const start = places.reduce((least, { address }) => (address < least ? address : least), places[0]?.address ?? 0n)
    const key = ({ gfn, address }: Place): number => (byGfn ? gfn! : Number((address - start) / 8n))
    this.#label = byGfn ? '0x' : '+0x'
    const sorted = [...places.keys()].sort((a, b) => key(places[a]!) - key(places[b]!))
    let rowKey = -1
    for (const slot of sorted) {
      const at = key(places[slot]!)
      const row = Math.floor(at / COLUMNS)
      if (row !== rowKey) {
        if (this.#rows.length === MOST_ROWS) break
        this.#rows.push({ first: row * COLUMNS, slots: [] })
        rowKey = row
      }
      this.#rows.at(-1)!.slots[at % COLUMNS] = slot
      this.#where.set(slot, [this.#rows.length - 1, at % COLUMNS])
      this.#order.push(slot)
    }
    this.hidden = places.length - this.#order.length
    legend.replaceChildren(
      ...COLOURS.map(([, colour, name]) => {
        const item = document.createElement('span')
        const box = document.createElement('i')
        box.style.background = colour || 'var(--empty)'
        item.append(box, name)
        return item
      }),
    )
    canvas.setAttribute('aria-label', `Map of ${count(places.length, 'rmap slot')}`)
    canvas.addEventListener('pointermove', (event) => this.#tell(this.#slotAt(event)))
    canvas.addEventListener('click', (event) => {
      const slot = this.#slotAt(event)
      if (slot === undefined) return
      this.#at = this.#order.indexOf(slot)
      this.onChoose(slot)
    })
    canvas.addEventListener('focus', () => this.draw())
    canvas.addEventListener('blur', () => this.draw())
    canvas.addEventListener('keydown', (event) => this.#onKey(event))
    matchMedia('(prefers-color-scheme: dark)').addEventListener('change', () => this.draw())
  }

  /** The size of a square, in pixels, with which the map fills a width. */
  fitting(width: number): number {
    return Math.min(Math.max(Math.floor((width - LABEL) / COLUMNS), 6), 18)
  }

  /** Shows the slots at a step. @param marked the slots that the step concerns: they are framed */
  show(heads: readonly (Cell | undefined)[], marked: ReadonlySet<number>): void {
    this.#heads = heads
    this.#marked = marked
    this.draw()
  }

  /** Sets the size of a square, in pixels. */
  zoom(size: number): void {
    this.#size = size
    this.draw()
  }

  /** Draws once before the browser's next frame. */
  draw(): void {
    if (this.#wanted) return
    this.#wanted = true
    requestAnimationFrame(() => {
      this.#wanted = false
      this.#paint()
    })
  }

  #paint(): void {
    const rows = this.#rows.length
    const size = Math.max(Math.min(this.#size, Math.floor(MOST_PIXELS / Math.max(rows, 1))), 2)
    const width = LABEL + COLUMNS * size
    const height = Math.max(rows * size, 1) + 2
    const scale = Math.max(Math.min(devicePixelRatio, MOST_PIXELS / height), 1)
    this.#canvas.width = width * scale
    this.#canvas.height = height * scale
    this.#canvas.style.width = `${width}px`
    this.#canvas.style.height = `${height}px`
    const to = this.#canvas.getContext('2d')!
    const style = getComputedStyle(document.documentElement)
    const [empty, fore, dim, second] = ['--empty', '--fore', '--dim', '--second'].map((name) =>
      style.getPropertyValue(name).trim(),
    ) as [string, string, string, string]
    to.scale(scale, scale)
    to.textBaseline = 'middle'
    const labelEach = Math.ceil(13 / size)
    const gap = size > 4 ? 1 : 0
    const afterGap = this.#rows.map(({ first }, row) => row > 0 && first !== this.#rows[row - 1]!.first + COLUMNS)
    let room = 0 // the first row that has room for a label
    this.#rows.forEach(({ first, slots }, row) => {
      to.fillStyle = dim
      if (afterGap[row]) to.fillRect(0, row * size, width, 1)
      // A row after a gap must have a label, so the rows just before it have none.
      if (row >= room && (afterGap[row] || !afterGap.slice(row + 1, row + labelEach).includes(true))) {
        room = row + labelEach
        to.font = '11px ui-monospace, monospace'
        to.fillText(`${this.#label}${first.toString(16)}`.slice(0, 12), 2, Math.max(row * size + size / 2 + 1, 6))
      }
      slots.forEach((slot, column) => {
        if (slot === undefined) return
        const length = this.#heads[slot]?.length ?? 0
        to.fillStyle = colourOf(length) || empty
        to.fillRect(LABEL + column * size, row * size + 1, size - gap, size - gap)
        if (size >= 16 && length > 0) {
          to.fillStyle = length < 64 ? '#000' : '#fff' // the colours get darker
          to.font = `${Math.floor(size * 0.5)}px ui-monospace, monospace`
          to.fillText(String(length).slice(0, 3), LABEL + column * size + 2, row * size + size / 2 + 1, size - 4)
        }
      })
    })
    const frame = (slot: number, colour: string): void => {
      const place = this.#where.get(slot)
      if (place === undefined) return
      to.strokeStyle = colour
      to.lineWidth = 2
      to.strokeRect(LABEL + place[1] * size - 1, place[0] * size, size - gap + 2, size - gap + 2)
    }
    for (const slot of this.#marked) frame(slot, fore)
    if (document.activeElement === this.#canvas && this.#at >= 0) frame(this.#order[this.#at]!, second)
  }

  #slotAt(event: MouseEvent): number | undefined {
    const box = this.#canvas.getBoundingClientRect()
    const size = (box.width - LABEL) / COLUMNS
    const row = this.#rows[Math.floor((event.clientY - box.top - 1) / size)]
    return row?.slots[Math.floor((event.clientX - box.left - LABEL) / size)]
  }

  #onKey(event: KeyboardEvent): void {
    const moves: Record<string, () => number> = {
      ArrowRight: () => this.#at + 1,
      ArrowLeft: () => this.#at - 1,
      ArrowDown: () => this.#rowStep(1),
      ArrowUp: () => this.#rowStep(-1),
      Home: () => 0,
      End: () => this.#order.length - 1,
    }
    if (event.key === 'Enter' && this.#at >= 0) this.onChoose(this.#order[this.#at]!)
    else if (moves[event.key] === undefined || event.ctrlKey || event.metaKey || event.altKey) return
    else {
      this.#at = Math.min(Math.max(moves[event.key]!(), 0), this.#order.length - 1)
      this.#tell(this.#order[this.#at])
      this.draw()
    }
    event.preventDefault()
    event.stopPropagation()
  }

  /** The position in #order of the nearest slot in the row above or below. */
  #rowStep(by: 1 | -1): number {
    const here = this.#where.get(this.#order[this.#at] ?? -1)
    if (here === undefined) return 0
    const slots = this.#rows[here[0] + by]?.slots
    if (slots === undefined) return this.#at
    const columns = [...slots.keys()].filter((column) => slots[column] !== undefined)
    columns.sort((a, b) => Math.abs(a - here[1]) - Math.abs(b - here[1]))
    return this.#order.indexOf(slots[columns[0]!]!)
  }

  #tell(slot: number | undefined): void {
    if (slot === undefined) return
    const length = this.#heads[slot]?.length ?? 0
    this.#text.textContent = `${placeText(this.#places[slot]!)}: ${length === 0 ? 'empty now' : count(length, 'entry', 'entries')}`
  }
}

function colourOf(length: number): string {
  return COLOURS.find(([most]) => length <= most)![1]
}
