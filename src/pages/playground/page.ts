/// <reference lib="dom" />
/** The script of the playground: shows the current step of a sequence, and reacts to the reader's input. */
import type { Gfn } from '../../index'
import { byId, make } from '../shared/dom'
import { openGlossary } from '../shared/glossary'
import { Controls } from './controls'
import { toTypeScript } from './export'
import { History } from './history'
import { decodeSequence, DEFAULT_SETTINGS, encodeSequence, type Sequence, type Settings } from './ops'
import { gfnsOf, picturesOf, type SlotPicture } from './pictures'
import { PRESETS, type Preset } from './presets'
import { pictureOf, renderLists } from './render-lists'
import { MemoryGrid } from './render-memory'
import { renderCounters, renderInvariants } from './render-state'
import { renderHistory, renderStep } from './render-step'
import { renderTables } from './render-tables'
import { copy, savePng, saveText, say } from './save'
import { titleOf } from './title'

const memory = new MemoryGrid()
const controls = new Controls()
const presetSelect = byId<HTMLSelectElement>('preset')

let play: History
let preset: Preset | undefined
let chosen: Gfn | undefined
let pictures: readonly SlotPicture[] = []

wire()
readAddress()

/** Shows the current step, and writes the sequence into the page's address. */
function render(): void {
  const { position, settings } = play
  const [before, after] = [play.viewAt(position - 1), play.view]
  const { pageShift } = settings
  pictures = picturesOf(play.steps[position - 1], before, after, pageShift, chosen)
  renderStep(play, preset)
  renderHistory(play, goTo)
  renderLists(pictures, chosen)
  memory.render(after, gfnsOf(pictures), chosen, pageShift)
  renderTables(before, after, pageShift, (lpid, gpa) => controls.take({ lpid, gpa }))
  renderInvariants(after)
  renderCounters(before, after)
  controls.render(after, pageShift)
  for (const [id, disabled] of [
    ['first', position === 0],
    ['undo', position === 0],
    ['redo', position === play.steps.length],
    ['last', position === play.steps.length],
  ] as const) {
    byId<HTMLButtonElement>(id).disabled = disabled
  }
  presetSelect.value = preset?.id ?? ''
  const input = (id: string): HTMLInputElement => byId<HTMLInputElement>(id)
  input('page-shift').value = String(pageShift)
  input('host-pages').value = settings.hostPages
  input('placement').value = settings.placement
  input('lpid-zero').checked = settings.allowLpidZero
  input('lpid').min = settings.allowLpidZero ? '0' : '1'
  const hash = `#${encodeSequence(play.sequence)}`
  try {
    if (location.hash !== hash) window.history.replaceState(null, '', hash)
  } catch {
    /* not allowed, for example in a sandboxed frame: the address stays as it is */
  }
}

function goTo(position: number): void {
  play.goTo(position)
  render()
}

/** Loads another sequence. @param from the preset that it comes from */
function load(sequence: Sequence, from: Preset | undefined): void {
  play = History.of(sequence)
  preset = from
  chosen = from?.gfn
  const op = play.steps.at(-1)?.op
  controls.take({
    lpid: op !== undefined && 'lpid' in op ? op.lpid : Math.max(play.view.guests[0]?.lpid ?? 1, 1),
    ...(op !== undefined && 'gpa' in op ? { gpa: op.gpa } : {}),
    ...(op !== undefined && 'gfn' in op ? { gfn: op.gfn } : {}),
  })
  render()
}

function loadPreset(of: Preset, position = of.prepared): void {
  load({ ...of.sequence, position }, of)
}

/** The preset with exactly this sequence. */
function presetOf(sequence: Sequence): Preset | undefined {
  const text = (of: Sequence): string => encodeSequence({ ...of, position: of.ops.length })
  return PRESETS.find((known) => text(known.sequence) === text(sequence))
}

