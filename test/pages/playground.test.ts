/** The playground without its page: operations, steps, explanations, presets, exported programs. */
import fc from 'fast-check'
import ts from 'typescript'
import { expect, test } from 'vitest'
import * as library from '../../src/index'
import { snapshot, type Vm } from '../../src/index'
import { toTypeScript } from '../../src/pages/playground/export'
import { explain } from '../../src/pages/playground/explain'
import { titleOf } from '../../src/pages/playground/title'
import { History } from '../../src/pages/playground/history'
import {
  decodeOp,
  decodeSequence,
  encodeOp,
  encodeSequence,
  type Op,
  type Sequence,
  type Settings,
} from '../../src/pages/playground/ops'
import { picturesOf } from '../../src/pages/playground/pictures'
import { PRESETS } from '../../src/pages/playground/presets'
import { slotAt, viewOf } from '../../src/pages/playground/view'
import * as view from '../../src/view/index'
import { cases } from '../support/cases'

/** Operations of one L1. Operands are from small sets, so that operations share them, or from their complete range. */
function opsOf(everywhere: boolean): fc.Arbitrary<Op> {
  const any = <T>(near: fc.Arbitrary<T>, far: fc.Arbitrary<T>): fc.Arbitrary<T> => (everywhere ? far : near)
  const lpid = any(fc.integer({ min: 0, max: 3 }), fc.nat(2 ** 20))
  const gpa = any(fc.constantFrom(0, 0x10000, 0x20000, 0x200000), fc.integer({ min: 0, max: 2 ** 52 - 1 }))
  const to = any(fc.constantFrom(0x10000, 0x50000, 0x200000, 0x1000000), fc.integer({ min: 0, max: 2 ** 52 - 1 }))
  const gfn = any(fc.constantFrom(0, 1, 5, 0x20), fc.nat(2 ** 30))
  const shift = fc.constantFrom(12 as const, 16 as const, 21 as const, 30 as const)
  const access = fc.constantFrom('read' as const, 'write' as const, 'execute' as const)
  const allow = fc.nat(7)
  const n = any(fc.integer({ min: 1, max: 3 }), fc.nat(2 ** 20))
  const kind = <K extends string>(name: K): fc.Arbitrary<K> => fc.constant(name)
  return fc.oneof(
    { weight: 3, arbitrary: fc.record({ kind: kind('guest'), lpid }) },
    {
      weight: 6,
      arbitrary: fc.record({ kind: kind('map'), lpid, gpa, to, shift, allow: any(fc.constantFrom(7, 7, 4, 0), allow) }),
    },
    { weight: 8, arbitrary: fc.record({ kind: kind('fault'), lpid, gpa, access }) },
    fc.record({ kind: kind('unmap-guest'), lpid, gpa }),
    fc.record({ kind: kind('protect'), lpid, gpa, allow }),
    fc.record({ kind: kind('tlbie-page'), lpid, gpa, shift }),
    fc.record({ kind: kind('tlbie'), lpid, ric: fc.constantFrom(0 as const, 1 as const, 2 as const) }),
    fc.record({ kind: kind('drop'), lpid }),
    fc.record({ kind: kind('begin-fault'), lpid, gpa, access }),
    fc.record({ kind: kind('commit-fault'), n }),
    fc.record({ kind: kind('unmap'), gfn }),
    fc.record({ kind: kind('begin-unmap'), gfn }),
    fc.record({ kind: kind('end-unmap'), n }),
    fc.record({ kind: kind('age'), gfn }),
    fc.record({ kind: kind('log'), on: fc.boolean() }),
    fc.record({ kind: kind('harvest') }),
  )
}

const settings: fc.Arbitrary<Settings> = fc.record({
  pageShift: fc.constantFrom(16 as const, 12 as const),
  placement: fc.constantFrom('head' as const, 'faulting' as const),
  hostPages: fc.constantFrom('base' as const, '2m' as const),
  allowLpidZero: fc.boolean(),
})

/** Adds two nested guests first, so that most operations are possible. */
const GUESTS: readonly Op[] = [
  { kind: 'guest', lpid: 1 },
  { kind: 'guest', lpid: 2 },
]
const plays = fc
  .record({ settings, ops: fc.array(opsOf(false), { maxLength: 25 }) })
  .map(({ settings, ops }): Sequence => ({ settings, ops: [...GUESTS, ...ops], position: ops.length + 2 }))

