/** Compares an implementation of the slots and lists of memslots with the model (spec 2, 3). */
import { checkFunction, checkOptionNames } from '../base/args'
import type { Gfn, Lpid, NestedGpa } from '../base/units'
import type { Entry } from '../rmap/entry'
import type { InsertOutcome, Memslot } from '../rmap/memslot'
import { memslotSteps, SEQUENCE, sequenceOptions, type SequenceOptions } from './arbitraries'
import {
  checkedMaker,
  compareSequences,
  Differs,
  operationText,
  RUN,
  scriptEnd,
  shown,
  Tally,
  theirs,
  type ComparisonResult,
  type Found,
  type RunOptions,
} from './comparison'
import type { FastCheck } from './fast-check'
import {
  MEMSLOT_SETTINGS,
  MemslotRunner,
  memslotSettings,
  pairOf,
  sampleGfns,
  slotText,
  type MemslotOperation,
  type MemslotSettings,
} from './memslot-level'
import { OperationError } from './operation'

/** An implementation that is compared with the model: the memslots of an L1, which share their list nodes. */
export interface MemslotImplementation {
  /** Inserts an entry into the slot of a gfn, and says what it did. */
  insert(gfn: Gfn, lpid: Lpid, gpa: NestedGpa): InsertOutcome
  /** The entries in the slot of a gfn, newest first. The low 12 bits of an address are 0. */
  entries(gfn: Gfn): Iterable<Entry>
  /** Empties the slot of a gfn, and gives the entries that were in it, newest first. */
  takeAll(gfn: Gfn): Iterable<Entry>
  /** The slot word of a gfn: 0, a tagged entry, or `'list'` for a pointer to a node. Compared if it is there. */
  word?(gfn: Gfn): bigint | 'list'
  /** Entries compared by all inserts so far (spec 12). Compared if it is there. */
  readonly scanSteps?: number
  /** List nodes in use. Compared if it is there. */
  readonly nodes?: number
}

/** What is compared, and how long. */
export interface CompareMemslotOptions<M extends MemslotImplementation = MemslotImplementation>
  extends RunOptions, SequenceOptions, Partial<MemslotSettings> {
  /** Called after each operation on both, once all was compared. What it throws is a difference. */
  afterEach?(model: readonly Memslot[], mine: M, operation: MemslotOperation): void
}

/**
 * Runs random sequences of inserts, walks and takes on the model and on another implementation, and compares after every
 * operation its answer and the entries of every slot that is used.
 *
 * @param fc the module fast-check
 * @param makeMine makes the other implementation, empty: a new object for every sequence
 * @returns what the comparison rests on
 * @throws ComparisonError for a difference: its script is the shortest sequence that shows it; RangeError, TypeError
 * @example
 * import * as fc from 'fast-check'
 * const { operations } = compareMemslot(fc, ({ memslots }) => {
 *   const mine = new Memslot(memslots[0]!) // yours instead
 *   return {
 *     insert: (gfn, lpid, gpa) => mine.insert(gfn, lpid, gpa),
 *     entries: (gfn) => mine.entries(gfn),
 *     takeAll(gfn) {
 *       const taken = mine.entries(gfn)
 *       mine.takeAll(gfn)
 *       return taken
 *     },
 *   }
 * })
 * console.log(operations > 1000) // => true
 */
export function compareMemslot<M extends MemslotImplementation>(
  fc: FastCheck,
  makeMine: (settings: MemslotSettings) => M,
  options: CompareMemslotOptions<M> = {},
): ComparisonResult {
  checkFunction('makeMine', makeMine)
  checkOptionNames('options', options, [...RUN, ...SEQUENCE, ...MEMSLOT_SETTINGS, 'afterEach'])
  const settings = memslotSettings(options, sequenceOptions(options).weights.quirks > 0)
  const tally = new Tally()
  const make = checkedMaker(makeMine, ['insert', 'entries', 'takeAll'])
  const run = (operations: readonly MemslotOperation[]): Found<MemslotOperation> | undefined => {
    const pair = new MemslotPair(settings, make(settings), options)
    return pair.run(operations, tally)
  }
  compareSequences(
    fc,
    {
      steps: memslotSteps(fc, options),
      runSteps: run,
      runOperations: run,
      script: (found) => scriptOf(settings, found),
    },
    options,
  )
  return tally
}

class MemslotPair<M extends MemslotImplementation> {
  readonly #model: MemslotRunner
  readonly #mine: M
  readonly #options: CompareMemslotOptions<M>
  readonly #gfns: readonly Gfn[]

