/**
 * Reads the lines of a recording (ftrace's text) as events, byte by byte: no string is made of a line that is well.
 *
 *      qemu-system-ppc-196     [001] .....   228.464931: pte_create: (kvmppc_create_pte+0xc/0xa70 [kvm_hv]) kvm=0x...
 *      task name   -pid         cpu  flags      seconds  event       where                                  fields
 *
 * A task's name may hold spaces and brackets, so a line is found its way into at ` [cpu] `.
 */
import { checkOneOf } from '../base/args'
import { LineError } from '../base/lines'
import { hiOf, hiOfNumber, loOf, numberOf, wordOf } from '../base/word'
import { EVENT_FIELDS, FIELD, FIELD_NAMES, type EventName, type FieldName } from './events'

/** One event of a recording. The parser has one and fills it anew for each line: copy what is to be kept. */
export class TraceEvent {
  /** The line, counted from 1. */
  line = 0
  /** What happened. */
  name: EventName = 'pte_create'
  /** The task it happened in. */
  pid = 0
  /** @internal The fields' halves, by {@link FIELD}. */
  readonly hi = new Int32Array(FIELD_NAMES.length)
  /** @internal */
  readonly lo = new Int32Array(FIELD_NAMES.length)

  /**
   * A field as a word; a negative number as its two's complement. One that the event does not have says nothing.
   *
   * @throws TypeError, RangeError where there is no such field
   */
  word(field: FieldName): bigint {
    return this.wordAt(FIELD[checkOneOf('field', field, FIELD_NAMES)])
  }

  /**
   * A field as a number: exact below 2^53. One that the event does not have says nothing.
   *
   * @throws TypeError, RangeError where there is no such field
   */
  number(field: FieldName): number {
    return this.numberAt(FIELD[checkOneOf('field', field, FIELD_NAMES)])
  }

  /** @internal {@link word} by {@link FIELD}. */
  wordAt(field: number): bigint {
    return wordOf(this.hi[field]!, this.lo[field]!)
  }

  /** @internal {@link number} by {@link FIELD}. */
  numberAt(field: number): number {
    return numberOf(this.hi[field]! >>> 0, this.lo[field]!)
  }

  /** @internal Whether a field is 0, by {@link FIELD}. */
  isZeroAt(field: number): boolean {
    return (this.hi[field]! | this.lo[field]!) === 0
  }
}

interface FieldForm {
  readonly bytes: Uint8Array
  readonly index: number
  readonly bit: number
}

interface EventForm {
  readonly name: EventName
  readonly bytes: Uint8Array
  readonly fields: readonly FieldForm[]
  /** The bits of the fields that must be there. */
  readonly required: number
}

/** What lines are cut at. (A const enum, so that each stands where it is used: variables would be loaded for every byte.) */
const enum Byte {
  TAB = 0x09,
  SPACE = 0x20,
  HASH = 0x23,
  OPEN = 0x28,
  CLOSE = 0x29,
  MINUS = 0x2d,
  ZERO = 0x30,
  COLON = 0x3a,
  EQUALS = 0x3d,
  BRACKET = 0x5b,
  BRACKET_END = 0x5d,
  X = 0x78,
}

/** The value of a hexadecimal digit, -1 for any other byte. */
const DIGIT = new Int8Array(256).fill(-1)
for (let value = 0; value < 16; value++) {
  DIGIT[value.toString(16).charCodeAt(0)] = value
  DIGIT[value.toString(16).toUpperCase().charCodeAt(0)] = value
}

/** The events by {@link nameHash}. */
const FORMS = new Map<number, EventForm>()
for (const [name, fields] of Object.entries(EVENT_FIELDS)) {
  const bytes = asciiBytes(name)
  // `kvm` comes first, as in the kernel's lines, and is the one that may be missing.
  const forms = (['kvm', ...fields] as FieldName[]).map((field, place) => ({
    bytes: asciiBytes(field),
    index: FIELD[field],
    bit: 1 << place,
  }))
  const required = (2 << fields.length) - 2
  FORMS.set(nameHash(bytes, 0, bytes.length), { name: name as EventName, bytes, fields: forms, required })
}

/** Reads the lines of one recording. */
export class TraceParser {
  /** Lines of known events. */
  events = 0
  /** Lines of other events, and lines that are none. */
  skipped = 0
  /** Whether the recording itself says that events were lost. */
  lost = false

  readonly #event = new TraceEvent()
  #kvmHi = 0
  #kvmLo = 0

