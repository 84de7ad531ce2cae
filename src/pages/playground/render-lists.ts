/// <reference lib="dom" />
/** Draws the rmap slots with their lists, with the library's own pictures. */
import type { Gfn } from '../../index'
import { slotsSvg, slotSvg, type SvgTheme } from '../../view/index'
import { byId, innerWidthOf, make, svgElement } from '../shared/dom'
import { hex } from '../shared/text'
import type { SlotPicture } from './pictures'

/** Most rmap slots drawn at once. */
const MOST = 16

/** Draws the rmap slots. @param chosen the selected gfn: drawn even if there are too many slots */
export function renderLists(pictures: readonly SlotPicture[], chosen: Gfn | undefined): void {
  const frame = byId('pictures')
  const width = Math.floor(innerWidthOf(frame))
  const shown = [...pictures].sort((a, b) => rank(b, chosen) - rank(a, chosen)).slice(0, MOST)
  const parts = pictures
    .filter((picture) => shown.includes(picture))
    .map(({ slot, look, isTaken }) => {
      const picture = svgElement(slotSvg(slot, { ...look, width }))
      const caption = isTaken ? [make('figcaption', `gfn ${hex(slot.gfn!)} before the step; the walk emptied it:`)] : []
      return make('figure', [...caption, picture], { 'data-gfn': hex(slot.gfn!) })
    })
  if (pictures.length === 0)
    parts.push(make('figure', [make('p', 'All rmap slots are empty: every word is 0.', { class: 'hint' })]))
  if (pictures.length > MOST)
    parts.push(
      make('figure', [
        make('p', `${pictures.length - MOST} more rmap slots: select a gfn below to see its list.`, { class: 'hint' }),
      ]),
    )
  frame.replaceChildren(...parts)
}

/** The rmap slots of a step as one picture, for saving. */
export function pictureOf(pictures: readonly SlotPicture[], title: string, theme: SvgTheme): string {
  const shown = pictures.slice(0, MOST)
  const looks = shown.map(({ look }) => look)
  return slotsSvg(
    shown.map(({ slot }) => slot),
    { title, theme, look: (place) => looks[place]! },
  )
}

function rank({ slot, isChanged }: SlotPicture, chosen: Gfn | undefined): number {
  return (isChanged ? 1 : 0) + (slot.gfn === chosen ? 2 : 0)
}