function readAddress(): void {
  if (location.hash.length < 2) return loadPreset(PRESETS[0]!, PRESETS[0]!.sequence.ops.length)
  try {
    const sequence = decodeSequence(decodeURIComponent(location.hash.slice(1)))
    load(sequence, presetOf(sequence))
  } catch (error) {
    loadPreset(PRESETS[0]!)
    byId('refused').textContent = `The address does not contain a valid sequence: ${(error as Error).message}.`
  }
}

/** The name of a file of the current step. */
function fileName(extension: string): string {
  return `${preset?.id ?? 'nested-rmap'}-step-${play.position}.${extension}`
}

/** The picture of the current step, light or dark as on the screen: a file cannot follow the settings of its viewer. */
function picture(): string {
  const op = play.steps[play.position - 1]?.op
  const title = op === undefined ? 'Reverse map' : titleOf(op, play.viewAt(play.position - 1))
  return pictureOf(pictures, title, matchMedia('(prefers-color-scheme: dark)').matches ? 'dark' : 'light')
}

function wire(): void {
  const onClick = (id: string, act: () => void): void => byId(id).addEventListener('click', act)
  presetSelect.append(
    make('option', 'none', { value: '' }),
    ...PRESETS.map(({ id, title }) => make('option', title, { value: id })),
  )
  presetSelect.addEventListener('change', () => {
    const of = PRESETS.find(({ id }) => id === presetSelect.value)
    if (of !== undefined) loadPreset(of)
    else load({ settings: DEFAULT_SETTINGS, ops: [], position: 0 }, undefined)
  })
  onClick('clear', () => load({ settings: play.settings, ops: [], position: 0 }, undefined))
  onClick('first', () => goTo(0))
  onClick('undo', () => goTo(play.position - 1))
  onClick('redo', () => goTo(play.position + 1))
  onClick('last', () => goTo(play.steps.length))
  onClick('share', () => void copy(location.href, 'Address'))
  onClick('svg', () => saveText(fileName('svg'), 'image/svg+xml', picture()))
  onClick('png', () => void savePng(fileName('png'), picture()).catch((error: Error) => say(error.message)))
  const program = byId<HTMLTextAreaElement>('program-text')
  onClick('code', () => {
    program.value = toTypeScript(play.settings, play.steps.slice(0, play.position), preset?.title)
    byId<HTMLDialogElement>('program').showModal()
  })
  onClick('program-copy', () => void copy(program.value, 'Program'))
  onClick('program-save', () => saveText(fileName('ts'), 'text/plain', program.value))
  openGlossary()

  controls.onOp = (op) => {
    play.act(op)
    preset = presetOf(play.sequence)
    render()
  }
  memory.onChoose = (gfn) => {
    chosen = gfn
    controls.take({ gfn })
    render()
  }
  byId('settings').addEventListener('change', () => {
    const value = (id: string): string => byId<HTMLSelectElement>(id).value
    const settings: Settings = {
      pageShift: Number(value('page-shift')) as Settings['pageShift'],
      placement: value('placement') as Settings['placement'],
      hostPages: value('host-pages') as Settings['hostPages'],
      allowLpidZero: byId<HTMLInputElement>('lpid-zero').checked,
    }
    const sequence = { ...play.sequence, settings }
    load(sequence, presetOf(sequence))
  })
  addEventListener('hashchange', readAddress)
  let width = innerWidth
  addEventListener('resize', () => {
    if (innerWidth === width) return
    width = innerWidth
    render()
  })
  document.addEventListener('keydown', onKey)
}

function onKey(event: KeyboardEvent): void {
  const { target, key } = event
  const isField = target instanceof HTMLElement && /^(INPUT|SELECT|TEXTAREA)$/.test(target.tagName)
  if (isField || event.altKey || document.querySelector('dialog[open]') !== null) return
  const moves: Record<string, number> =
    event.ctrlKey || event.metaKey
      ? event.shiftKey
        ? { z: play.position + 1 }
        : { z: play.position - 1, y: play.position + 1 }
      : { ArrowLeft: play.position - 1, ArrowRight: play.position + 1, Home: 0, End: play.steps.length }
  const to = moves[key.length === 1 ? key.toLowerCase() : key]
  if (to === undefined) return
  event.preventDefault()
  goTo(to)
}
