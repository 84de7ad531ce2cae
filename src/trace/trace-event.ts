/** One event of a recording, as the parser returns it: its name, its task and the words of its fields. */
import { checkOneOf } from '../base/args'
import { numberOf, wordOf } from '../base/word'
import { FIELD, FIELD_NAMES, type EventName, type FieldName } from './events'

const NO_BITS = new Int32Array(FIELD_NAMES.length)

/** One event of a recording. The parser reuses one object for all lines: copy what you keep. */
export class TraceEvent {
  /** The number of its line in the recording, from 1. */
  line = 0
  /** The name of the event. */
  name: EventName = 'pte_create'
  /** The id of the task (the thread, not the process) in which it occurred. */
  pid = 0
  /** @internal The high halves of the fields, by {@link FIELD}. */
  readonly hi = new Int32Array(FIELD_NAMES.length)
  /** @internal The low halves. */
  readonly lo = new Int32Array(FIELD_NAMES.length)
  /** @internal The fields that this event has, as {@link bits}. */
  seen = 0
  /** @internal By {@link FIELD}: the field's bit in {@link seen}, or 0 for a field that such events never have. */
  bits: Int32Array = NO_BITS

  /**
   * Whether this event's line has the field.
   *
   * @throws TypeError, RangeError for an unknown field name
   */
  has(field: FieldName): boolean {
    return this.hasAt(FIELD[checkOneOf('field', field, FIELD_NAMES)])
  }

  /**
   * A field as a 64-bit word, 0..2^64-1; a negative number as its two's complement; 0 if the event lacks the field.
   *
   * @throws TypeError, RangeError for an unknown field name
   */
  word(field: FieldName): bigint {
    return this.wordAt(FIELD[checkOneOf('field', field, FIELD_NAMES)])
  }

  /**
   * A field as a number, exact below 2^53; 0 if the event lacks the field.
   *
   * @throws TypeError, RangeError for an unknown field name
   */
  number(field: FieldName): number {
    return this.numberAt(FIELD[checkOneOf('field', field, FIELD_NAMES)])
  }

  /** @internal {@link has} by {@link FIELD}. */
  hasAt(field: number): boolean {
    return (this.seen & this.bits[field]!) !== 0
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

  /** @internal A copy that the parser does not change. */
  clone(): TraceEvent {
    const copy = new TraceEvent()
    copy.line = this.line
    copy.name = this.name
    copy.pid = this.pid
    copy.hi.set(this.hi)
    copy.lo.set(this.lo)
    copy.seen = this.seen
    copy.bits = this.bits
    return copy
  }
}
