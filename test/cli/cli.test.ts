/** The installed command line: runs dist/cli.js, which `npm test` builds first. */
import { spawnSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { gunzipSync, gzipSync } from 'node:zlib'
import { describe, expect, test } from 'vitest'

const CLI = fileURLToPath(new URL('../../dist/cli.js', import.meta.url))
const A = fileURLToPath(new URL('../data/A.txt.gz', import.meta.url))
const RADIX = fileURLToPath(new URL('../data/A-radix.txt', import.meta.url))
const TEXT = gunzipSync(readFileSync(A))

export function cli(
  args: string[],
  input?: string | Uint8Array,
): { status: number | null; stdout: string; stderr: string } {
  const { status, stdout, stderr } = spawnSync(process.execPath, [CLI, ...args], {
    input: input ?? '',
    encoding: 'utf8',
  })
  return { status, stdout, stderr }
}

describe('replay', () => {
  test('a report for people', () => {
    const { status, stdout, stderr } = cli(['replay', A, '--radix', RADIX])
    expect(stdout).toContain('inserts     1,151  empty 155, second 146, list 737, duplicate 113; of 9 LPIDs')
    expect(stdout).toContain('8-15  ##################### 18')
    expect(stdout).toMatch(/\nNo differences: the model matches the recording exactly\.\n$/)
    expect({ status, stderr }).toEqual({ status: 0, stderr: '' })
  })

  test('a JSON object for programs, the same from a file, from gzip and from standard input', () => {
    const [file, zipped, plain] = [
      cli(['replay', '--json', A]),
      cli(['replay', '-', '--json'], gzipSync(TEXT)),
      cli(['replay', '-', '--json'], TEXT),
    ]
    expect(JSON.parse(file.stdout)).toMatchObject({
      events: 12204,
      scanSteps: 3825,
      radix: null,
      differences: 0,
      first: [],
    })
    expect(file.stdout.indexOf('\n')).toBe(file.stdout.length - 1)
    expect([zipped, plain]).toEqual([file, file])
  })

  test('differences: exit code 1, with the line and both values', () => {
    const { status, stdout, stderr } = cli(
      ['replay', '-'],
      TEXT.toString('latin1').replace(/ slot=0x(\w+)1\n/, ' slot=0x$13\n'),
    )
    expect(stdout).toMatch(
      /\nDifferences:\n  line 4251, rmap_insert_empty\n    model: slot 0x\w+1; kernel: 0x\w+3\n  line 10818, rmap_update_rc\n[^]*\n2 differences between the model and the recording\.\n$/,
    )
    expect({ status, stderr }).toEqual({ status: 1, stderr: '' })
  })

  test('lost events: a warning', () => {
    const { status, stdout, stderr } = cli(
      ['replay', '-', '--json'],
      TEXT.toString('latin1').replace('12204/12204', '12204/12205'),
    )
    expect(stderr).toBe('warning: standard input says that events were lost: this can cause differences\n')
    expect(status).toBe(3)
    expect(JSON.parse(stdout)).toMatchObject({ verdict: 'incomplete', lost: true, differences: 0 })
  })
})

describe('a recording that was cut: a warning, and a verdict about what was read', () => {
  const lines = TEXT.toString('latin1').split('\n')
  const cut = (count: number): string => `${lines.slice(0, count).join('\n')}\n`
  const missing = 'in what was read: 9,216 entries of the header are missing'
  test.each([
    ['replay', ['replay', '-'], `\nNo differences ${missing}.\n`],
    ['dump', ['dump', '-', '--gfn', '1'], `\nNo problems found ${missing}.\n`],
    ['report', ['report', '-', '-o', '/dev/null'], `, no difference ${missing}\n`],
  ])('%s', (_name, args, end) => {
    const { status, stdout, stderr } = cli(args, cut(3000))
    expect(stderr).toBe(
      'warning: standard input: the header counts 12,204 entries, and 2,988 lines of events were read: ' +
        'the recording was cut or filtered\n',
    )
    expect(stdout.slice(-end.length)).toBe(end)
    expect(status).toBe(0)
  })

  test('--json has the number, and differences have a hint', () => {
    expect(JSON.parse(cli(['replay', '-', '--json'], cut(12_215)).stdout)).toMatchObject({
      verdict: 'match',
      missing: 1,
      hints: [],
    })
    const { status, stdout } = cli(['replay', '-'], [...lines.slice(0, 4000), ...lines.slice(6000)].join('\n'))
    expect(stdout.replace(/\n {2}/g, ' ')).toContain(
      '\nhint: the header counts 12204 entries, and 2000 of them are missing: the recording was cut or filtered, ',
    )
    expect(status).toBe(1)
  })
})

describe('errors: exit code 2, a line on standard error, nothing on standard output', () => {
  const zipped = readFileSync(A)
  const refused: [string, string[], string | Uint8Array, RegExp][] = [
    ['no file', ['replay'], '', /^nested-rmap replay: expected one FILE, or --sample: see nested-rmap replay --help$/],
    ['two files', ['replay', A, A], '', /expected one FILE/],
    [
      'an unknown option',
      ['replay', '--jsn', A],
      '',
      /^nested-rmap replay: Unknown option '--jsn' \(did you mean --json\?\): see nested-rmap replay --help$/,
    ],
    [
      'an option that is near no known one',
      ['replay', '--colour', A],
      '',
      /^nested-rmap replay: Unknown option '--colour': see/,
    ],
    [
      'an invalid page shift',
      ['replay', '--page-shift', '64K', A],
      '',
      /--page-shift: expected 16 \(64 KiB pages\) or 12 \(4 KiB pages\), got "64K"/,
    ],
    ['a file that does not exist', ['replay', 'nowhere'], '', /^nested-rmap: nowhere: no such file or directory$/],
    [
      'a directory',
      ['replay', '.'],
      '',
      /^nested-rmap: \.: is a directory: give a file in it \(in tracefs: the file trace\)$/,
    ],
    [
      'a damaged .gz',
      ['replay', '-'],
      Buffer.concat([zipped.subarray(0, 70_000), Buffer.alloc(9), zipped.subarray(70_009)]),
      /^nested-rmap: standard input: /,
    ],
    ['a long line', ['replay', '-'], `#${'x'.repeat(2 ** 20)}`, /line 1: longer than 1048576 bytes/],
    [
      'a malformed radix dump',
      ['replay', A, '--radix', '-'],
      'pgdir: xyz\n',
      /^nested-rmap: standard input: line 1: expected "pgdir/,
    ],
    [
      'a misspelled command',
      ['repaly'],
      '',
      /^nested-rmap: unknown command "repaly" \(did you mean replay\?\): see nested-rmap --help$/,
    ],
    ['an unknown command', ['trace.txt'], '', /^nested-rmap: unknown command "trace.txt": see nested-rmap --help$/],
    ['no command', [], '', /^nested-rmap: an executable model/],
  ]
  test.each(refused)('%s', (_name, args, input, message) => {
    const { status, stdout, stderr } = cli(args, input)
    expect(stderr.trimEnd()).toMatch(message)
    expect(stderr).not.toMatch(/^\s+at /m)
    expect({ status, stdout }).toEqual({ status: 2, stdout: '' })
  })
})

describe('hints at the cause of many differences', () => {
  const late = TEXT.toString('latin1').split('\n').slice(7000).join('\n')
  test.each([
    [
      'the wrong page shift',
      ['replay', A, '--page-shift', '12'],
      '',
      "the kernel's base pages have 2^16 bytes: use --page-shift 16",
    ],
    [
      'a recording that begins late',
      ['replay', '-'],
      late,
      'nested guests existed before the recording began: it must begin before the first nested guest',
    ],
    [
      'the dump of another VM',
      ['replay', A, '--radix', A.replace('A.txt.gz', 'D-radix.txt')],
      '',
      'no leaf of the dump matches: it may be from another VM, or from another time',
    ],
  ])('%s', (_name, args, input, hint) => {
    const { status, stdout } = cli(args, input)
    expect(status).toBe(1)
    const hints = stdout.split(/\n(?! )/).filter((line) => line.startsWith('hint: '))
    const texts = hints.map((line) => line.replace(/\n */g, ' '))
    expect(texts).toContain(`hint: ${hint}`)
    if (hint.includes('--page-shift')) expect(texts.indexOf(`hint: ${hint}`)).toBe(0)
  })
})

test('help and version', () => {
  const { version } = JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8'))
  expect(cli(['--version'])).toEqual({ status: 0, stdout: `${version}\n`, stderr: '' })
  const help = cli(['--help'])
  expect(help.status).toBe(0)
  const commands = [...help.stdout.matchAll(/^  ([a-z]+) +\S/gm)]
    .map(([, name]) => name!)
    .filter((name) => name !== 'nested')
  expect(commands).toContain('replay')
  for (const name of commands) {
    const { status, stdout } = cli([name, '--help'])
    expect(status).toBe(0)
    expect(cli(['help', name]).stdout).toBe(stdout)
    expect(stdout).toMatch(new RegExp(`^Usage: nested-rmap ${name} `))
    expect(stdout).toMatch(/\nExit code: /)
    expect(stdout).toMatch(new RegExp(`\nExample: .*nested-rmap ${name} `))
  }
})
