/**
 * Argument checks for the public API. All errors have the same form.
 *
 * A value of the wrong type is a TypeError, a value outside the range is a RangeError. Both name the argument, the range
 * and the value received. An error text is built only when it is thrown, so a check costs only its comparisons.
 */

/** How a number is shown in an error: addresses and frame numbers in hex, counts in decimal. */
export type Radix = 10 | 16

/** Returns `value` (with -0 as 0) if it is an integer of `min..max`; throws {@link badInteger} otherwise. */
export function checkInteger(name: string, value: number, min: number, max: number, radix: Radix = 10): number {
  if (Number.isInteger(value) && value >= min && value <= max) return value + 0
  throw badInteger(name, value, min, max, radix)
}

/**
 * Returns `value`, a number or a BigInt, as a number if it is an integer of `min..max`; throws {@link badInteger}
 * otherwise. (It is short so that the engine inlines it.)
 */
export function toInteger(name: string, value: number | bigint, min: number, max: number, radix: Radix = 10): number {
  return Number.isInteger(value) && value >= min && value <= max
    ? (value as number) + 0
    : toIntegerFromBigInt(name, value, min, max, radix)
}

function toIntegerFromBigInt(name: string, value: number | bigint, min: number, max: number, radix: Radix): number {
  if (typeof value !== 'bigint') throw badInteger(name, value, min, max, radix)
  if (value >= min && value <= max) return Number(value)
  const got = radix === 16 ? showWord(value) : String(value)
  throw new RangeError(`${name}: expected an integer in ${show(min, radix)}..${show(max, radix)}, got ${got}`)
}

/** The error for a value that is not an integer of `min..max`. */
export function badInteger(name: string, value: unknown, min: number, max: number, radix: Radix = 10): Error {
  return badNumber(name, `an integer in ${show(min, radix)}..${show(max, radix)}`, value, radix)
}

/** The error for a value that is not the number that `expected` describes. */
export function badNumber(name: string, expected: string, value: unknown, radix: Radix = 10): Error {
  return typeof value === 'number'
    ? new RangeError(`${name}: expected ${expected}, got ${show(value, radix)}`)
    : notANumber(name, expected, value)
}

/** The error for a value of another type where only numbers are accepted. A BigInt may have the right value. */
function notANumber(name: string, expected: string, value: unknown): TypeError {
  return wrongType(name, typeof value === 'bigint' ? `${expected} (a number)` : expected, value)
}

/** Returns `word` if it is a BigInt of 0..2^64-1. */
export function checkWord(name: string, word: bigint): bigint {
  if (typeof word !== 'bigint') throw wrongType(name, 'a BigInt in 0x0..0xffffffffffffffff', word)
  if (word >= 0n && word <= 0xffffffffffffffffn) return word
  throw new RangeError(`${name}: expected a BigInt in 0x0..0xffffffffffffffff, got ${showWord(word)}`)
}

/** Returns `value` if it is one of `allowed`. */
export function checkOneOf<T extends string | number>(name: string, value: T, allowed: readonly T[]): T {
  if (allowed.includes(value)) return value
  const range = `one of ${allowed.join(', ')}`
  if (typeof value !== typeof allowed[0]) {
    throw typeof allowed[0] === 'number' ? notANumber(name, range, value) : wrongType(name, range, value)
  }
  throw new RangeError(`${name}: expected ${range}, got ${String(value)}`)
}

/** Returns `value` if it is a boolean, `fallback` if it is undefined. */
export function checkBoolean(name: string, value: boolean | undefined, fallback: boolean): boolean {
  if (value === undefined) return fallback
  if (typeof value === 'boolean') return value
  throw wrongType(name, 'a boolean', value)
}

/** Returns `value` if it is an object and not null. */
export function checkObject<T extends object>(name: string, value: T): T {
  if (typeof value === 'object' && value !== null) return value
  throw wrongType(name, 'an object', value)
}

/**
 * Returns `options` if it is an object whose enumerable properties are all known. Without this check a misspelled option
 * would be ignored.
 */
