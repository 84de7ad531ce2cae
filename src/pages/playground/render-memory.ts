/// <reference lib="dom" />
/** Draws L1's memory: a button for each gfn, with its number of entries and whether the host maps it. */
import type { Gfn } from '../../index'
import { count } from '../../view/format'
import { byId, make } from '../shared/dom'
import { hex, LEAF_SIZES } from '../shared/text'
import { MEMORY_BYTES } from './ops'
import { leafAt, slotAt, type StateView } from './view'

/** How many rows of gfns are always shown; of the rows below only those that are not empty. */
const ALWAYS = 4

/** Draws the memory. */
export class MemoryGrid {
  /** Called with the gfn that the reader chose. */
  onChoose: (gfn: Gfn) => void = () => {}

  readonly #grid = byId('grid')
  #buttons: HTMLButtonElement[] = []
  #focused = 0 // index of the button that the Tab key goes to

  constructor() {
    this.#grid.addEventListener('keydown', (event) => this.#onKey(event))
  }

  /** Shows a state. */
  render(view: StateView, changed: ReadonlySet<Gfn>, chosen: Gfn | undefined, pageShift: number): void {
    const npages = MEMORY_BYTES / 2 ** pageShift
    const columns = matchMedia('(max-width: 40rem)').matches ? 8 : 16
    const hadFocus = this.#grid.contains(document.activeElement)
    const lengths = new Map(view.slots.map(({ gfn, entries }) => [gfn!, entries.length]))
    const parts: HTMLElement[] = []
    this.#buttons = []
    let hidden = 0
    const tellHidden = (): void => {
      if (hidden > 0) parts.push(make('span', `${hidden} more gfns, without entries`, { class: 'label more' }))
      hidden = 0
    }
    for (let first = 0; first < npages; first += columns) {
      const gfns = Array.from({ length: columns }, (_, i) => first + i)
      const isBusy = gfns.some(
        (gfn) => lengths.has(gfn) || gfn === chosen || changed.has(gfn) || startsLeaf(view, gfn, pageShift),
      )
      if (first >= ALWAYS * columns && !isBusy && npages > 64) {
        hidden += columns
        continue
      }
      tellHidden()
      parts.push(make('span', hex(first), { class: 'label' }))
      for (const gfn of gfns) parts.push(this.#button(gfn, lengths.get(gfn) ?? 0, view, changed, chosen, pageShift))
    }
    tellHidden()
    this.#grid.replaceChildren(...parts)
    const place = this.#buttons.findIndex(({ dataset }) => Number(dataset.gfn) === chosen)
    this.#focused = Math.min(place < 0 ? this.#focused : place, this.#buttons.length - 1)
    this.#buttons[this.#focused]!.tabIndex = 0
    if (hadFocus) this.#buttons[this.#focused]!.focus()
    byId('gfn-text').textContent =
      chosen === undefined
        ? 'Number: entries in the rmap slot. Framed: the host maps the page. Select a gfn to see its list.'
        : describe(view, chosen, pageShift)
  }

  #button(
    gfn: Gfn,
    length: number,
    view: StateView,
    changed: ReadonlySet<Gfn>,
    chosen: Gfn | undefined,
    pageShift: number,
  ): HTMLElement {
    const isMapped = leafAt(view.host, gfn * 2 ** pageShift) !== undefined
    const names = [
      isMapped ? 'host' : '',
      length === 1 ? 'one' : length > 1 ? 'many' : '',
      changed.has(gfn) ? 'changed' : '',
    ]
    const button = make('button', length === 0 ? '' : String(length), {
      type: 'button',
      class: names.filter((name) => name !== '').join(' '),
      'data-gfn': gfn,
      'aria-pressed': String(gfn === chosen),
      'aria-label': `gfn ${hex(gfn)}: ${length === 0 ? 'no entry' : count(length, 'entry', 'entries')}${isMapped ? ', mapped by the host' : ''}`,
      title: describe(view, gfn, pageShift),
      tabindex: -1,
    })
    const place = this.#buttons.length
    button.addEventListener('click', () => {
      this.#focused = place
      this.onChoose(gfn)
    })
    this.#buttons.push(button)
    return button
  }

  #onKey(event: KeyboardEvent): void {
    const columns = matchMedia('(max-width: 40rem)').matches ? 8 : 16
    const by = { ArrowRight: 1, ArrowLeft: -1, ArrowDown: columns, ArrowUp: -columns }[event.key]
    if (by === undefined || event.ctrlKey || event.metaKey || event.altKey) return
    event.preventDefault()
    event.stopPropagation()
    const to = Math.min(Math.max(this.#focused + by, 0), this.#buttons.length - 1)
    this.#buttons[this.#focused]!.tabIndex = -1
    this.#focused = to
    this.#buttons[to]!.tabIndex = 0
    this.#buttons[to]!.focus()
  }
}

function startsLeaf(view: StateView, gfn: Gfn, pageShift: number): boolean {
  return view.host.some(({ from }) => from === gfn * 2 ** pageShift)
}

/** Describes a gfn in a sentence. */
function describe(view: StateView, gfn: Gfn, pageShift: number): string {
  const length = slotAt(view, gfn)?.entries.length ?? 0
  const host = leafAt(view.host, gfn * 2 ** pageShift)
  const slot = length === 0 ? 'its rmap slot is 0' : `its rmap slot holds ${count(length, 'entry', 'entries')}`
  const bits =
    host === undefined
      ? []
      : [(host.flags & 0x100) === 0 ? '' : 'referenced', (host.flags & 0x80) === 0 ? '' : 'changed']
  const mapped =
    host === undefined
      ? 'the host does not map it'
      : `the host maps it to hpa ${hex(host.to + gfn * 2 ** pageShift - host.from)} (${[LEAF_SIZES[host.shift], ...bits.filter((bit) => bit !== '')].join(', ')})`
  return `gfn ${hex(gfn)}, gpa ${hex(gfn * 2 ** pageShift)}: ${slot}; ${mapped}.`
}
