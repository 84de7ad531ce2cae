/// <reference lib="dom" />
/// <reference lib="dom.iterable" />
/** The script of a report: shows the data of the page, and reacts to the reader's input. */
import { count } from '../../view/format'
import { byId } from '../shared/dom'
import { openGlossary } from '../shared/glossary'
import { number } from '../shared/text'
import { LengthsChart, TimelineChart } from './charts'
import type { ReportData } from './data'
import { describeStep, type Place } from './describe'
import { otherSide, writeFigures, writeHeading } from './heading'
import { History } from './history'
import { Search, stepAtLine } from './search'
import { SlotMap } from './slot-map'
import { renderPictures } from './step-view'

const data = JSON.parse(byId('data').textContent!) as ReportData
const steps = new History(data.initial, data.steps)
const places = data.slots.map(([gfn, address]): Place => ({ gfn: gfn ?? undefined, address: BigInt(`0x${address}`) }))
const marks = new Map(data.marks)
const last = steps.steps.length - 1
const slider = byId<HTMLInputElement>('slider')
const stepInput = byId<HTMLInputElement>('step')
const zoom = byId<HTMLInputElement>('zoom')

const map = new SlotMap(byId('map') as HTMLCanvasElement, byId('map-text'), byId('legend'), places)
const timeline = new TimelineChart(
  byId('timeline'),
  data.entries,
  data.lines,
  [
    data.leftOut.before > 0 ? (steps.steps[0]?.line ?? 0) : 0,
    data.leftOut.after > 0 ? (steps.steps[last]?.line ?? 0) : data.lines,
  ],
  [...marks.keys()].slice(0, 500).map((step) => steps.steps[step]?.line ?? 0),
)
const lengths = new LengthsChart(byId('histogram'), data.lengths, data.peaks)
const search = new Search(steps, places, jumpTo)

writeHeading(data)
writeFigures(data, steps.steps, map.hidden)
openGlossary()
wire()
if (location.hash === '') goTo(firstToSee())
else jumpTo(stepOfAddress())

/** The step to show first: the first insert that creates a list, else the first insert. */
function firstToSee(): number {
  const first = (which: (index: number) => boolean): number => [...steps.steps.keys()].findIndex(which)
  const insert = (index: number): boolean => steps.steps[index]!.kind === 'insert'
  const list = first((index) => insert(index) && (steps.effects[index]![0]!.after?.length ?? 0) > 1)
  return Math.max(list >= 0 ? list : first(insert), 0)
}

function stepOfAddress(): number {
  return Number(/step=(\d+)/.exec(location.hash)?.[1] ?? 1) - 1
}

/** Shows a step and scrolls to it. */
function jumpTo(index: number): void {
  goTo(index)
  const { top } = byId('what').getBoundingClientRect()
  const { bottom } = byId('pictures').getBoundingClientRect()
  if (top < 0 || bottom > innerHeight) byId('stepper').scrollIntoView({ block: 'start' })
}

/** Shows a step. */
function goTo(index: number): void {
  const what = byId('what')
  if (last < 0) {
    what.textContent =
      'This recording has no step. Below are its figures, the curve of its entries and the list lengths.'
    for (const control of byId('stepper').querySelectorAll<HTMLButtonElement>('button, input, select')) {
      control.disabled = true
    }
    lengths.show([])
    return
  }
  const to = Math.min(Math.max(index, 0), last)
  steps.goTo(to)
  slider.value = stepInput.value = String(to + 1)
  const { line } = steps.steps[to]!
  const differences = marks.get(to)
  what.textContent =
    `Line ${number(line)}: ${describeStep(steps, to, places)}` +
    (differences === undefined
      ? ''
      : `. ${count(differences, 'difference')} between model and ${otherSide(data)} up to the next step`)
  what.classList.toggle('mark', differences !== undefined)
  renderPictures(steps, to, places)
  map.show(steps.heads, new Set(steps.effects[to]!.map(({ slot }) => slot)))
  timeline.show(line)
  lengths.show(steps.lengths())
  for (const [id, disabled] of [
    ['first', to === 0],
    ['back', to === 0],
    ['forward', to === last],
    ['last', to === last],
  ] as const) {
    byId<HTMLButtonElement>(id).disabled = disabled
  }
  try {
    history.replaceState(null, '', `#step=${to + 1}`)
  } catch {
    /* not allowed, for example in a sandboxed frame: the address stays as it is */
  }
}

function nextDifference(): void {
  const after = [...marks.keys()].sort((a, b) => a - b)
  const next = after.find((step) => step > steps.position) ?? after[0]
  if (next !== undefined) jumpTo(next)
}

function wire(): void {
  slider.max = stepInput.max = String(last + 1)
  byId('of').textContent = `of ${number(last + 1)}`
  const onClick = (id: string, act: () => void): void => byId(id).addEventListener('click', act)
  const by = (distance: number) => () => goTo(steps.position + distance)
  onClick('first', () => goTo(0))
  onClick('back', by(-1))
  onClick('forward', by(1))
  onClick('last', () => goTo(last))
  onClick('difference', nextDifference)
  onClick('longest', () => jumpTo(data.longest!.step))
  if (data.longest !== null) byId('longest').textContent = `Longest list (${number(data.longest.entries)})`
  byId<HTMLButtonElement>('longest').disabled = (data.longest?.step ?? -1) < 0
  byId<HTMLButtonElement>('difference').disabled = marks.size === 0
  slider.addEventListener('input', () => goTo(Number(slider.value) - 1))
  stepInput.addEventListener('change', () => goTo(Number(stepInput.value) - 1))
  timeline.onLine = (line) => goTo(stepAtLine(steps, line))
  map.onChoose = (slot) => {
    const { gfn } = places[slot]!
    if (gfn !== undefined) search.findGfn(gfn)
  }
  const setZoom = (size: number): void => {
    zoom.value = String(size)
    map.zoom(Number(zoom.value))
  }
  zoom.addEventListener('input', () => map.zoom(Number(zoom.value)))
  onClick('zoom-out', () => setZoom(Number(zoom.value) - 2))
  onClick('zoom-in', () => setZoom(Number(zoom.value) + 2))
  setZoom(map.fitting(byId('map-frame').clientWidth))
  addEventListener('hashchange', () => jumpTo(stepOfAddress()))
  let width = innerWidth
  addEventListener('resize', () => {
    if (innerWidth === width || last < 0) return
    width = innerWidth
    renderPictures(steps, steps.position, places)
    setZoom(map.fitting(byId('map-frame').clientWidth))
  })
  const keys: Record<string, () => void> = {
    ArrowLeft: by(-1),
    ArrowRight: by(1),
    PageUp: by(-100),
    PageDown: by(100),
    Home: () => goTo(0),
    End: () => goTo(last),
    l: () => byId('longest').click(),
    d: () => byId('difference').click(),
    n: () => search.find(1),
    p: () => search.find(-1),
    '+': () => setZoom(Number(zoom.value) + 2),
    '-': () => setZoom(Number(zoom.value) - 2),
    '/': () => search.select(),
  }
  document.addEventListener('keydown', (event) => {
    const { target, key } = event
    if (event.ctrlKey || event.metaKey || event.altKey || document.querySelector('dialog[open]') !== null) return
    if (target instanceof HTMLInputElement || target instanceof HTMLSelectElement) return
    const scrolls = target instanceof HTMLPreElement && target.scrollWidth > target.clientWidth
    if (scrolls && /^Arrow|^Page|^Home|^End/.test(key)) return
    const act = keys[key] ?? keys[key.toLowerCase()]
    if (act === undefined) return
    event.preventDefault()
    act()
  })
}
