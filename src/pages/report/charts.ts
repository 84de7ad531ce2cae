/// <reference lib="dom" />
/** The charts of a report, as SVG: the number of entries over the recording, and rmap slots by their number of entries. */
import { make, makeTable } from '../shared/dom'
import { number } from '../shared/text'
import type { Point } from './timeline'

const HEIGHT = 180
const LEFT = 62
const BOTTOM = 34
const TOP = 24

/** The curve of the number of entries, with a cursor at the current step. */
export class TimelineChart {
  /** Called with the line that was clicked. */
  onLine: (line: number) => void = () => {}

  readonly #frame: HTMLElement
  readonly #points: readonly Point[]
  readonly #lines: number
  readonly #kept: readonly [first: number, last: number]
  readonly #ticks: readonly number[]
  #cursor: SVGElement | undefined
  #line = 0

  /** @param kept lines of the first and the last step of the report @param ticks lines with differences */
  constructor(
    frame: HTMLElement,
    points: readonly Point[],
    lines: number,
    kept: readonly [number, number],
    ticks: readonly number[],
  ) {
    this.#frame = frame
    this.#points = points
    this.#lines = Math.max(lines, 1)
    this.#kept = kept
    this.#ticks = ticks
    new ResizeObserver(() => this.draw()).observe(frame)
  }

  /** Moves the cursor. */
  show(line: number): void {
    this.#line = line
    this.#cursor?.setAttribute('transform', `translate(${this.#x(line)} 0)`)
  }

