/** The recordings of test/data/cases, one for each problem of a file or tool: each is read, or refused with its name. */
import { spawnSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { gunzipSync, gzipSync } from 'node:zlib'
import { describe, expect, test } from 'vitest'
import { Replay, type ReplayResult } from '../../src/trace/index'

const CLI = fileURLToPath(new URL('../../dist/cli.js', import.meta.url))
const CASES = fileURLToPath(new URL('../data/cases', import.meta.url))
const path = (name: string): string => join(CASES, name)
const textOf = (name: string): string => readFileSync(path(name), 'latin1')

function resultOf(text: string | Uint8Array, options = {}): ReplayResult {
  const run = new Replay(options)
  run.feed(typeof text === 'string' ? Buffer.from(text, 'latin1') : text)
  run.end()
  return run.result()
}

function cli(
  args: string[],
  input: string | Uint8Array = '',
): { status: number | null; stdout: string; stderr: string } {
  const { status, stdout, stderr } = spawnSync(process.execPath, [CLI, ...args], { input, encoding: 'utf8' })
  return { status, stdout, stderr }
}

const BASE = {
  verdict: 'match',
  events: 38,
  differences: 0,
  cleared: 3,
  lpids: 2,
  unread: 0,
  cutLine: null,
  lost: false,
}

test.each([
  'base.txt',
  'tracecmd-ts-diff.txt',
  'tracecmd-R.txt',
  'perf-script.txt',
  'group-prefix.txt',
  'latency-format.txt',
  'ftrace-dump-on-oops.txt',
  'ansi.txt',
  'comm-bracket-colon.txt',
])('%s is read as base.txt', (name) => {
  expect(resultOf(textOf(name))).toMatchObject(BASE)
})

test('lost events: the others are read, and the verdict is incomplete', () => {
  expect(resultOf(textOf('tracecmd-dropped.txt'))).toMatchObject({
    ...BASE,
    verdict: 'incomplete',
    incomplete: 'events were lost',
    lost: true,
  })
})

test.each(['two-tasks-plain-name.txt', 'two-tasks-bracket-name.txt'])('%s: the pid is the task’s own', (name) => {
  expect(resultOf(textOf(name))).toMatchObject({ verdict: 'match', events: 8 })
})

test.each(['ret-s32.txt', 'ret-x32.txt'])('%s: a 32-bit ret is signed', (name) => {
  expect(resultOf(textOf(name))).toMatchObject({ ...BASE, events: 40 })
})

test('ret as an unsigned decimal is signed, too', () => {
  expect(resultOf(textOf('ret-x32.txt').replaceAll('0xfffffff5', '4294967285'))).toMatchObject({ ...BASE, events: 40 })
})

test('rpt-ok.txt and tlbie-ok.txt match', () => {
  expect(resultOf(textOf('rpt-ok.txt'))).toMatchObject({ verdict: 'match', events: 29 })
  expect(resultOf(textOf('tlbie-ok.txt'))).toMatchObject({ verdict: 'match', events: 28 })
})

describe('a recording that is cut off', () => {
  test.each([
    ['cut-before-fields.txt', 37],
    ['cut-in-value.txt', 35],
  ])('%s: the lines before the cut are replayed', (name, events) => {
    expect(resultOf(textOf(name))).toMatchObject({ verdict: 'match', events, cutLine: expect.any(Number) })
    const { status, stderr } = cli(['replay', path(name)])
    expect({ status, stderr }).toMatchObject({
      status: 0,
      stderr: expect.stringMatching(/is cut off: it has no line end/),
    })
  })

  test('a cut anywhere gives no difference and no unread line', () => {
    const text = textOf('base.txt')
    const begin = text.indexOf('\n', text.indexOf('memslot_commit')) + 1
    for (let at = begin; at < text.length; at++) {
      const result = resultOf(text.slice(0, at))
      const whole = text
        .slice(0, at)
        .split('\n')
        .filter((line) => / pte_|rmap_|nested_|memslot_/.test(line))
      const complete = text[at - 1] === '\n' ? whole.length : undefined
      expect({ at, ...result }).toMatchObject({ at, verdict: 'match', differences: 0, unread: 0 })
      if (complete !== undefined) expect({ at, events: result.events }).toEqual({ at, events: complete })
    }
  })

  test('a complete last event without a line end is read', () => {
    expect(resultOf(textOf('base.txt').trimEnd())).toMatchObject(BASE)
  })

  test('truncated compressed data is read up to its end', () => {
    const { status, stdout, stderr } = cli(
      ['replay', '-', '--json'],
      gzipSync(textOf('base.txt'), { level: 0 }).subarray(0, 5000),
    )
    expect(stderr).toMatch(/^warning: standard input: the compressed data is truncated after line \d+$/m)
    expect(status).toBe(0)
    expect(JSON.parse(stdout)).toMatchObject({ verdict: 'match', events: 25 })
  })
})

describe('several VMs', () => {
  const text = textOf('two-vms.txt')
  test('without a choice they are refused, with their addresses and numbers of events', () => {
    expect(() => resultOf(text)).toThrow(
      'line 11: two different kvm: the recording has several VMs: choose one with kvm (--kvm ADDRESS): ' +
        '0xc000000001000000 (38 events), 0xc0000000aa000000 (2 events)',
    )
  })
  test('one is chosen; an event without kvm belongs to the VM that its task names', () => {
    expect(resultOf(text, { kvm: 0xc000000001000000n })).toMatchObject({ ...BASE, skipped: 2 })
    expect(resultOf(text, { kvm: 0xc0000000aa000000n })).toMatchObject({ events: 2, skipped: 38 })
    expect(cli(['replay', path('two-vms.txt'), '--kvm', '0xc000000001000000']).status).toBe(0)
  })
  test('a VM that is not in the recording is refused', () => {
    expect(() => resultOf(text, { kvm: 5n })).toThrow(/^kvm: expected one of the recording's, 0xc.*, got 0x5$/)
    expect(cli(['replay', path('two-vms.txt'), '--kvm', '5'])).toMatchObject({ status: 2, stdout: '' })
  })
})

test('time that goes backwards gives a hint, with its line', () => {
  const { verdict, hints } = resultOf(textOf('percpu-concat.txt'))
  expect(verdict).toBe('differences')
  expect(hints).toContainEqual(expect.stringMatching(/^time goes backwards at line 33: /))
})

test('a probe that never fires, and one that misses returns, give hints', () => {
  const without = (pattern: RegExp): string[] =>
    resultOf(
      textOf('base.txt')
        .split('\n')
        .filter((line) => !pattern.test(line))
        .join('\n'),
    ).hints
  expect(without(/pte_create_ret/)).toContainEqual(
    expect.stringMatching(/^there are pte_create events and no pte_create_ret/),
  )
  expect(without(/\.464941: pte_create_ret|\.464938: pte_create_ret/)).toContainEqual(
    expect.stringMatching(/kprobe_profile/),
  )
})

describe('lines that cannot be read are counted, with the reason', () => {
  test.each([
    [
      'no task',
      'pte_create: (kvmppc_create_pte+0xc) kvm=0x1 gpa=0x0',
      /^no task, cpu and time in a known form before pte_create:$/,
    ],
    ['a field is missing', ' a-1 [000] ..... 1.0: nr:pte_unmap: (x) gpa=0x0', /^pte_unmap: field pteval is missing$/],
  ])('%s', (_name, line, reason) => {
    const result = resultOf(`${textOf('base.txt')}${line}\n`)
    expect(result).toMatchObject({ ...BASE, verdict: 'incomplete', unread: 1, firstUnread: [{ line: 45, text: line }] })
    expect(result.firstUnread[0]!.reason).toMatch(reason)
  })

  test('the first ten are kept', () => {
    const { unread, firstUnread } = resultOf('pte_create: (x)\n'.repeat(12))
    expect([unread, firstUnread.length]).toEqual([12, 10])
  })

  test('other events are skipped, also if their text names a known event', () => {
    const marker = ' bash-7 [001] ..... 1.0: tracing_mark_write: vcpu-9 [000] ..... 1.0: pte_create: (x) gpa=0x0\n'
    expect(resultOf(`${textOf('base.txt')}${marker} bash-7 [001] ..... 1.0: schedule <-x\n`)).toMatchObject({
      ...BASE,
      skipped: 2,
    })
  })

  test('replay and dump exit with 3', () => {
    for (const command of ['replay', 'dump']) {
      const { status, stdout } = cli([command, '-'], `${textOf('base.txt')}pte_create: (x)\n`)
      expect({ command, status }).toEqual({ command, status: 3 })
      expect(stdout.trimEnd().split('\n').at(-1)).toBe(
        'Incomplete: 1 line could not be read. What was read has no differences.',
      )
    }
    expect(cli(['replay', '-'], 'hello\n')).toMatchObject({
      status: 3,
      stdout: expect.stringMatching(/\nIncomplete: no event was found\. .*\n$/),
      stderr: 'warning: standard input: no event of a recording in 1 line\n',
    })
  })
})

describe('files that are refused with their kind and a command that converts them', () => {
  const bytes = (name: string): Buffer => readFileSync(path(name))
  const refused: [string, Uint8Array, RegExp][] = [
    ['xz', bytes('base.txt.xz'), /: xz data: try: xz -dc FILE \| nested-rmap replay -$/],
    ['bzip2', Buffer.from('BZh91AY&SY'), /: bzip2 data: try: bzip2 -dc FILE \| /],
    [
      'trace.dat',
      bytes('trace.dat'),
      /trace-cmd's binary file .*: try: trace-cmd report -i FILE \| nested-rmap replay -$/,
    ],
    ['perf.data', bytes('perf.data'), /perf's binary file .*: try: perf script -i FILE \| nested-rmap replay -$/],
    ['gzip of trace.dat', gzipSync(bytes('trace.dat')), /trace-cmd's binary file/],
    ['a radix dump', bytes('radix-base.txt'), /a dump of page tables .*: give it with --radix/],
    ['a radix dump with BOM', bytes('radix-bom.txt'), /a dump of page tables/],
    ['JSON', Buffer.from('{"slots": {}}'), /: JSON: a recording is text/],
    ['UTF-16', Buffer.from('\ufeffabc', 'utf16le'), /text in UTF-16: try: iconv /],
    ['an ELF file', Buffer.from('\x7fELF\x02\x01\x01'), /: an ELF file, such as a crash dump: get the text /],
    [
      'binary data',
      gunzipSync(readFileSync(path('../D-nodes.bin.gz'))),
      /: binary data: a recording is text: .* \(a dump of memory is given with --memory, /,
    ],
    ['kprobes', readFileSync(path('../probes.txt')), /definitions of kprobes/],
  ]
  test.each(refused)('%s', (_name, input, message) => {
    const { status, stdout, stderr } = cli(['replay', '-'], input)
    expect({ status, stdout }).toEqual({ status: 2, stdout: '' })
    expect(stderr.trimEnd()).toMatch(message)
  })

  test('zstd is read if Node can, else refused', () => {
    const { status, stderr } = cli(['replay', path('base.txt.zst')])
    if (status !== 0) expect(stderr).toMatch(/: zstd data: try: zstd -dc \S+base\.txt\.zst \| nested-rmap replay -\n$/)
  })
})

test('copied radix dumps: with BOM, without the blanks, with the banner of head', () => {
  for (const name of ['radix-base.txt', 'radix-stripped.txt', 'radix-bom.txt', 'radix-head-banner.txt']) {
    const { status, stdout } = cli(['dump', '--radix', path(name)])
    expect({ name, status }).toEqual({ name, status: 0 })
    expect(stdout).toBe('table of L1         1 of 64 KiB\ntable of LPID 5     1 of 64 KiB\n')
  }
})

test('--sample works for replay and dump', () => {
  expect(cli(['replay', '--sample', '--json']).stdout).toContain('"verdict":"match","events":12204')
  expect(cli(['dump', '--sample', '--gfn', '1'])).toMatchObject({ status: 0 })
  expect(cli(['replay', '--sample', 'x']).stderr).toMatch(/expected one FILE or --sample/)
})

test('help and reports fit 80 columns', () => {
  const help = cli(['--help']).stdout
  const commands = [...help.matchAll(/^  ([a-z]+) /gm)].map(([, name]) => name!)
  expect(commands).toEqual(expect.arrayContaining(['replay', 'vectors', 'playground']))
  for (const args of [
    ...commands.map((name) => [name, '--help']),
    ['--help'],
    ['replay', '--sample'],
    ['replay', path('percpu-concat.txt')],
    ['dump', '--sample', '--gfn', '0x3d90'],
    ['decode', '0x30000030261000', '0xc000000033900387'],
  ]) {
    const long = cli(args)
      .stdout.split('\n')
      .filter((line) => line.length > 80)
    expect({ args, long }).toEqual({ args, long: [] })
  }
})
