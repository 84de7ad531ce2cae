/// <reference lib="dom" />
/** Writes the explanation of the current step, and the list of all steps. */
import { byId, make } from '../shared/dom'
import { explain } from './explain'
import type { History } from './history'
import type { Preset } from './presets'
import { titleOf } from './title'

/** Writes the explanation of the current step. */
export function renderStep(history: History, preset: Preset | undefined): void {
  const { position, steps, settings } = history
  const frame = byId('explanation')
  byId('position').textContent = `step ${position} of ${steps.length}`
  const heading = (text: string): HTMLElement => make('h2', text, { id: 'step-title' })
  const intro = preset === undefined ? [] : [make('p', preset.what, { class: 'note' })]
  if (position === 0) {
    frame.replaceChildren(
      heading(preset?.title ?? 'An L1 with 4 MiB of memory'),
      ...(preset === undefined
        ? [make('p', 'Add a nested guest, map a page for it, and let it read or write the page. Or choose a preset.')]
        : intro),
    )
    return
  }
  const { title, text, outcome, counts, spec } = explain(
    steps[position - 1]!,
    history.viewAt(position - 1),
    settings.pageShift,
  )
  const chips = make(
    'ul',
    [
      make('li', outcome, { class: 'outcome' }),
      ...counts.map((count) => make('li', count)),
      ...spec.map((section) =>
        make('li', `spec ${section}`, { title: `src/SPEC.md, section ${section}: ${SECTIONS[section] ?? ''}` }),
      ),
    ],
    { class: 'chips', 'aria-label': 'Outcome, counts, specification' },
  )
  const note = preset?.notes[position]
  frame.replaceChildren(
    heading(title),
    make('p', text),
    chips,
    ...(note === undefined ? (position <= (preset?.prepared ?? 0) ? intro : []) : [make('p', note, { class: 'note' })]),
  )
}

/** The titles of the specification's sections. */
const SECTIONS: Readonly<Record<number, string>> = {
  1: 'Terms',
  3: 'The rmap slot and its list',
  5: 'A nested fault',
  6: 'The host takes a page away',
  7: 'mmuSeq and the race it closes',
  8: 'L1 takes a mapping away: tlbie',
  9: 'The life of a nested guest',
  10: 'The life of a memslot',
}

/** Writes the list of steps. @param goTo called with the number of the step that the reader chose, from 1 */
export function renderHistory(history: History, goTo: (position: number) => void): void {
  const list = byId('steps')
  list.replaceChildren(
    ...history.steps.map(({ op, refusal }, i) => {
      const button = make('button', titleOf(op, history.viewAt(i)), { type: 'button' })
      button.addEventListener('click', () => goTo(i + 1))
      const state = refusal !== undefined ? 'refused' : i >= history.position ? 'undone' : undefined
      return make('li', [button], { class: state, 'aria-current': i + 1 === history.position ? 'step' : undefined })
    }),
  )
  const current = list.querySelector<HTMLElement>('[aria-current]')
  if (current !== null) list.scrollTop = current.offsetTop - list.offsetTop - list.clientHeight / 2
  else list.scrollTop = 0
}
