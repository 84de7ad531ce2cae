import fc from 'fast-check'
import { expect, test } from 'vitest'
import {
  badInteger,
  badNumber,
  checkAnswer,
  checkBoolean,
  checkFunction,
  checkHas,
  checkInteger,
  checkIterable,
  checkObject,
  checkOneOf,
  checkOptionNames,
  checkWord,
  toInteger,
  wrongType,
} from '../../src/base/args'
import { refuses } from '../support/refuses'

test('an integer of the range is returned, -0 as 0', () => {
  fc.assert(
    fc.property(fc.maxSafeInteger(), fc.maxSafeInteger(), fc.maxSafeInteger(), (a, b, c) => {
      const [min, value, max] = [a, b, c].sort((x, y) => x - y) as [number, number, number]
      expect(checkInteger('n', value, min, max)).toBe(value)
    }),
  )
  expect(Object.is(checkInteger('n', -0, -1, 1), 0)).toBe(true)
  expect(Object.is(checkInteger('n', -0, 0, 0), 0)).toBe(true)
})

test('a number outside the range is a RangeError with name, range and value', () => {
  for (const [value, shown] of [
    [-1, '-1'],
    [4096, '4096'],
    [1.5, '1.5'],
    [NaN, 'NaN'],
    [Infinity, 'Infinity'],
    [-Infinity, '-Infinity'],
    [2 ** 53, '9007199254740992'],
    [0, '0'],
    [-0, '0'],
  ] as const) {
    refuses(
      () => checkInteger('lpid', value, 1, 4095),
      RangeError,
      `lpid: expected an integer in 1..4095, got ${shown}`,
    )
  }
})

test('addresses are shown in hex', () => {
  for (const [value, shown] of [
    [-16, '-0x10'],
    [2 ** 52, '0x10000000000000'],
    [1.5, '1.5'],
    [NaN, 'NaN'],
    [Infinity, 'Infinity'],
    [1e300, `0x${BigInt(1e300).toString(16)}`],
  ] as const) {
    refuses(
      () => checkInteger('gpa', value, 0, 2 ** 52 - 1, 16),
      RangeError,
      `gpa: expected an integer in 0x0..0xfffffffffffff, got ${shown}`,
    )
  }
  refuses(() => checkInteger('n', -0, 1, 2, 16), RangeError, 'n: expected an integer in 0x1..0x2, got 0x0')
})

/** Values that are not numbers, and how an error shows them. */
const OTHER_TYPES: [unknown, string][] = [
  [undefined, 'undefined'],
  [null, 'null'],
  ['7', 'string "7"'],
  ['x'.repeat(50), `string "${'x'.repeat(40)}"`],
  ['"\n', 'string "\\"\\n"'],
  [true, 'boolean'],
  [Symbol('s'), 'symbol'],
  [{ valueOf: () => 7 }, 'object'],
  [[7], 'object'],
  [new Number(7), 'object'],
  [() => 7, 'function'],
]

test('a value of the wrong type is a TypeError that shows it', () => {
  for (const [value, shown] of OTHER_TYPES) {
    refuses(() => checkInteger('n', value as never, 0, 9), TypeError, `n: expected an integer in 0..9, got ${shown}`)
  }
  for (const [value, shown] of [...OTHER_TYPES, [7, 'number'] as const]) {
    refuses(
      () => checkWord('word', value as never),
      TypeError,
      `word: expected a BigInt in 0x0..0xffffffffffffffff, got ${shown}`,
    )
  }
})

test('a BigInt where only numbers are accepted is shown, and the error says to use a number', () => {
  refuses(
    () => checkInteger('n', 7n as never, 0, 9),
    TypeError,
    'n: expected an integer in 0..9 (a number), got bigint 7n',
  )
  refuses(
    () => checkOneOf<number>('shift', 16n as never, [16, 12]),
    TypeError,
    'shift: expected one of 16, 12 (a number), got bigint 16n',
  )
  refuses(() => checkBoolean('b', 1n as never, true), TypeError, 'b: expected a boolean, got bigint 1n')
})

