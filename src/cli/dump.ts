/** `nested-rmap dump`: draws the lists of a recording or of kernel memory, and compares them with the page tables. */
import type { Gfn, PageShift } from '../base/units'
import { hex } from '../base/word'
import { Replay, type ReplayResult } from '../trace/index'
import { RadixDumpTables } from '../trace/radix-dump'
import { checkDump, formatDumpCheck } from '../view/dump-check'
import { count } from '../view/format'
import { drawSlot } from '../view/picture'
import { slotsOfReplay } from '../view/replay-slots'
import { formatSummary, summarize, type Slot } from '../view/slot'
import {
  checkOneStandardInput,
  kvmOption,
  numberOption,
  pageShiftOption,
  parseCommandArgs,
  UsageError,
  widthOption,
  type Command,
} from './command'
import { readInput } from './input'
import { openMemoryFile } from './memory-file'
import { EXIT_CODES, EXIT_HELP, missingText, readRecording, recordingArgument, verdictText } from './recording'
import { writeSvg } from './svg-file'

const HELP = `Usage: nested-rmap dump [RECORDING] [OPTION]...

Draws the rmap slots and lists of a recording, or of a dump of kernel memory,
and checks them.

  RECORDING       a recording, as for nested-rmap replay, or -: draws the lists
                  at its end
  --sample        the recording in this package, with its radix dump
  --memory FILE   a description, in JSON, of a dump of kernel memory (see the
                  README, "Dumps"): draws its lists; with a RECORDING, compares
                  the two node for node
  --radix FILE    the kernel's dump of its page tables (debugfs's file radix):
                  lists the shadow leaves without an rmap entry, and the
                  stale entries
  --gfn GFN       draw only this rmap slot (hex or decimal; may be repeated)
  --entries N     draw at most N entries of a list, 8 by default
  --kvm ADDRESS   the VM to draw, for a recording of several
  --page-shift N  log2 of the kernel's base page size: 16 (64 KiB, the
                  default) or 12 (4 KiB)
  --width N       columns of the drawing: the terminal's, or 80, by default
  --svg FILE      also write the drawing as an SVG picture

${EXIT_HELP}
Flaws in a list, leaves without an entry, and a memory that differs from the
recording are differences. Stale entries are legal.

Example: nested-rmap dump A.txt.gz --gfn 0x3db0
         nested-rmap dump D.txt.gz --memory D-memory.json --radix D-radix.txt
`

export const dump: Command = {
  name: 'dump',
  summary: 'draw the lists of a recording or of kernel memory, and check them',
  help: HELP,
  async run(args) {
    const { values, positionals } = parseCommandArgs(args, {
      memory: { type: 'string' },
      radix: { type: 'string' },
      sample: { type: 'boolean' },
      kvm: { type: 'string' },
      width: { type: 'string' },
      svg: { type: 'string' },
      gfn: { type: 'string', multiple: true },
      entries: { type: 'string' },
      'page-shift': { type: 'string' },
    })
    const needsNone = positionals.length === 0 && values.sample !== true
    if (needsNone && values.memory === undefined && values.radix === undefined) {
      throw new UsageError('expected a RECORDING, --sample, --memory or --radix')
    }
    const { file: recording, sampleRadix } = needsNone
      ? { file: undefined, sampleRadix: undefined }
      : recordingArgument(positionals, values.sample, 'RECORDING')
    const radix = values.radix ?? sampleRadix
    checkOneStandardInput(recording, values.memory, radix)
    const width = widthOption(values.width)
    const kvm = kvmOption(values.kvm)
    const pageShift = pageShiftOption(values['page-shift'])
    const chosen = values.gfn && new Set(values.gfn.map((text) => gfnOption(text, pageShift)))
    const entries = numberOption('--entries', values.entries ?? '8')
    if (values.svg === '' || values.svg === '-') throw new UsageError('--svg: expected the name of a file')
    if (entries < 2) throw new UsageError('--entries: expected at least 2')

    let wrong = false
    let result: ReplayResult | undefined
    let slots: Slot[] | undefined
    let arrays: readonly Gfns[] = [] // empty: not known
    if (recording !== undefined) {
      const replay = new Replay({ pageShift, ...(kvm === undefined ? {} : { kvm }) })
      await readRecording(recording, replay, 'dump', true)
      result = replay.result()
      slots = [...slotsOfReplay(replay)]
      arrays = replay.knownArrays()
    }
    // All inputs are read before anything is printed.
    const recorded = slots
    if (values.memory !== undefined) {
      const file = await openMemoryFile(values.memory)
      const read: Slot[] = []
      await file.readSlots((slot) => read.push(slot))
      slots = read
      arrays = [file]
    }
    const tables = radix === undefined ? undefined : await readTables(radix, pageShift)
    if (slots !== undefined) for (const gfn of chosen ?? []) checkInside(gfn, arrays)

    if (slots !== undefined) {
      if (recorded !== undefined && recorded !== slots) wrong = !compare(recorded, slots)
      draw(slots, chosen, { width, entries })
      if (values.svg !== undefined) print(writeSvg(values.svg, slots, chosen, entries))
      wrong ||= slots.some(({ flaws }) => flaws.length > 0)
    }
    if (tables !== undefined) {
      const { host, shadows } = tables
      print(tablesText(tables))
      if (slots !== undefined && host !== undefined) {
        const { baseGfn, npages } = values.memory === undefined ? ALL : arrays[0]!
        const check = checkDump({ slots, baseGfn, npages, host, shadows })
        print(formatDumpCheck(check))
        wrong ||= check.lacking.length > 0
      }
    }
    if (result !== undefined && result.differences > 0) {
      wrong = true
      print(
        `!! the model and the recording differ (${count(result.differences, 'difference')}: see nested-rmap replay)`,
      )
    }
    const verdict = result?.verdict === 'incomplete' ? 'incomplete' : wrong ? 'differences' : 'match'
    if (verdict === 'incomplete') print(verdictText(result!))
    else if (slots !== undefined) {
      const left = result === undefined ? '' : missingText(result)
      print(wrong ? '!! Problems were found: see the lines that begin with !!' : `No problems found${left}.`)
    }
    return EXIT_CODES[verdict]
  },
}

