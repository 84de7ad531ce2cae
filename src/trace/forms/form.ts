/**
 * A form of a line: how one tool prints the part before an event's fields.
 *
 *      CPU 0/KVM-4101  [000] .....   228.464932: (+1)     nr:nested_update:  (...) gp=0x... l1_lpid=5
 *      task      pid   cpu   flags   time         since   group event        the fields: FieldReader
 *                                                 the last
 *
 * The parser reads ftrace's plain form itself, byte by byte. It compares any other line with all forms of the table in
 * index.ts. To add a form, write a module with one {@link LineForm} and add it to the table. A test reads each
 * `sample`.
 */

/** How one tool prints the beginning of a line. */
export interface LineForm {
  /** The tool, and its option if one selects this form. */
  readonly name: string
  /** A line as the tool prints it: an `rmap_insert_empty` of task 4101. */
  readonly sample: string
  /**
   * Matches the part from the task's pid to the event's colon, anywhere in a line: a prefix and the task's name may
   * precede it. Flags: `g`. Groups: `pid`, `event`, and `time` if the form has it.
   */
  readonly head: RegExp
}

/** The end of every head: the time since the last event (trace-cmd --ts-diff), the event's group, its name, a colon. */
export const EVENT = String.raw`(?:\([+-]\d+\)\s+)?(?:[\w-]+:)?(?<event>[A-Za-z_]\w*):(?=\s|$)`

/** A time in seconds, or in another clock's units, and its colon. */
export const TIME = String.raw`(?<time>\d[\d.]*):\s*`

/** `-pid` and, with options/record-tgid, the process: `-4101   (   4100)`, `(-------)`. */
export const PID = String.raw`-(?<pid>\d{1,10})\s+(?:\(\s*[\d-]+\)\s+)?`

/** A head from its parts. */
export function headOf(...parts: string[]): RegExp {
  return new RegExp(parts.join(''), 'g')
}
