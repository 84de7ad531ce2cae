/// <reference lib="dom" />
/** Finds a step by gfn, LPID or line. */
import { byId } from '../shared/dom'
import { hex } from '../shared/text'
import type { Place } from './describe'
import type { History } from './history'

/** The search field. */
export class Search {
  readonly #history: History
  readonly #places: readonly Place[]
  readonly #jumpTo: (index: number) => void
  readonly #kind = byId<HTMLSelectElement>('search-kind')
  readonly #text = byId<HTMLInputElement>('search-text')

  /** @param jumpTo shows a step and scrolls to it */
  constructor(history: History, places: readonly Place[], jumpTo: (index: number) => void) {
    this.#history = history
    this.#places = places
    this.#jumpTo = jumpTo
    byId('search').addEventListener('submit', (event) => {
      event.preventDefault()
      this.find(1)
    })
    byId('previous').addEventListener('click', () => this.find(-1))
  }

  /** Puts the cursor into the field. */
  select(): void {
    this.#text.select()
  }

  /** Finds the next step of a gfn. */
  findGfn(gfn: number): void {
    this.#kind.value = 'gfn'
    this.#text.value = hex(gfn)
    this.find(1)
  }

  /** Goes to the next or previous step that matches the field. */
  find(direction: 1 | -1): void {
    const text = this.#text.value.trim()
    const wanted = /^(0x[0-9a-f]+|[0-9]+)$/i.test(text) ? Number(text) : NaN
    const found = byId('found')
    found.textContent = ''
    if (Number.isNaN(wanted)) {
      found.textContent = text === '' ? '' : 'Enter a number, in hex (0x...) or decimal.'
      return
    }
    const kind = this.#kind.value
    const { steps, position, effects } = this.#history
    if (kind === 'line') return this.#jumpTo(stepAtLine(this.#history, wanted))
    const slots = new Set([...this.#places.keys()].filter((slot) => this.#places[slot]!.gfn === wanted))
    const matches = (index: number): boolean =>
      kind === 'lpid' ? this.#history.concernsLpid(index, wanted) : effects[index]!.some(({ slot }) => slots.has(slot))
    for (let index = position + direction; index >= 0 && index < steps.length; index += direction) {
      if (matches(index)) return this.#jumpTo(index)
    }
    const where = direction === 1 ? 'after' : 'before'
    found.textContent = `No step ${where} this one with ${kind === 'lpid' ? `LPID ${wanted}` : `gfn ${hex(wanted)}`}.`
  }
}

/** The first step at a line or after it; the last one if there is none. */
export function stepAtLine({ steps }: History, line: number): number {
  let low = 0
  let high = steps.length - 1
  while (low < high) {
    const middle = (low + high) >> 1
    if (steps[middle]!.line < line) low = middle + 1
    else high = middle
  }
  return low
}
