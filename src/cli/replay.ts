/** `nested-rmap replay`: compares a recording of a real kernel with the model, and reports on it. */
import { RadixComparison, Replay, type RadixResult, type ReplayResult } from '../trace/index'
import {
  checkOneStandardInput,
  kvmOption,
  pageShiftOption,
  parseCommandArgs,
  widthOption,
  type Command,
} from './command'
import { inputName, readInput } from './input'
import { EXIT_CODES, EXIT_HELP, readRecording, recordingArgument, verdictText } from './recording'
import { count, wrap } from './text'

const HELP = `Usage: nested-rmap replay FILE [OPTION]...

Replays a recording of a real kernel: runs the recorded operations on the
model, and compares the model with what the kernel did, event by event.

  FILE            the recording: the text of ftrace, of trace-cmd report or of
                  perf script; plain, .gz, or .zst (Node 22.15 or newer);
                  - for standard input
  --sample        replay the recording in this package, with its radix dump
  --radix FILE    compare the page tables at the end with the kernel's (what
                  debugfs's file radix had after the recording)
  --kvm ADDRESS   the VM to replay, for a recording of several: the value of
                  the field kvm
  --page-shift N  log2 of the kernel's base page size: 16 (64 KiB, the
                  default) or 12 (4 KiB)
  --json          print the result as a JSON object
  --width N       columns of the report: the terminal's, or 80, by default

The events that can be read, with sample lines: nested-rmap events.

${EXIT_HELP}

Example: nested-rmap replay A.txt.gz --radix A-radix.txt
         trace-cmd report | nested-rmap replay -
`

export const replay: Command = {
  name: 'replay',
  summary: 'compare a recording of a real kernel with the model, event by event',
  help: HELP,
  async run(args) {
    const { values, positionals } = parseCommandArgs(args, {
      json: { type: 'boolean' },
      sample: { type: 'boolean' },
      radix: { type: 'string' },
      kvm: { type: 'string' },
      'page-shift': { type: 'string' },
      width: { type: 'string' },
    })
    const { file, sampleRadix } = recordingArgument(positionals, values.sample, 'FILE')
    const radixFile = values.radix ?? sampleRadix
    checkOneStandardInput(file, radixFile)
    const width = widthOption(values.width)
    const kvm = kvmOption(values.kvm)
    const run = new Replay({ pageShift: pageShiftOption(values['page-shift']), ...(kvm === undefined ? {} : { kvm }) })
    await readRecording(file, run, 'replay', true)
    let radix: RadixResult | undefined
    if (radixFile !== undefined) {
      const comparison = new RadixComparison(run)
      await readInput(radixFile, comparison)
      radix = comparison.result()
    }
    const result = run.result(radix)
    process.stdout.write(values.json === true ? `${JSON.stringify(result)}\n` : report(file, run, result, radix, width))
    return EXIT_CODES[result.verdict]
  },
}

function report(
  file: string,
  run: Replay,
  result: ReplayResult,
  radix: RadixResult | undefined,
  width: number,
): string {
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
    [
      'ranges',
      result.ranges,
      `rmap ranges removed: ${count(taken.entries)} entries detached from ${count(taken.slots)} rmap slots`,
    ],
    ['cleared', result.cleared, 'shadow leaves that these removals cleared'],
    [
      'stale',
      stale.noGuest + stale.noLeaf + stale.otherFrame,
      `stale entries: no guest ${count(stale.noGuest)}, ` +
        `no leaf ${count(stale.noLeaf)}, other frame ${count(stale.otherFrame)}`,
    ],
    ['ageing', result.rcUpdates, 'rmap slots that ageing or dirty harvest reached'],
    [
      'slots',
      touched,
      `rmap slots that had an insert: now empty ${count(slots.empty)}, single ${count(slots.single)}, list ${count(slots.list)}`,
    ],
    [
      'nodes',
      result.nodes,
      `list nodes now, at most ${count(result.peakNodes)}; longest list: ${count(result.longestList)}`,
    ],
    ['bytes', 8 * touched + 16 * result.nodes, `8 x ${count(touched)} slots + 16 x ${count(result.nodes)} nodes`],
  ]
  const { faults, creations, setRc } = result
  if (faults.total > 0) {
    const outcomes = Object.entries(faults.byOutcome).filter(([, number]) => number > 0)
    rows.push(
      ['faults', faults.total, outcomes.map(([outcome, number]) => `${outcome} ${count(number)}`).join(', ')],
      ['creations', creations, 'shadow leaves predicted, with their referenced and changed bits'],
      ['set-rc', setRc, 'predicted results of set-rc: software sets these bits'],
    )
  }
  if (radix !== undefined) {
    const { same, different, onlyModel, onlyKernel } = radix.host
    rows.push(['radix', radix.leaves, `shadow leaves in the radix dump, ${count(radix.differences)} differ`])
    rows.push([
      'L1',
      same,
      `leaves of L1's own table equal the dump's. ${count(different)} have another word, ${count(onlyKernel)} are only ` +
        `in the dump, ${count(onlyModel)} only in the model: these are not differences, because the dump was read later`,
    ])
  }
  const digits = Math.max(...rows.map(([, number]) => count(number).length))
  const indent = ' '.repeat(2 + 11 + digits + 2)
  return (
    `${inputName(file)}, ${2 ** (run.pageShift - 10)} KiB pages\n\n` +
    rows
      .map(([name, number, text]) =>
        wrap(`  ${name.padEnd(11)}${count(number).padStart(digits)}  ${text}`.trimEnd(), width, indent),
      )
      .join('\n') +
    histogram(run) +
    `\n${differencesText(result, width)}${verdictText(result)}\n`
  )
}

/** A histogram of the lists by length: 1, 2-3, 4-7, ... entries. */
function histogram(run: Replay): string {
  const classes: number[] = []
  for (const [entries, slots] of run.listLengths()) {
    const at = Math.floor(Math.log2(entries))
    while (classes.length <= at) classes.push(0)
    classes[at]! += slots
  }
  if (classes.length === 0) return '\n\n  no rmap slot has an entry now\n'
  const most = Math.max(...classes)
  return (
    '\n\n  entries in an rmap slot now, and how many slots\n' +
    classes
      .map((slots, at) => {
        const range = at === 0 ? '1' : `${2 ** at}-${2 ** (at + 1) - 1}`
        return `  ${range.padStart(9)}  ${'#'.repeat(Math.ceil((slots / most) * 40))} ${count(slots)}\n`
      })
      .join('')
  )
}

function differencesText(result: ReplayResult, width: number): string {
  const shown = result.first
    .map(({ line, event, message }) => `  line ${line}, ${event}\n${wrap(`    ${message}`, width, '      ')}\n`)
    .join('')
  const more = result.differences - result.first.length
  return (
    (shown === '' ? '' : `Differences:\n${shown}${more > 0 ? `  and ${count(more)} more\n` : ''}`) +
    result.hints.map((hint) => `${wrap(`hint: ${hint}`, width, '  ')}\n`).join('')
  )
}
