/**
 * What the levels of vectors have in common: an operation, its answer, and the thing that runs operations.
 *
 * Operations and answers are JSON: plain objects of numbers, strings, booleans and arrays. A 64-bit word is a string in
 * hex, every other integer is below 2^53 and a number.
 */
import { hex } from '../base/word'

/** An operation of a level: its name, and what it is given. */
export interface Operation {
  /** Its name. */
  readonly op: string
}

/** What an operation came to, by name. Words are strings in hex. */
export type Answer = Readonly<Record<string, unknown>>

/** An operation that cannot be run here: it is unknown, has a bad operand, or refers to what does not exist. */
export class OperationError extends Error {
  override readonly name = 'OperationError'
}

/** @internal How an operation is described in a vector file, and which operands it has. */
export interface OperationAbout {
  /** The names of its operands. A name with `?` may be left out. */
  readonly operands: readonly string[]
  /** What it does and what its answer says. */
  readonly about: string
}

/** @internal Runs the operations of one level on the model. */
export interface Runner<O extends Operation> {
  /** @throws OperationError; nothing has changed then */
  run(operation: O): Answer
}

/** @internal Checks the names in an operation that comes from a file. @throws OperationError */
export function checkOperation(known: Readonly<Record<string, OperationAbout>>, operation: Operation): void {
  const about = Object.hasOwn(known, operation.op) ? known[operation.op] : undefined
  if (about === undefined) {
    const names = Object.keys(known).join(', ')
    throw new OperationError(`op: expected one of ${names}, got ${JSON.stringify(operation.op) ?? 'none'}`)
  }
  const optional = about.operands.filter((name) => name.endsWith('?')).map((name) => name.slice(0, -1))
  const needed = about.operands.filter((name) => !name.endsWith('?'))
  for (const name of needed) {
    if (!Object.hasOwn(operation, name)) throw new OperationError(`${operation.op}: expected ${name}`)
  }
  for (const name of Object.keys(operation)) {
    if (name === 'op' || needed.includes(name) || optional.includes(name)) continue
    throw new OperationError(
      `${operation.op}: unknown ${JSON.stringify(name)}; it has ${about.operands.join(', ') || 'no operand'}`,
    )
  }
}

/** @internal What a call of the library refuses, as an {@link OperationError}. */
export function refusing<T>(call: () => T): T {
  try {
    return call()
  } catch (error) {
    if (error instanceof OperationError) throw error
    throw new OperationError((error as Error).message)
  }
}

/** @internal A 64-bit word as operations and answers have it. */
export function wordText(word: bigint): string {
  return hex(word)
}

/** @internal The word that an operand has. @throws OperationError */
export function wordOperand(name: string, text: unknown): bigint {
  if (typeof text === 'string' && /^0x[0-9a-f]{1,16}$/i.test(text)) return BigInt(text)
  throw new OperationError(`${name}: expected a 64-bit word as a string in hex ("0x..."), got ${JSON.stringify(text)}`)
}
