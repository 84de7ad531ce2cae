/**
 * Where two answers to the same operation differ, and which rule of the specification the difference breaks.
 *
 * The file's answer may lack what an implementation need not keep ({@link MAY_LACK}); what it lacks is counted, so that a
 * verdict says what it rests on. Everything else must be there and be equal.
 */
import type { Answer, Operation } from './operation'

/** @internal Properties that an answer may lack, since they are the model's counts. */
export const MAY_LACK: ReadonlySet<string> = new Set(['scanSteps', 'nodes', 'mmuSeq', 'host', 'guests'])

/** @internal One property of an answer that differs; undefined: it is missing there. */
export interface PropertyDifference {
  readonly name: string
  readonly theirs: unknown
  readonly model: unknown
}

/**
 * @internal The properties that differ, those of the model first.
 *
 * @param lacking called with the name of each property that is missing in `theirs` and may be
 */
export function compareAnswers(theirs: Answer, model: Answer, lacking: (name: string) => void): PropertyDifference[] {
  const differences: PropertyDifference[] = []
  for (const [name, value] of Object.entries(model)) {
    if (value === undefined) continue
    const other = theirs[name]
    if (other === undefined && MAY_LACK.has(name)) lacking(name)
    else if (textOf(other) !== textOf(value)) differences.push({ name, theirs: other, model: value })
  }
  for (const [name, value] of Object.entries(theirs)) {
    if (value !== undefined && model[name] === undefined) differences.push({ name, theirs: value, model: undefined })
  }
  return differences
}

/** @internal A value as one line of JSON, its words in one form: no capitals, no zeros in front. */
export function textOf(value: unknown): string {
  if (value === undefined) return '(missing)'
  return JSON.stringify(value, (_, part: unknown) =>
    typeof part === 'string' && /^0x[0-9a-f]{1,16}$/i.test(part) ? `0x${BigInt(part).toString(16)}` : part,
  )
}

type Pair = readonly [lpid: number, gpa: number]

/** @internal What is likely to be wrong, in a sentence; undefined where nothing is known. */
export function explain({ op }: Operation, { name, theirs, model }: PropertyDifference): string | undefined {
  if (hasNumberForWord(theirs, model)) {
    return 'a 64-bit word is a string in hex ("0x..."): a JSON number is exact only up to 2^53'
  }
  if (op === 'insert' && name === 'outcome') {
    if (model === 'duplicate') {
      return 'the entry is already in the slot: an insert compares it with every entry of the list first (spec 3)'
    }
    if (theirs === 'duplicate')
      return 'the slot does not have this entry: LPID and 4 KiB frame must both be equal (spec 2)'
  }
  if (name === 'word' && typeof theirs === 'string' && typeof model === 'string' && theirs !== 'list') {
    if (model !== 'list' && BigInt(theirs) === (BigInt(model) & ~1n) && BigInt(theirs) !== BigInt(model)) {
      return 'the only entry of a slot has bit 0 set, its tag: an even word is a pointer (spec 3)'
    }
    return MASKS
  }
  if (name === 'scanSteps') {
    return theirs === 0
      ? 'an insert compares the entry with every entry of the list before it takes a node (spec 3)'
      : 'on a miss all entries are compared, on a hit those up to and with the match, newest first (spec 12)'
  }
  if (name === 'entries' && Array.isArray(theirs) && Array.isArray(model)) return explainEntries(theirs, model)
  return undefined
}

/** Whether there is a number where the model has a word, also within a list of leaves. */
function hasNumberForWord(theirs: unknown, model: unknown): boolean {
  if (Array.isArray(theirs) && Array.isArray(model)) {
    return model.some((part, at) => hasNumberForWord(theirs[at], part))
  }
  return typeof theirs === 'number' && typeof model === 'string' && model.startsWith('0x')
}

const MASKS = 'an entry has the LPID in bits 63..52 and the 4 KiB frame of the nested address in bits 51..12 (spec 2)'

function explainEntries(theirs: readonly Pair[], model: readonly Pair[]): string {
  if (theirs.length !== model.length) {
    return `the model has ${model.length} entries, the other ${theirs.length}: a list ends in its oldest entry, tagged (spec 3)`
  }
  const sorted = (pairs: readonly Pair[]): string => textOf([...pairs].map((pair) => textOf(pair)).sort())
  return sorted(theirs) === sorted(model) ? 'the same entries in another order: a list is newest first (spec 3)' : MASKS
}