function gfnOption(text: string, pageShift: PageShift): Gfn {
  const gfn = numberOption('--gfn', text)
  if (gfn < 2 ** (52 - pageShift)) return gfn
  throw new UsageError(`--gfn: expected a frame number below 2^${52 - pageShift}, got ${hex(gfn)} (an address?)`)
}

/** A range of gfns that have rmap slots. */
interface Gfns {
  readonly baseGfn: Gfn
  readonly npages: number
}

/** All gfns that a recording may have. */
const ALL: Gfns = { baseGfn: 0, npages: 2 ** 40 }

/** @throws UsageError for a gfn without an rmap slot, if the ranges with slots are known */
function checkInside(gfn: Gfn, arrays: readonly Gfns[]): void {
  if (arrays.length === 0 || arrays.some(({ baseGfn, npages }) => gfn >= baseGfn && gfn < baseGfn + npages)) return
  const ranges = arrays.map(({ baseGfn, npages }) => `${hex(baseGfn)}..${hex(baseGfn + npages - 1)}`)
  throw new UsageError(`--gfn: ${hex(gfn)} has no rmap slot: expected a gfn in ${ranges.join(', ')}`)
}

function draw(
  slots: readonly Slot[],
  chosen: ReadonlySet<Gfn> | undefined,
  options: { width: number; entries: number },
): void {
  const drawn = new Set<Gfn | undefined>()
  for (const slot of slots) {
    if (chosen !== undefined && !(slot.gfn !== undefined && chosen.has(slot.gfn))) continue
    drawn.add(slot.gfn)
    print(drawSlot(slot, options))
  }
  for (const gfn of chosen ?? []) {
    if (!drawn.has(gfn)) print(drawSlot({ gfn, word: 0n, nodes: [], entries: [], flaws: [] }))
  }
  print(formatSummary(summarize(slots)))
}

/** Prints the differences between the slots of a recording and of memory. @returns whether there are none */
function compare(recorded: readonly Slot[], inMemory: readonly Slot[]): boolean {
  const text = ({ word, nodes, entries }: Slot): string =>
    [
      hex(word),
      ...nodes.map(({ address, next, entry }) => `${hex(address)} { ${hex(next)}, ${hex(entry)} }`),
      entries.length,
    ].join(' ')
  const left = new Map(inMemory.map((slot) => [slot.address, slot]))
  const differing: (Slot | undefined)[][] = []
  for (const slot of recorded) {
    const other = left.get(slot.address)
    left.delete(slot.address)
    if (other === undefined || text(slot) !== text(other)) differing.push([slot, other])
  }
  for (const slot of left.values()) differing.push([undefined, slot])
  if (differing.length === 0) {
    print(`recording and memory have the same ${recorded.length} rmap slots, node for node`)
    return true
  }
  print(`!! recording and memory differ in ${count(differing.length, 'slot')}`)
  for (const [slot, other] of differing.slice(0, 10)) {
    print(
      `!! recording: ${slot === undefined ? 'empty' : drawSlot(slot)}\n!! memory: ${other === undefined ? 'empty' : drawSlot(other)}`,
    )
  }
  return false
}

async function readTables(file: string, pageShift: 16 | 12): Promise<RadixDumpTables> {
  const tables = new RadixDumpTables({ pageShift })
  await readInput(file, tables)
  return tables
}

function tablesText({ host, shadows }: RadixDumpTables): string {
  const tables = [
    ...(host === undefined ? [] : [['L1', host] as const]),
    ...[...shadows].map(([lpid, table]) => [`LPID ${lpid}`, table] as const),
  ]
  return tables
    .map(([name, table]) => {
      const sizes = new Map<number, number>()
      for (const { shift } of table) sizes.set(shift, (sizes.get(shift) ?? 0) + 1)
      const bySize = [...sizes].map(([shift, leaves]) => `${leaves} of ${SIZES[shift]}`)
      return `table of ${name.padEnd(9)}  ${bySize.join(', ') || 'no leaf'}`
    })
    .join('\n')
}

const SIZES: Readonly<Record<number, string>> = { 12: '4 KiB', 16: '64 KiB', 21: '2 MiB', 30: '1 GiB' }

/** Prints lines. On a terminal, problems (`!!`) are red, unless NO_COLOR is set. */
function print(text: string): void {
  const red = process.stdout.isTTY && !process.env.NO_COLOR
  process.stdout.write(`${red ? text.replace(/^.*!! .*$/gm, '\x1b[31m$&\x1b[39m') : text}\n`)
}
