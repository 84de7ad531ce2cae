/**
 * What random sequences are made of: shapes of steps, each with the values that its fields may have.
 *
 * A shape is data, so it has two readers: the seeded generator of vectors draws from it, and the arbitraries for
 * fast-check are built from it. Both try the same things.
 */
import type { Random } from './random'

/** @internal The values of a field: those worth trying, and a range from which one in eight is drawn, if there is one. */
export interface Field<T> {
  readonly values: readonly T[]
  readonly range?: readonly [min: number, max: number]
}

/** @internal How often a value comes from the range of a field: once in so many times. */
export const RANGE_RARITY = 8

/** What is rare in a random sequence, and can be made more frequent or be left out. */
export type RareThing = 'races' | 'large' | 'reuse' | 'memslots' | 'malformed' | 'long' | 'quirks'

/** For each rare thing how frequent it is: 1 is the default, 0 leaves it out, 3 makes it three times as frequent. */
export type Weights = { readonly [thing in RareThing]?: number }

/** @internal Every {@link RareThing}, with its default. Quirks break what holds otherwise: they are asked for. */
export const DEFAULT_WEIGHTS: Readonly<Record<RareThing, number>> = {
  races: 1,
  large: 1,
  reuse: 1,
  memslots: 1,
  malformed: 1,
  long: 1,
  quirks: 0,
}

/** @internal One kind of step of a random sequence. */
export interface Shape<S> {
  /** How frequent it is, beside the other shapes. */
  readonly weight: number
  /** Its fields, in the order in which values are drawn. */
  readonly fields: readonly Field<unknown>[]
  /** The steps, from a value for each field. */
  make(values: readonly unknown[]): readonly S[]
}

/** @internal Makes shapes of steps of one type. */
export function shapesOf<S>() {
  /** A shape whose fields have names; none where its weight is 0. */
  return <F extends Record<string, unknown>>(
    weight: number,
    fields: { readonly [name in keyof F]: Field<F[name]> },
    make: (values: F) => readonly S[],
  ): Shape<S>[] => {
    if (weight === 0) return []
    const names = Object.keys(fields)
    const named = (values: readonly unknown[]) => Object.fromEntries(names.map((name, i) => [name, values[i]])) as F
    return [{ weight, fields: Object.values(fields), make: (values) => make(named(values)) }]
  }
}

/** @internal Draws the steps of one shape. */
export function drawSteps<S>(random: Random, shapes: readonly Shape<S>[]): readonly S[] {
  let left = random.below(shapes.reduce((sum, { weight }) => sum + weight, 0))
  const drawn = shapes.find(({ weight }) => (left -= weight) < 0)!
  return drawn.make(drawn.fields.map((field) => drawField(random, field)))
}

function drawField<T>(random: Random, { values, range }: Field<T>): T {
  if (range === undefined || (values.length > 0 && random.below(RANGE_RARITY) > 0)) return random.pick(values)
  return random.integer(...range) as T
}
