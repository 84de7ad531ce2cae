/** `nested-rmap replay`: a recording of a real kernel against the model, and a report on it. */
import { checkOneOf } from '../base/args'
import type { PageShift } from '../base/units'
import { RadixComparison, Replay, type RadixResult, type ReplayResult } from '../trace/index'
import {
  checkOneStandardInput,
  Failure,
  inputName,
  parseCommandArgs,
  readInput,
  UsageError,
  type Command,
} from './command'

const HELP = `Usage: nested-rmap replay FILE [--json] [--radix FILE] [--page-shift 16|12]

Replays a recording of a real kernel: the model is driven by what the kernel was asked, and compared, event by event,
with what the kernel did.

  FILE            the recording: ftrace's text, plain or .gz; - for standard input
  --radix FILE    the kernel's dump of its page tables after the recording (debugfs "radix"), compared at the end
  --page-shift N  log2 of the kernel's base page size: 16 (64 KiB, the default) or 12 (4 KiB)
  --json          one JSON object instead of the report

Exit code: 0 no difference, 1 differences, 2 wrong usage or unreadable input.

Example: nested-rmap replay A.txt.gz --radix A-radix.txt
`

export const replay: Command = {
  name: 'replay',
  summary: 'hold the model against a recording of a real kernel, event by event',
  help: HELP,
  async run(args) {
    const { values, positionals } = parseCommandArgs(args, {
      json: { type: 'boolean' },
      radix: { type: 'string' },
      'page-shift': { type: 'string' },
    })
    const [file, ...more] = positionals
    if (file === undefined || more.length > 0) throw new UsageError('expected one FILE')
    checkOneStandardInput(file, values.radix)
    const run = new Replay({ pageShift: pageShiftOption(values['page-shift']) })
    await readRecording(file, run)
    let radix: RadixResult | undefined
    if (values.radix !== undefined) {
      const comparison = new RadixComparison(run)
      await readInput(values.radix, comparison)
      radix = comparison.result()
    }
    const result = run.result(radix)
    if (result.lost)
      process.stderr.write(`warning: ${inputName(file)} says that events were lost: differences may come of that\n`)
    process.stdout.write(values.json === true ? `${JSON.stringify(result)}\n` : report(file, run, result, radix))
    return result.differences === 0 ? 0 : 1
  },
}

/** The value of `--page-shift`. @throws UsageError */
export function pageShiftOption(value: string | undefined): PageShift {
  try {
    return checkOneOf<PageShift>('--page-shift', Number(value ?? 16) as PageShift, [16, 12])
  } catch (error) {
    throw new UsageError((error as Error).message)
  }
}

/** Feeds a file to a replay, with a progress line on a terminal. @throws Failure */
export async function readRecording(file: string, run: Replay): Promise<void> {
  const terminal = process.stderr.isTTY
  let shown = 0
  const feed = (chunk: Uint8Array): void => {
    run.feed(chunk)
    if (!terminal || Date.now() - shown < 100) return
    shown = Date.now()
    process.stderr.write(`\r${count(run.events)} events`)
  }
  try {
    await readInput(file, { feed, end: () => run.end() }, () => ` after line ${run.lines}`)
  } finally {
    if (shown > 0) process.stderr.write('\r\x1b[K')
  }
  if (run.events === 0) throw new Failure(`${inputName(file)}: no event of a recording in ${count(run.lines)} lines`)
}

function count(number: number): string {
  return number.toLocaleString('en-US')
}

function report(file: string, run: Replay, result: ReplayResult, radix: RadixResult | undefined): string {
  const { inserts, taken, stale, slots } = result
  const inserted = inserts.empty + inserts.second + inserts.list + inserts.duplicate
  const touched = slots.empty + slots.single + slots.list
  const rows: [string, number, string][] = [
    ['events', result.events, result.skipped === 0 ? '' : `and ${count(result.skipped)} lines of other events`],
    [
      'inserts',
      inserted,
      `empty ${count(inserts.empty)}, second ${count(inserts.second)}, list ${count(inserts.list)}, ` +
        `duplicate ${count(inserts.duplicate)}; of ${count(result.lpids)} LPIDs`,
    ],
    ['scan steps', result.scanSteps, 'entries that the kernel compared to find duplicates'],
    ['ranges', result.ranges, `took ${count(taken.entries)} entries from ${count(taken.slots)} slots`],
    ['cleared', result.cleared, 'shadow leaves that the ranges cleared'],
    [
      'stale',
      stale.noGuest + stale.noLeaf + stale.otherFrame,
      `entries: no guest ${count(stale.noGuest)}, ` +
        `no leaf ${count(stale.noLeaf)}, other frame ${count(stale.otherFrame)}`,
    ],
    ['ageing', result.rcUpdates, 'slots that ageing or dirty harvest reached'],
    [
      'slots',
      touched,
      `that ever had an insert: now empty ${count(slots.empty)}, single ${count(slots.single)}, list ${count(slots.list)}`,
    ],
    ['nodes', result.nodes, `now, ${count(result.peakNodes)} at most; longest list ever: ${count(result.longestList)}`],
    ['bytes', 8 * touched + 16 * result.nodes, `8 x ${count(touched)} slots + 16 x ${count(result.nodes)} nodes`],
  ]
  if (radix !== undefined) {
    const { same, different, onlyModel, onlyKernel } = radix.host
    rows.push(['radix', radix.leaves, `shadow leaves in the dump, ${count(radix.differences)} differ`])
    rows.push([
      'L1',
      same,
      `leaves of L1's own table are the dump's, ${count(different)} are not; ${count(onlyKernel)} came later, ` +
        `${count(onlyModel)} went (not judged)`,
    ])
  }
  const width = Math.max(...rows.map(([, number]) => count(number).length))
  return (
    `${inputName(file)}, ${2 ** (run.pageShift - 10)} KiB pages\n\n` +
    rows
      .map(([name, number, text]) => `  ${name.padEnd(11)}${count(number).padStart(width)}  ${text}`.trimEnd())
      .join('\n') +
    histogram(run) +
    verdict(result)
  )
}

/** The lists by length, in classes that double. */
function histogram(run: Replay): string {
  const classes: number[] = []
  for (const [entries, slots] of run.listLengths()) {
    const at = Math.floor(Math.log2(entries))
    while (classes.length <= at) classes.push(0)
    classes[at]! += slots
  }
  if (classes.length === 0) return '\n\n  no slot holds an entry now\n'
  const most = Math.max(...classes)
  return (
    '\n\n  entries a slot now, and how many slots\n' +
    classes
      .map((slots, at) => {
        const range = at === 0 ? '1' : `${2 ** at}-${2 ** (at + 1) - 1}`
        return `  ${range.padStart(9)}  ${'#'.repeat(Math.ceil((slots / most) * 40))} ${count(slots)}\n`
      })
      .join('')
  )
}

function verdict(result: ReplayResult): string {
  if (result.differences === 0) return '\nNo difference: word for word, the model kept what the kernel kept.\n'
  const shown = result.first.map(({ line, event, message }) => `  line ${line}, ${event}\n    ${message}\n`).join('')
  const more = result.differences - result.first.length
  return (
    `\n${count(result.differences)} difference${result.differences === 1 ? '' : 's'}\n${shown}${more > 0 ? `  and ${count(more)} more\n` : ''}` +
    result.hints.map((hint) => `hint: ${hint}\n`).join('')
  )
}
