/** A misspelled option is refused wherever options are taken, with the nearest known one named: else it would be ignored. */
import * as fc from 'fast-check'
import { expect, test } from 'vitest'
import { Memslot, RadixTable } from '../src/index'
import {
  compareMemslot,
  compareVm,
  entry,
  lpid,
  memslotOperations,
  vectors,
  vmOperations,
  VmModel,
  type MemslotImplementation,
} from '../src/testing/index'
import { Replay } from '../src/trace/index'
import {
  checkDump,
  drawMemslot,
  drawSlot,
  nodeReader,
  RadixDumpTables,
  RawSlots,
  slotsOf,
  slotsSvg,
  slotSvg,
} from '../src/view/index'

const wrong = (value: object): never => value as never
const memslot = new Memslot({ baseGfn: 0, npages: 2 })
memslot.insert(0, 1, 0)
const [slot] = slotsOf(memslot)
const dump = { slots: [], baseGfn: 0, npages: 1, host: new RadixTable({ pageShift: 16 }), shadows: new Map() }
const raw = { baseGfn: 0, npages: 1, read: nodeReader([]) }
const mine = (): MemslotImplementation => new Memslot({ baseGfn: 0, npages: 1 }) as never

test.each<[name: string, call: () => unknown, message: string]>([
  ['Replay', () => new Replay(wrong({ pageSize: 12 })), 'options: unknown option "pageSize"; did you mean pageShift? '],
  ['RadixDumpTables', () => new RadixDumpTables(wrong({ maxpages: 1 })), '"maxpages"; did you mean maxPages? '],
  ['RawSlots', () => new RawSlots(wrong({ ...raw, byteorder: 'big' })), '"byteorder"; did you mean byteOrder? '],
  [
    'checkDump',
    () => checkDump(wrong({ ...dump, shadow: [] })),
    'dump: unknown option "shadow"; did you mean shadows? ',
  ],
  ['drawSlot', () => drawSlot(slot!, wrong({ with: 100 })), '"with"; did you mean width? '],
  ['drawMemslot', () => drawMemslot(memslot, wrong({ gfn: [0] })), '"gfn"; did you mean gfns? '],
  ['slotSvg', () => slotSvg(slot!, wrong({ marks: () => 'new' })), '"marks"; did you mean mark? '],
  ['slotsSvg', () => slotsSvg([slot!], wrong({ looks: () => ({}) })), '"looks"; did you mean look? '],
  [
    'a look',
    () => slotsSvg([slot!], { look: () => wrong({ marks: 1 }) }),
    'look: unknown option "marks"; did you mean ',
  ],
  ['vectors', () => [...vectors(wrong({ level: 'vm', op: 1 }))], '"op"; did you mean ops? '],
  [
    'settings of vectors',
    () => [...vectors({ level: 'vm', ops: 1, vm: wrong({ place: 'head' }) })],
    'vm: unknown option ',
  ],
  ['compareMemslot', () => compareMemslot(fc, mine, wrong({ run: 1 })), '"run"; did you mean runs? '],
  ['compareVm', () => compareVm(fc, () => new VmModel(), wrong({ seeds: 1 })), '"seeds"; did you mean seed? '],
  [
    'VmModel',
    () => new VmModel(wrong({ maxnodes: 1 })),
    'settings: unknown option "maxnodes"; did you mean maxNodes? ',
  ],
  ['memslotOperations', () => memslotOperations(fc, wrong({ maxStep: 1 })), '"maxStep"; did you mean maxSteps? '],
  ['vmOperations', () => vmOperations(fc, wrong({ weight: {} })), '"weight"; did you mean weights? '],
  ['lpid', () => lpid(fc, wrong({ zeros: true })), '"zeros"; did you mean zero? '],
  ['entry', () => entry(fc, wrong({ zeros: true })), '"zeros"; did you mean zero? '],
])('%s', (_name, call, message) => {
  expect(call).toThrow(TypeError)
  expect(call).toThrow(message)
})
