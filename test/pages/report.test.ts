import { readFileSync } from 'node:fs'
import { gunzipSync } from 'node:zlib'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { Replay } from '../../src/trace/index'
import { slotsOfReplay } from '../../src/view/replay-slots'
import type { Slot } from '../../src/view/slot'
import { ReportCollector } from '../../src/pages/report/collect'
import type { ReportData } from '../../src/pages/report/data'
import { History, listOf, slotOf } from '../../src/pages/report/history'
import { decodeStep, encodeStep, type Held, type Step } from '../../src/pages/report/steps'
import { SourceProbe } from '../../src/pages/report/source'
import { Timeline } from '../../src/pages/report/timeline'
import { GuestTable, recorder, Vm } from '../../src/index'
import { cases } from '../support/cases'

const recording = (name: string): string =>
  gunzipSync(readFileSync(new URL(`../data/${name}`, import.meta.url))).toString()

function collect(text: string, options: { from?: number; steps?: number } = {}): { replay: Replay; data: ReportData } {
  const replay = new Replay()
  const collector = new ReportCollector(replay, options)
  replay.feed(new TextEncoder().encode(text))
  replay.end()
  return { replay, data: JSON.parse(JSON.stringify(collector.data('test'))) }
}

/** The rmap slots that are not empty at a step, as the page draws them. */
function slotsAt(data: ReportData, position: number): Slot[] {
  const history = new History(data.initial, data.steps)
  history.goTo(position)
  return data.slots
    .map(([gfn, address], number) => slotOf(gfn ?? undefined, BigInt(`0x${address}`), history.heads[number]))
    .filter(({ word }) => word !== 0n)
    .sort((a, b) => (a.address! < b.address! ? -1 : 1))
}

for (const name of ['A.txt.gz', 'D.txt.gz']) {
  test(`the steps of ${name} lead to the same lists as its replay, node by node`, () => {
    const { replay, data } = collect(recording(name))
    expect(slotsAt(data, Infinity)).toEqual([...slotsOfReplay(replay)])
    expect(data.leftOut).toEqual({ before: 0, after: 0, between: 0 })
    expect(data.marks).toEqual([])
    const { inserts, longestList } = replay.result()
    const kinds = data.steps.map((line) => decodeStep(line).kind)
    expect(kinds.filter((kind) => kind === 'insert').length).toBe(
      inserts.empty + inserts.second + inserts.list + inserts.duplicate,
    )
    expect(data.longest!.entries).toBe(longestList)
    expect(data.peaks.at(-1)![0]).toBe(longestList)
  })
}

test('data.longest is the first step with the longest list', () => {
  const { data } = collect(recording('A.txt.gz'))
  const history = new History(data.initial, data.steps)
  const { step, entries, line, gfn } = data.longest!
  history.goTo(step - 1)
  expect(Math.max(...history.heads.map((head) => head?.length ?? 0))).toBe(entries - 1)
  history.goTo(step)
  const longest = history.heads.findIndex((head) => head?.length === entries)
  expect(data.slots[longest]![0]).toBe(gfn)
  expect(history.steps[step]!.line).toBe(line)
})

test('steps may begin at a later line, and end at a limit', () => {
  const text = recording('A.txt.gz')
  const whole = collect(text)
  const { replay, data } = collect(text, { from: 8000 })
  expect(slotsAt(data, Infinity)).toEqual([...slotsOfReplay(replay)])
  expect(data.leftOut.before).toBe(whole.data.steps.length - data.steps.length)
  expect(decodeStep(data.steps[0]!).line).toBeGreaterThanOrEqual(8000)
  const short = collect(text, { steps: 100 })
  expect(short.data.steps).toEqual(whole.data.steps.slice(0, 100))
  expect(short.data.leftOut.after).toBe(whole.data.steps.length - 100)
  expect(short.data.entries).toEqual(whole.data.entries)
  expect(short.data.longest).toEqual({ ...whole.data.longest, step: -1 })
})

