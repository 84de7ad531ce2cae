/**
 * The steps of a report: the events of a recording that concern rmap slots or nested guests, and a text form of them.
 *
 * In the page a step is a short line of text with numbers in hex, because a page can have hundreds of thousands. A slot
 * is given by its index in the report's list of slots.
 */
import type { EntryFate } from '../../rmap/invalidate'
import type { InsertOutcome } from '../../rmap/memslot'

/** An entry of a list and the address of its node; node 0 for the tagged oldest entry. */
export interface Held {
  readonly lpid: number
  readonly gpa: number
  readonly node: bigint
}

/** A step, with its line of the recording. */
export type Step =
  | {
      readonly kind: 'insert'
      readonly line: number
      readonly slot: number
      readonly outcome: InsertOutcome
      readonly held: Held
    }
  /** The host took a page away: the slots that were not empty, and the fate of each of their entries, newest first. */
  | {
      readonly kind: 'remove'
      readonly line: number
      readonly gpa: number
      readonly hpa: number
      readonly shift: number
      readonly taken: readonly { readonly slot: number; readonly fates: readonly EntryFate[] }[]
    }
  /** Ageing or dirty harvest walked a slot. */
  | { readonly kind: 'rc'; readonly line: number; readonly slot: number; readonly clear: number }
  | { readonly kind: 'guest' | 'release'; readonly line: number; readonly lpid: number; readonly shadowLpid: number }
  /** L1 invalidated mappings of its nested guest. */
  | { readonly kind: 'tlbie'; readonly line: number; readonly lpid: number; readonly what: string }
  /** The rmap of a memslot was freed: its slots that were not empty. */
  | {
      readonly kind: 'free'
      readonly line: number
      readonly baseGfn: number
      readonly npages: number
      readonly slots: readonly number[]
    }
  /** A slot as the kernel had it: after a difference, or before the first step of a later part of the recording. */
  | { readonly kind: 'state'; readonly line: number; readonly slot: number; readonly list: readonly Held[] }

const LETTERS = {
  insert: 'i',
  remove: 'r',
  rc: 'u',
  guest: 'g',
  release: 'x',
  tlbie: 't',
  free: 'f',
  state: 's',
} as const
const OUTCOMES: readonly InsertOutcome[] = ['empty', 'second', 'list', 'duplicate', 'no-memory']
const FATES: readonly EntryFate[] = ['cleared', 'no-guest', 'no-leaf', 'other-frame']

/** A step as a line of text. */
export function encodeStep(step: Step): string {
  const { kind, line } = step
  const head = `${LETTERS[kind]} ${hex(line)}`
  switch (kind) {
    case 'insert':
      return `${head} ${hex(step.slot)} ${OUTCOMES.indexOf(step.outcome)} ${encodeHeld(step.held)}`
    case 'remove': {
      const taken = step.taken.map(
        ({ slot, fates }) => ` ${hex(slot)}:${fates.map((fate) => FATES.indexOf(fate)).join('')}`,
      )
      return `${head} ${hex(step.gpa)} ${hex(step.hpa)} ${hex(step.shift)}${taken.join('')}`
    }
    case 'rc':
      return `${head} ${hex(step.slot)} ${hex(step.clear)}`
    case 'guest':
    case 'release':
      return `${head} ${hex(step.lpid)} ${hex(step.shadowLpid)}`
    case 'tlbie':
      return `${head} ${hex(step.lpid)} ${step.what}`
    case 'free':
      return `${head} ${hex(step.baseGfn)} ${hex(step.npages)}${step.slots.map((slot) => ` ${hex(slot)}`).join('')}`
    case 'state':
      return `${head} ${hex(step.slot)}${step.list.map((held) => ` ${encodeHeld(held)}`).join('')}`
  }
}

/** Reads a line of {@link encodeStep}. */
export function decodeStep(text: string): Step {
  const [letter, lineText, ...words] = text.split(' ')
  const line = number(lineText)
  const [first, second, third, ...rest] = words
  switch (letter) {
    case 'i':
      return { kind: 'insert', line, slot: number(first), outcome: OUTCOMES[Number(second)]!, held: decodeHeld(third!) }
    case 'r': {
      const taken = rest.map((part) => {
        const [slot, fates] = part.split(':')
        return { slot: number(slot), fates: [...fates!].map((digit) => FATES[Number(digit)]!) }
      })
      return { kind: 'remove', line, gpa: number(first), hpa: number(second), shift: number(third), taken }
    }
    case 'u':
      return { kind: 'rc', line, slot: number(first), clear: number(second) }
    case 'g':
    case 'x':
      return { kind: letter === 'g' ? 'guest' : 'release', line, lpid: number(first), shadowLpid: number(second) }
    case 't':
      return { kind: 'tlbie', line, lpid: number(first), what: words.slice(1).join(' ') }
    case 'f':
      return { kind: 'free', line, baseGfn: number(first), npages: number(second), slots: words.slice(2).map(number) }
    default:
      return { kind: 'state', line, slot: number(first), list: words.slice(1).map(decodeHeld) }
  }
}

function encodeHeld({ lpid, gpa, node }: Held): string {
  return `${hex(lpid)}:${hex(gpa)}:${node.toString(16)}`
}

function decodeHeld(text: string): Held {
  const [lpid, gpa, node] = text.split(':')
  return { lpid: number(lpid), gpa: number(gpa), node: BigInt(`0x${node}`) }
}

function hex(value: number): string {
  return value.toString(16)
}

function number(text: string | undefined): number {
  return Number.parseInt(text!, 16)
}
