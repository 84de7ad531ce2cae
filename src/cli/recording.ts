/** Reads a recording for the commands, prints warnings, and words the verdict. */
import { fileURLToPath } from 'node:url'
import type { Replay, ReplayResult } from '../trace/index'
import { Failure, UsageError } from './command'
import { inputName, readInput } from './input'
import { textKind } from './kinds'
import { count, counted } from './text'

/** The exit codes of `replay` and `dump`, by verdict. */
export const EXIT_CODES: Readonly<Record<ReplayResult['verdict'], number>> = { match: 0, differences: 1, incomplete: 3 }

/** The lines about them in a help text. */
export const EXIT_HELP = `Exit code: 0 match; 1 differences; 2 wrong usage or unreadable input;
3 incomplete: no event was found, lines of known events could not be
read, or the recording says that events were lost.`

/** The sample recording that the package contains, and the dump of its page tables. */
const SAMPLE = { recording: '../test/data/A.txt.gz', radix: '../test/data/A-radix.txt' }

/**
 * The recording on the command line, or the sample.
 *
 * @throws UsageError for none, several, or both
 */
export function recordingArgument(
  files: readonly string[],
  sample: boolean | undefined,
  name: string,
): { file: string; sampleRadix: string | undefined } {
  const path = (file: string): string => fileURLToPath(new URL(file, import.meta.url))
  if (sample === true) {
    if (files.length > 0) throw new UsageError(`expected one ${name} or --sample`)
    return { file: path(SAMPLE.recording), sampleRadix: path(SAMPLE.radix) }
  }
  const [file, ...more] = files
  if (file === undefined || more.length > 0) throw new UsageError(`expected one ${name}, or --sample`)
  return { file, sampleRadix: undefined }
}

/**
 * Feeds a file to a replay and ends it. Shows the progress on a terminal, and prints warnings on standard error.
 *
 * @param command the name of the command, for messages
 * @param emptyIsResult whether a file without events only gives a warning; by default it is refused
 * @param look receives each chunk before the replay
 * @throws Failure
 */
export async function readRecording(
  file: string,
  run: Replay,
  command = 'report',
  emptyIsResult = false,
  look: (chunk: Uint8Array) => void = () => {},
): Promise<void> {
  const terminal = process.stderr.isTTY
  let shown = 0
  const feed = (chunk: Uint8Array): void => {
    look(chunk)
    run.feed(chunk)
    if (!terminal || Date.now() - shown < 100) return
    shown = Date.now()
    process.stderr.write(`\r${count(run.events)} events`)
  }
  const pipeTo = `nested-rmap ${command} -`
  let truncated = false
  try {
    truncated = await readInput(
      file,
      { feed, end: () => run.end() },
      {
        refuse: (head) => textKind(head, file, pipeTo),
        where: () => ` after line ${run.lines}`,
        pipeTo,
        allowTruncated: true,
      },
    )
  } catch (error) {
    if (error instanceof RangeError && error.message.startsWith('kvm:'))
      throw new Failure(`${inputName(file)}: --${error.message}`)
    throw error
  } finally {
    if (shown > 0) process.stderr.write('\r\x1b[K')
  }
  if (run.events === 0 && !emptyIsResult) throw new Failure(noEvent(file, run))
  for (const warning of warnings(file, run, truncated)) process.stderr.write(`warning: ${warning}\n`)
}

function noEvent(file: string, run: Replay): string {
  const [unread] = run.result().firstUnread
  const reason = unread === undefined ? '' : `: line ${unread.line}: ${unread.reason}`
  return `${inputName(file)}: no event of a recording in ${counted(run.lines, 'line')}${reason}`
}

function warnings(file: string, run: Replay, truncated: boolean): string[] {
  const { cutLine, lost, missing, unread, firstUnread } = run.result()
  const name = inputName(file)
  const list: string[] = []
  if (run.events === 0) list.push(noEvent(file, run))
  if (truncated) list.push(`${name}: the compressed data is truncated after line ${count(run.lines)}`)
  if (cutLine !== null)
    list.push(`${name}: the last line (${count(cutLine)}) is cut off: it has no line end and is not read`)
  if (lost) list.push(`${name} says that events were lost: this can cause differences`)
  if (missing > 0)
    list.push(
      `${name}: the header counts ${counted(run.headerEntries, 'entry', 'entries')}, and ` +
        `${counted(run.headerEntries - missing, 'line')} of events were read: the recording was cut or filtered`,
    )
  const [first] = firstUnread
  if (first !== undefined && run.events > 0) {
    const { line, reason } = first
    list.push(
      `${name}: ${counted(unread, 'line')} of known events could not be read; the first is line ${line}: ${reason}`,
    )
  }
  return list
}

/** What a verdict must add if a part of the recording is missing: ` in what was read: ...`; else nothing. */
export function missingText({ missing }: ReplayResult): string {
  if (missing === 0) return ''
  return ` in what was read: ${counted(missing, 'entry', 'entries')} of the header ${missing === 1 ? 'is' : 'are'} missing`
}

/** The last lines of a report: the lines that could not be read, and the verdict. */
export function verdictText(result: ReplayResult): string {
  const { verdict, differences, unread, firstUnread, incomplete } = result
  const found = differences === 0 ? 'no differences' : counted(differences, 'difference')
  if (verdict === 'match') return `No differences${missingText(result) || ': the model matches the recording exactly'}.`
  if (verdict === 'differences') return `${found.replace(/^1 /, 'One ')} between the model and the recording.`
  const lines = firstUnread.map(
    ({ line, text, reason }) => `  line ${line}: ${reason}\n    ${text.trim().slice(0, 74)}`,
  )
  if (unread > 0) lines.unshift(`${counted(unread, 'line')} of known events could not be read:`)
  if (unread > firstUnread.length) lines.push(`  and ${count(unread - firstUnread.length)} more`)
  return [...lines, `Incomplete: ${incomplete}. What was read has ${found}.`].join('\n')
}
