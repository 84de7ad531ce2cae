/**
 * Reads the fields of an event, byte by byte:
 *
 *      (kvmppc_create_pte+0xc/0xa70 [kvm_hv]) kvm=0xc000000032fc8000 gpa=0x100 level=0 ret=-11
 *       where, ignored                        name=value ...
 *
 * A value is hexadecimal after 0x, or decimal. Allocates nothing unless the fields cannot be read.
 */
import { hiOf, hiOfNumber, loOf } from '../base/word'
import { Byte, bytesOf, DIGIT, nameHash, printable, skipSpaces, skipWord, startsWith, textOf } from './bytes'
import { EVENT_FIELDS, EVENT_NAMES, FIELD, FIELD_NAMES, type EventName } from './events'
import type { TraceEvent } from './trace-event'

interface FieldForm {
  readonly bytes: Uint8Array
  /** Its index, from {@link FIELD}. */
  readonly index: number
  readonly bit: number
  /** Whether it is an `int`: 0xfffffff5 is -11. */
  readonly isInt: boolean
}

/** An event and its fields, as bytes. */
export interface EventForm {
  readonly name: EventName
  readonly bytes: Uint8Array
  /** Its index in `EVENT_NAMES`. */
  readonly index: number
  readonly fields: readonly FieldForm[]
  /** The bits of the required fields, and of all fields. */
  readonly required: number
  readonly all: number
  /** By {@link FIELD}: the field's bit, 0 for the fields of other events. */
  readonly bits: Int32Array
}

/** The bit of `kvm`, in every form. */
const KVM_BIT = 1

/** The events by the {@link nameHash} of their names. */
const FORMS = new Map<number, EventForm>()
EVENT_NAMES.forEach((name, index) => {
  const { required, optional } = EVENT_FIELDS[name]
  // `kvm` comes first in the kernel's lines, then the others in the order of the table.
  const names = [...new Set<(typeof FIELD_NAMES)[number]>(['kvm', ...required, ...optional])]
  const fields = names.map((field, place) => ({
    bytes: bytesOf(field),
    index: FIELD[field],
    bit: 1 << place,
    isInt: field === 'ret',
  }))
  const bits = new Int32Array(FIELD_NAMES.length)
  for (const { index, bit } of fields) bits[index] = bit
  const bytes = bytesOf(name)
  FORMS.set(nameHash(bytes, 0, bytes.length), {
    name,
    bytes,
    index,
    fields,
    required: required.reduce((sum: number, field) => sum | bits[FIELD[field]]!, 0),
    all: 2 ** fields.length - 1,
    bits,
  })
})

/** The form of the event with this name; undefined for an unknown event. */
export function eventForm(bytes: Uint8Array, start: number, end: number): EventForm | undefined {
  const form = FORMS.get(nameHash(bytes, start, end))
  return form !== undefined && end - start === form.bytes.length && startsWith(bytes, start, end, form.bytes)
    ? form
    : undefined
}

/** Reads fields into an event. */
export class FieldReader {
  /** The problem with the fields that were read last; undefined if there was none. */
  problem: string | undefined = undefined
  /** The index of the first byte of the value at the line's end; -1 if that is no value of a known field. */
  lastValue = -1
  /** The index of that field in the form. */
  lastPlace = 0

  /** Reads the fields in `start..end-1`. @returns whether all required fields were read; if not, see {@link problem} */
  read(bytes: Uint8Array, start: number, end: number, form: EventForm, event: TraceEvent): boolean {
    const { fields } = form
    end |= 0
    let at = skipSpaces(bytes, start, end) | 0
    if (bytes[at] === Byte.OPEN) {
      while (at < end && bytes[at] !== Byte.CLOSE) at++
      at = skipSpaces(bytes, at + 1, end)
    }
    let seen = 0
    let expected = 0
    this.problem = undefined
    this.lastValue = -1
    while (at < end) {
      // The fields of a line nearly always have the order of the form.
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
      const valueEnd = bytes[equals] === Byte.EQUALS ? readValue(bytes, equals + 1, end, field, event) : -1
      if (valueEnd < 0 || (valueEnd < end && bytes[valueEnd] !== Byte.SPACE) || (seen & field.bit) !== 0) {
        const what = (seen & field.bit) !== 0 ? 'given twice' : 'malformed'
        const text = printable(textOf(bytes, at, skipWord(bytes, at, Math.min(end, at + 60))))
        this.problem = `${form.name}: field ${FIELD_NAMES[field.index]!} is ${what}: ${text}`
        return false
      }
      seen |= field.bit
      if (valueEnd === end) {
        this.lastValue = equals + 1
        this.lastPlace = expected - 1
      }
      at = skipSpaces(bytes, valueEnd, end)
    }
    event.seen = seen
    event.bits = form.bits
    const missing = form.all & ~seen
    if (missing === 0) return true
    if (missing !== KVM_BIT) return this.#missing(missing, form, event)
    event.hi[FIELD.kvm] = event.lo[FIELD.kvm] = 0 // most events lack it
    return true
  }

  #missing(missing: number, { name, fields, required }: EventForm, event: TraceEvent): boolean {
    for (const { index, bit } of fields) if ((missing & bit) !== 0) event.hi[index] = event.lo[index] = 0
    const field = fields.find(({ bit }) => (missing & required & bit) !== 0)
    if (field === undefined) return true
    this.problem = `${name}: field ${FIELD_NAMES[field.index]!} is missing`
    return false
  }
}

/** Whether a field's name is at `at`, with a value or (malformed) without. */
function isNamed(bytes: Uint8Array, at: number, end: number, name: Uint8Array): boolean {
  if (!startsWith(bytes, at, end, name)) return false
  const after = at + name.length
  return after === end || bytes[after] === Byte.EQUALS || bytes[after] === Byte.SPACE
}

/** Reads a value into the event. @returns its end, or -1 if it is not a value */
function readValue(bytes: Uint8Array, start: number, end: number, field: FieldForm, event: TraceEvent): number {
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
      const word = BigInt(textOf(bytes, first, at))
      if (negative || word > 0xffffffffffffffffn) return -1
      hi = hiOf(word)
      lo = loOf(word)
    } else {
      if (negative) value = -value
      hi = hiOfNumber(value)
      lo = value | 0
    }
  }
  // An int that was recorded as x32 or u32 has its sign in bit 31.
  if (field.isInt && hi === 0 && lo < 0) hi = -1
  event.hi[field.index] = hi
  event.lo[field.index] = lo
  return at
}