test('the steps of a damaged recording lead to the same lists as its replay, and differences are marked', () => {
  const lines = recording('A.txt.gz').split('\n')
  const events = lines.map((line, i) => (/: rmap_/.test(line) ? i : -1)).filter((i) => i >= 0)
  fc.assert(
    fc.property(
      fc.array(fc.tuple(fc.nat(events.length - 1), fc.nat(7), fc.nat(15)), { minLength: 1, maxLength: 5 }),
      (changes) => {
        const damaged = [...lines]
        for (const [event, field, digit] of changes) {
          const at = events[event]!
          const values = [...damaged[at]!.matchAll(/=0x[0-9a-f]+/g)].slice(1)
          const value = values[field % values.length]
          if (value === undefined) continue
          const last = value.index + value[0].length - 1 - (digit % Math.min(5, value[0].length - 3)) // one of its digits
          damaged[at] = `${damaged[at]!.slice(0, last)}${digit.toString(16)}${damaged[at]!.slice(last + 1)}`
        }
        const { replay, data } = collect(damaged.join('\n'))
        const marked = data.marks.reduce((sum, [, count]) => sum + count, 0)
        expect(marked).toBe(replay.result().differences)
        expect(slotsAt(data, Infinity)).toEqual([...slotsOfReplay(replay)])
      },
    ),
    { numRuns: cases(8), seed: 5 },
  )
})

const held: fc.Arbitrary<Held> = fc.record({
  lpid: fc.nat(4095),
  gpa: fc.nat(2 ** 40 - 1).map((page) => page * 4096),
  node: fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }),
})
const line = fc.nat(10 ** 9)
const slot = fc.nat(30)
const fate = fc.constantFrom('cleared' as const, 'no-guest' as const, 'no-leaf' as const, 'other-frame' as const)
const step: fc.Arbitrary<Step> = fc.oneof(
  fc.record({
    kind: fc.constant('insert' as const),
    line,
    slot,
    outcome: fc.constantFrom('empty' as const, 'list' as const, 'duplicate' as const),
    held,
  }),
  fc.record({
    kind: fc.constant('remove' as const),
    line,
    gpa: fc.nat(2 ** 50),
    hpa: fc.nat(2 ** 52),
    shift: fc.constantFrom(16, 21, 30),
    taken: fc.uniqueArray(fc.record({ slot, fates: fc.array(fate, { minLength: 1 }) }), {
      selector: (taken) => taken.slot,
      maxLength: 4,
    }),
  }),
  fc.record({ kind: fc.constant('rc' as const), line, slot, clear: fc.constantFrom(0x80, 0x100) }),
  fc.record({
    kind: fc.constantFrom('guest' as const, 'release' as const),
    line,
    lpid: fc.nat(4095),
    shadowLpid: fc.nat(4095),
  }),
  fc.record({
    kind: fc.constant('tlbie' as const),
    line,
    lpid: fc.nat(4095),
    what: fc.constantFrom('all', 'rB 0x5, is 3'),
  }),
  fc.record({
    kind: fc.constant('free' as const),
    line,
    baseGfn: fc.nat(2 ** 30),
    npages: fc.nat(2 ** 28),
    slots: fc.uniqueArray(slot, { maxLength: 4 }),
  }),
  fc.record({ kind: fc.constant('state' as const), line, slot, list: fc.array(held, { maxLength: 4 }) }),
)

test('the source of a recording is read from its first events', () => {
  const source = (...chunks: string[]): string => {
    const probe = new SourceProbe()
    for (const chunk of chunks) probe.feed(new TextEncoder().encode(chunk))
    return probe.source
  }
  const lines: string[] = []
  const l1 = new Vm({ observer: recorder((line) => lines.push(line)) })
  l1.addMemslot({ baseGfn: 0, npages: 4 })
  l1.setGuestTable(1, new GuestTable()).map({ gpa: 0, to: 0 })
  l1.fault({ lpid: 1, gpa: 0, access: 'read' })
  const text = lines.join('\n')
  expect(source(text)).toBe('model')
  expect(source(...text)).toBe('model') // a byte at a time
  expect(source(recording('A.txt.gz'))).toBe('kernel')
  expect(source('')).toBe('kernel')
  expect(source('# written by (model) '.repeat(10))).toBe('kernel')
})

test('the lengths at the last step are those at the end of the replay', () => {
  const { data, replay } = collect(recording('A.txt.gz'))
  const history = new History(data.initial, data.steps)
  expect(history.lengths()).toEqual([])
  history.goTo(Infinity)
  expect(history.lengths()).toEqual(replay.listLengths())
})