test('badInteger, badNumber and wrongType build errors and do not throw them', () => {
  expect(badInteger('n', 3, 1, 2)).toEqual(new RangeError('n: expected an integer in 1..2, got 3'))
  expect(badInteger('n', '3', 1, 2)).toEqual(new TypeError('n: expected an integer in 1..2, got string "3"'))
  expect(badNumber('n', 'an even number', 3)).toEqual(new RangeError('n: expected an even number, got 3'))
  expect(badNumber('n', 'an even number', 33, 16)).toEqual(new RangeError('n: expected an even number, got 0x21'))
  expect(badNumber('n', 'an even number', null, 16)).toEqual(new TypeError('n: expected an even number, got null'))
  expect(wrongType('n', 'a thing', 1)).toEqual(new TypeError('n: expected a thing, got number'))
})

test('a word is a BigInt of 64 bits', () => {
  for (const word of [0n, 1n, 2n ** 63n, 2n ** 64n - 1n]) expect(checkWord('word', word)).toBe(word)
  for (const [word, shown] of [
    [-1n, '-0x1'],
    [-255n, '-0xff'],
    [2n ** 64n, '0x10000000000000000'],
  ] as const) {
    refuses(
      () => checkWord('word', word),
      RangeError,
      `word: expected a BigInt in 0x0..0xffffffffffffffff, got ${shown}`,
    )
  }
})

test('checkOneOf accepts a value of the list and refuses others', () => {
  expect(checkOneOf('shift', 16, [16, 12])).toBe(16)
  expect(checkOneOf('shift', 12, [16, 12])).toBe(12)
  expect(checkOneOf('access', 'read', ['read', 'write'])).toBe('read')
  refuses(() => checkOneOf<number>('shift', 13, [16, 12]), RangeError, 'shift: expected one of 16, 12, got 13')
  refuses(() => checkOneOf<number>('shift', NaN, [16, 12]), RangeError, 'shift: expected one of 16, 12, got NaN')
  refuses(
    () => checkOneOf<string>('access', 'x', ['read', 'write']),
    RangeError,
    'access: expected one of read, write, got x',
  )
  refuses(
    () => checkOneOf('shift', '16' as never, [16, 12]),
    TypeError,
    'shift: expected one of 16, 12, got string "16"',
  )
  refuses(
    () => checkOneOf('access', undefined as never, ['read']),
    TypeError,
    'access: expected one of read, got undefined',
  )
})

test('checkBoolean accepts a boolean, and undefined is the fallback', () => {
  expect(checkBoolean('b', true, false)).toBe(true)
  expect(checkBoolean('b', false, true)).toBe(false)
  expect(checkBoolean('b', undefined, true)).toBe(true)
  expect(checkBoolean('b', undefined, false)).toBe(false)
  refuses(() => checkBoolean('b', 0 as never, false), TypeError, 'b: expected a boolean, got number')
  refuses(() => checkBoolean('b', null as never, false), TypeError, 'b: expected a boolean, got null')
})

test('checkObject accepts an object that is not null', () => {
  const bag = {}
  expect(checkObject('options', bag)).toBe(bag)
  for (const [value, shown] of [
    [null, 'null'],
    [undefined, 'undefined'],
    [1, 'number'],
    ['a', 'string "a"'],
  ] as const) {
    refuses(() => checkObject('options', value as never), TypeError, `options: expected an object, got ${shown}`)
  }
})

test('checkFunction and checkIterable accept a function and an iterable object', () => {
  const call = (): number => 1
  expect(checkFunction('visit', call)).toBe(call)
  refuses(() => checkFunction('visit', {}), TypeError, 'visit: expected a function, got object')
  refuses(() => checkFunction('visit', undefined), TypeError, 'visit: expected a function, got undefined')
  for (const value of [[], new Set([1]), new Map()]) expect(checkIterable<unknown>('gfns', value)).toBe(value)
  for (const [value, shown] of [
    [{}, 'object'],
    [null, 'null'],
    [undefined, 'undefined'],
    ['ab', 'string "ab"'],
    [1, 'number'],
  ] as const) {
    refuses(() => checkIterable('gfns', value as never), TypeError, `gfns: expected an iterable object, got ${shown}`)
  }
})

