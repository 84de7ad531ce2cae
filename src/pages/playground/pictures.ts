/** Chooses the rmap slots that the pictures of a step show, and what they highlight. */
import type { EntryFate, Gfn } from '../../index'
import type { Slot, SlotLook } from '../../view/index'
import type { Step } from './history'
import { fateNow, slotAt, type StateView } from './view'

/** An rmap slot to draw. */
export interface SlotPicture {
  readonly slot: Slot
  readonly look: SlotLook
  /** Whether the walk emptied it: it is drawn as it was before the step. */
  readonly isTaken: boolean
  /** Whether the step changed it, or its scan found an entry in it. */
  readonly isChanged: boolean
}

/** The fate of an entry, in a few words. */
export const FATES: Readonly<Record<EntryFate, string>> = {
  cleared: 'leaf cleared',
  'no-guest': 'stale: no such guest',
  'no-leaf': 'stale: no shadow leaf',
  'other-frame': 'stale: maps another page',
}

/**
 * The rmap slots that are not empty after a step and those that it emptied, by gfn. Highlights new, found and stale
 * entries.
 *
 * @param step undefined before the first step
 * @param chosen a gfn whose rmap slot is shown even if it is empty
 */
export function picturesOf(
  step: Step | undefined,
  before: StateView,
  after: StateView,
  pageShift: number,
  chosen?: Gfn,
): SlotPicture[] {
  const met = step?.outcome?.met ?? []
  const fault = step?.outcome?.fault
  const mapped = fault?.outcome === 'mapped' ? fault : undefined
  const pictures = after.slots.map((slot): SlotPicture => {
    const gfn = slot.gfn!
    const isTarget = mapped?.gfn === gfn && mapped.insert !== undefined
    const place =
      isTarget && mapped.insert === 'duplicate'
        ? slot.entries.findIndex((entry) => entry.gpa === mapped.gpa && entry.lpid === lpidOf(step))
        : 0
    const fates = slot.entries.map((entry) => fateNow(after, gfn, entry, pageShift))
    const isChanged = slotAt(before, gfn)?.word !== slot.word
    return {
      slot,
      isTaken: false,
      isChanged: isChanged || isTarget,
      look: {
        wordChanged: isChanged,
        mark: (at) =>
          isTarget && at === place
            ? mapped.insert === 'duplicate'
              ? 'found'
              : 'new'
            : fates[at] === 'cleared'
              ? undefined
              : 'stale',
        remark: (at) =>
          isTarget && at === place
            ? mapped.insert === 'duplicate'
              ? 'found by the scan'
              : 'new'
            : fates[at] === 'cleared'
              ? ''
              : FATES[fates[at]!],
      },
    }
  })
  for (const gfn of new Set(met.map((entry) => entry.gfn))) {
    const fates = met.filter((entry) => entry.gfn === gfn).map(({ fate }) => fate)
    const slot = slotAt(before, gfn)
    if (slot === undefined) continue
    pictures.push({
      slot,
      isTaken: true,
      isChanged: true,
      look: {
        mark: (at) => (fates[at] === undefined ? undefined : fates[at] === 'cleared' ? 'cleared' : 'stale'),
        remark: (at) => (fates[at] === undefined ? 'not visited' : FATES[fates[at]]),
      },
    })
  }
  if (chosen !== undefined && !pictures.some(({ slot }) => slot.gfn === chosen)) {
    const slot: Slot = { gfn: chosen, word: 0n, nodes: [], entries: [], flaws: [] }
    pictures.push({ slot, look: {}, isTaken: false, isChanged: false })
  }
  return pictures.sort((a, b) => a.slot.gfn! - b.slot.gfn!)
}

/** The gfns of the rmap slots that a step concerns. */
export function gfnsOf(pictures: readonly SlotPicture[]): Set<Gfn> {
  return new Set(pictures.filter(({ isChanged }) => isChanged).map(({ slot }) => slot.gfn!))
}

function lpidOf(step: Step | undefined): number | undefined {
  const op = step?.op
  return op !== undefined && 'lpid' in op ? op.lpid : undefined
}
