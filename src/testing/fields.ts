/** The values that random sequences try for LPIDs, addresses and words: edges, few enough that they meet again. */
import { MAX_GPA, MAX_LPID } from '../base/units'
import type { Field } from './shapes'

/** @internal LPIDs: the first, the last, those with one bit set at an end of the field. */
export const LPIDS: Field<number> = { values: [1, 2, 3, 2048, MAX_LPID], range: [1, MAX_LPID] }

/** @internal LPID 0 as well, which only Linux lets in (spec 11). */
export const LPIDS_WITH_ZERO: Field<number> = { values: [0, ...LPIDS.values], range: [0, MAX_LPID] }

/** Frames of 4 KiB at the edges of the entry's halves and of its field. */
const FRAMES = [0, 1, 2, 2 ** 19, 2 ** 20 - 1, 2 ** 20, 2 ** 39, 2 ** 40 - 1]

/** @internal Nested addresses. The low 12 bits do not count: an entry has a frame of 4 KiB. */
export const NESTED_GPAS: Field<number> = {
  values: FRAMES.flatMap((frame) => [0, 0, 1, 0xfff].map((low) => frame * 4096 + low)),
  range: [0, MAX_GPA],
}

/** @internal Halves of a word that are worth trying: each field's ends, the tag, the bits that do not count. */
export const WORD_HALVES: Field<number> = {
  values: [
    0, 1, 2, 0xffe, 0xfff, 0x1000, 0x1001, 0x80000000, 0xfff00000, 0x00100000, 0x000fffff, 0xfffff001, 0xffffffff,
  ],
  range: [0, 2 ** 32 - 1],
}