test('an encoded step is decoded to the same step', () => {
  fc.assert(
    fc.property(step, (step) => {
      expect(decodeStep(encodeStep(step))).toEqual(step)
    }),
    { numRuns: cases(1000) },
  )
})

test('goTo gives the same state from any position', () => {
  fc.assert(
    fc.property(
      fc.array(step, { maxLength: 30 }),
      fc.array(fc.integer({ min: -2, max: 31 }), { maxLength: 10 }),
      (steps, stops) => {
        const lines = steps.map(encodeStep)
        const wanderer = new History([], lines)
        for (const stop of stops) {
          wanderer.goTo(stop)
          const direct = new History([], lines)
          direct.goTo(stop)
          expect(wanderer.position).toBe(direct.position)
          expect(wanderer.heads.map((head) => listOf(head).length)).toEqual(
            wanderer.heads.map((_, slot) => listOf(direct.heads[slot]).length),
          )
        }
      },
    ),
    { numRuns: cases(300) },
  )
})

test('a curve keeps its peaks in bounded memory', () => {
  fc.assert(
    fc.property(
      fc.array(fc.nat(100), { minLength: 1, maxLength: 300 }),
      fc.integer({ min: 2, max: 20 }),
      (values, limit) => {
        const timeline = new Timeline(limit)
        values.forEach((value, line) => timeline.add(line, value))
        const points = timeline.points()
        expect(points.length).toBeLessThanOrEqual(limit)
        expect(points.at(-1)![0]).toBe(values.length - 1)
        let start = 0
        for (const [line, most] of points) {
          expect(most).toBe(Math.max(...values.slice(start, line + 1)))
          start = line + 1
        }
      },
    ),
    { numRuns: cases(500) },
  )
})

test('a recording that the model wrote, with memslots that are removed and moved', () => {
  const operation = fc.oneof(
    {
      weight: 8,
      arbitrary: fc.record({
        do: fc.constant('fault' as const),
        lpid: fc.integer({ min: 1, max: 3 }),
        page: fc.nat(5),
        to: fc.nat(7),
      }),
    },
    { weight: 2, arbitrary: fc.record({ do: fc.constant('unmap' as const), gfn: fc.nat(7) }) },
    { weight: 1, arbitrary: fc.record({ do: fc.constantFrom('remove' as const, 'move' as const), which: fc.nat(1) }) },
  )
  fc.assert(
    fc.property(fc.array(operation, { maxLength: 60 }), (operations) => {
      const lines: string[] = []
      const l1 = new Vm({ observer: recorder((line) => lines.push(line)) })
      l1.addMemslot({ baseGfn: 0, npages: 4 })
      l1.addMemslot({ baseGfn: 4, npages: 4 })
      const tables = new Map([1, 2, 3].map((lpid) => [lpid, l1.setGuestTable(lpid, new GuestTable())]))
      for (const operation of operations) {
        if (operation.do === 'fault') {
          const gpa = operation.page * 0x10000
          tables.get(operation.lpid)!.map({ gpa, to: operation.to * 0x10000 })
          l1.tlbie({ kind: 'page', lpid: operation.lpid, gpa, shift: 16 })
          l1.fault({ lpid: operation.lpid, gpa, access: 'read' })
        } else if (operation.do === 'unmap') {
          if (l1.memslots.some(({ rmap }) => rmap.contains(operation.gfn))) l1.unmap(operation.gfn)
        } else {
          const memslot = l1.memslots[operation.which]
          if (memslot === undefined) continue
          if (operation.do === 'remove') l1.removeMemslot(memslot)
          else l1.moveMemslot(memslot, memslot.baseGfn < 0x100 ? memslot.baseGfn + 0x100 : memslot.baseGfn - 0x100)
        }
      }
      const { replay, data } = collect(lines.join('\n'))
      expect(replay.result().differences).toBe(0)
      expect(slotsAt(data, Infinity)).toEqual([...slotsOfReplay(replay)])
      expect(data.lengths.reduce((sum, [entries, slots]) => sum + entries * slots, 0)).toBe(
        data.entries.at(-1)?.[1] ?? 0,
      )
    }),
    { numRuns: cases(100) },
  )
})