export function checkOptionNames<T extends object>(name: string, options: T, known: readonly (keyof T & string)[]): T {
  checkObject(name, options)
  for (const option in options) if (!known.includes(option)) throw unknownName(name, 'option', option, known)
  return options
}

/** Returns `answer`, which a function of the caller returned, if it is an object whose enumerable properties are all known. */
export function checkAnswer<T extends object>(name: string, answer: T, known: readonly (keyof T & string)[]): T {
  checkObject(name, answer)
  for (const property in answer) {
    if (known.includes(property)) continue
    checkNoPromise(name, answer)
    throw unknownName(name, 'property', property, known)
  }
  return answer
}

/** Refuses a Promise as an answer. (It has no enumerable properties: call this where a required property is missing.) */
export function checkNoPromise(name: string, answer: object): void {
  if (typeof (answer as { then?: unknown }).then !== 'function') return
  throw new TypeError(`${name}: expected the answer itself, got a Promise: the function must not be async`)
}

function unknownName(name: string, kind: 'option' | 'property', unknown: string, known: readonly string[]): TypeError {
  const nearest = nearestName(unknown, known)
  const hint = nearest === undefined ? '' : `did you mean ${nearest}? `
  return new TypeError(`${name}: unknown ${kind} ${quote(unknown)}; ${hint}expected ${known.join(', ')}`)
}

/** The known name that a misspelled one is most likely to be; undefined if none is near. */
export function nearestName(name: string, known: readonly string[]): string | undefined {
  const [nearest] = known
    .map((one) => ({ one, distance: editDistance(one.toLowerCase(), name.toLowerCase()) }))
    .filter(({ distance }) => distance <= name.length / 2)
    .sort((a, b) => a.distance - b.distance)
  return nearest?.one
}

/** How many letters must be inserted, removed or replaced to change one word into the other. */
function editDistance(a: string, b: string): number {
  let above = Array.from({ length: b.length + 1 }, (_, column) => column)
  for (let row = 1; row <= a.length; row++) {
    const distances = [row]
    for (let column = 1; column <= b.length; column++) {
      const replaced = above[column - 1]! + (a[row - 1] === b[column - 1] ? 0 : 1)
      distances.push(Math.min(replaced, above[column]! + 1, distances[column - 1]! + 1))
    }
    above = distances
  }
  return above[b.length]!
}

/** Returns `value` if it is a function. */
export function checkFunction<T>(name: string, value: T): T {
  if (typeof value === 'function') return value
  throw wrongType(name, 'a function', value)
}

/** Returns `value` if it is an iterable object: an array, a Set, a generator ... */
export function checkIterable<T>(name: string, value: Iterable<T>): Iterable<T> {
  if (typeof value === 'object' && value !== null && typeof value[Symbol.iterator] === 'function') return value
  throw wrongType(name, 'an iterable object', value)
}

/** Returns `value` if it is an object with a function named `method`. */
export function checkHas<T extends object>(name: string, value: T, method: keyof T & string): T {
  if (typeof checkObject(name, value)[method] === 'function') return value
  throw wrongType(name, `an object with a function ${method}`, value)
}

/** The TypeError for an argument of the wrong type. */
export function wrongType(name: string, expected: string, value: unknown): TypeError {
  const type = value === null ? 'null' : typeof value
  const got =
    type === 'string' ? `string ${quote(value as string)}` : type === 'bigint' ? `bigint ${value as bigint}n` : type
  return new TypeError(`${name}: expected ${expected}, got ${got}`)
}

function quote(text: string): string {
  return JSON.stringify(text.slice(0, 40))
}

function show(value: number, radix: Radix): string {
  if (radix === 10 || !Number.isInteger(value)) return Object.is(value, -0) ? '0' : String(value)
  return showWord(BigInt(value))
}

/** A BigInt in hex, for an error: also one that is no word. */
export function showWord(word: bigint): string {
  return word < 0n ? `-0x${(-word).toString(16)}` : `0x${word.toString(16)}`
}