test('checkHas accepts an object with the named function', () => {
  const map = new Map<number, number>()
  expect(checkHas('guests', map, 'get')).toBe(map)
  refuses(
    () => checkHas('guests', { get: 1 }, 'get'),
    TypeError,
    'guests: expected an object with a function get, got object',
  )
  refuses(
    () => checkHas<{ get?: () => void }>('guests', {}, 'get'),
    TypeError,
    'guests: expected an object with a function get, got object',
  )
  refuses(() => checkHas('guests', null as never, 'get'), TypeError, 'guests: expected an object, got null')
})

test('a BigInt of the range is converted to a number; outside the range it is a RangeError', () => {
  fc.assert(
    fc.property(fc.maxSafeInteger(), fc.maxSafeInteger(), fc.maxSafeInteger(), (a, b, c) => {
      const [min, value, max] = [a, b, c].sort((x, y) => x - y) as [number, number, number]
      expect(toInteger('n', value, min, max)).toBe(value)
      expect(toInteger('n', BigInt(value), min, max)).toBe(value)
    }),
  )
  refuses(() => toInteger('lpid', 4096n, 1, 4095), RangeError, 'lpid: expected an integer in 1..4095, got 4096')
  refuses(() => toInteger('gpa', -16n, 0, 255, 16), RangeError, 'gpa: expected an integer in 0x0..0xff, got -0x10')
  refuses(
    () => toInteger('gpa', 2n ** 53n, 0, 2 ** 53 - 1, 16),
    RangeError,
    'gpa: expected an integer in 0x0..0x1fffffffffffff, got 0x20000000000000',
  )
  refuses(() => toInteger('lpid', 0.5, 1, 4095), RangeError, 'lpid: expected an integer in 1..4095, got 0.5')
  for (const [value, shown] of OTHER_TYPES) {
    refuses(() => toInteger('n', value as never, 0, 9), TypeError, `n: expected an integer in 0..9, got ${shown}`)
  }
})

test('an unknown property of an answer is refused as a property, a Promise as a Promise', () => {
  const check = (answer: object): unknown => checkAnswer<Record<string, unknown>>('walk()', { ...answer }, ['l1Gpa'])
  expect(check({ l1Gpa: 1 })).toEqual({ l1Gpa: 1 })
  refuses(() => check({ l1gpa: 1 }), TypeError, 'walk(): unknown property "l1gpa"; did you mean l1Gpa? expected l1Gpa')
  refuses(
    () => checkAnswer<object>('walk()', Object.assign(Promise.resolve(), { traced: true }), []),
    TypeError,
    'walk(): expected the answer itself, got a Promise: the function must not be async',
  )
  refuses(() => checkAnswer('walk()', null as never, []), TypeError, 'walk(): expected an object, got null')
})

test('an unknown option is refused, and the nearest known one is named', () => {
  const known = ['baseGfn', 'npages', 'readOnly', 'pageShift'] as const
  const check = (options: object): unknown =>
    checkOptionNames<Record<string, unknown>>('options', { ...options }, known)
  expect(check({})).toEqual({})
  expect(check({ npages: 1, readOnly: undefined })).toEqual({ npages: 1, readOnly: undefined })
  const all = 'expected baseGfn, npages, readOnly, pageShift'
  for (const [option, hint] of [
    ['readonly', 'did you mean readOnly? '],
    ['pageSize', 'did you mean pageShift? '],
    ['nPages', 'did you mean npages? '],
    ['gfn', ''],
    ['constructor', ''],
    ['color', ''],
  ] as const) {
    refuses(() => check({ [option]: undefined }), TypeError, `options: unknown option "${option}"; ${hint}${all}`)
  }
  refuses(() => checkOptionNames('options', null as never, []), TypeError, 'options: expected an object, got null')
})
