/**
 * Reads the lines of a recording as events. ftrace's plain form is read byte by byte, without any allocation:
 *
 *      qemu-system-ppc-196     [001] .....   228.464931: nr:pte_create: (kvmppc_create_pte+0xc/0xa70 [kvm_hv]) kvm=0x...
 *      task name   -pid         cpu  flags   time        group event    where                                  fields
 *
 * Flags and group may be missing. Any other line is read more slowly: it is cleaned (text.ts) and compared with every
 * form (forms/). The parser never throws for a bad line: a line that names a known event but cannot be read is counted
 * as *unread*, with the reason, and makes the verdict incomplete.
 */
import { Byte, bytesOf, isDigit, printable, skipSpaces, skipWord, textOf } from './bytes'
import { EVENT_NAMES, type EventName } from './events'
import { eventForm, FieldReader, type EventForm } from './field-reader'
import { findHead } from './forms/index'
import { cleanLine, headerEntriesOf, namedEvent, saysLost } from './text'
import { TraceEvent } from './trace-event'

export { TraceEvent } from './trace-event'

/** A line that names a known event and could not be read as one. */
export interface UnreadLine {
  /** The number of the line, from 1. */
  readonly line: number
  /** The line's first 200 characters; `?` for each that cannot be printed. */
  readonly text: string
  /** Why it could not be read. */
  readonly reason: string
}

const MOST_UNREAD = 10

/** Most fields of an event. */
const MOST_FIELDS = 32

/** Longest name of a task in Linux. */
const TASK_NAME = 15

/** Reads the lines of one recording. */
export class TraceParser {
  /** Lines of known events that were read. */
  events = 0
  /** Lines of other events, and lines that are not events. */
  skipped = 0
  /** Lines that name a known event but could not be read. */
  unread = 0
  /** The first ten of the unread lines. */
  readonly firstUnread: UnreadLine[] = []
  /** Whether the recording itself says that events were lost. */
  lost = false
  /**
   * The entries that ftrace's header counts; 0 without a header. Of several headers the largest count: the header of
   * the file of a single CPU counts the entries of all CPUs, so a sum would count them twice.
   */
  headerEntries = 0
  /** The first line whose time is earlier than that of the event before it; 0 if there is none. */
  backwardsAt = 0
  /** The number of the last line if it has no line end and may be cut off; else 0. Such a line is not read. */
  cutAt = 0

  readonly #event = new TraceEvent()
  readonly #fields = new FieldReader()
  readonly #counts = new Uint32Array(EVENT_NAMES.length)
  /** By event and field: the length of the longest value that ended a line. */
  readonly #longest = new Uint8Array(EVENT_NAMES.length * MOST_FIELDS)
  /** The time of the last event: its seconds, and the digits after the point. */
  #seconds = 0
  #time = 0
  #isLast = false

  /**
   * @internal How many of the entries that the header counts have no line that was read. Every line that is not empty, a header or a
   * loss counts as an entry, so the number is never too large.
   */
  get missing(): number {
    return Math.max(0, this.headerEntries - this.events - this.unread - this.skipped)
  }

  /** @internal How many events of this name were read. */
  count(name: EventName): number {
    return this.#counts[EVENT_NAMES.indexOf(name)] ?? 0
  }

  /**
   * Reads a line, given without its line end.
   *
   * @param line its number, from 1
   * @returns the event; undefined if the line is no known event, or cannot be read ({@link unread})
   */
  parseLine(bytes: Uint8Array, start: number, end: number, line: number): TraceEvent | undefined {
    start |= 0
    end |= 0
    const first = skipSpaces(bytes, start, end)
    let at = first
    let pid = -1
    while (
      at < end &&
      (bytes[at] !== Byte.BRACKET || !isCpu(bytes, at, end) || (pid = pidBefore(bytes, start, at)) < 0)
    )
      at++
    if (at >= end || bytes[start] === Byte.HASH || isInName(bytes, at, first, end)) {
      return this.#otherForm(bytes, start, end, line)
    }
    // After the cpu: the flags, which may be missing and never begin with a digit, then the time with a colon.
    at = skipSpaces(bytes, skipWord(bytes, at, end), end)
    if (at < end && !isDigit(bytes[at]!)) at = skipSpaces(bytes, skipWord(bytes, at, end), end)
    const timeStart = at
    let seconds = 0
    let time = 0 // the digits after the point, or all
    for (; at < end; at++) {
      const byte = bytes[at]!
      if (isDigit(byte)) time = time * 10 + byte - Byte.ZERO
      else if (byte !== Byte.DOT) break
      else {
        seconds = time
        time = 0
      }
    }
    const hasTime = at > timeStart && bytes[at] === Byte.COLON
    at = skipSpaces(bytes, at + 1, end)
    const timeEnd = at
    let nameEnd = endOfName(bytes, at, end)
    if (nameEnd + 1 < end && bytes[nameEnd] === Byte.COLON && bytes[nameEnd + 1]! > Byte.SPACE) {
      at = nameEnd + 1 // after the group
      nameEnd = endOfName(bytes, at, end)
    }
    const form = hasTime && bytes[nameEnd] === Byte.COLON ? eventForm(bytes, at, nameEnd) : undefined
    if (form === undefined) {
      if (!hasTime || nameEnd === end || !isName(bytes, timeEnd, nameEnd)) {
        return this.#otherForm(bytes, start, end, line)
      }
      this.skipped++
      return undefined
    }
    if (!this.#fields.read(bytes, nameEnd + 1, end, form, this.#event)) {
      return this.#otherForm(bytes, start, end, line)
    }
    return this.#accept(bytes, end, form, pid, seconds, time, line)
  }

