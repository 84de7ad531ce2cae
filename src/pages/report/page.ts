/// <reference lib="dom" />
/** The script of a report's page: puts the data that the page carries into its frame, and follows the reader. */
import { hex } from '../../base/word'
import { TimelineChart, drawHistogram } from './charts'
import type { ReportData } from './collect'
import { clearedLeaves, describeStep, drawStep, placeText, type Place } from './describe'
import { History } from './history'
import { SlotMap } from './slot-map'

const MOST_LEAVES = 200

const data = JSON.parse(element('data').textContent!) as ReportData
const steps = new History(data.initial, data.steps)
const places = data.slots.map(([gfn, address]): Place => ({ gfn: gfn ?? undefined, address: BigInt(`0x${address}`) }))
const marks = new Map(data.marks)
const last = steps.steps.length - 1
const slider = element<HTMLInputElement>('slider')
const stepInput = element<HTMLInputElement>('step')
const searchKind = element<HTMLSelectElement>('search-kind')
const searchText = element<HTMLInputElement>('search-text')
const zoom = element<HTMLInputElement>('zoom')

const map = new SlotMap(element('map') as HTMLCanvasElement, element('map-text'), element('legend'), places)
const timeline = new TimelineChart(
  element('timeline'),
  data.entries,
  data.lines,
  [
    data.leftOut.before > 0 ? (steps.steps[0]?.line ?? 0) : 0,
    data.leftOut.after > 0 ? (steps.steps[last]?.line ?? 0) : data.lines,
  ],
  [...marks.keys()].slice(0, 500).map((step) => steps.steps[step]?.line ?? 0),
)

writeTotals()
drawHistogram(element('histogram'), data.lengths, data.peaks)
wire()
goTo(
  Number(
    /step=(\d+)/.exec(location.hash)?.[1] ??
      Math.max(
        steps.steps.findIndex(({ kind }) => kind === 'insert'),
        0,
      ) + 1,
  ) - 1,
)

/** Shows a step, and brings it into view: for who has not asked for it by the controls above it. */
function jumpTo(index: number): void {
  goTo(index)
  const { top } = element('what').getBoundingClientRect()
  if (top < 0 || top > innerHeight / 2) element('what').scrollIntoView({ block: 'start' })
}

/** Shows a step. */
function goTo(index: number): void {
  if (last < 0) {
    element('what').textContent = 'There is no step to show: only the figures, the curve and the lengths.'
    element('stepper')
      .querySelectorAll<HTMLButtonElement>('button, input, select')
      .forEach((control) => {
        control.disabled = true
      })
    return
  }
  const to = Math.min(Math.max(index, 0), last)
  steps.goTo(to)
  slider.value = stepInput.value = String(to + 1)
  const { line } = steps.steps[to]!
  const differences = marks.get(to)
  const what = element('what')
  what.textContent =
    `Line ${number(line)}: ${describeStep(steps, to, places)}` +
    (differences === undefined
      ? ''
      : `. ${differences} ${differences === 1 ? 'difference' : 'differences'} between model and kernel up to the next step`)
  what.classList.toggle('mark', differences !== undefined)
  drawPictures(to)
  map.show(steps.heads, new Set(steps.effects[to]!.map(({ slot }) => slot)))
  timeline.show(line)
  for (const [id, disabled] of [
    ['first', to === 0],
    ['back', to === 0],
    ['forward', to === last],
    ['last', to === last],
  ] as const) {
    element<HTMLButtonElement>(id).disabled = disabled
  }
  try {
    history.replaceState(null, '', `#step=${to + 1}`)
  } catch {
    /* a page of another origin may not: then the address stays */
  }
}

function drawPictures(index: number): void {
  const frame = element('pictures')
  const width = Math.max(Math.floor((frame.clientWidth - 24) / characterWidth()), 40)
  const parts: HTMLElement[] = []
  for (const { title, text } of drawStep(steps, index, places, { width, entries: 16 })) {
    parts.push(make('h3', title))
    if (text === '') continue
    const picture = make('pre', '')
    picture.tabIndex = 0
    picture.setAttribute('aria-label', title)
    text.split('\n').forEach((line, i) => {
      const part = make('span', `${i === 0 ? '' : '\n'}${line}`)
      part.className = line.endsWith('new')
        ? 'new'
        : line.endsWith('cleared')
          ? 'gone'
          : line.endsWith('found')
            ? 'same'
            : /stale: .*$/.test(line)
              ? 'stale'
              : ''
      picture.append(part)
    })
    parts.push(picture)
  }
  const cleared = clearedLeaves(steps, index, places)
  if (cleared.length > 0) {
    parts.push(make('h3', `Shadow leaves cleared: ${cleared.length}`))
    const table = make('table', '')
    table.append(row('th', ['LPID', 'nested gpa', 'entry was in']))
    for (const { lpid, gpa, place } of cleared.slice(0, MOST_LEAVES))
      table.append(row('td', [String(lpid), hex(gpa), placeText(place)]))
    if (cleared.length > MOST_LEAVES) table.append(row('td', [`... ${cleared.length - MOST_LEAVES} more ...`]))
    const scroll = make('div', '')
    scroll.className = 'scroll'
    scroll.append(table)
    parts.push(scroll)
  }
  frame.replaceChildren(...parts)
}

