/**
 * The parts of fast-check that are used, as types of our own: the caller passes the module in, so that this package
 * neither depends on fast-check nor needs its types. `import * as fc from 'fast-check'` and its default export both fit,
 * and what is returned here composes with fast-check's own arbitraries.
 */

/** A generator of random values that fast-check can shrink: its `Arbitrary<T>`, as far as types are concerned. */
export interface Arbitrary<T> {
  /** fast-check's own. */
  generate(mrng: any, biasFactor: number | undefined): any
  /** fast-check's own. */
  canShrinkWithoutContext(value: unknown): value is T
  /** fast-check's own. */
  shrink(value: T, context?: unknown): any
  /** The values that a predicate accepts. */
  filter(...args: any): any
  /** The values, each mapped. */
  map<U>(mapper: (value: T) => U): any
  /** For each value those of another arbitrary. */
  chain(...args: any): any
}

/** A range of integers. */
interface Range {
  /** The least. */
  min: number
  /** The greatest. */
  max: number
}

/** How long an array may be. */
interface Lengths {
  /** Most items. */
  maxLength?: number
  /** `max`: up to `maxLength`, however long that is. */
  size?: 'max'
}

/** An arbitrary among others. */
interface Weighted {
  /** How often it is chosen, beside the others. */
  weight: number
  /** The arbitrary. */
  arbitrary: Arbitrary<any>
}

/** The module fast-check, version 3 or 4. */
export interface FastCheck {
  /** Integers of a range. */
  integer(constraints: Range): Arbitrary<number>
  /** One of these values. */
  constantFrom<T>(...values: T[]): Arbitrary<T>
  /** One of these arbitraries, by weight. */
  oneof(...arbs: Weighted[]): Arbitrary<any>
  /** One value of each. */
  tuple(...arbs: Arbitrary<any>[]): Arbitrary<any[]>
  /** Arrays. */
  array<T>(arb: Arbitrary<T>, constraints: Lengths): Arbitrary<T[]>
  /** A property of the values. */
  property(arb: Arbitrary<any>, predicate: (value: any) => boolean): any
  /** Runs a property. */
  check(property: any, parameters?: any): any
}
