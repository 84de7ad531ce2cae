/**
 * The steps of an rmap range removal (spec 6), as a task's events must show them: a slot's list is detached, the shadow
 * leaf of an entry is cleared, the entry is handled. And the text of a step in a message.
 */
import type { Lpid, NestedGpa } from '../base/units'
import { hex, hexWord, wordOf } from '../base/word'
import type { Leaf } from '../page-table/radix-table'
import type { EntryFate } from '../rmap/invalidate'
import { leafWord, type Creation } from './creations'
import { entryText, leafText } from './differences'
import { FIELD, type FieldName } from './events'
import type { TraceGuest } from './kernel-guests'
import type { TraceEvent } from './trace-event'

/** What an event of an rmap range removal must show. */
export type Expected =
  | { readonly name: 'rmap_take'; readonly slotp: bigint; readonly old: bigint; readonly idx: bigint }
  | ExpectedTake
  | ExpectedUnmap

/** An entry of a detached list. */
export interface ExpectedTake {
  readonly name: 'rmap_take_node'
  /** The node's address; 0 for the tagged last entry, which is in no node. */
  readonly node: bigint
  readonly next: bigint
  /** The entry; undefined for the tagged last entry, which the event does not show. */
  readonly rmap: bigint | undefined
  readonly lpid: Lpid
  readonly guest: TraceGuest | undefined
  readonly fate: EntryFate
  /** The shadow leaf that the kernel clears just before, if any. */
  readonly unmap: ExpectedUnmap | undefined
}

/** A shadow leaf that is cleared. */
export interface ExpectedUnmap {
  readonly name: 'pte_unmap'
  readonly guest: TraceGuest
  readonly gpa: NestedGpa
  readonly leaf: Leaf
  /** The referenced and changed bits that are not compared. */
  readonly ignored: number
  /** The creations of this leaf in progress: they may have OR-ed their bits in. */
  readonly raced: readonly Creation[]
  /** The guest was dropped while a vCPU holds it: the kernel finds no guest, so it clears no leaf. */
  expectedStale: boolean
}

/** A step that the model expects, for a message. */
export function expectedText(want: Expected): string {
  switch (want.name) {
    case 'rmap_take':
      return `takes ${hexWord(want.old)} from slot ${hex(want.slotp)}, index ${hex(want.idx)}`
    case 'rmap_take_node':
      return (
        `node ${hex(want.node)}, next ${hexWord(want.next)}` +
        (want.rmap === undefined ? '' : `, entry ${entryText(want.rmap)}`) +
        (want.guest === undefined ? ', no such guest' : '')
      )
    case 'pte_unmap':
      return `clears ${hex(want.gpa)} of LPID ${want.guest.lpid}: ${leafText(want.leaf)}`
  }
}

/** The step that an event shows, for a message. */
export function eventText(event: TraceEvent): string {
  const fields: readonly FieldName[] =
    event.name === 'rmap_take'
      ? ['slotp', 'old', 'idx']
      : event.name === 'rmap_take_node'
        ? ['node', 'next', 'gp', 'rmap']
        : ['gpa', 'pteval', 'shift', 'lpid']
  return fields
    .map((field) => {
      if (field === 'pteval') return `leaf ${hexWord(wordOf(...leafWord(event, 'pteval')))}`
      const word = event.wordAt(FIELD[field])
      return `${field} ${field === 'old' || field === 'next' || field === 'rmap' ? hexWord(word) : hex(word)}`
    })
    .join(', ')
}
