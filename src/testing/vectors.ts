/**
 * Vectors: operations with the model's answers, one JSON object a line, for implementations in any language.
 *
 *     {"format":"nested-rmap vectors","version":1,"level":"memslot","ops":100000,"seed":1,"settings":{...},"about":{...}}
 *     {"op":"insert","gfn":257,"lpid":1,"gpa":4096,"answer":{"outcome":"empty","scanSteps":0,"word":"0x10000000001001","nodes":0}}
 *
 * The first line says what the file is and explains every operation and answer. An implementation runs the operations
 * in order and compares the answers; or it writes the same lines with answers of its own, which `VectorCheck` compares
 * with the model's.
 *
 * The same options give the same bytes on every platform, for one major version of the package.
 */
import { checkInteger, checkOneOf, checkOptionNames } from '../base/args'
import { ENTRY_LEVEL } from './entry-level'
import type { Level } from './level'
import { MEMSLOT_LEVEL, MEMSLOT_SETTINGS, type MemslotSettings } from './memslot-level'
import { OperationError, type Answer, type Operation } from './operation'
import { Random } from './random'
import { DEFAULT_WEIGHTS, type RareThing, type Weights } from './shapes'
import { VM_LEVEL } from './vm-level'
import { VM_SETTINGS, type VmSettings } from './vm-model'

/** What the operations of vectors are about: entries alone, memslots with their lists, or a whole L1. */
export type LevelName = 'entry' | 'memslot' | 'vm'

/** @internal */
export const LEVELS: Readonly<Record<LevelName, Level<never, never>>> = {
  entry: ENTRY_LEVEL as Level<never, never>,
  memslot: MEMSLOT_LEVEL as Level<never, never>,
  vm: VM_LEVEL as Level<never, never>,
}

/** @internal The first line of a file says this. */
export const FORMAT = 'nested-rmap vectors'
/** @internal */
export const FORMAT_VERSION = 1

/** What vectors are made of. */
export interface VectorOptions {
  /** Entries alone, memslots with their lists, or a whole L1. */
  readonly level: LevelName
  /** How many operations, 1..2^53-1. */
  readonly ops: number
  /** Chooses the sequence, 0..2^32-1 (the default is 1). */
  readonly seed?: number
  /** How frequent rare things are; each 0..1000. */
  readonly weights?: Weights
  /** What the operations run on; for the level `memslot`. */
  readonly memslot?: Partial<MemslotSettings>
  /** What the operations run on; for the level `vm`. */
  readonly vm?: Partial<VmSettings>
}

const OPTIONS = ['level', 'ops', 'seed', 'weights', 'memslot', 'vm'] as const

const ABOUT =
  'One operation a line, run in order on one state that is empty at first; "answer" is what it came to. Integers are JSON ' +
  'numbers below 2^53; 64-bit words are strings in hex. An address is in bytes; a gfn is an address of L1 in base pages. ' +
  'Write these lines with the answers of another implementation, and "nested-rmap vectors --check FILE" compares them.'

/**
 * The lines of a vector file, without their line ends: the first line, then one for each operation. Memory is bounded
 * however many there are.
 *
 * @throws RangeError, TypeError for a bad option, at the first line
 */
export function* vectors(options: VectorOptions): Generator<string, void, undefined> {
  const {
    level: name,
    ops,
    seed = 1,
    weights = {},
    memslot = {},
    vm = {},
  } = checkOptionNames('options', options, OPTIONS)
  checkOptionNames('memslot', memslot, MEMSLOT_SETTINGS)
  checkOptionNames('vm', vm, VM_SETTINGS)
  checkOneOf<LevelName>('level', name, ['entry', 'memslot', 'vm'])
  checkInteger('ops', ops, 1, Number.MAX_SAFE_INTEGER)
  checkInteger('seed', seed, 0, 2 ** 32 - 1)
  const all = checkWeights(weights)
  const level: Level<Operation, object> = LEVELS[name] as never
  const settings = level.settings({ entry: {}, memslot, vm }[name], all.quirks > 0)
  const operations = Object.entries(level.operations).map(([op, { operands, about }]) => [
    op,
    `${operands.join(' ')}: ${about}`,
  ])
  const about = { file: ABOUT, ...Object.fromEntries(operations), ...level.answers }
  yield JSON.stringify({
    format: FORMAT,
    version: FORMAT_VERSION,
    level: name,
    ops,
    seed,
    weights: all,
    settings,
    about,
  })

  const runner = level.runner(settings)
  const sequence = level.sequence(new Random(seed), settings, all, runner)
  let answer: Answer | undefined
  for (let written = 0; written < ops;) {
    const operation = sequence.next(answer).value
    answer = undefined
    try {
      answer = runner.run(operation)
    } catch (error) {
      if (!(error instanceof OperationError)) throw error
      continue // it does not fit the state, so it is not written
    }
    yield JSON.stringify({ ...operation, answer })
    written++
  }
}

/** @internal Every weight. @throws RangeError, TypeError */
export function checkWeights(weights: Weights): Readonly<Record<RareThing, number>> {
  checkOptionNames('weights', weights, Object.keys(DEFAULT_WEIGHTS) as RareThing[])
  const all = { ...DEFAULT_WEIGHTS, ...weights }
  for (const [name, weight] of Object.entries(all)) {
    checkInteger(`weights.${name}`, weight, 0, 1000)
  }
  return all
}
