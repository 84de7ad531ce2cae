/** `nested-rmap dump --svg FILE`: writes the drawn rmap slots as an SVG picture. */
import type { Gfn } from '../base/units'
import { count } from '../view/format'
import type { Slot } from '../view/slot'
import { slotsSvg } from '../view/slot-svg'
import { writeOutput } from './command'

/** Most slots in one picture. */
const MOST_SLOTS = 256

/**
 * Writes the picture.
 *
 * @param chosen the gfns to draw, also those with an empty slot; undefined: all slots
 * @returns a line that says what was written
 * @throws Failure
 */
export function writeSvg(
  file: string,
  slots: readonly Slot[],
  chosen: ReadonlySet<Gfn> | undefined,
  entries: number,
): string {
  const wanted =
    chosen === undefined ? slots : [...chosen].map((gfn) => slots.find((slot) => slot.gfn === gfn) ?? emptySlot(gfn))
  const shown = wanted.slice(0, MOST_SLOTS)
  writeOutput(file, `${slotsSvg(shown, { entries: Math.max(entries, 3) })}\n`)
  const left = wanted.length - shown.length
  return `${file}: ${count(shown.length, 'slot')}${left === 0 ? '' : `; ${left} more are left out: choose with --gfn`}`
}

function emptySlot(gfn: Gfn): Slot {
  return { gfn, word: 0n, nodes: [], entries: [], flaws: [] }
}