/** Goes to the next step, in a direction, that is about what the search field says. */
function find(direction: 1 | -1): void {
  const text = searchText.value.trim()
  const wanted = /^(0x[0-9a-f]+|[0-9]+)$/i.test(text) ? Number(text) : NaN
  const found = element('found')
  if (Number.isNaN(wanted)) {
    found.textContent = text === '' ? '' : 'A number, in hex (0x...) or decimal.'
    return
  }
  const kind = searchKind.value
  const slots = new Set([...places.keys()].filter((slot) => places[slot]!.gfn === wanted))
  const matches = (index: number): boolean =>
    kind === 'lpid'
      ? steps.concernsLpid(index, wanted)
      : kind === 'line'
        ? direction === 1
          ? steps.steps[index]!.line >= wanted
          : steps.steps[index]!.line <= wanted
        : steps.effects[index]!.some(({ slot }) => slots.has(slot))
  if (kind === 'line') {
    jumpTo(stepAtLine(wanted))
    found.textContent = ''
    return
  }
  for (let index = steps.position + direction; index >= 0 && index <= last; index += direction) {
    if (!matches(index)) continue
    jumpTo(index)
    found.textContent = ''
    return
  }
  found.textContent = `No step ${direction === 1 ? 'after' : 'before'} this one with ${kind === 'lpid' ? `LPID ${wanted}` : `gfn ${hex(wanted)}`}.`
}

/** The first step at a line or after it; the last one if there is none. */
function stepAtLine(line: number): number {
  let low = 0
  let high = last
  while (low < high) {
    const middle = (low + high) >> 1
    if (steps.steps[middle]!.line < line) low = middle + 1
    else high = middle
  }
  return low
}

function nextDifference(): void {
  const after = [...marks.keys()].sort((a, b) => a - b)
  const next = after.find((step) => step > steps.position) ?? after[0]
  if (next !== undefined) jumpTo(next)
}

function wire(): void {
  slider.max = stepInput.max = String(last + 1)
  element('of').textContent = `of ${number(last + 1)}`
  const onClick = (id: string, act: () => void): void => element(id).addEventListener('click', act)
  const by = (steps_: number) => () => goTo(steps.position + steps_)
  onClick('first', () => goTo(0))
  onClick('back', by(-1))
  onClick('forward', by(1))
  onClick('last', () => goTo(last))
  onClick('difference', nextDifference)
  onClick('previous', () => find(-1))
  const longest = (): void => jumpTo(data.longest!.step)
  onClick('longest', longest)
  if (data.longest !== null) element('longest').textContent = `Longest list (${number(data.longest.entries)})`
  element<HTMLButtonElement>('longest').disabled = (data.longest?.step ?? -1) < 0
  element<HTMLButtonElement>('difference').disabled = marks.size === 0
  slider.addEventListener('input', () => goTo(Number(slider.value) - 1))
  stepInput.addEventListener('change', () => goTo(Number(stepInput.value) - 1))
  element('search').addEventListener('submit', (event) => {
    event.preventDefault()
    find(1)
  })
  timeline.onLine = (line) => goTo(stepAtLine(line))
  map.onChoose = (slot) => {
    const { gfn } = places[slot]!
    if (gfn === undefined) return
    searchKind.value = 'gfn'
    searchText.value = hex(gfn)
    find(1)
  }
  const setZoom = (size: number): void => {
    zoom.value = String(size)
    map.zoom(Number(zoom.value))
  }
  zoom.addEventListener('input', () => map.zoom(Number(zoom.value)))
  onClick('zoom-out', () => setZoom(Number(zoom.value) - 2))
  onClick('zoom-in', () => setZoom(Number(zoom.value) + 2))
  setZoom(map.fitting(element('map-frame').clientWidth))
  addEventListener('hashchange', () => goTo(Number(/step=(\d+)/.exec(location.hash)?.[1] ?? 1) - 1))
  let width = innerWidth
  addEventListener('resize', () => {
    if (innerWidth === width) return
    width = innerWidth
    drawPictures(steps.position)
  })
  const keys: Record<string, () => void> = {
    ArrowLeft: by(-1),
    ArrowRight: by(1),
    PageUp: by(-100),
    PageDown: by(100),
    Home: () => goTo(0),
    End: () => goTo(last),
    l: () => element('longest').click(),
    d: () => element('difference').click(),
    n: () => find(1),
    p: () => find(-1),
    '+': () => setZoom(Number(zoom.value) + 2),
    '-': () => setZoom(Number(zoom.value) - 2),
    '/': () => searchText.select(),
  }
  document.addEventListener('keydown', (event) => {
    const { target, key } = event
    if (event.ctrlKey || event.metaKey || event.altKey) return
    if (target instanceof HTMLInputElement || target instanceof HTMLSelectElement) return
    if (
      target instanceof HTMLElement &&
      target.tagName === 'PRE' &&
      /^Arrow|^Page|^Home|^End/.test(key) &&
      target.scrollWidth > target.clientWidth
    )
      return
    const act = keys[key] ?? keys[key.toLowerCase()]
    if (act === undefined) return
    event.preventDefault()
    act()
  })
}

