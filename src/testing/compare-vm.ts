/** Compares an implementation of a whole L1 with the model (spec 4 to 10). */
import { checkFunction, checkOptionNames } from '../base/args'
import type { Gfn, Lpid } from '../base/units'
import type { Leaf } from '../page-table/radix-table'
import type { Entry } from '../rmap/entry'
import { SEQUENCE, sequenceOptions, vmSteps, type SequenceOptions } from './arbitraries'
import {
  checkedMaker,
  checkImplementation,
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
import { pairOf } from './memslot-level'
import { OperationError } from './operation'
import { VM_SETTINGS, VmModel, vmSettings, type VmSettings } from './vm-model'
import type { VmAnswer, VmOperation } from './vm-operation'
import { VmScenario, type VmStep } from './vm-scenario'
import { firstSteps } from './vm-shapes'

/** An implementation that is compared with the model: an L1 with its host and its nested guests. */
export interface VmImplementation {
  /**
   * Runs an operation, and says what it came to. Every property of the answer is compared with the model's; `outcome`,
   * `status`, `referenced` and `dirty` must be there where the model has them, the others may be left out.
   */
  run(operation: VmOperation): VmAnswer
  /** Whether it can run an operation now; asked before. One that it cannot run is left out on both sides. */
  accepts?(operation: VmOperation): boolean
  /** The entries in the slot of a gfn, newest first. Compared after every operation, for every gfn that has some. */
  entries?(gfn: Gfn): Iterable<Entry>
  /** The leaves of the host's table for L1, in address order. Compared after every operation. */
  host?(): Iterable<Leaf>
  /** The shadow leaves of the nested guest that has an LPID now, in address order; undefined: there is none. Compared. */
  shadow?(lpid: Lpid): Iterable<Leaf> | undefined
}

/** What is compared, and how long. */
export interface CompareVmOptions<M extends VmImplementation = VmImplementation>
  extends RunOptions, SequenceOptions, Partial<VmSettings> {
  /** Bits of shadow leaf words that are not compared (the default is 0n). */
  readonly ignoredShadowBits?: bigint
  /** Called once before a sequence, with both empty. */
  before?(model: VmModel, mine: M): void
  /** Called after each operation on both, once all was compared. What it throws is a difference. */
  afterEach?(model: VmModel, mine: M, operation: VmOperation): void
}

/**
 * Runs random sequences of operations on the model and on another implementation, and compares after every operation its
 * answer and the state: host leaves, shadow leaves and entries, as far as the other one shows them.
 *
 * @param fc the module fast-check
 * @param makeMine makes the other implementation, empty: a new object for every sequence
 * @returns what the comparison rests on
 * @throws ComparisonError for a difference: its script is the shortest sequence that shows it; RangeError, TypeError
 * @example
 * import * as fc from 'fast-check'
 * const makeMine = (settings: object) => new VmModel(settings) // yours instead
 * const { answers } = compareVm(fc, makeMine, { runs: 20, pageShift: 12 })
 * console.log(answers.has('fault mapped second')) // => true
 */
export function compareVm<M extends VmImplementation>(
  fc: FastCheck,
  makeMine: (settings: VmSettings) => M,
  options: CompareVmOptions<M> = {},
): ComparisonResult {
  checkFunction('makeMine', makeMine)
  checkOptionNames('options', options, [...RUN, ...SEQUENCE, ...VM_SETTINGS, ...OWN])
  const settings = vmSettings(options, sequenceOptions(options).weights.quirks > 0)
  const tally = new Tally()
  const make = checkedMaker(makeMine, ['run'])
  const pair = (): VmPair<M> => new VmPair(settings, make(settings), options, tally)
  compareSequences<VmStep, VmOperation>(
    fc,
    {
      steps: vmSteps(fc, options),
      runSteps: (steps) => pair().runSteps([...firstSteps(settings), ...steps]),
      runOperations: (operations) => pair().runOperations(operations),
      script: (found) => scriptOf(settings, found),
    },
    options,
  )
  return tally
}

const OWN = ['ignoredShadowBits', 'before', 'afterEach'] as const
/** Properties of an answer that another implementation must give. */
const NEEDED: readonly (keyof VmAnswer)[] = ['outcome', 'status', 'referenced', 'dirty']
/** Properties that say what changed: the state is compared anyway. */
const STATE: ReadonlySet<string> = new Set(['guests', 'host', 'shadow', 'slots'])

class VmPair<M extends VmImplementation> {
  readonly #model: VmModel
  readonly #settings: VmSettings
  readonly #mine: M
  readonly #options: CompareVmOptions<M>
  readonly #tally: Tally
  readonly #done: VmOperation[] = []
  readonly #lpids = new Set<Lpid>()
  readonly #mask: bigint
  #difference: string | undefined

  constructor(settings: VmSettings, mine: M, options: CompareVmOptions<M>, tally: Tally) {
    this.#settings = settings
    this.#model = new VmModel(settings)
    this.#mine = mine
    this.#options = options
    this.#tally = tally
    this.#mask = ~(options.ignoredShadowBits ?? 0n)
    options.before?.(this.#model, mine)
  }

  runSteps(steps: readonly VmStep[]): Found<VmOperation> | undefined {
    const scenario = new VmScenario(this.#model, this.#settings)
    for (const step of steps) {
      const played = scenario.play(step)
      for (let next = played.next(); next.done !== true && this.#difference === undefined;) {
        next = played.next(this.#run(next.value))
      }
      if (this.#difference !== undefined) return this.#found()
    }
    return undefined
  }

  runOperations(operations: readonly VmOperation[]): Found<VmOperation> | undefined {
    for (const operation of operations) {
      this.#run(operation)
      if (this.#difference !== undefined) return this.#found()
    }
    return undefined
  }

  #found(): Found<VmOperation> {
    return { operations: this.#done, difference: this.#difference! }
  }

  /** The model's answer; undefined where the operation does not fit the state of the one or the other. */
  #run(operation: VmOperation): VmAnswer | undefined {
    const mine = this.#mine
    try {
      if (mine.accepts !== undefined && !theirs(() => mine.accepts!(operation))) return undefined
      const answer = this.#model.run(operation)
      this.#done.push(operation)
      this.#tally.count(operation, answer)
      this.#compareAnswer(
        answer,
        theirs(() => mine.run(operation)),
      )
      this.#compareState(operation)
      this.#options.afterEach?.(this.#model, mine, operation)
      return answer
    } catch (error) {
      if (error instanceof OperationError) return undefined
      if (this.#done.at(-1) !== operation) this.#done.push(operation)
      this.#difference = `${operationText(operation)}: ${(error as Error).message}`
      return undefined
    }
  }

  #compareAnswer(model: VmAnswer, mine: VmAnswer): void {
    checkImplementation('the answer of yours', mine, [])
    for (const name of NEEDED) {
      if (model[name] !== undefined && mine[name] === undefined) differ(name, model[name], undefined)
    }
    for (const [name, value] of Object.entries(mine)) {
      if (value !== undefined && !STATE.has(name)) differ(name, model[name as keyof VmAnswer], value)
    }
  }

  #compareState(operation: VmOperation): void {
    const model = this.#model
    const mine = this.#mine
    if (mine.host !== undefined) {
      differInLeaves(
        'host leaves',
        model.hostLeaves,
        theirs(() => [...mine.host!()]),
      )
    }
    if (mine.shadow !== undefined) {
      if ('lpid' in operation && typeof operation.lpid === 'number') this.#lpids.add(operation.lpid)
      for (const { lpid } of model.vm.guests) this.#lpids.add(lpid)
      for (const lpid of this.#lpids) {
        const leaves = theirs(() => {
          const shown = mine.shadow!(lpid)
          return shown && [...shown]
        })
        differInLeaves(`shadow leaves of LPID ${lpid}`, model.shadowLeaves(lpid), leaves, this.#mask)
      }
    }
    if (mine.entries !== undefined) {
      const { memslots } = model.vm
      for (const gfn of model.usedGfns()) {
        if (!memslots.some((memslot) => memslot.rmap.contains(gfn))) continue
        const entries = model.vm.entries(gfn)
        const others = theirs(() => [...mine.entries!(gfn)])
        const isSame = ({ lpid, gpa }: Entry, at: number): boolean =>
          others[at]!.lpid === lpid && others[at]!.gpa === gpa
        if (entries.length === others.length && entries.every(isSame)) continue
        const slot = `entries in the slot of gfn 0x${gfn.toString(16)}`
        differ(slot, shown(entries.map(pairOf), 'entries'), shown(others.map(pairOf), 'entries'))
      }
    }
  }
}

/** Compares leaves; as text only where they differ. Undefined: there is no such table. */
function differInLeaves(
  what: string,
  model: readonly Leaf[] | undefined,
  mine: readonly Leaf[] | undefined,
  mask = -1n,
): void {
  const isSame = ({ gpa, shift, word }: Leaf, at: number): boolean => {
    const other = mine![at]!
    return gpa === other.gpa && shift === other.shift && (word === other.word || (word & mask) === (other.word & mask))
  }
  if (model?.length === mine?.length && (model === undefined || model.every(isSame))) return
  differ(what, model && leavesText(model, mask), mine && leavesText(mine, mask))
}

function leavesText(leaves: readonly Leaf[], mask: bigint): string {
  return Array.from(
    leaves,
    ({ gpa, shift, word }) => `0x${gpa.toString(16)}/${shift} 0x${(word & mask).toString(16)}`,
  ).join(', ')
}

function differ(what: string, model: unknown, mine: unknown): void {
  const [left, right] = [model, mine].map((value) => (typeof value === 'string' ? value : shown(value, what)))
  if (left !== right) throw new Differs(`${what}:\n  model  ${left}\n  yours  ${right}`)
}

/** A program that runs the operations on the model and, as comments, on the other one; it prints the last answer. */
function scriptOf(settings: VmSettings, { operations, difference }: Found<VmOperation>): string {
  const { pageShift, placement, allowLpidZero, allowDroppedFaults, maxNodes } = settings
  const options = { pageShift, placement, allowLpidZero, allowDroppedFaults, maxNodes }
  const last = operations.length - 1
  const calls = (subject: string): string[] =>
    operations.map((operation, i) => {
      const call = `${subject}.run(${operationText(operation)})`
      return i === last ? `console.log(${call})` : call
    })
  return [
    `import { VmModel } from 'nested-rmap/testing'`,
    `const model = new VmModel(${JSON.stringify(options)})`,
    ...calls('model'),
    ...scriptEnd(settings, calls('mine'), difference),
  ].join('\n')
}
