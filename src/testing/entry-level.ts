/** Vectors of level `entry`: a rmap entry is packed into its word and unpacked from it (spec 2). */
import type { Lpid, NestedGpa } from '../base/units'
import { wordOf } from '../base/word'
import { packEntry, unpackEntry } from '../rmap/entry'
import { LPIDS_WITH_ZERO, NESTED_GPAS, WORD_HALVES } from './fields'
import type { Level } from './level'
import {
  checkOperation,
  refusing,
  wordOperand,
  wordText,
  type Answer,
  type OperationAbout,
  type Runner,
} from './operation'
import { drawSteps, shapesOf, type Shape } from './shapes'

/** An entry is packed into its word. */
interface Pack {
  /** What is done. */
  readonly op: 'pack'
  /** The LPID, 0..4095. */
  readonly lpid: Lpid
  /** The nested address, in bytes, 0..2^52-1. */
  readonly gpa: NestedGpa
}

/** A word is read as an entry. */
interface Unpack {
  /** What is done. */
  readonly op: 'unpack'
  /** The word, as a string in hex. */
  readonly word: string
}

/** An operation of level `entry`. */
export type EntryOperation = Pack | Unpack

/** @internal */
export const ENTRY_OPERATIONS: Readonly<Record<EntryOperation['op'], OperationAbout>> = {
  pack: {
    operands: ['lpid', 'gpa'],
    about: 'word: the entry of LPID lpid and of the 4 KiB page that has the nested address gpa, with tag 0',
  },
  unpack: {
    operands: ['word'],
    about: 'lpid, gpa: what the word says as an entry; its bits 0..11 do not count',
  },
}

/** @internal Runs them. */
export class EntryRunner implements Runner<EntryOperation> {
  run(operation: EntryOperation): Answer {
    checkOperation(ENTRY_OPERATIONS, operation)
    if (operation.op === 'pack') return refusing(() => ({ word: wordText(packEntry(operation.lpid, operation.gpa)) }))
    const { lpid, gpa } = unpackEntry(wordOperand('word', operation.word))
    return { lpid, gpa }
  }
}

const shape = shapesOf<EntryOperation>()

/** @internal What random sequences of them are made of. */
export function entryShapes(): Shape<EntryOperation>[] {
  return [
    ...shape(1, { lpid: LPIDS_WITH_ZERO, gpa: NESTED_GPAS }, ({ lpid, gpa }) => [{ op: 'pack', lpid, gpa } as const]),
    ...shape(1, { hi: WORD_HALVES, lo: WORD_HALVES }, ({ hi, lo }) => [
      { op: 'unpack', word: wordText(wordOf(hi, lo)) } as const,
    ]),
  ]
}

/** @internal */
export const ENTRY_LEVEL: Level<EntryOperation, object> = {
  operations: ENTRY_OPERATIONS,
  settings: () => ({}),
  runner: () => new EntryRunner(),
  *sequence(random) {
    const shapes = entryShapes()
    for (;;) yield* drawSteps(random, shapes)
  },
}
