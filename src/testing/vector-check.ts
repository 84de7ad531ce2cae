/**
 * Compares a vector file with the model: a file of the generator, one that another implementation wrote, or one by hand.
 *
 * The first difference ends the comparison: after it the two states are not the same. A line that cannot be read, or an
 * operation that does not exist or does not fit the state, is an error with its line; a file without an operation, or
 * with fewer than its first line says, is incomplete. Neither is a pass. Memory is bounded by the model's own state.
 */
import { LineError, LineSplitter } from '../base/lines'
import { compareAnswers, explain, textOf, type PropertyDifference } from './answer-difference'
import type { Level } from './level'
import { OperationError, type Answer, type Operation, type Runner } from './operation'
import { FORMAT, FORMAT_VERSION, LEVELS, type LevelName } from './vectors'

/** Operations that are kept to show what came before a difference. */
const KEPT = 500
/** Of those, how many are shown. */
const SHOWN = 5

/** The first difference of a vector file from the model. */
export interface VectorDifference {
  /** The line of the operation, from 1. */
  readonly line: number
  /** The operation, and what it was given. */
  readonly operation: Operation
  /** The names of the properties of its answer that differ. */
  readonly properties: readonly string[]
  /** Lines of text that say all that a reader needs: the operation, both answers, and what came before. */
  readonly text: string
}

/** What the check of a vector file came to. */
export interface VectorCheckResult {
  /** The level of the file; undefined if it has no first line. */
  readonly level: LevelName | undefined
  /** Operations that were compared. */
  readonly operations: number
  /** The first difference; undefined: there was none. */
  readonly difference: VectorDifference | undefined
  /** Why the file is no complete one: it is empty, has no operation, or fewer than it says; undefined: it is complete. */
  readonly incomplete: string | undefined
  /** Properties that answers of the file lacked and may lack, and in how many operations. */
  readonly lacking: ReadonlyMap<string, number>
}

/** Compares the bytes of a vector file with the model: feed them, call `end`, read `result`. */
export class VectorCheck {
  readonly #splitter = new LineSplitter()
  readonly #decoder = new TextDecoder('utf-8', { fatal: true })
  #level: LevelName | undefined
  #promised: number | undefined
  #runner: Runner<Operation> | undefined
  #operations = 0
  #ended = false
  #difference: VectorDifference | undefined
  readonly #lacking = new Map<string, number>()
  readonly #before: { line: number; operation: Operation; answer: Answer }[] = []

  /** Takes a chunk of the file. @throws LineError for a line that cannot be read or run */
  feed(chunk: Uint8Array): void {
    this.#splitter.feed(chunk, this.#onLine)
  }

  /** The file has ended. @throws LineError */
  end(): void {
    this.#splitter.end(this.#onLine)
    this.#ended = true
  }

  /** What it came to so far; complete after `end`. */
  get result(): VectorCheckResult {
    return {
      level: this.#level,
      operations: this.#operations,
      difference: this.#difference,
      incomplete: this.#incomplete,
      lacking: this.#lacking,
    }
  }

