/** A `toJSON` for results with words: they are BigInts, which `JSON.stringify` refuses. */
import { hexWord } from './word'

/** The prototype of these results. (Not a class, so that `console.log` and deep comparisons see a plain object.) */
const WORDS_AS_HEX = /* @__PURE__ */ Object.create(Object.prototype, { toJSON: { value: toJSON } }) as object

function toJSON(this: object): object {
  return Object.fromEntries(
    Object.entries(this).map(([name, value]: [string, unknown]) => [
      name,
      typeof value === 'bigint' ? hexWord(value) : value,
    ]),
  )
}

/** @internal An empty result that `JSON.stringify` can write: each BigInt as `0x` and 16 hexadecimal digits. */
export function emptyWithJson(): object {
  return Object.create(WORDS_AS_HEX) as object
}

/** @internal A copy of a result with more fields, which `JSON.stringify` can write. (A spread would take ten times as long.) */
export function withJson<T extends object, M extends object = object>(result: T, more?: M): T & M {
  return Object.assign(emptyWithJson(), result, more as M)
}
