/** The differences that a replay finds, and their text: what the model expected, what the kernel did. */
import { hex, hexWord, wordOf } from '../base/word'
import type { Leaf } from '../page-table/radix-table'
import { unpackEntry } from '../rmap/entry'
import { FIELD, FIELD_NAMES } from './events'
import type { TraceEvent } from './trace-event'

/** One difference between the model and the kernel. */
export interface Difference {
  /** The line of the recording, or of the radix dump, counted from 1. */
  readonly line: number
  /** The name of the event in that line; `radix` for a leaf of a radix dump. */
  readonly event: string
  /** What the model expected and what the kernel did: `model: ...; kernel: ...`. */
  readonly message: string
}

/** The first differences that are kept; all are counted. */
export const MOST_KEPT = 10

/** Counts all differences and keeps the first ten. */
export class Differences {
  count = 0
  readonly first: Difference[] = []
  /** Known causes outside the kernel that may explain the differences, a sentence for each. */
  readonly hints = new Set<string>()
  /** The hint at a cause that can explain all differences: it comes before the others. */
  mainHint: string | undefined

  add(line: number, event: string, message: string): void {
    this.count++
    if (this.first.length < MOST_KEPT) this.first.push({ line, event, message })
  }

  /** A difference at an event. */
  at(event: TraceEvent, model: string, kernel: string): void {
    this.add(event.line, event.name, `model: ${model}; kernel: ${kernel}`)
  }

  /** Whether a field (an index of {@link FIELD_NAMES}) equals the model's word. Adds a difference if not. */
  same(event: TraceEvent, field: number, hi: number, lo: number): boolean {
    if (event.hi[field] === hi && event.lo[field] === lo) return true
    this.at(event, `${FIELD_NAMES[field]} ${hexWord(wordOf(hi, lo))}`, hexWord(event.wordAt(field)))
    return false
  }
}

export function leafText(leaf: Pick<Leaf, 'word' | 'shift'> | undefined): string {
  return leaf === undefined ? 'no leaf' : `${hexWord(leaf.word)} of 2^${leaf.shift} bytes`
}

export function entryText(word: bigint): string {
  const { lpid, gpa } = unpackEntry(word)
  return `${hexWord(word)} (LPID ${lpid}, gpa ${hex(gpa)})`
}

/** The return value that an event shows in `ret`: signed, exact up to 2^53. */
export function retOf(event: TraceEvent): number {
  return event.hi[FIELD.ret]! * 2 ** 32 + (event.lo[FIELD.ret]! >>> 0)
}
