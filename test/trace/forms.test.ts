/** The forms of a line, and the table of events. */
import { readFileSync } from 'node:fs'
import { describe, expect, test } from 'vitest'
import { EVENT_SAMPLES } from '../../src/trace/event-samples'
import { EVENT_FIELDS, EVENT_NAMES } from '../../src/trace/events'
import { LINE_FORMS } from '../../src/trace/forms/index'
import { TraceParser } from '../../src/trace/parser'
import { saysLost } from '../../src/trace/text'

const parse = (text: string, parser = new TraceParser()) => {
  const bytes = Uint8Array.from(text, (char) => char.charCodeAt(0))
  return parser.parseLine(bytes, 0, bytes.length, 1)
}

test.each(LINE_FORMS.map((form) => [form.name, form] as const))('%s: its sample is read', (_name, form) => {
  const event = parse(form.sample)
  expect([event?.name, event?.pid]).toEqual(['rmap_insert_empty', 4101])
  expect([event!.word('rmapp'), event!.word('slot')]).toEqual([0xc008000000000038n, 0x50000000010001n])
})

const TAIL = 'rmap_insert_empty: (x) rmapp=0x38 slot=0x50000000010001'

describe('heads that tools print', () => {
  test.each([
    ['ftrace, four flags', `vcpu-4101 [000] d..1 1.5: ${TAIL}`],
    ['ftrace, seven flags', `vcpu-4101 [000] d..2.10 1.5: ${TAIL}`],
    ['ftrace without irq-info', `vcpu-4101 [000] 1.5: ${TAIL}`],
    ['ftrace with the process', `vcpu-4101  (   4100) [000] ..... 1.5: ${TAIL}`],
    ['ftrace with an unknown process', `vcpu-4101  (-------) [000] ..... 1.5: ${TAIL}`],
    ['ftrace, clock counter', `vcpu-4101 [000] ..... 12345: ${TAIL}`],
    ['trace-cmd -t', `vcpu-4101 [000] 228.464937123: ${TAIL}`],
    ['trace-cmd -l', `CPU 0/KV-4101    0d..2.   228.464937: ${TAIL}`],
    ['trace-cmd, several files', `  host.dat:         CPU 0/KVM-4101  [000]   228.464937: ${TAIL}`],
    ['trace-cmd, an instance', `rmap:     CPU 0/KVM-4101  [000] .....   228.464937: (+12)   ${TAIL}`],
    ['perf script', `  CPU 0/KVM    4101 [000]   228.464937:   nr:${TAIL}`],
    ['perf script, pid/tid', `  CPU 0/KVM    4100/4101    [000]   228.464937:   nr:${TAIL}`],
    ['perf script without cpu', `  CPU 0/KVM    4101   228.464937123:   nr:${TAIL}`],
    ['perf script with a period', `  CPU 0/KVM    4101 [000] 228.464937:       1 nr:${TAIL}`],
    ['latency format', `CPU 0/KV-4101    0d..2.   6us+: ${TAIL}`],
    ['latency format, another clock', `CPU 0/KV-4101    0d..2.   600 : ${TAIL}`],
    ['dmesg', `[  229.000206] CPU 0/KV-4101    0.....   6us : ${TAIL}`],
    ['dmesg with the caller', `[  229.000206][    C0] CPU 0/KV-4101    0.....   6us : ${TAIL}`],
    ['dmesg -T', `[Wed Nov 25 23:22:50 2026] CPU 0/KV-4101    0.....   6us : ${TAIL}`],
    ['journalctl', `Nov 25 23:22:50 host-1 kernel: CPU 0/KV-4101    0.....   6us!: ${TAIL}`],
    ['grep -n --color', `12:   vcpu-4101 [000] ..... 1.5: \x1b[01;31m\x1b[Krmap\x1b[m\x1b[K_${TAIL.slice(5)}`],
    ['a name like a head', `a-1 [0] 1: b: c-4101    [000] .....   1.5: ${TAIL}`],
    ['a name with an event', `9: nr:x: y-4101    [000] .....   1.5: ${TAIL}`],
    ['a group', `vcpu-4101 [000] ..... 1.5: my-group:${TAIL}`],
    [
      'options/fields',
      `vcpu-4101 [000] ..... 1.5: rmap_insert_empty: rmapp=0x38 (56) slot=0x50000000010001 (22517998136918017)`,
    ],
    ['trace-cmd -R in decimal', `vcpu-4101 [000] 1.5: rmap_insert_empty: rmapp=56 slot=22517998136918017`],
  ])('%s', (_name, line) => {
    const parser = new TraceParser()
    const event = parse(line, parser)
    expect({ pid: event?.pid, unread: parser.firstUnread }).toEqual({ pid: 4101, unread: [] })
    expect([event!.word('rmapp'), event!.word('slot')]).toEqual([0x38n, 0x50000000010001n])
    expect([event!.has('slot'), event!.has('kvm'), event!.word('kvm')]).toEqual([true, false, 0n])
  })

  test('values of one byte, as options/fields prints them', () => {
    const event = parse(` vcpu-1 [000] ..... 1.5: set_rc: nested=(1) writing='a'(97) gpa=0x100 (256) lpid=0x5 (5)`)
    expect([event?.number('nested'), event?.number('writing'), event?.number('gpa')]).toEqual([1, 97, 256])
  })
})

