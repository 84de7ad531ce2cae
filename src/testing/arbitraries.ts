/**
 * Arbitraries for fast-check: LPIDs, nested addresses, entries, words, and sequences of operations. They try the edges of
 * each field often, and its whole range now and then.
 *
 *     import * as fc from 'fast-check'
 *     fc.assert(fc.property(entry(fc), (e) => unpackEntry(packEntry(e.lpid, e.gpa)).lpid === e.lpid))
 */
import { checkHas, checkInteger, checkOptionNames } from '../base/args'
import type { Lpid, NestedGpa } from '../base/units'
import { wordOf } from '../base/word'
import type { Entry } from '../rmap/entry'
import type { Arbitrary, FastCheck } from './fast-check'
import { LPIDS, LPIDS_WITH_ZERO, NESTED_GPAS, WORD_HALVES } from './fields'
import {
  MEMSLOT_SETTINGS,
  memslotSettings,
  memslotShapes,
  type MemslotOperation,
  type MemslotSettings,
} from './memslot-level'
import { OperationError } from './operation'
import { RANGE_RARITY, type Field, type RareThing, type Shape, type Weights } from './shapes'
import { checkWeights } from './vectors'
import { VM_SETTINGS, VmModel, vmSettings, type VmSettings } from './vm-model'
import type { VmOperation } from './vm-operation'
import { VmScenario, type VmStep } from './vm-scenario'
import { firstSteps, vmShapes } from './vm-shapes'

/** Which LPIDs there are. */
export interface LpidOptions {
  /** LPID 0 too, which only Linux lets in (spec 11). The default is false. */
  readonly zero?: boolean
}

/** What sequences of operations are made of. */
export interface SequenceOptions {
  /** Most steps, 1..10000 (the default is 100). A step is an operation or a few that belong together. */
  readonly maxSteps?: number
  /** How frequent rare things are; each 0..1000. */
  readonly weights?: Weights
}

/** @internal */
export const SEQUENCE = ['maxSteps', 'weights'] as const

/**
 * LPIDs, 1..4095.
 *
 * @param fc the module fast-check
 */
export function lpid(fc: FastCheck, options: LpidOptions = {}): Arbitrary<Lpid> {
  return fieldArbitrary(fc, checkOptionNames('options', options, ['zero']).zero === true ? LPIDS_WITH_ZERO : LPIDS)
}

/** Nested addresses in bytes, 0..2^52-1. The low 12 bits, which an entry drops, are often 0. */
export function nestedGpa(fc: FastCheck): Arbitrary<NestedGpa> {
  return fieldArbitrary(fc, NESTED_GPAS)
}

/** Entries: an LPID and a nested address. */
export function entry(fc: FastCheck, options: LpidOptions = {}): Arbitrary<Entry> {
  return fc.tuple(lpid(fc, options), nestedGpa(fc)).map(([lpid, gpa]) => ({ lpid, gpa }))
}

/** 64-bit words. Their halves are often at the edges of an entry's fields; they may be odd or even, valid or not. */
export function word(fc: FastCheck): Arbitrary<bigint> {
  const half = fieldArbitrary(fc, WORD_HALVES)
  return fc.tuple(half, half).map(([hi, lo]) => wordOf(hi as number, lo as number))
}

/**
 * Sequences of operations on memslots: all can be run on memslots with the same settings.
 *
 * @throws RangeError, TypeError
 */
export function memslotOperations(
  fc: FastCheck,
  options: SequenceOptions & Partial<MemslotSettings> = {},
): Arbitrary<MemslotOperation[]> {
  checkOptionNames('options', options, [...SEQUENCE, ...MEMSLOT_SETTINGS])
  return memslotSteps(fc, options)
}

/** @internal {@link memslotOperations}, of options that may have more names. */
export function memslotSteps(
  fc: FastCheck,
  options: SequenceOptions & Partial<MemslotSettings>,
): Arbitrary<MemslotOperation[]> {
  const { weights, maxSteps } = sequenceOptions(options)
  return steps(fc, memslotShapes(memslotSettings(options, weights.quirks > 0), weights.long), maxSteps)
}

/**
 * Sequences of operations on an L1. They begin with what makes an L1 useful (tables that map something, a memslot, its
 * backing), and all of them can be run on a {@link VmModel} with the same settings.
 *
 * @throws RangeError, TypeError
 */
export function vmOperations(
  fc: FastCheck,
  options: SequenceOptions & Partial<VmSettings> = {},
): Arbitrary<VmOperation[]> {
  checkOptionNames('options', options, [...SEQUENCE, ...VM_SETTINGS])
  const { weights } = sequenceOptions(options)
  const settings = vmSettings(options, weights.quirks > 0)
  return vmSteps(fc, options).map((some: VmStep[]) => {
    const model = new VmModel(settings)
    const scenario = new VmScenario(model, settings)
    const operations: VmOperation[] = []
    for (const step of [...firstSteps(settings), ...some]) {
      const played = scenario.play(step)
      for (let next = played.next(); next.done !== true;) {
        const operation = next.value
        try {
          const answer = model.run(operation)
          operations.push(operation)
          next = played.next(answer)
        } catch (error) {
          if (!(error instanceof OperationError)) throw error
          next = played.next(undefined) // it does not fit the state
        }
      }
    }
    return operations
  })
}

/** @internal The steps that follow the first ones. */
export function vmSteps(fc: FastCheck, options: SequenceOptions & Partial<VmSettings>): Arbitrary<VmStep[]> {
  const { weights, maxSteps } = sequenceOptions(options)
  return steps(fc, vmShapes(vmSettings(options, weights.quirks > 0), weights), maxSteps)
}

/** @internal Checked, and complete. @throws RangeError, TypeError */
export function sequenceOptions({ weights = {}, maxSteps = 100 }: SequenceOptions): {
  weights: Readonly<Record<RareThing, number>>
  maxSteps: number
} {
  return { weights: checkWeights(weights), maxSteps: checkInteger('maxSteps', maxSteps, 1, 10_000) }
}

function steps<S>(fc: FastCheck, shapes: readonly Shape<S>[], maxLength: number): Arbitrary<S[]> {
  checkFastCheck(fc)
  const kinds = shapes.map(({ weight, fields, make }) => ({
    weight,
    arbitrary: fc.tuple(...fields.map((field) => fieldArbitrary(fc, field))).map(make) as Arbitrary<S[]>,
  }))
  return fc.array(fc.oneof(...kinds), { maxLength, size: 'max' }).map((some: S[][]) => some.flat())
}

function fieldArbitrary<T>(fc: FastCheck, { values, range }: Field<T>): Arbitrary<T> {
  checkFastCheck(fc)
  if (range === undefined) return fc.constantFrom(...values)
  const [min, max] = range
  const whole = fc.integer({ min, max }) as Arbitrary<unknown> as Arbitrary<T>
  if (values.length === 0) return whole
  return fc.oneof({ weight: RANGE_RARITY - 1, arbitrary: fc.constantFrom(...values) }, { weight: 1, arbitrary: whole })
}

/** @internal @throws TypeError for what is not the module fast-check */
export function checkFastCheck(fc: FastCheck): void {
  for (const name of ['integer', 'constantFrom', 'oneof', 'tuple', 'array', 'property', 'check'] as const) {
    checkHas('fc', fc, name)
  }
}