test('every sequence is the same after it was encoded and decoded', () => {
  const sequences = fc
    .record({ settings, ops: fc.array(fc.oneof(opsOf(false), opsOf(true)), { maxLength: 40 }) })
    .chain((play) => fc.nat(play.ops.length).map((position): Sequence => ({ ...play, position })))
  fc.assert(
    fc.property(sequences, (sequence) => {
      const text = encodeSequence(sequence)
      expect(text).toMatch(/^[\w./@]*$/) // no character that an address would escape
      expect(decodeSequence(text)).toEqual(sequence)
    }),
    { numRuns: cases(500) },
  )
})

test('an invalid sequence is an error that says why', () => {
  const refused = (text: string): string => {
    try {
      return JSON.stringify(decodeSequence(text))
    } catch (error) {
      expect((error as Error).constructor).toBe(Error)
      return (error as Error).message
    }
  }
  expect(refused('')).toBe('"" are not settings: expected for example 16.head.base')
  expect(refused('16.head.base/z1')).toBe('"z1" is not an operation')
  expect(refused('16.head.base/f1.10000')).toBe('"f1.10000" is not an operation: expected lpid, gpa, access')
  expect(refused('16.head.base/f1.10000.q')).toBe('"f1.10000.q" is not an operation: expected lpid, gpa, access')
  expect(refused('16.head.base/g-1')).toBe('"g-1" is not an operation: expected lpid')
  expect(refused(`16.head.base${'/y'.repeat(2001)}`)).toBe('expected at most 2000 operations, got 2001')
  const pieces = fc.array(
    fc.constantFrom('16', '.', 'head', 'base', '/', 'f', 'm', '1', '@', 'rwx', '20000', '%', '-'),
    { maxLength: 12 },
  )
  fc.assert(
    fc.property(pieces, (texts) => void refused(texts.join(''))),
    { numRuns: cases(500) },
  )
  expect(decodeSequence('16.head.base/g1@99').position).toBe(1)
})

test('goTo gives the same snapshot as the operations up to that step', () => {
  fc.assert(
    fc.property(plays, fc.array(fc.nat(30), { minLength: 1, maxLength: 6 }), (play, stops) => {
      const history = History.of(play)
      for (const stop of stops) {
        history.goTo(stop)
        const position = Math.min(stop, play.ops.length)
        expect(history.position).toBe(position)
        const direct = History.of({ ...play, ops: play.ops.slice(0, position), position })
        expect(history.machine.save()).toEqual(direct.machine.save())
        expect(viewOf(history.machine)).toEqual(direct.view)
        expect(history.view).toEqual(direct.view)
      }
    }),
    { numRuns: cases(60) },
  )
})

test('an operation after an undo drops the undone steps', () => {
  const history = History.of(decodeSequence('16.head.base/g1/m1.10000.10000.16.rwx/f1.10000.r'))
  const before = history.machine.save()
  history.act(decodeOp('h1'))
  history.goTo(3)
  expect(history.machine.save()).toEqual(before)
  history.act(decodeOp('a1'))
  expect(history.steps.map(({ op }) => encodeOp(op)).slice(3)).toEqual(['a1'])
  expect(() => history.act(decodeOp('g1'))).toThrow(new Error('LPID 1 has a guest table: drop the nested guest first'))
  expect(history.position).toBe(4)
})

/** Runs an exported program with the library of this project. @returns its L1 */
function run(program: string): Vm {
  const { outputText } = ts.transpileModule(program, {
    compilerOptions: { module: ts.ModuleKind.CommonJS, target: ts.ScriptTarget.ES2022 },
  })
  const modules: Record<string, unknown> = { 'nested-rmap': library, 'nested-rmap/view': view }
  const exported: { vm?: Vm } = {}
  const quiet = { log: (): undefined => undefined }
  // oxlint-disable-next-line no-new-func
  new Function('exports', 'require', 'console', outputText)(exported, (name: string) => modules[name], quiet)
  return exported.vm!
}

test('an exported program gives the same state', () => {
  fc.assert(
    fc.property(plays, (play) => {
      const history = History.of(play)
      const vm = run(toTypeScript(play.settings, history.steps))
      const bytes = history.machine.save()
      if (bytes !== undefined) expect(snapshot(vm)).toEqual(bytes)
      expect(vm.counters).toEqual(history.view.counters)
      expect([...view.slotsOf(vm.memslots[0]!)]).toEqual(history.view.slots)
    }),
    { numRuns: cases(60) },
  )
})

