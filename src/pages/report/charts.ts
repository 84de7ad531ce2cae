/// <reference lib="dom" />
/** The two charts of a report, as SVG: entries over the recording, and how many slots hold how many entries. */
import type { Point } from './timeline'

const HEIGHT = 180
const LEFT = 62
const BOTTOM = 34
const TOP = 24

/** The curve of the entries, with a cursor at the step shown. */
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

  /** @param kept the lines of the first and the last step of the report @param ticks lines with differences */
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
    const path = this.#points.map(([line, entries]) => `L${this.#x(line).toFixed(1)} ${y(entries).toFixed(1)}`).join('')
    const line = `M${LEFT} ${y(0)}${path}`
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
      svg('path', { class: 'area', d: `${line}L${this.#x(this.#points.at(-1)?.[0] ?? 0)} ${y(0)}Z` }),
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

/** Draws slots by how many entries they hold: now, and at most ever. Long lists share bars. */
export function drawHistogram(frame: HTMLElement, now: Lengths, peaks: Lengths): void {
  const longest = Math.max(...peaks.map(([entries]) => entries), 1)
  const each = Math.ceil(longest / 24)
  const bars = Math.ceil(longest / each)
  const sum = (lengths: Lengths): number[] => {
    const slots = new Array<number>(bars).fill(0)
    for (const [entries, count] of lengths) slots[Math.floor((entries - 1) / each)]! += count
    return slots
  }
  const series = [sum(now), sum(peaks)] as const
  const range = (bar: number): string => (each === 1 ? `${bar + 1}` : `${bar * each + 1}-${(bar + 1) * each}`)
  const draw = (): void => {
    const width = frame.clientWidth
    if (width === 0) return
    const most = Math.max(...series.flat(), 1)
    const y = (slots: number): number => TOP + (HEIGHT - TOP - BOTTOM) * (1 - slots / most)
    const step = (width - LEFT - 12) / bars
    const every = Math.ceil((range(bars - 1).length * 8 + 6) / step)
    const marks = [...Array(bars).keys()]
      .filter((bar) => bar % every === 0)
      .map((bar) => [LEFT + (bar + 0.5) * step, range(bar)] as const)
    const root = svg('svg', {
      viewBox: `0 0 ${width} ${HEIGHT}`,
      role: 'img',
      'aria-label': 'Slots by the length of their list; the table below has the numbers',
    })
    root.append(...axes(width, HEIGHT, most, y, 'slots', 'entries in a slot', marks))
    series.forEach((slots, which) =>
      slots.forEach((count, bar) => {
        if (count === 0) return
        const rect = svg('rect', {
          class: which === 0 ? 'now' : 'peak',
          x: LEFT + bar * step + step * (which === 0 ? 0.1 : 0.5),
          width: step * 0.4,
          y: y(count),
          height: y(0) - y(count),
        })
        const title = svg('title', {})
        title.textContent = `${range(bar)} entries: ${count} slots ${which === 0 ? 'at the end' : 'at most, ever'}`
        rect.append(title)
        root.append(rect)
      }),
    )
    frame.replaceChildren(root, legend(), table())
  }
  const legend = (): HTMLElement => {
    const element = document.createElement('p')
    element.className = 'hint'
    element.innerHTML =
      '<svg width="12" height="12" style="display:inline;width:12px" aria-hidden="true"><rect class="now" width="12" height="12"/></svg> at the end ' +
      '&nbsp; <svg width="12" height="12" style="display:inline;width:12px" aria-hidden="true"><rect class="peak" width="12" height="12"/></svg> the most that each slot ever held'
    return element
  }
  const table = (): HTMLElement => {
    const details = document.createElement('details')
    const rows = [...Array(bars).keys()]
      .filter((bar) => series.some((slots) => slots[bar]! > 0))
      .map((bar) => `<tr><td>${range(bar)}</td><td>${series[0][bar]}</td><td>${series[1][bar]}</td></tr>`)
    details.innerHTML = `<summary>As a table</summary><table><thead><tr><th>entries</th><th>slots at the end</th><th>slots at their most</th></tr></thead><tbody>${rows.join('')}</tbody></table>`
    return details
  }
  new ResizeObserver(draw).observe(frame)
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
    // a text at an edge stays inside
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

function number(value: number): string {
  return value.toLocaleString('en-US')
}