  get #incomplete(): string | undefined {
    if (this.#difference !== undefined) return undefined
    if (this.#level === undefined) return 'it is empty'
    if (this.#operations === 0) return 'it has no operation'
    if (this.#promised !== undefined && this.#operations < this.#promised) {
      const end = `after line ${this.#splitter.lines}`
      return `it ends ${end} with ${this.#operations} operations; its first line says ${this.#promised}`
    }
    return this.#ended ? undefined : 'its end was not read'
  }

  #onLine = (bytes: Uint8Array, start: number, end: number, line: number): void => {
    if (this.#difference !== undefined) return
    const value = this.#parse(bytes.subarray(start, end), line)
    if (value === undefined) return
    try {
      if (this.#runner === undefined) this.#begin(value)
      else this.#compare(value, line)
    } catch (error) {
      if (error instanceof OperationError || error instanceof RangeError || error instanceof TypeError) {
        throw new LineError(line, error.message)
      }
      throw error
    }
  }

  /** The object of a line; undefined for a blank one. */
  #parse(bytes: Uint8Array, line: number): Record<string, unknown> | undefined {
    try {
      const text = this.#decoder.decode(bytes)
      if (text.trim() === '') return undefined
      const value: unknown = JSON.parse(text)
      if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value as Record<string, unknown>
    } catch {
      /* said below */
    }
    throw new LineError(line, 'expected one JSON object (a line that was cut off?)')
  }

  #begin({ format, version, level, ops, settings }: Record<string, unknown>): void {
    if (format !== FORMAT)
      throw new OperationError(`format: expected "${FORMAT}" in the first line, got ${textOf(format)}`)
    if (version !== FORMAT_VERSION)
      throw new OperationError(`version: expected ${FORMAT_VERSION}, got ${textOf(version)}`)
    if (typeof level !== 'string' || !Object.hasOwn(LEVELS, level)) {
      throw new OperationError(`level: expected one of ${Object.keys(LEVELS).join(', ')}, got ${textOf(level)}`)
    }
    if (ops !== undefined && !(Number.isSafeInteger(ops) && (ops as number) > 0)) {
      throw new OperationError(`ops: expected how many operations follow, at least 1, got ${textOf(ops)}`)
    }
    const known: Level<Operation, object> = LEVELS[level as LevelName] as never
    this.#runner = known.runner(known.settings((settings ?? {}) as object, false))
    this.#promised = ops as number | undefined
    this.#level = level as LevelName
  }

  #compare(value: object, line: number): void {
    const { answer: theirs, ...rest } = value as { answer: Answer; op: string }
    const operation: Operation = rest
    if (typeof theirs !== 'object' || theirs === null || Array.isArray(theirs)) {
      throw new OperationError(`answer: expected an object, got ${textOf(theirs)}`)
    }
    if (this.#operations === this.#promised) {
      throw new OperationError(`expected the end of the file: its first line says ${this.#promised} operations`)
    }
    const model = this.#runner!.run(operation)
    this.#operations++
    const differences = compareAnswers(theirs, model, (name) =>
      this.#lacking.set(name, (this.#lacking.get(name) ?? 0) + 1),
    )
    if (differences.length > 0) {
      const text = this.#describe(operation, differences)
      this.#difference = { line, operation, properties: differences.map(({ name }) => name), text }
      return
    }
    this.#before.push({ line, operation, answer: model })
    if (this.#before.length === 2 * KEPT) this.#before.splice(0, KEPT)
  }

  #describe(operation: Operation, differences: readonly PropertyDifference[]): string {
    const lines = [`  ${JSON.stringify(operation)}`]
    for (const difference of differences) {
      const because = explain(operation, difference)
      lines.push(
        `  ${difference.name}`,
        `    file   ${textOf(difference.theirs)}`,
        `    model  ${textOf(difference.model)}`,
      )
      if (because !== undefined) lines.push(`    (${because})`)
    }
    const related = this.#before.filter((one) => areRelated(one.operation, operation))
    if (related.length > 0) lines.push('  before it:')
    for (const one of related.slice(-SHOWN)) {
      lines.push(`    line ${one.line}  ${JSON.stringify(one.operation)} -> ${shortened(JSON.stringify(one.answer))}`)
    }
    return lines.join('\n')
  }
}

/** Operands that name a thing: operations with the same value of one of them concern the same thing. */
const NAMES = ['gfn', 'lpid', 'held', 'fault', 'unmap', 'memslot', 'table'] as const

function areRelated(a: Operation, b: Operation): boolean {
  const [x, y] = [a, b] as unknown as Record<string, unknown>[]
  return NAMES.some((name) => x![name] !== undefined && x![name] === y![name])
}

function shortened(text: string): string {
  return text.length <= 160 ? text : `${text.slice(0, 157)}...`
}
