/**
 * A level of vectors: which operations there are, what they run on, and what a random sequence of them is.
 *
 * The generator of vectors, their check and the comparisons know nothing else of the three levels.
 */
import type { Answer, Operation, OperationAbout, Runner } from './operation'
import type { Random } from './random'
import type { RareThing } from './shapes'

/** @internal */
export interface Level<O extends Operation, S> {
  /** The operations, by name: the documentation in the first line of a file, and what its lines are checked against. */
  readonly operations: Readonly<Record<string, OperationAbout>>
  /** What every answer may have beside what its operation says, by name. */
  readonly answers?: Readonly<Record<string, string>>
  /** The settings, checked and complete. @throws RangeError, TypeError */
  settings(options: Partial<S>, quirks: boolean): S
  /** What runs the operations. @throws RangeError, TypeError */
  runner(settings: S): Runner<O>
  /** A random sequence without an end. It is given the answer to each operation; undefined: that one was refused. */
  sequence(
    random: Random,
    settings: S,
    weights: Readonly<Record<RareThing, number>>,
    runner: Runner<O>,
  ): Generator<O, never, Answer | undefined>
}
