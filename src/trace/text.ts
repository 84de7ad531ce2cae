/**
 * For lines that are not in ftrace's plain form: removes escape sequences, finds the event that a line names, and
 * whether it says that events were lost.
 */
import { EVENT_NAMES } from './events'

/** The name of a known event in a line. */
const NAMED = new RegExp(String.raw`(?:^|[\s:])(${EVENT_NAMES.join('|')}):(?=\s|$)`)

/** ECMA-48 escape sequences: colours (CSI), titles (OSC), and the two-byte ones. */
// eslint-disable-next-line no-control-regex
const ESCAPES = /\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)?|[ -/]*[0-~])/g

/** Values of one byte, as options/fields prints them: `nested=(1)`, `perm='a'(97)`. */
const BYTE_VALUES = /=(?:'.')?\((-?\d+)\)/g

/** A line without a byte order mark and escape sequences; one-byte values as numbers. */
export function cleanLine(text: string): string {
  let clean = text.startsWith('\xef\xbb\xbf') ? text.slice(3) : text
  if (clean.includes('\x1b')) clean = clean.replace(ESCAPES, '')
  return clean.replace(BYTE_VALUES, '=$1')
}

/** The known event that a line names, anywhere in it; undefined if it names none. */
export function namedEvent(text: string): string | undefined {
  return NAMED.exec(text)?.[1]
}

/** What the tools print when events were lost. No pattern matches a count of 0. */
const LOSSES: readonly RegExp[] = [
  /\[\s*LOST\s+(?:[1-9]\d*\s+)?EVENTS?\s*\]/i, // trace_pipe: CPU:1 [LOST 3 EVENTS]
  /\[\s*(?:[1-9]\d*\s+)?EVENTS?\s+(?:DROPPED|LOST)\s*\]/i, // trace-cmd: CPU:1 [3 EVENTS DROPPED]
  /^\s*CPU[ :]?\d+:?\s+(?:LOST|DROPPED)\s+[1-9]\d*\s+EVENTS?/i, // perf: CPU 1 lost 3 events
  /\b(?:LOST|DROPPED)\s+[1-9]\d*\s+(?:EVENTS?|CHUNKS?|SAMPLES?)\b/i, // perf: LOST 3 events!
  /\b[1-9]\d*\s+(?:EVENTS?|SAMPLES?)\s+(?:WERE\s+)?(?:LOST|DROPPED)\b/i,
  /\bPERF_RECORD_LOST(?:_SAMPLES)?\b(?!.*\blost:?\s*0\b)/, // perf script --show-lost-events
  /\bTotal Lost Samples:\s*[1-9]/i, // perf report
  /^##### CPU \d+ buffer started ####/, // ftrace, only if the ring buffer has overrun
  /^\s*(?:commit )?overrun:\s*[1-9]|^\s*dropped events:\s*[1-9]/, // per_cpu/cpuN/stats, trace-cmd's summary
]

/** The counts in ftrace's headers: events in the buffer, events ever written. */
const WRITTEN = /^#\s*(?:entries-in-buffer\/entries-written:\s*|latency: [^#]*#)(\d+)\/(\d+)/

/** The entries that a header of ftrace counts in its buffer; undefined if the line is no such header. */
export function headerEntriesOf(text: string): number | undefined {
  const entries = Number(WRITTEN.exec(text.slice(0, 300))?.[1])
  return Number.isSafeInteger(entries) ? entries : undefined
}

/** Whether a line that is not a known event says that events were lost. */
export function saysLost(text: string): boolean {
  const head = text.slice(0, 300)
  const written = WRITTEN.exec(head)
  return written === null ? LOSSES.some((loss) => loss.test(head)) : written[1] !== written[2]
}
