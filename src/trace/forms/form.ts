/**
 * What a form of a line is: how one tool prints what comes before an event's fields.
 *
 *      CPU 0/KVM-4101  [000] .....   228.464932: (+1)     nr:nested_update:  (...) gp=0x... l1_lpid=5
 *      task      pid   cpu   flags   time         since   group event        the fields: FieldReader
 *                                                 the last
 *
 * The parser reads ftrace's plain form itself, byte by byte; a line that it cannot read so is tried in all forms of the table
 * in index.ts. A form is a module with one {@link LineForm}. To add one: write the module, add it to the table. A test reads
 * each form's `sample`.
 */

/** How one tool prints the beginning of a line. */
export interface LineForm {
  /** The tool, and its option where one causes this form. */
  readonly name: string
  /** A line as the tool prints it: an `rmap_insert_empty` of the task 4101. */
  readonly sample: string
  /**
   * Matches a line's beginning, from the task's pid to the event's colon, wherever it is in a line: so a prefix and any name
   * of a task may precede it. Flags: `g`. Groups: `pid`, `event`, and `time` if the form has it.
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