test.each([
  'CPU:1 [LOST 3 EVENTS]',
  'CPU:1 [LOST EVENTS]',
  'CPU:1 [3 EVENTS DROPPED]',
  'CPU 1 [3 EVENTS DROPPED]',
  'CPU:1 [EVENTS DROPPED]',
  'CPU 1 lost 3 events',
  'LOST 3 events!',
  'Processed 50 events and lost 1 chunks!',
  'swapper     0 [000]   228.1: PERF_RECORD_LOST id:45: lost:3',
  '##### CPU 1 buffer started ####',
  '# entries-in-buffer/entries-written: 38/39   #P:2',
  '# latency: 0 us, #38/39, CPU#0 | (M:preempt VP:0, KP:0, SP:0 HP:0 #P:2)',
  'overrun: 12',
])('%s: events were lost', (line) => {
  expect(saysLost(line)).toBe(true)
})

test.each([
  '# entries-in-buffer/entries-written: 38/38   #P:2',
  '# latency: 0 us, #38/38, CPU#0 | (M:preempt VP:0, KP:0, SP:0 HP:0 #P:2)',
  'cpus=2',
  'Total Lost Samples: 0',
  'overrun: 0',
  'CPU 1 is empty',
  'lost 0 events',
])('%s: nothing was lost', (line) => {
  expect(saysLost(line)).toBe(false)
})

test('the sample of each event is read, with all its required fields', () => {
  for (const name of EVENT_NAMES) {
    const parser = new TraceParser()
    const event = parse(EVENT_SAMPLES[name].line, parser)
    expect({ name: event?.name, unread: parser.firstUnread }).toEqual({ name, unread: [] })
    for (const field of EVENT_FIELDS[name].required)
      expect({ name, field, has: event!.has(field) }).toMatchObject({ has: true })
  }
})

test("the README's table has all events and their fields", () => {
  const readme = readFileSync(new URL('../../README.md', import.meta.url), 'utf8')
  const codes = (cell: string): string[] => [...cell.matchAll(/`(\w+)`/g)].map(([, code]) => code!).sort()
  const rows = [...readme.matchAll(/^\| `([a-z_]+)` \| [^|]* \| ([^|]*) \| ([^|]*) \|$/gm)]
  const table = Object.fromEntries(
    rows
      .filter(([, name]) => name! in EVENT_FIELDS)
      .map(([, name, required, optional]) => [name!, [codes(required!), codes(optional!)]]),
  )
  expect(table).toEqual(
    Object.fromEntries(
      EVENT_NAMES.map((name) => [
        name,
        [[...EVENT_FIELDS[name].required].sort(), [...EVENT_FIELDS[name].optional].sort()],
      ]),
    ),
  )
})
