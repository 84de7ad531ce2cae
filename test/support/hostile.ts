/** Mutated inputs for the parsers. They are seeded: the number of a failing input is enough to create it again. */

/** A generator of integers: mulberry32. */
export function random(seed: number): (below: number) => number {
  let state = seed | 0
  return (below) => {
    state = (state + 0x6d2b79f5) | 0
    let t = Math.imul(state ^ (state >>> 15), 1 | state)
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t
    return ((t ^ (t >>> 14)) >>> 0) % below
  }
}

const EDGE_NUMBERS = [
  '0',
  '1',
  '-1',
  '16',
  '4095',
  '4096',
  '0x0',
  '0xffffffffffffffff',
  '0x10000000000000000',
  '18446744073709551615',
  '18446744073709551616',
  '9007199254740993',
  '0x8000000000000000',
  '0xfffffffffffff000',
  '0x',
  '0xg',
  '1e9',
  '-0',
  '',
  ' ',
]

/** Damages bytes in one to four places: bits, bytes, ranges; in a text also numbers and lines. */
export function mutate(bytes: Uint8Array, next: (below: number) => number): Uint8Array {
  let out = bytes
  for (let times = 1 + next(4); times > 0; times--) out = MUTATIONS[next(MUTATIONS.length)]!(out, next)
  return out
}

type Mutation = (bytes: Uint8Array, next: (below: number) => number) => Uint8Array

const MUTATIONS: Mutation[] = [
  (bytes, next) => changed(bytes, next, (byte) => byte ^ (1 << next(8))),
  (bytes, next) => changed(bytes, next, () => next(256)),
  (bytes, next) => changed(bytes, next, () => '0123456789abcdefx-=: \n\r\t#[]()'.charCodeAt(next(31))),
  (bytes, next) => bytes.subarray(0, next(bytes.length + 1)),
  (bytes, next) => {
    const [start, end] = range(bytes, next)
    return joined(bytes.subarray(0, start), bytes.subarray(end)) // a range removed
  },
  (bytes, next) => {
    const [start, end] = range(bytes, next)
    return joined(bytes.subarray(0, end), bytes.subarray(start)) // a range doubled
  },
  (bytes, next) => {
    const [start, end] = range(bytes, next)
    const at = next(bytes.length + 1)
    return joined(bytes.subarray(0, at), bytes.subarray(start, end), bytes.subarray(at)) // a range copied to another place
  },
  (bytes, next) =>
    lines(bytes, (all) => {
      all.splice(next(all.length), 1)
    }),
  (bytes, next) =>
    lines(bytes, (all) => {
      all.splice(next(all.length), 0, all[next(all.length)]!)
    }),
  (bytes, next) =>
    lines(bytes, (all) => {
      const [one, other] = [next(all.length), next(all.length)]
      ;[all[one], all[other]] = [all[other]!, all[one]!]
    }),
  (bytes, next) =>
    lines(bytes, (all) => {
      // a number replaced by a limit or by another number of the text
      const at = next(all.length)
      const numbers = [...all[at]!.matchAll(/(?:0x)?[0-9a-f]+/g)]
      if (numbers.length === 0) return
      const { 0: old, index } = numbers[next(numbers.length)]!
      const others = [...all[next(all.length)]!.matchAll(/(?:0x)?[0-9a-f]+/g)]
      const number =
        next(2) === 0 || others.length === 0
          ? EDGE_NUMBERS[next(EDGE_NUMBERS.length)]!
          : others[next(others.length)]![0]
      all[at] = all[at]!.slice(0, index) + number + all[at]!.slice(index + old.length)
    }),
]

function changed(bytes: Uint8Array, next: (below: number) => number, change: (byte: number) => number): Uint8Array {
  if (bytes.length === 0) return bytes
  const copy = bytes.slice()
  const at = next(copy.length)
  copy[at] = change(copy[at]!)
  return copy
}

function range(bytes: Uint8Array, next: (below: number) => number): [start: number, end: number] {
  const start = next(bytes.length + 1)
  return [start, Math.min(bytes.length, start + next(40))]
}

function joined(...parts: Uint8Array[]): Uint8Array {
  const out = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0))
  let at = 0
  for (const part of parts) {
    out.set(part, at)
    at += part.length
  }
  return out
}

/** Converts bytes to lines, one character for each byte, and back. */
function lines(bytes: Uint8Array, change: (all: string[]) => void): Uint8Array {
  const all = Buffer.from(bytes).toString('latin1').split('\n')
  change(all)
  return new Uint8Array(Buffer.from(all.join('\n'), 'latin1'))
}
