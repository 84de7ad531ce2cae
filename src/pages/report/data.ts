/** The data of a report, as the page carries it in JSON. `collect.ts` gathers it, the other files of this folder show it. */
import type { Gfn } from '../../base/units'
import type { ReplayResult } from '../../trace/replay'
import type { Point } from './timeline'

/** The data of a report. */
export interface ReportData {
  /** The name of the recording. */
  readonly name: string
  /** Who wrote the recording. */
  readonly source: 'kernel' | 'model'
  /** log2 of L0's base page size in bytes. */
  readonly pageShift: number
  /** The result of the replay, with its first differences. */
  readonly result: ReplayResult
  /** Number of lines of the recording. */
  readonly lines: number
  /** The rmap slots: gfn (null: not known) and address of the word, in hex. Steps refer to a slot by its index here. */
  readonly slots: readonly (readonly [gfn: Gfn | null, address: string])[]
  /** The slots before the first step: lines of `encodeStep`. */
  readonly initial: readonly string[]
  /** The steps: lines of `encodeStep`. */
  readonly steps: readonly string[]
  /** How many steps are omitted: before the first, after the last, and in between (of slots above the limit). */
  readonly leftOut: { readonly before: number; readonly after: number; readonly between: number }
  /** How many differences there are at a step or before the next one. Steps without differences are not listed. */
  readonly marks: readonly (readonly [step: number, differences: number])[]
  /** The number of entries in all slots over the recording. */
  readonly entries: readonly Point[]
  /** How many slots have how many entries at the end. */
  readonly lengths: readonly (readonly [entries: number, slots: number])[]
  /** How many slots had how many entries at their maximum. */
  readonly peaks: readonly (readonly [entries: number, slots: number])[]
  /** When a list first had the greatest length; null if there was no list. The step is -1 if it is omitted. */
  readonly longest: {
    readonly entries: number
    readonly line: number
    readonly gfn: Gfn | null
    readonly step: number
  } | null
}