  /**
   * Reads the last line of a recording, if it has no line end. It may be cut off, so it is read only if its last value
   * is certainly complete; otherwise it is ignored, and {@link cutAt} is set.
   */
  parseCutLine(bytes: Uint8Array, start: number, end: number, line: number): TraceEvent | undefined {
    this.#isLast = true
    return this.parseLine(bytes, start, end, line)
  }

  #accept(
    bytes: Uint8Array,
    end: number,
    form: EventForm,
    pid: number,
    seconds: number,
    time: number,
    line: number,
  ): TraceEvent | undefined {
    const { lastValue, lastPlace } = this.#fields
    if (lastValue >= 0) {
      const key = form.index * MOST_FIELDS + lastPlace
      if (this.#isLast && !this.#isComplete(bytes, lastValue, end, key, form.name.endsWith('_ret')))
        return this.#cut(line)
      if (end - lastValue > this.#longest[key]!) this.#longest[key] = end - lastValue
    }
    if (seconds <= this.#seconds && (seconds < this.#seconds || time < this.#time) && this.backwardsAt === 0) {
      this.backwardsAt = line
    }
    this.#seconds = seconds
    this.#time = time
    this.events++
    this.#counts[form.index]!++
    const event = this.#event
    event.line = line
    event.name = form.name
    event.pid = pid
    return event
  }

  /**
   * Whether the value that ends the input is complete: no digit can follow it, or no value of this field was longer so
   * far. (An input of a single event is taken as complete.)
   */
  #isComplete(bytes: Uint8Array, start: number, end: number, key: number, isRet: boolean): boolean {
    if (this.events === 0) return true
    const text = textOf(bytes, start, end)
    const longest = this.#longest[key]!
    return /^(?:0x0|0x[\da-fA-F]{16})$/.test(text) || (isRet && text === '0') || (longest > 0 && text.length >= longest)
  }

  /** A line that is not an event in ftrace's plain form. */
  #otherForm(bytes: Uint8Array, start: number, end: number, line: number): TraceEvent | undefined {
    if (start === end) return undefined
    const text = cleanLine(textOf(bytes, start, end))
    const isHeader = text.startsWith('#')
    const named = isHeader ? undefined : namedEvent(text)
    if (named === undefined) {
      if (isHeader) this.headerEntries = Math.max(this.headerEntries, headerEntriesOf(text) ?? 0)
      if (saysLost(text) && !(isHeader && this.#isLast)) this.lost = true
      else if (this.#isLast) this.#cut(line)
      else if (!isHeader) this.skipped++
      return undefined
    }
    const head = findHead(text)
    if (head === undefined)
      return this.#cannotRead(text, line, `no task, cpu and time in a known form before ${named}:`)
    const name = bytesOf(head.event)
    const form = eventForm(name, 0, name.length)
    if (form === undefined) {
      this.skipped++ // another event, whose text names a known event
      return undefined
    }
    const rest = bytesOf(text)
    if (!this.#fields.read(rest, head.fields, rest.length, form, this.#event)) {
      return this.#cannotRead(text, line, this.#fields.problem!)
    }
    const { seconds = this.#seconds, time = this.#time } = head
    return this.#accept(rest, rest.length, form, head.pid, seconds, time, line)
  }

  #cut(line: number): undefined {
    this.cutAt = line
  }

  #cannotRead(text: string, line: number, reason: string): undefined {
    if (this.#isLast) return this.#cut(line)
    this.unread++
    if (this.firstUnread.length < MOST_UNREAD) this.firstUnread.push({ line, text: printable(text, 200), reason })
  }
}

/** Whether the bracket at `at` opens ` [digits] `. */
function isCpu(bytes: Uint8Array, at: number, end: number): boolean {
  if (bytes[at - 1] !== Byte.SPACE) return false
  let next = at + 1
  while (next < end && isDigit(bytes[next]!)) next++
  return next > at + 1 && next + 1 < end && bytes[next] === Byte.BRACKET_END && bytes[next + 1] === Byte.SPACE
}

/** The pid of `task-pid` or `task-pid  (tgid)` just before `cpu`; -1 if there is none. */
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

/** Whether the `[cpu]` at `at` may be in a task's name from `first` on: a `-` follows within a name's length. */
function isInName(bytes: Uint8Array, at: number, first: number, end: number): boolean {
  const nameEnd = Math.min(first + TASK_NAME, end - 1)
  for (; at <= nameEnd; at++) if (bytes[at] === Byte.MINUS) return true
  return false
}

/** The end of the word at `at`, which may end with a colon. */
function endOfName(bytes: Uint8Array, at: number, end: number): number {
  while (at < end && bytes[at] !== Byte.COLON && bytes[at] !== Byte.SPACE) at++
  return at
}

/** Whether a text can be the name of an event, with or without its group, or of a function. */
function isName(bytes: Uint8Array, start: number, end: number): boolean {
  for (let at = start; at < end; at++) if (IN_NAMES[bytes[at]!] === 0) return false
  return end > start
}

/** 1 for each byte that a name may contain. */
const IN_NAMES = new Uint8Array(256)
for (const byte of bytesOf('abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.:-')) IN_NAMES[byte] = 1