test('an exported program is TypeScript without errors', () => {
  const programs = new Map(
    PRESETS.map(({ id, title, sequence }) => [
      `test/pages/exported-${id}.ts`,
      toTypeScript(sequence.settings, History.of(sequence).steps, title),
    ]),
  )
  const { config } = ts.readConfigFile('tsconfig.json', (file) => ts.sys.readFile(file))
  const { options } = ts.parseJsonConfigFileContent(config, ts.sys, '.')
  const paths = { 'nested-rmap': ['./src/index.ts'], 'nested-rmap/view': ['./src/view/index.ts'] }
  const all = { ...options, paths, baseUrl: process.cwd() }
  const host = ts.createCompilerHost(all)
  const { getSourceFile, fileExists } = host
  host.getSourceFile = (name, ...rest) =>
    programs.has(name)
      ? ts.createSourceFile(name, programs.get(name)!, ts.ScriptTarget.ES2022)
      : getSourceFile(name, ...rest)
  host.fileExists = (name) => programs.has(name) || fileExists(name)
  const program = ts.createProgram([...programs.keys()], all, host)
  const errors = [...programs.keys()].flatMap((name) =>
    ts
      .getPreEmitDiagnostics(program, program.getSourceFile(name))
      .map(({ messageText }) => ts.flattenDiagnosticMessageText(messageText, ' ')),
  )
  expect(errors).toEqual([])
})

