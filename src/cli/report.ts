/** `nested-rmap report`: writes a report on a recording, one HTML file. */
import { readFileSync, statSync } from 'node:fs'
import { basename } from 'node:path'
import { fileURLToPath } from 'node:url'
import { Replay } from '../trace/index'
import { ReportCollector } from '../pages/report/collect'
import { reportHtml } from '../pages/report/html'
import { SourceProbe } from '../pages/report/source'
import { count } from '../view/format'
import {
  kvmOption,
  numberOption,
  pageShiftOption,
  parseCommandArgs,
  UsageError,
  writeOutput,
  type Command,
} from './command'
import { missingText, readRecording, recordingArgument } from './recording'

const HELP = `Usage: nested-rmap report RECORDING -o FILE [OPTION]...

Replays a recording and writes a report on it as one HTML file, which opens
from disk and needs no network. The report shows each step with pictures of
the lists that it changes, the number of entries over time, the lengths of the
lists, and a map of the rmap slots.

  RECORDING         a recording, as for nested-rmap replay; - for standard input
  --sample          the recording in this package
  -o, --output FILE where to write; - for standard output
  --from LINE       begin the steps at this line; the figures always cover the
                    whole recording
  --steps N         most steps to keep, 200000 by default: the report says how
                    many are left out
  --kvm ADDRESS     the VM to replay, for a recording of several
  --page-shift N    log2 of the kernel's base page size: 16 (64 KiB, the
                    default) or 12 (4 KiB)

Exit code: 0 written; 2 wrong usage, unreadable input or a file that cannot be
written. Differences between model and recording are marked in the report.

Example: nested-rmap report A.txt.gz -o report.html
`

export const report: Command = {
  name: 'report',
  summary: 'write an HTML page that shows a recording, step by step',
  help: HELP,
  async run(args) {
    const { values, positionals } = parseCommandArgs(args, {
      output: { type: 'string', short: 'o' },
      from: { type: 'string' },
      steps: { type: 'string' },
      'page-shift': { type: 'string' },
      sample: { type: 'boolean' },
      kvm: { type: 'string' },
    })
    const { file } = recordingArgument(positionals, values.sample, 'RECORDING')
    const { output } = values
    if (output === undefined) throw new UsageError('expected -o FILE')
    if (isSameFile(file, output)) throw new UsageError(`-o ${output} is the recording itself`)
    const kvm = kvmOption(values.kvm)
    const replay = new Replay({
      pageShift: pageShiftOption(values['page-shift']),
      ...(kvm === undefined ? {} : { kvm }),
    })
    const collector = collectorOf(
      replay,
      numberOption('--from', values.from ?? '1'),
      numberOption('--steps', values.steps ?? '200000'),
    )
    const probe = new SourceProbe()
    await readRecording(file, replay, 'report', false, (chunk) => probe.feed(chunk))
    const data = collector.data(file === '-' ? 'standard input' : basename(file), probe.source)
    if (data.steps.length === 0 && values.from !== undefined) {
      process.stderr.write(`warning: no step at or after line ${values.from}: the report has figures but no steps\n`)
    }
    const html = reportHtml(data, pageScript())
    if (output === '-') {
      process.stdout.write(html)
      return 0
    }
    writeOutput(output, html)
    const { differences } = data.result
    const found = differences === 0 ? 'no difference' : count(differences, 'difference')
    const between = differences === 0 ? '' : ` between model and ${data.source === 'model' ? 'recording' : 'kernel'}`
    process.stdout.write(
      `${output}: ${Math.ceil(html.length / 1024)} KiB, ${found}${between}${missingText(data.result)}\n`,
    )
    return 0
  },
}

function isSameFile(one: string, other: string): boolean {
  const [a, b] = [one, other].map((file) => statSync(file, { throwIfNoEntry: false }))
  return a !== undefined && b !== undefined && a.ino === b.ino && a.dev === b.dev && a.isFile()
}

function collectorOf(replay: Replay, from: number, steps: number): ReportCollector {
  try {
    return new ReportCollector(replay, { from, steps })
  } catch (error) {
    throw new UsageError(`--${(error as Error).message}`)
  }
}

/** The script of the page: the build writes it to the folder of this program. */
function pageScript(): string {
  return readFileSync(fileURLToPath(new URL('./report-page.global.js', import.meta.url)), 'utf8')
}