  constructor(settings: MemslotSettings, mine: M, options: CompareMemslotOptions<M>) {
    this.#model = new MemslotRunner(settings)
    this.#mine = mine
    this.#options = options
    this.#gfns = sampleGfns(settings)
  }

  run(operations: readonly MemslotOperation[], tally: Tally): Found<MemslotOperation> | undefined {
    const done: MemslotOperation[] = []
    for (const operation of operations) {
      done.push(operation)
      const before = this.#mine.scanSteps
      try {
        const answer = this.#model.run(operation)
        tally.count(operation, answer)
        this.#compareAnswer(operation, answer, before)
        this.#compareState()
        this.#options.afterEach?.(this.#model.memslots, this.#mine, operation)
      } catch (error) {
        if (error instanceof OperationError) {
          done.pop() // it does not fit: a hand-made sequence
          continue
        }
        return { operations: done, difference: `${operationText(operation)}: ${(error as Error).message}` }
      }
    }
    return undefined
  }

  #compareAnswer(
    operation: MemslotOperation,
    answer: ReturnType<MemslotRunner['run']>,
    before: number | undefined,
  ): void {
    const mine = this.#mine
    switch (operation.op) {
      case 'insert': {
        const { gfn, lpid, gpa } = operation
        differ(
          'outcome',
          answer.outcome,
          theirs(() => mine.insert(gfn, lpid, gpa)),
        )
        if (before !== undefined)
          differ(
            'scan steps',
            answer.scanSteps,
            theirs(() => mine.scanSteps! - before),
          )
        return
      }
      case 'entries':
        return // every slot is compared anyway
      case 'takeAll':
        differ(
          'entries taken',
          answer.entries,
          theirs(() => Array.from(mine.takeAll(operation.gfn), pairOf)),
          'entries',
        )
    }
  }

  #compareState(): void {
    const mine = this.#mine
    for (const gfn of this.#gfns) {
      const slot = `the slot of gfn 0x${gfn.toString(16)}`
      const memslot = this.#model.memslotOf(gfn)
      differ(
        `entries in ${slot}`,
        memslot.entries(gfn).map(pairOf),
        theirs(() => Array.from(mine.entries(gfn), pairOf)),
        'entries',
      )
      if (mine.word === undefined) continue
      const word = theirs(() => mine.word!(gfn))
      differ(`word of ${slot}`, slotText(memslot.word(gfn)), typeof word === 'bigint' ? slotText(word) : word)
    }
    if (mine.nodes !== undefined) differ('nodes in use', this.#model.nodes.inUse, mine.nodes)
  }
}

function differ(what: string, model: unknown, mine: unknown, name?: string): void {
  const [left, right] = [shown(model, name), shown(mine, name)]
  if (left !== right) throw new Differs(`${what}: the model has ${left}, yours ${right}`)
}

/** A program with the package's own memslots: what the model answers to each call, and the calls for the other one. */
function scriptOf(settings: MemslotSettings, { operations, difference }: Found<MemslotOperation>): string {
  const { memslots, allowLpidZero, maxNodes } = settings
  const model = new MemslotRunner(settings)
  const name = (gfn: Gfn): string =>
    memslots.length === 1
      ? 'memslot'
      : `memslot${memslots.findIndex((one) => gfn >= one.baseGfn && gfn < one.baseGfn + one.npages)}`
  const made = memslots.map(({ baseGfn, npages }) => {
    const options = [
      `baseGfn: 0x${baseGfn.toString(16)}`,
      `npages: ${npages}`,
      'nodes',
      ...(allowLpidZero ? ['allowLpidZero: true'] : []),
    ]
    return `const ${name(baseGfn)} = new Memslot({ ${options.join(', ')} })`
  })
  const call = (operation: MemslotOperation): string => {
    const gpa = operation.op === 'insert' ? `, ${operation.lpid}, 0x${operation.gpa.toString(16)}` : ''
    return `${operation.op}(0x${operation.gfn.toString(16)}${gpa})`
  }
  const calls = operations.map((operation) => {
    const { outcome, entries } = model.run(operation)
    return `${name(operation.gfn)}.${call(operation)} // ${shown(outcome ?? entries, 'entries')}`
  })
  return [
    `import { Memslot, NodeHeap } from 'nested-rmap'`,
    `const nodes = new NodeHeap({ limit: ${maxNodes} })`,
    ...made,
    ...calls,
    ...scriptEnd(
      settings,
      operations.map((operation) => `mine.${call(operation)}`),
      difference,
    ),
  ].join('\n')
}