  draw(): void {
    const width = this.#frame.clientWidth
    if (width === 0) return
    const most = Math.max(...this.#points.map(([, entries]) => entries), 1)
    const y = (entries: number): number => TOP + (HEIGHT - TOP - BOTTOM) * (1 - entries / most)
    // A point is the maximum of a part of the recording, so the curve has steps, not slopes.
    const path = this.#points.map(([line, entries]) => `V${y(entries).toFixed(1)}H${this.#x(line).toFixed(1)}`).join('')
    const line = `M${LEFT} ${y(0).toFixed(1)}${path}`
    const root = svg('svg', {
      viewBox: `0 0 ${width} ${HEIGHT}`,
      role: 'img',
      'aria-label': `Entries over the recording: ${most} at most, ${this.#points.at(-1)?.[1] ?? 0} at the end`,
    })
    root.append(
      ...axes(
        width,
        HEIGHT,
        most,
        y,
        'entries',
        'line of the recording',
        [1, this.#lines].map((at) => [this.#x(at), number(at)]),
      ),
    )
    root.append(
      svg('path', { class: 'area', d: `${line}V${y(0).toFixed(1)}Z` }),
      svg('path', { class: 'curve', d: line }),
    )
    const [first, last] = this.#kept.map((at) => this.#x(at)) as [number, number]
    const outside = (from: number, to: number): SVGElement =>
      svg('rect', { class: 'outside', x: from, y: TOP, width: Math.max(to - from, 0), height: HEIGHT - TOP - BOTTOM })
    if (this.#kept[0] > 0.01 * this.#lines) root.append(outside(LEFT, first))
    if (this.#kept[1] < 0.99 * this.#lines) root.append(outside(last, this.#x(this.#lines)))
    for (const tick of this.#ticks)
      root.append(svg('line', { class: 'tick', x1: this.#x(tick), x2: this.#x(tick), y1: TOP, y2: TOP + 8 }))
    this.#cursor = svg('line', { class: 'cursor', x1: 0, x2: 0, y1: TOP, y2: HEIGHT - BOTTOM })
    root.append(this.#cursor)
    root.addEventListener('click', (event) => {
      const x = event.clientX - root.getBoundingClientRect().left
      this.onLine(Math.round(((x - LEFT) / (width - LEFT - 12)) * this.#lines))
    })
    this.#frame.replaceChildren(root)
    this.show(this.#line)
  }

  #x(line: number): number {
    return LEFT + (this.#frame.clientWidth - LEFT - 12) * Math.min(Math.max(line / this.#lines, 0), 1)
  }
}

type Lengths = readonly (readonly [entries: number, slots: number])[]

/** The series of the histogram: CSS class, and the text of the legend. */
const SERIES = [
  ['now', 'at this step'],
  ['end', 'at the end'],
  ['peak', 'at their maximum'],
] as const

/** A histogram of rmap slots by their number of entries: at the current step, at the end, and ever. Long lists share bars. */
export class LengthsChart {
  readonly #frame: HTMLElement
  readonly #each: number // lengths that share a bar
  readonly #bars: number
  readonly #end: number[]
  readonly #peaks: number[]
  #now: number[] = []

  constructor(frame: HTMLElement, end: Lengths, peaks: Lengths) {
    this.#frame = frame
    const longest = Math.max(...peaks.map(([entries]) => entries), 1)
    this.#each = Math.ceil(longest / 24)
    this.#bars = Math.ceil(longest / this.#each)
    this.#end = this.#sum(end)
    this.#peaks = this.#sum(peaks)
    new ResizeObserver(() => this.#draw()).observe(frame)
  }

  /** Shows the lengths at a step. */
  show(now: Lengths): void {
    this.#now = this.#sum(now)
    this.#draw()
  }

  #sum(lengths: Lengths): number[] {
    const slots = new Array<number>(this.#bars).fill(0)
    for (const [entries, count] of lengths) slots[Math.floor((entries - 1) / this.#each)]! += count
    return slots
  }

  #range(bar: number): string {
    return this.#each === 1 ? `${bar + 1}` : `${bar * this.#each + 1}-${(bar + 1) * this.#each}`
  }

  #draw(): void {
    const width = this.#frame.clientWidth
    if (width === 0) return
    const series = [this.#now, this.#end, this.#peaks]
    const most = Math.max(...series.flat(), 1)
    const y = (slots: number): number => TOP + (HEIGHT - TOP - BOTTOM) * (1 - slots / most)
    const pitch = Math.min((width - LEFT - 12) / this.#bars, 90)
    const every = Math.ceil((this.#range(this.#bars - 1).length * 8 + 6) / pitch)
    const marks = [...Array(this.#bars).keys()]
      .filter((bar) => bar % every === 0)
      .map((bar) => [LEFT + (bar + 0.5) * pitch, this.#range(bar)] as const)
    const root = svg('svg', {
      viewBox: `0 0 ${width} ${HEIGHT}`,
      role: 'img',
      'aria-label': 'Rmap slots by their number of entries; the table below has the numbers',
    })
    root.append(...axes(width, HEIGHT, most, y, 'rmap slots', 'entries in an rmap slot', marks))
    series.forEach((slots, which) =>
      slots.forEach((count, bar) => {
        if (count === 0) return
        const rect = svg('rect', {
          class: SERIES[which]![0],
          x: LEFT + bar * pitch + pitch * (0.05 + 0.3 * which),
          width: pitch * 0.28,
          y: y(count),
          height: y(0) - y(count),
        })
        const title = svg('title', {})
        title.textContent = `${this.#range(bar)} entries: ${count} rmap slots ${SERIES[which]![1]}`
        rect.append(title)
        root.append(rect)
      }),
    )
    const isOpen = this.#frame.querySelector('details')?.open === true
    const table = this.#table(series)
    table.open = isOpen
    this.#frame.replaceChildren(legend(), root, table)
  }

  #table(series: readonly (readonly number[])[]): HTMLDetailsElement {
    const rows = [...Array(this.#bars).keys()]
      .filter((bar) => series.some((slots) => slots[bar]! > 0))
      .map((bar) =>
        make('tr', [
          make('th', this.#range(bar), { scope: 'row' }),
          ...series.map((slots) => make('td', number(slots[bar] ?? 0))),
        ]),
      )
    return make('details', [
      make('summary', 'As a table'),
      makeTable('Rmap slots by their number of entries', ['entries', ...SERIES.map(([, text]) => text)], rows),
    ])
  }
}

function legend(): HTMLElement {
  return make(
    'p',
    SERIES.map(([name, text]) => make('span', [make('i', '', { class: `swatch ${name}` }), `rmap slots ${text}`])),
    { class: 'hint legend' },
  )
}

function axes(
  width: number,
  height: number,
  most: number,
  y: (value: number) => number,
  up: string,
  along: string,
  marks: readonly (readonly [x: number, text: string])[],
): SVGElement[] {
  const elements: SVGElement[] = []
  const text = (x: number, at: number, content: string, anchor: string): void => {
    const element = svg('text', { x, y: at, 'text-anchor': anchor })
    element.textContent = content
    elements.push(element)
  }
  for (const value of new Set([0, Math.round(most / 2), most])) {
    elements.push(svg('line', { class: 'axis', x1: LEFT, x2: width - 12, y1: y(value), y2: y(value) }))
    text(LEFT - 6, y(value) + 4, number(value), 'end')
  }
  for (const [x, content] of marks) {
    // a label at an edge must stay inside
    const half = content.length * 3.5
    text(x, height - BOTTOM + 16, content, x - half < LEFT ? 'start' : x + half > width ? 'end' : 'middle')
  }
  text((LEFT + width) / 2, height - 3, along, 'middle')
  text(2, 12, up, 'start')
  return elements
}

function svg(name: string, attributes: Record<string, string | number>): SVGElement {
  const element = document.createElementNS('http://www.w3.org/2000/svg', name)
  for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, String(value))
  return element
}
