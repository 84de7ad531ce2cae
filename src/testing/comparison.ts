/**
 * Runs random sequences on the model and on another implementation, and reports the first difference, shrunk: fast-check
 * shrinks the sequence, then every operation that the difference does not need is left out.
 */
import { checkInteger, checkObject } from '../base/args'
import type { Arbitrary, FastCheck } from './fast-check'
import type { Answer, Operation } from './operation'

/** How many random sequences are run, and which. */
export interface RunOptions {
  /** Sequences, 1..2^31-1 (the default is 100). */
  readonly runs?: number
  /** fast-check's seed: the same sequences again. The default is another one each time. */
  readonly seed?: number
}

/** @internal */
export const RUN = ['runs', 'seed'] as const

/** What a comparison rests on. */
export interface ComparisonResult {
  /** Operations that both ran. */
  readonly operations: number
  /** How often each answer of the model occurred, by operation, outcome and reason: `'fault retry mmu-seq'`. */
  readonly answers: ReadonlyMap<string, number>
}

/** The other implementation differs from the model. */
export class ComparisonError extends Error {
  override readonly name = 'ComparisonError'
  /**
   * A program that runs the shortest sequence on the model. The calls for the other implementation are in it as comments:
   * remove the comment marks, and import your `makeMine`.
   */
  readonly script: string
  /** The operations of that sequence. The last one shows the difference. */
  readonly operations: readonly Operation[]
  /** What differs after the last one, in a line or a few. */
  readonly difference: string
  /** The seed with which fast-check finds it again. */
  readonly seed: number

  /** @internal */
  constructor(operations: readonly Operation[], difference: string, script: string, seed: number) {
    super(`${difference}\n\nThe shortest sequence that shows it (found with seed ${seed}):\n\n${script}`)
    this.operations = operations
    this.difference = difference
    this.script = script
    this.seed = seed
  }
}

/** @internal Where a sequence differs: the operations up to there, and what is different then. */
export interface Found<O> {
  readonly operations: readonly O[]
  readonly difference: string
}

/** @internal What a comparison needs to know of its level. */
export interface Compared<S, O extends Operation> {
  readonly steps: Arbitrary<S[]>
  /** Runs steps on both, from the start. */
  runSteps(steps: readonly S[]): Found<O> | undefined
  /** Runs operations on both, from the start; one that does not fit the state is left out. */
  runOperations(operations: readonly O[]): Found<O> | undefined
  /** The program for a sequence. */
  script(found: Found<O>): string
}

/** @internal @throws ComparisonError for a difference; RangeError, TypeError */
export function compareSequences<S, O extends Operation>(
  fc: FastCheck,
  { steps, runSteps, runOperations, script }: Compared<S, O>,
  { runs = 100, seed }: RunOptions,
): void {
  checkInteger('runs', runs, 1, 2 ** 31 - 1)
  if (seed !== undefined) checkInteger('seed', seed, -(2 ** 31), 2 ** 32 - 1)
  const property = fc.property(steps, (some: S[]) => runSteps(some) === undefined)
  const details = fc.check(property, { numRuns: runs, ...(seed !== undefined && { seed }) })
  if (details.failed !== true) return
  const found = details.counterexample === null ? undefined : runSteps(details.counterexample[0])
  if (found === undefined) {
    throw new Error(
      'compare: the other implementation did not repeat its answers: it must start anew each time it is made',
    )
  }
  const shortest = minimize(found, runOperations)
  throw new ComparisonError(shortest.operations, shortest.difference, script(shortest), details.seed)
}

/** Leaves out what the difference does not need: halves of the sequence, quarters ... single operations. */
function minimize<O>(found: Found<O>, run: (operations: readonly O[]) => Found<O> | undefined): Found<O> {
  let shortest = run(found.operations) ?? found
  for (let size = shortest.operations.length >> 1; size > 0;) {
    const before = shortest.operations.length
    for (let at = before - size; at > -size; at -= size) {
      const { operations } = shortest
      const shorter = run([...operations.slice(0, Math.max(at, 0)), ...operations.slice(at + size)])
      if (shorter !== undefined) shortest = shorter
    }
    if (shortest.operations.length === before) size >>= 1
    else size = Math.min(size, shortest.operations.length >> 1) || (shortest.operations.length > 1 ? 1 : 0)
  }
  return shortest
}

