/// <reference lib="dom" />
/** The rmap slots with their lists, drawn by the library. */
import type { Gfn } from '../../index'
import { slotsSvg, slotSvg, type SvgTheme } from '../../view/index'
import { byId, innerWidthOf, make, svgElement } from '../shared/dom'
import { hex } from '../shared/text'
import type { SlotPicture } from './pictures'

/** Most slots drawn at once. */
const MOST = 16

/** Draws the slots. @param chosen the gfn that is selected: drawn, even if it is empty */
export function renderLists(pictures: readonly SlotPicture[], chosen: Gfn | undefined): void {
  const frame = byId('pictures')
  const width = Math.floor(innerWidthOf(frame))
  const shown = [...pictures].sort((a, b) => rank(b, chosen) - rank(a, chosen)).slice(0, MOST)
  const parts = pictures
    .filter((picture) => shown.includes(picture))
    .map(({ slot, look, isTaken }) => {
      const picture = svgElement(slotSvg(slot, { ...look, width }))
      const caption = isTaken
        ? [make('figcaption', `gfn ${hex(slot.gfn!)} before the step; the walk has emptied it:`)]
        : []
      return make('figure', [...caption, picture], { 'data-gfn': hex(slot.gfn!) })
    })
  if (pictures.length === 0)
    parts.push(make('figure', [make('p', 'All rmap slots are empty: every word is 0.', { class: 'hint' })]))
  if (pictures.length > MOST)
    parts.push(
      make('figure', [
        make('p', `${pictures.length - MOST} slots more: select a gfn below to see its list.`, { class: 'hint' }),
      ]),
    )
  frame.replaceChildren(...parts)
}

/** All slots of a step as one picture, to be saved. */
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
