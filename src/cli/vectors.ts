/** `nested-rmap vectors`: writes operations with the model's answers, or compares such a file with the model. */
import { once } from 'node:events'
import { VectorCheck } from '../testing/vector-check'
import { vectors as linesOf, type LevelName, type VectorOptions } from '../testing/vectors'
import { DEFAULT_WEIGHTS } from '../testing/shapes'
import { numberOption, pageShiftOption, parseCommandArgs, UsageError, type Command } from './command'
import { inputName, readInput } from './input'

const HELP = `Usage: nested-rmap vectors --level LEVEL [--ops N] [--seed N] [...]
       nested-rmap vectors --check FILE

Writes operations with the model's answers, one JSON object per line, for an
implementation in any language to run and compare. The first line explains the
format. The same options give the same bytes on every platform.

  --level LEVEL     entry    entries packed and unpacked
                    memslot  inserts, lists and takes, with scan steps and nodes
                    vm       a whole L1: memslots, guest tables, faults, the
                             host's and L1's invalidations
  --ops N           how many operations (10000)
  --seed N          chooses the sequence, 0..2^32-1 (1)
  --page-shift N    for level vm: 16 (64 KiB base pages, the default) or 12
  --placement P     for level vm: head (the default) or faulting (Linux of 2018)
  --weight NAME=N   how frequent a rare thing is, 0..1000; may be repeated.
                    races, large, reuse, memslots, malformed, long: the default
                    is 1; quirks (LPID 0, faults of dropped guests): 0
  --check FILE      compares a file (plain or .gz, - for standard input) with
                    the model, and shows the first difference

Exit code: 0 written, or no difference; 1 a difference; 2 wrong usage or a line
that cannot be read; 3 incomplete: no operation, or fewer than the file says.

Example: nested-rmap vectors --level memslot --ops 100000 > memslot.jsonl
         my-driver < memslot.jsonl | nested-rmap vectors --check -
`

export const vectors: Command = {
  name: 'vectors',
  summary: 'write operations with the answers of the model, to check others',
  help: HELP,
  async run(args) {
    const { values, positionals } = parseCommandArgs(args, {
      level: { type: 'string' },
      ops: { type: 'string' },
      seed: { type: 'string' },
      'page-shift': { type: 'string' },
      placement: { type: 'string' },
      weight: { type: 'string', multiple: true },
      check: { type: 'string' },
    })
    if (positionals.length > 0) throw new UsageError(`expected no argument, got ${JSON.stringify(positionals[0])}`)
    const { check: file, ...others } = values
    if (file !== undefined) {
      const [other] = Object.keys(others)
      if (other !== undefined) throw new UsageError(`--check: the file contains its own options: omit --${other}`)
      return check(file)
    }
    if (values.level === undefined) throw new UsageError('expected --level entry, memslot or vm, or --check FILE')
    await write({
      level: values.level as LevelName,
      ops: numberOption('--ops', values.ops ?? '10000'),
      seed: numberOption('--seed', values.seed ?? '1'),
      weights: Object.fromEntries((values.weight ?? []).map(weightOption)),
      ...vmOptions(values),
    })
    return 0
  },
}

function vmOptions(values: { level?: string; 'page-shift'?: string; placement?: string }): Pick<VectorOptions, 'vm'> {
  if (values.level === 'vm') {
    const vm = { pageShift: pageShiftOption(values['page-shift']), placement: values.placement ?? 'head' }
    return { vm: vm as NonNullable<VectorOptions['vm']> }
  }
  for (const name of ['page-shift', 'placement'] as const) {
    if (values[name] !== undefined) throw new UsageError(`--${name}: only for --level vm`)
  }
  return {}
}

function weightOption(text: string): [name: string, weight: number] {
  const [, name, weight] = /^(\w+)=(.+)$/.exec(text) ?? []
  if (name === undefined || !Object.hasOwn(DEFAULT_WEIGHTS, name)) {
    const names = Object.keys(DEFAULT_WEIGHTS).join(', ')
    throw new UsageError(`--weight: expected NAME=N with a NAME of ${names}, got ${JSON.stringify(text)}`)
  }
  return [name, numberOption(`--weight ${name}`, weight!)]
}

/** Characters that are written at once. */
const CHUNK = 2 ** 16

async function write(options: VectorOptions): Promise<void> {
  let text = ''
  const lines = linesOf(options)
  for (;;) {
    const { done, value } = nextLine(lines)
    if (done !== true) text += `${value}\n`
    if (text.length >= CHUNK || (done === true && text !== '')) {
      if (!process.stdout.write(text)) await once(process.stdout, 'drain')
      text = ''
    }
    if (done === true) return
  }
}

/** @throws UsageError for options that the generator refuses */
function nextLine(lines: Iterator<string, void>): IteratorResult<string, void> {
  try {
    return lines.next()
  } catch (error) {
    if (error instanceof RangeError || error instanceof TypeError)
      throw new UsageError(`--${error.message.replace(/^weights\./, 'weight ')}`)
    throw error
  }
}

async function check(file: string): Promise<number> {
  const run = new VectorCheck()
  await readInput(file, run, { where: () => ` after ${run.result.operations} operations` })
  const { level, operations, difference, incomplete, lacking } = run.result
  const print = (text: string): boolean => process.stdout.write(`${text}\n`)
  const name = inputName(file)
  if (difference !== undefined) {
    print(`${name}: line ${difference.line} differs from the model in ${difference.properties.join(', ')}`)
    print(difference.text)
    return 1
  }
  if (incomplete !== undefined) {
    process.stderr.write(`nested-rmap: ${name}: incomplete: ${incomplete}\n`)
    return 3
  }
  const count = operations.toLocaleString('en-US')
  print(`${name}: ${count} operations of level ${level}: no differences from the model`)
  for (const [property, times] of lacking)
    print(`  not compared: ${property}, missing in ${times.toLocaleString('en-US')} answers`)
  return 0
}