  /**
   * One line, without its end.
   *
   * @param line its number, from 1
   * @returns the event, or undefined where the line holds none that is known
   * @throws LineError for a known event with a field that is missing or malformed, or of another `kvm` than before
   */
  parseLine(bytes: Uint8Array, start: number, end: number, line: number): TraceEvent | undefined {
    let at = start | 0
    end |= 0
    let pid = -1
    while (
      at < end &&
      (bytes[at] !== Byte.BRACKET || !isCpu(bytes, at, end) || (pid = pidBefore(bytes, start, at)) < 0)
    )
      at++
    if (bytes[start] === Byte.HASH || at >= end) {
      this.#plainLine(bytes, start, end)
      return undefined
    }
    // What stands between: flags (may be missing), the seconds with a colon, then the event with a colon.
    let wordEnd = skipWord(bytes, at, end)
    do {
      at = skipSpaces(bytes, wordEnd, end)
      wordEnd = skipWord(bytes, at, end)
    } while (at < end && bytes[wordEnd - 1] !== Byte.COLON)
    at = skipSpaces(bytes, wordEnd, end)
    let nameEnd = at
    while (nameEnd < end && bytes[nameEnd] !== Byte.COLON && bytes[nameEnd] !== Byte.SPACE) nameEnd++
    const form = FORMS.get(nameHash(bytes, at, nameEnd))
    if (form === undefined || !startsWith(bytes, at, nameEnd, form.bytes) || nameEnd - at !== form.bytes.length) {
      this.skipped++
      return undefined
    }

    const event = this.#event
    event.line = line
    event.name = form.name
    event.pid = pid
    this.#fields(bytes, nameEnd + 1, end, form, line)
    this.events++
    return event
  }

  #fields(bytes: Uint8Array, start: number, end: number, form: EventForm, line: number): void {
    const { fields } = form
    end |= 0
    let at = skipSpaces(bytes, start, end) | 0
    if (bytes[at] === Byte.OPEN) {
      while (at < end && bytes[at] !== Byte.CLOSE) at++
      at = skipSpaces(bytes, at + 1, end)
    }
    let seen = 0
    let expected = 0
    while (at < end) {
      // The fields of a line nearly always stand in the order of the form.
      let field: FieldForm | undefined = fields[expected]
      if (field === undefined || !isNamed(bytes, at, end, field.bytes)) {
        field = undefined
        for (let place = 0; place < fields.length; place++) {
          if (!isNamed(bytes, at, end, fields[place]!.bytes)) continue
          field = fields[place]
          expected = place
        }
      }
      if (field === undefined) {
        at = skipSpaces(bytes, skipWord(bytes, at, end), end)
        continue
      }
      expected++
      const equals = at + field.bytes.length
      const valueEnd = bytes[equals] === Byte.EQUALS ? this.#value(bytes, equals + 1, end, field.index) : -1
      if (valueEnd < 0 || (valueEnd < end && bytes[valueEnd] !== Byte.SPACE) || (seen & field.bit) !== 0) {
        const what = (seen & field.bit) !== 0 ? 'given twice' : 'malformed'
        throw new LineError(
          line,
          `${form.name}: field ${ascii(field.bytes, 0, field.bytes.length)} is ${what}: ` +
            ascii(bytes, at, Math.min(skipWord(bytes, at, end), at + 60)),
        )
      }
      seen |= field.bit
      at = skipSpaces(bytes, valueEnd, end)
    }
    if ((seen & form.required) !== form.required) {
      const missing = fields.find((field) => (form.required & ~seen & field.bit) !== 0)!
      throw new LineError(line, `${form.name}: field ${ascii(missing.bytes, 0, missing.bytes.length)} is missing`)
    }
    if ((seen & 1) !== 0) this.#checkKvm(line)
  }

  /** Reads a value into the event; returns where it ends, -1 where it is none. */
  #value(bytes: Uint8Array, start: number, end: number, index: number): number {
    let at = start | 0
    end |= 0
    let hi = 0
    let lo = 0
    let digit = 0
    if (bytes[at] === Byte.ZERO && at + 1 < end && bytes[at + 1] === Byte.X) {
      at += 2
      const first = at
      const half = Math.min(first + 8, end)
      while (at < half && (digit = DIGIT[bytes[at]!]!) >= 0) {
        lo = (lo << 4) | digit
        at++
      }
      if (at === first) return -1
      while (at < end && (digit = DIGIT[bytes[at]!]!) >= 0) {
        hi = (hi << 4) | (lo >>> 28)
        lo = (lo << 4) | digit
        at++
      }
      if (at - first > 16) return -1
    } else {
      const negative = bytes[at] === Byte.MINUS
      if (negative) at++
      const first = at
      let value = 0
      while (at < end && (digit = DIGIT[bytes[at]!]!) >= 0 && digit < 10) {
        value = value * 10 + digit
        at++
      }
      if (at === first || at - first > 20) return -1
      if (value > Number.MAX_SAFE_INTEGER) {
        const word = BigInt(ascii(bytes, first, at))
        if (negative || word > 0xffffffffffffffffn) return -1
        hi = hiOf(word)
        lo = loOf(word)
      } else {
        if (negative) value = -value
        hi = hiOfNumber(value)
        lo = value | 0
      }
    }
    this.#event.hi[index] = hi
    this.#event.lo[index] = lo
    return at
  }

  #checkKvm(line: number): void {
    const hi = this.#event.hi[FIELD.kvm]!
    const lo = this.#event.lo[FIELD.kvm]!
    if (hi === this.#kvmHi && lo === this.#kvmLo) return
    if ((this.#kvmHi | this.#kvmLo) !== 0) {
      const first = wordOf(this.#kvmHi, this.#kvmLo).toString(16)
      throw new LineError(line, `two different kvm: 0x${first}, then 0x${wordOf(hi, lo).toString(16)}`)
    }
    this.#kvmHi = hi
    this.#kvmLo = lo
  }

  /** A header line, or one that is no event: does it say that events were lost? */
  #plainLine(bytes: Uint8Array, start: number, end: number): void {
    if (start === end) return
    const text = ascii(bytes, start, Math.min(end, start + 200))
    const written = /^#\s*entries-in-buffer\/entries-written:\s*(\d+)\/(\d+)/.exec(text)
    if (written !== null ? written[1] !== written[2] : /^CPU:\d+ \[LOST .*EVENTS\]/.test(text)) this.lost = true
    else if (bytes[start] !== Byte.HASH) this.skipped++
  }
}

