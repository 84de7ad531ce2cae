import fc from 'fast-check'
import { expect, test } from 'vitest'
import { LineError, LineSplitter } from '../../src/base/lines'
import { cases } from '../support/cases'

const encoder = new TextEncoder()

function split(text: string, cuts: number[], maxBytes?: number): { lines: string[]; numbers: number[] } {
  const bytes = encoder.encode(text)
  const splitter = new LineSplitter(maxBytes)
  const lines: string[] = []
  const numbers: number[] = []
  const onLine = (buffer: Uint8Array, start: number, end: number, line: number): void => {
    lines.push(new TextDecoder().decode(buffer.subarray(start, end)))
    numbers.push(line)
  }
  const edges = [0, ...cuts.map((cut) => cut % (bytes.length + 1)).sort((a, b) => a - b), bytes.length]
  for (let i = 1; i < edges.length; i++) splitter.feed(bytes.subarray(edges[i - 1], edges[i]), onLine)
  splitter.end(onLine)
  expect(splitter.lines).toBe(lines.length)
  return { lines, numbers }
}

/** The expected lines, by another method. */
function expected(text: string): string[] {
  const lines = text.split('\n').map((line) => line.replace(/\r$/, ''))
  if (text === '' || text.endsWith('\n')) lines.pop()
  return lines
}

const texts = fc.array(fc.constantFrom('a', 'bc', '\n', '\n', '\r\n', '\r', 'é', 'x'.repeat(300)), { maxLength: 40 })

test('any text in any chunks gives its lines with their numbers', () => {
  fc.assert(
    fc.property(
      texts.map((parts) => parts.join('')),
      fc.array(fc.nat(), { maxLength: 8 }),
      (text, cuts) => {
        const { lines, numbers } = split(text, cuts)
        expect(lines).toEqual(expected(text))
        expect(numbers).toEqual(lines.map((_, index) => index + 1))
      },
    ),
    { numRuns: cases(500) },
  )
})

test('a line of exactly the limit is accepted: with LF, CR LF or neither, in one chunk or several', () => {
  for (const end of ['', '\n', '\r\n']) {
    for (const cuts of [[], [5], [10], [11], [1, 2, 3]]) {
      expect(split(`${'x'.repeat(10)}${end}`, cuts, 10).lines).toEqual(['x'.repeat(10)])
    }
  }
})

test('a line over the limit is an error with its line number, in one chunk or several', () => {
  for (const end of ['', '\n', '\r\n']) {
    for (const cuts of [[], [5], [13], [14, 15]]) {
      const failing = (): unknown => split(`ok\n${'x'.repeat(11)}${end}`, cuts, 10)
      expect(failing).toThrow(LineError)
      expect(failing).toThrow('line 2: longer than 10 bytes')
    }
  }
})

test('a line without end is refused before it is kept', () => {
  const splitter = new LineSplitter(1000)
  const chunk = new Uint8Array(600).fill(120)
  splitter.feed(chunk, () => {})
  expect(() => splitter.feed(chunk, () => {})).toThrow('line 1: longer than 1000 bytes')
})

test('invalid arguments are refused', () => {
  expect(() => new LineSplitter(0)).toThrow(new RangeError('maxBytes: expected an integer in 1..1073741824, got 0'))
  expect(() => new LineSplitter('1' as never)).toThrow(TypeError)
  expect(() => new LineSplitter().feed('x' as never, () => {})).toThrow(
    new TypeError('chunk: expected a Uint8Array, got string "x"'),
  )
})