function writeTotals(): void {
  const { result, longest, leftOut } = data
  element('title').textContent = data.name
  document.title = `${data.name}: nested-rmap report`
  const verdict = element('verdict')
  verdict.textContent =
    result.differences === 0
      ? 'No difference: word for word, the model kept what the kernel kept.'
      : `${number(result.differences)} ${result.differences === 1 ? 'difference' : 'differences'} between model and kernel`
  verdict.className = result.differences === 0 ? 'good' : 'bad'
  const { inserts, stale, taken, slots } = result
  const totals: [string, string][] = [
    ['events', number(result.events)],
    ['inserts', number(inserts.empty + inserts.second + inserts.list + inserts.duplicate)],
    ['of them duplicates', number(inserts.duplicate)],
    ['entries compared', number(result.scanSteps)],
    ['ranges removed', number(result.ranges)],
    ['entries taken', number(taken.entries)],
    ['shadow leaves cleared', number(result.cleared)],
    ['stale entries met', number(stale.noGuest + stale.noLeaf + stale.otherFrame)],
    ['longest list', longest === null ? '0' : `${number(longest.entries)}, first at line ${number(longest.line)}`],
    ['nodes now / at most', `${number(result.nodes)} / ${number(result.peakNodes)}`],
    ['slots: empty, single, list', `${number(slots.empty)}, ${number(slots.single)}, ${number(slots.list)}`],
    ['guests (LPIDs)', number(result.lpids)],
  ]
  element('totals').replaceChildren(
    ...totals.map(([name, value]) => {
      const pair = make('div', '')
      pair.append(make('dt', name), make('dd', value))
      return pair
    }),
  )
  const notes = result.first.map(({ line, event, message }) => `line ${number(line)}, ${event}: ${message}`)
  if (result.differences > notes.length) notes.push(`${number(result.differences - notes.length)} differences more`)
  if (result.lost) notes.push('The recording says that events were lost.')
  if (leftOut.before > 0)
    notes.push(
      `Left out: ${number(leftOut.before)} steps before the first one here. The figures and the curve are of all.`,
    )
  if (leftOut.after > 0) {
    notes.push(
      `Left out: ${number(leftOut.after)} steps after line ${number(steps.steps[last]?.line ?? 0)}: there is a limit. The figures and the curve ` +
        'are of all; make a report with --from LINE to step through a later part.',
    )
  }
  if (leftOut.between > 0)
    notes.push(`Left out: ${number(leftOut.between)} steps that concern more slots than a report holds.`)
  if (map.hidden > 0) notes.push(`Not on the map: ${number(map.hidden)} slots.`)
  if (longest !== null && longest.step < 0)
    notes.push(
      `The moment of the longest list, line ${number(longest.line)}, is not among the steps: a report with --from ${longest.line} has it.`,
    )
  element('left-out').replaceChildren(...notes.map((note) => make('li', note)))
}

function characterWidth(): number {
  const probe = make('pre', '0'.repeat(100))
  probe.style.cssText = 'position:absolute;visibility:hidden;border:0;padding:0;width:max-content'
  document.body.append(probe)
  const width = probe.getBoundingClientRect().width / 100
  probe.remove()
  return width
}

function row(cell: 'td' | 'th', texts: readonly string[]): HTMLElement {
  const element = make('tr', '')
  element.append(...texts.map((text) => make(cell, text)))
  return element
}

function make(name: string, text: string): HTMLElement {
  const element = document.createElement(name)
  element.textContent = text
  return element
}

function element<T extends HTMLElement>(id: string): T {
  return document.getElementById(id) as T
}

function number(value: number): string {
  return value.toLocaleString('en-US')
}
