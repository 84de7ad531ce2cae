/** The forms of a line, and the search for the head of a line: the part before the fields. */
import type { LineForm } from './form'
import { ftrace } from './ftrace'
import { functionGraph } from './function-graph'
import { latency } from './latency'
import { perfScript } from './perf-script'
import { verbose } from './verbose'

/** All forms. Their order does not matter. */
export const LINE_FORMS: readonly LineForm[] = [ftrace, latency, verbose, perfScript, functionGraph]

/** The part of a line before the fields. */
export interface Head {
  readonly pid: number
  /** The time before the point, and the digits after it; undefined in a form without a time. */
  readonly seconds: number | undefined
  readonly time: number | undefined
  readonly event: string
  /** Where the fields begin. */
  readonly fields: number
}

/** Longest name of a task in Linux. */
const TASK_NAME = 15
/** The head is searched in this many characters of a line. */
const LONGEST_HEAD = 512

/**
 * The head of a line in any form. A task's name can look like a head, and so can the text after the head (a trace
 * marker). Of several matches, the head is the last one with no more text before it than a task's name; else the first
 * one.
 */
export function findHead(line: string): Head | undefined {
  const text = line.slice(0, LONGEST_HEAD)
  let found: RegExpExecArray | undefined
  for (const { head } of LINE_FORMS) {
    head.lastIndex = 0
    for (let match = head.exec(text); match !== null; match = head.exec(text)) {
      if (found === undefined || isBetter(match, found)) found = match
      head.lastIndex = match.index + 1 // heads may overlap
    }
  }
  if (found === undefined) return undefined
  const { pid, time, event } = found.groups!
  const [first, second] = time?.split('.').map(Number) ?? []
  return {
    pid: Number(pid),
    seconds: first === undefined ? undefined : second === undefined ? 0 : first,
    time: second ?? first,
    event: event!,
    fields: endOf(found),
  }
}

function isBetter(match: RegExpExecArray, found: RegExpExecArray): boolean {
  const after = endOf(match) - endOf(found)
  if (after === 0) return match.index < found.index // two forms match the same head: prefer the longer match
  const isTask = ({ input, index }: RegExpExecArray): boolean => input.slice(0, index).trim().length <= TASK_NAME
  return after > 0 ? isTask(match) : !isTask(found)
}

function endOf(match: RegExpExecArray): number {
  return match.index + match[0].length
}