/** @internal Counts what a comparison rests on. */
export class Tally implements ComparisonResult {
  operations = 0
  readonly answers = new Map<string, number>()

  count({ op }: Operation, { outcome, status, reason, insert, change }: Answer): void {
    this.operations++
    const words = [op, outcome ?? status, reason ?? insert ?? (insert === undefined ? change : undefined)]
    const name = words.filter((word) => word !== undefined).join(' ')
    this.answers.set(name, (this.answers.get(name) ?? 0) + 1)
  }
}

/** What the parts of an array in an answer are: one name for all, or a name for each. */
const PARTS: Readonly<Record<string, string | readonly string[]>> = {
  entries: 'entry',
  entry: ['lpid', 'gpa'],
  walk: 'walked',
  walked: ['gfn', 'lpid', 'gpa', 'fate'],
  dirty: 'gfn',
}

/**
 * @internal A value of the model or of the other implementation, for a message. Addresses and gfns are in hex, as
 * operations show them: `name` says which numbers are some.
 */
export function shown(value: unknown, name = ''): string {
  if (typeof value === 'bigint') return `0x${value.toString(16)}n`
  if (typeof value === 'number' && Number.isSafeInteger(value) && value >= 0) return literal(name, value)
  if (Array.isArray(value)) {
    const parts = Object.hasOwn(PARTS, name) ? PARTS[name]! : ''
    return `[${value.map((part, at) => shown(part, typeof parts === 'string' ? parts : parts[at])).join(', ')}]`
  }
  const text = JSON.stringify(value, (_, part: unknown) => (typeof part === 'bigint' ? `0x${part.toString(16)}` : part))
  return text ?? 'undefined'
}

/** @internal Runs the other implementation; what it throws is a difference. */
export function theirs<T>(run: () => T): T {
  try {
    return run()
  } catch (error) {
    throw new Differs(`threw ${String(error)}`)
  }
}

/** @internal Thrown inside a comparison: what the other implementation did, where the model did something else. */
export class Differs extends Error {}

/** @internal An operation as a line of a script. */
export function operationText(operation: Operation): string {
  return literal('', operation)
}

/** @internal The lines of a script that run a sequence on the other implementation, as comments, and the difference. */
export function scriptEnd(settings: object, calls: readonly string[], difference: string): string[] {
  const lines = [
    'Your implementation: remove the comment marks of these lines, and import makeMine.',
    `const mine = makeMine(${literal('', settings)})`,
    ...calls,
  ]
  return ['', ...lines.map((line) => `// ${line}`), '', ...difference.split('\n').map((line) => `// ${line}`), '']
}

const HEX = new Set(['gpa', 'l1Gpa', 'to', 'hpa', 'copy', 'gfn', 'baseGfn', 'flags'])

function literal(name: string, value: unknown): string {
  if (Array.isArray(value)) return `[${value.map((part) => literal('', part)).join(', ')}]`
  if (typeof value === 'object' && value !== null) {
    const fields = Object.entries(value).map(([field, part]) => `${field}: ${literal(field, part)}`)
    return `{ ${fields.join(', ')} }`
  }
  if (typeof value === 'number' && HEX.has(name)) return `0x${value.toString(16)}`
  return typeof value === 'string' ? `'${value}'` : String(value)
}

/**
 * @internal Makes the other implementation, and checks it. One that was returned before still has the state of an earlier
 * sequence: the shortest sequence would not show the difference when it runs alone.
 *
 * @throws TypeError
 */
export function checkedMaker<S, M extends object>(
  makeMine: (settings: S) => M,
  methods: readonly (keyof M & string)[],
): (settings: S) => M {
  const made = new WeakSet<M>()
  return (settings) => {
    const mine = checkImplementation('makeMine()', makeMine(settings), methods)
    if (made.has(mine)) {
      throw new TypeError(
        'makeMine(): expected a new implementation for each sequence, got the object of an earlier call: ' +
          'create the implementation in makeMine',
      )
    }
    made.add(mine)
    return mine
  }
}

/** @internal The options of a comparison, which are an object. @throws TypeError */
export function checkImplementation<T extends object>(
  name: string,
  value: T,
  methods: readonly (keyof T & string)[],
): T {
  checkObject(name, value)
  for (const method of methods) {
    if (typeof value[method] !== 'function')
      throw new TypeError(`${name}: expected an object with a function ${method}`)
  }
  return value
}
