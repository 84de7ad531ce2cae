/**
 * The content of a slot's picture as boxes: the slot word and the list nodes, with their words and remarks. No
 * coordinates.
 */
import { checkOneOf, wrongType } from '../base/args'
import { hex } from '../base/word'
import { unpackEntry, type Entry } from '../rmap/entry'
import { count } from './format'
import type { Slot } from './slot'

/**
 * How an entry is highlighted. `new`: it was inserted. `found`: a scan found it as a duplicate. `cleared`: its shadow
 * leaf was cleared. `stale`: it led to no shadow leaf.
 */
export type SlotMark = 'new' | 'found' | 'cleared' | 'stale'

/** What is highlighted in a slot. */
export interface SlotLook {
  /** How an entry is highlighted, by its place in the list: 0 is the newest. Not at all by default. */
  readonly mark?: (place: number) => SlotMark | undefined
  /** A remark on an entry, by its place: written below its box. By default the name of its mark. */
  readonly remark?: (place: number) => string
  /** Whether the slot word is highlighted as changed: false by default. */
  readonly wordChanged?: boolean
}

/** A 64-bit word in a box: its name, and its content as a pointer or an entry. */
export interface WordRow {
  readonly name: string
  readonly age: string
  readonly pointer: string | undefined
  readonly entry: Entry | undefined
  readonly isTagged: boolean
  readonly mark: SlotMark | undefined
}

/** A box: the slot word, a list node, or the number of nodes that are left out (no rows). */
export interface Box {
  readonly title: string
  readonly rows: readonly WordRow[]
  readonly notes: readonly { readonly text: string; readonly mark: SlotMark | undefined }[]
  /** Whether an arrow begins at it. */
  readonly leads: boolean
}

const MARKS: readonly SlotMark[] = ['new', 'found', 'cleared', 'stale']

/** The boxes of a slot: its word, and its nodes except those in the middle of a long list. */
export function boxesOf(slot: Slot, most: number, { mark, remark, wordChanged }: Required<SlotLook>): Box[] {
  const { word, nodes, entries } = slot
  const markAt = (place: number): SlotMark | undefined => {
    const chosen = mark(place)
    return chosen === undefined ? undefined : checkOneOf<SlotMark>('mark', chosen, MARKS)
  }
  const isPointer = word !== 0n && (word & 1n) === 0n
  const note = (place: number, prefix: string, marked: SlotMark | undefined): Box['notes'] => {
    const said = remark(place)
    if (typeof said !== 'string') throw wrongType('remark', 'a function that returns a string', said)
    return said === '' ? [] : [{ text: prefix + said, mark: marked }]
  }

  const only = entries.length === 1 && !isPointer ? markAt(0) : undefined
  const boxes: Box[] = [
    {
      title: nameOf(slot),
      rows: [row('word', word === 0n || isPointer ? '' : 'only', word, isPointer, only)],
      notes: isPointer
        ? [
            {
              text: count(entries.length, 'entry', 'entries') + (wordChanged ? ', word changed' : ''),
              mark: wordChanged ? 'new' : undefined,
            },
          ]
        : word === 0n
          ? [{ text: wordChanged ? 'no entry, word changed' : 'no entry', mark: wordChanged ? 'new' : undefined }]
          : note(0, '', only),
      leads: isPointer,
    },
  ]
  const nodeBox = (place: number): Box => {
    const { address, next, entry } = nodes[place]!
    const leads = next !== 0n && (next & 1n) === 0n
    const mine = markAt(place)
    const oldest = (next & 1n) === 1n ? markAt(place + 1) : undefined
    return {
      title: `node ${hex(address)}`,
      rows: [
        row('next', (next & 1n) === 1n ? 'oldest' : '', next, leads, oldest),
        row('entry', place === 0 ? 'newest' : '', entry, false, mine),
      ],
      notes: [
        ...((next & 1n) === 1n ? note(place + 1, 'oldest: ', oldest) : []),
        ...note(place, (next & 1n) === 1n && place === 0 ? 'newest: ' : '', mine),
      ],
      leads,
    }
  }
  const { head, hidden } = leftOut(nodes.length, most)
  if (hidden === 0) return [...boxes, ...nodes.map((_, place) => nodeBox(place))]
  for (let place = 0; place < head; place++) boxes.push(nodeBox(place))
  boxes.push({ title: '', rows: [], notes: [{ text: `${hidden} more`, mark: undefined }], leads: true })
  for (let place = head + hidden; place < nodes.length; place++) boxes.push(nodeBox(place))
  return boxes
}

function row(name: string, age: string, word: bigint, isPointer: boolean, mark: SlotMark | undefined): WordRow {
  const isEntry = !isPointer && (word !== 0n || name === 'entry')
  return {
    name,
    age,
    pointer: isPointer ? `→ ${hex(word)}` : word === 0n && name !== 'entry' ? '0' : undefined,
    entry: isEntry ? unpackEntry(word) : undefined,
    isTagged: (word & 1n) === 1n,
    mark,
  }
}

/**
 * The nodes in the middle of a list that are left out, to draw `most` entries: `hidden` nodes after the first `head`.
 */
export function leftOut(nodes: number, most: number): { head: number; hidden: number } {
  return { head: Math.ceil((most - 1) / 2), hidden: Math.max(nodes - (most - 1), 0) }
}

/** The name of a slot: its gfn, else its address. */
export function nameOf({ gfn, address }: Slot): string {
  return gfn === undefined ? `slot ${hex(address ?? 0n)}` : `gfn ${hex(gfn)}`
}