test('every step is explained: its outcome, its counts, and a section of the specification', () => {
  fc.assert(
    fc.property(plays, (play) => {
      const history = History.of(play)
      history.steps.forEach((step, i) => {
        const before = history.viewAt(i)
        const { title, text, outcome, counts, spec } = explain(step, before, play.settings.pageShift)
        expect(title).toBe(titleOf(step.op, before))
        expect(text).toMatch(/^[A-Z].*\.$/s)
        expect(`${title} ${text} ${outcome}`).not.toMatch(/undefined|NaN|\[object/)
        if (step.refusal !== undefined) return expect(outcome).toBe('refused')
        expect(spec.length).toBeGreaterThan(0)
        const { fault, walk } = step.outcome!
        if (fault !== undefined) expect(outcome.startsWith(fault.outcome)).toBe(true)
        if (fault !== undefined && 'reason' in fault) expect(outcome).toContain(`(${fault.reason})`)
        if (walk !== undefined && walk.entries > 0) {
          expect(outcome).toBe(`${walk.cleared} cleared, ${walk.entries - walk.cleared} stale`)
        }
        const steps = step.view.counters.scanSteps - before.counters.scanSteps
        if (steps > 0) expect(counts).toContain(`${steps} ${steps === 1 ? 'entry' : 'entries'} compared`)
        const nodes = step.view.counters.nodes.inUse - before.counters.nodes.inUse
        if (nodes > 0) expect(counts).toContain(`${nodes} list ${nodes === 1 ? 'node' : 'nodes'} allocated`)
      })
    }),
    { numRuns: cases(60) },
  )
})

test('pictures show every rmap slot that is not empty, and every entry that a walk visited', () => {
  fc.assert(
    fc.property(plays, (play) => {
      const history = History.of(play)
      history.steps.forEach((step, i) => {
        const pictures = picturesOf(step, history.viewAt(i), step.view, play.settings.pageShift)
        const present = pictures.filter(({ isTaken }) => !isTaken).map(({ slot }) => slot)
        expect(present).toEqual(step.view.slots)
        const taken = pictures.filter(({ isTaken }) => isTaken)
        expect(new Set(taken.map(({ slot }) => slot.gfn))).toEqual(new Set(step.outcome?.met?.map(({ gfn }) => gfn)))
        for (const { slot, look } of pictures) {
          slot.entries.forEach((_, place) => expect(look.remark?.(place) ?? '').not.toContain('undefined'))
        }
      })
    }),
    { numRuns: cases(60) },
  )
})

/** Runs a preset to its end. */
function preset(id: string): History {
  return History.of(PRESETS.find((known) => known.id === id)!.sequence)
}

test('every operation of a preset is possible, and every note has a step', () => {
  for (const { id, sequence, prepared, notes } of PRESETS) {
    const { steps } = History.of(sequence)
    expect([id, steps.flatMap(({ refusal }) => refusal ?? [])]).toEqual([id, []])
    expect(prepared).toBeLessThan(steps.length)
    for (const step of Object.keys(notes)) expect(Number(step)).toBeLessThanOrEqual(steps.length)
  }
  expect(new Set(PRESETS.map(({ id }) => id)).size).toBe(PRESETS.length)
})

const outcomes = (history: History): string[] =>
  history.steps.map((step, i) => explain(step, history.viewAt(i), history.settings.pageShift).outcome)
const entries = (history: History, step: number, gfn: number): number =>
  slotAt(history.viewAt(step), gfn)?.entries.length ?? 0
const broken = (history: History, step: number): string[] => [
  ...new Set(history.viewAt(step).broken.map(({ invariant }) => invariant)),
]

test('preset: the three forms of an rmap slot', () => {
  const history = preset('three-forms')
  expect(slotAt(history.view, 0)).toBeUndefined()
  expect(slotAt(history.view, 1)).toMatchObject({ word: 0x0010000000010001n, nodes: [] })
  expect(slotAt(history.view, 2)!.nodes.length).toBe(2)
  expect(slotAt(history.view, 2)!.entries.map(({ lpid }) => lpid)).toEqual([3, 2, 1])
})

test('preset: why the duplicate scan exists', () => {
  const history = preset('duplicate-scan')
  expect(outcomes(history).filter((outcome) => outcome.endsWith('insert: duplicate')).length).toBe(3)
  expect([8, 10, 12].map((step) => entries(history, step, 3))).toEqual([2, 2, 2])
  expect(history.view.counters.inserts.duplicate + entries(history, 12, 3)).toBe(5) // without the scan
})

test('preset: stale entries after tlbie', () => {
  const history = preset('stale-tlbie')
  expect([7, 9, 12].map((step) => entries(history, step, 7))).toEqual([3, 3, 3])
  expect(entries(history, 12, 9)).toBe(1)
  expect(outcomes(history).at(-1)).toBe('1 cleared, 2 stale')
  const remarks = picturesOf(history.steps[11], history.viewAt(11), history.viewAt(12), 16)[0]!.look.remark!
  expect([0, 1, 2].map(remarks)).toEqual(['stale: maps another page', 'stale: no shadow leaf', ''])
  expect(history.view.counters.nodes.inUse).toBe(0)
})

test('preset: a 2 MiB host page', () => {
  const history = preset('large-page')
  expect(history.viewAt(5).slots.map(({ gfn }) => gfn)).toEqual([0])
  expect(entries(history, 7, 0x20)).toBe(1)
  expect(history.viewAt(7).guests[0]!.shadow.at(-1)!.shift).toBe(21)
  expect(history.steps[7]!.view.counters.rcWalks.entries).toBe(0) // ageing gfn 5 visits no entry
  expect(history.steps[8]!.view.counters.rcWalks.entries).toBe(0) // referenced is cleared already
  expect(outcomes(history).at(-1)).toBe('2 cleared, 0 stale')
  const old = History.of({ ...history.sequence, settings: { ...history.settings, placement: 'faulting' } })
  expect(old.viewAt(5).slots.map(({ gfn }) => gfn)).toEqual([5])
})

test('preset: the mmu_seq race', () => {
  const told = outcomes(preset('mmu-seq'))
  expect(told.slice(2)).toEqual([
    'pending',
    '0 cleared, 0 stale',
    'retry (mmu-seq)',
    'mapped (made), insert: empty',
    '1 cleared, 0 stale',
    'retry (mmu-seq)',
    'ended',
    'mapped (made), insert: empty',
  ])
})

test('preset: remap without tlbie', () => {
  const history = preset('remap')
  const leaf = history.viewAt(6).guests[0]!.shadow[0]!
  const frames = [4, 9].map((gfn) => history.viewAt(6).host.find(({ from }) => from === gfn * 0x10000)!.to)
  expect(leaf.to).toBe(frames[0]! | frames[1]!)
  expect(frames).not.toContain(leaf.to)
  expect(history.viewAt(7).host.find(({ from }) => from === 0x20000)!.to).toBe(leaf.to)
  expect(broken(history, 6)).toContain('completeness')
  expect(broken(history, 9)).toEqual([])
})

test('preset: LPID 0 cuts a list', () => {
  const history = preset('lpid-zero')
  expect(broken(history, 9)).not.toContain('no-duplicates')
  expect(outcomes(history)[10]).toBe('mapped (made), insert: list')
  expect(history.view.counters.nodes.inUse).toBeGreaterThan(0)
  expect(broken(history, 12)).toContain('nodes')
})

test('preset: LPID reuse', () => {
  const history = preset('lpid-reuse')
  expect(history.viewAt(4).guests).toEqual([])
  expect(entries(history, 4, 2)).toBe(1)
  expect(outcomes(history)[6]).toBe('mapped (made), insert: duplicate')
  expect(outcomes(history).at(-1)).toBe('0 cleared, 1 stale')
  expect(broken(history, 11)).toEqual([])
})