function asciiBytes(text: string): Uint8Array {
  return Uint8Array.from(text, (char) => char.charCodeAt(0))
}

/** Bytes as text, for a message: what is not printable becomes a question mark. */
function ascii(bytes: Uint8Array, start: number, end: number): string {
  let text = ''
  for (let at = start; at < end; at++) {
    const byte = bytes[at]!
    text += byte >= Byte.SPACE && byte < 0x7f ? String.fromCharCode(byte) : '?'
  }
  return text
}

function nameHash(bytes: Uint8Array, start: number, end: number): number {
  let hash = 0
  for (let at = start; at < end; at++) hash = (Math.imul(hash, 31) + bytes[at]!) | 0
  return hash
}

function startsWith(bytes: Uint8Array, at: number, end: number, prefix: Uint8Array): boolean {
  if (end - at < prefix.length) return false
  for (let i = 0; i < prefix.length; i++) if (bytes[at + i] !== prefix[i]) return false
  return true
}

/** Whether `name` stands at `at`, as a field's: with its value, or, malformed, without. */
function isNamed(bytes: Uint8Array, at: number, end: number, name: Uint8Array): boolean {
  if (!startsWith(bytes, at, end, name)) return false
  const after = at + name.length
  return after === end || bytes[after] === Byte.EQUALS || bytes[after] === Byte.SPACE
}

/** Whether the bracket at `at` opens ` [digits] `. */
function isCpu(bytes: Uint8Array, at: number, end: number): boolean {
  if (bytes[at - 1] !== Byte.SPACE) return false
  let next = at + 1
  while (next < end && isDigit(bytes[next]!)) next++
  return next > at + 1 && next + 1 < end && bytes[next] === Byte.BRACKET_END && bytes[next + 1] === Byte.SPACE
}

function isDigit(byte: number): boolean {
  return byte >= Byte.ZERO && byte < Byte.ZERO + 10
}

function skipSpaces(bytes: Uint8Array, start: number, end: number): number {
  let at = start | 0
  while (at < end && (bytes[at] === Byte.SPACE || bytes[at] === Byte.TAB)) at++
  return at
}

function skipWord(bytes: Uint8Array, start: number, end: number): number {
  let at = start | 0
  while (at < end && bytes[at] !== Byte.SPACE && bytes[at] !== Byte.TAB) at++
  return at
}

/** The number at the end of `task-pid`, or of `task-pid  (tgid)`, that ends before `cpu`; -1 where there is none. */
function pidBefore(bytes: Uint8Array, start: number, cpu: number): number {
  let at = cpu
  while (at > start && bytes[at - 1] === Byte.SPACE) at--
  if (bytes[at - 1] === Byte.CLOSE) {
    while (at > start && bytes[at] !== Byte.OPEN) at--
    while (at > start && bytes[at - 1] === Byte.SPACE) at--
  }
  const end = at
  while (at > start && isDigit(bytes[at - 1]!)) at--
  if (at === end || bytes[at - 1] !== Byte.MINUS || end - at > 10) return -1
  let pid = 0
  for (let digit = at; digit < end; digit++) pid = pid * 10 + bytes[digit]! - Byte.ZERO
  return pid
}
