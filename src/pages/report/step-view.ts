/// <reference lib="dom" />
/** Draws a step of a report: its rmap slots as pictures and as text, and the shadow leaves that it cleared. */
import { drawSlot, slotSvg } from '../../view/index'
import { byId, innerWidthOf, make, makeTable, svgElement } from '../shared/dom'
import { hex, number } from '../shared/text'
import { clearedLeaves, picturesOf, placeText, type Picture, type Place } from './describe'
import type { History } from './history'

/** Most rmap slots, entries of a list, and shadow leaves that are drawn. */
const MOST_SLOTS = 8
const MOST_ENTRIES = 24
const MOST_LEAVES = 200

/** Draws a step. */
export function renderPictures(history: History, index: number, places: readonly Place[]): void {
  const frame = byId('pictures')
  const width = Math.floor(innerWidthOf(frame))
  const parts: HTMLElement[] = picturesOf(history, index, places, MOST_SLOTS).flatMap((picture) => [
    make('h3', picture.title),
    make('div', [svgElement(slotSvg(picture.slot, { ...picture.look, width, entries: MOST_ENTRIES }))], {
      class: 'picture',
    }),
    asText(picture),
  ])
  const more = history.effects[index]!.length - MOST_SLOTS
  if (more > 0) parts.push(make('h3', `${number(more)} more rmap slots`))
  const cleared = clearedLeaves(history, index, places)
  if (cleared.length > 0) {
    const rows = cleared
      .slice(0, MOST_LEAVES)
      .map(({ lpid, gpa, place }) =>
        make('tr', [make('th', String(lpid), { scope: 'row' }), make('td', hex(gpa)), make('td', placeText(place))]),
      )
    const table = makeTable('Shadow leaves cleared', ['LPID', 'nested gpa', 'entry in the rmap slot of'], rows)
    const rest = cleared.length - MOST_LEAVES
    parts.push(
      make('details', [
        make('summary', `Shadow leaves cleared: ${number(cleared.length)}`),
        make('div', rest > 0 ? [table, make('p', `${number(rest)} more`)] : [table], { class: 'scroll' }),
      ]),
    )
  }
  frame.replaceChildren(...parts)
}

/** A picture as text, for copying. */
function asText({ title, slot, look }: Picture): HTMLElement {
  const remark = look.remark ?? ((place: number) => look.mark?.(place) ?? '')
  const text = drawSlot(slot, { width: 120, entries: MOST_ENTRIES, remark })
  return make('details', [make('summary', 'As text'), make('pre', text, { tabindex: 0, 'aria-label': title })])
}
