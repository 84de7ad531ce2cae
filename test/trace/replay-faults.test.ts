/** Recordings of Linux 6.12 with the events of the fault path: faults, creations and set-rc are predicted bit for bit. */
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { RadixComparison, Replay, type ReplayResult } from '../../src/trace/index'
import { recording } from '../support/recordings'
import { cases } from '../support/cases'

const SHIFTS = { Q3: 12, Q5: 12, Q6: 12, Q8: 12, K2: 16 } as const
type Name = keyof typeof SHIFTS

function replay(name: Name, trace: string, radix?: string): ReplayResult {
  const run = new Replay({ pageShift: SHIFTS[name] })
  run.feed(Buffer.from(trace, 'latin1'))
  run.end()
  if (radix === undefined) return run.result()
  const comparison = new RadixComparison(run)
  comparison.feed(Buffer.from(radix, 'latin1'))
  comparison.end()
  return run.result(comparison.result())
}

const texts = (name: Name): { trace: string; radix: string } => {
  const { trace, radix } = recording(name)!
  return { trace: trace.toString('latin1'), radix: radix.toString('latin1') }
}

describe('as recorded', () => {
  test.for(Object.keys(SHIFTS) as Name[])('%s: every fault, creation and set-rc is predicted', (name, context) => {
    context.skip(recording(name) === undefined, `recording ${name} is not here`)
    const { trace, radix } = texts(name)
    const result = replay(name, trace, radix)
    expect(result.first).toEqual([])
    expect(result.differences).toBe(0)
    const count = (event: string, having = ''): number =>
      trace.split('\n').filter((line) => line.includes(` ${event}: (`) && line.includes(having)).length
    expect(result.faults.total).toBe(count('nested_fault_ret'))
    expect(result.faults.byOutcome['forward-to-l1']).toBe(count('nested_fault_ret', ' ret=2'))
    expect(result.faults.byOutcome.invalid).toBe(count('nested_fault_ret', ' ret=-22'))
    expect(Object.values(result.faults.byOutcome).reduce((a, b) => a + b)).toBe(result.faults.total)
    expect(result.creations).toBe(count('pte_create') - count('pte_create', ' rmapp=0x0'))
    expect(result.setRc).toBe(count('set_rc_ret'))
    expect(result.rcUpdates).toBe(count('rmap_update_rc'))
    expect(result.unexplained).toBe(0)
  })

  test('the dump is compared bit for bit, referenced and changed bits included', () => {
    const { trace, radix } = texts('Q3')
    const lines = radix.split('\n')
    const first = lines.findIndex((line) => line.startsWith('Nested')) + 1
    for (const at of [first, first + 7]) {
      for (const bit of [7n, 8n]) {
        const changed = lines[at]!.replace(/: ([0-9a-f]+)/, (_all, word) => {
          return `: ${(BigInt(`0x${word}`) ^ (1n << bit)).toString(16)}`
        })
        expect(replay('Q3', trace, lines.with(at, changed).join('\n')).radix!.differences).toBe(1)
      }
    }
  })

  test("LPID 0's table, which the dump does not list, is not compared", () => {
    const { trace, radix } = texts('Q8')
    const run = new Replay({ pageShift: 12 })
    run.feed(Buffer.from(trace, 'latin1'))
    run.end()
    expect(run.shadows().get(0)!.leafCount).toBeGreaterThan(0)
    expect(radix).not.toMatch(/Nested LPID 0:/)
    expect(replay('Q8', trace, radix).radix!.differences).toBe(0)
  })

  test.for([
    ['nested_walk', 0],
    ['set_rc', 801],
  ] as const)('a recording without %s has no difference', ([event, creations]) => {
    const { trace, radix } = texts('Q5')
    const lines = trace
      .split('\n')
      .filter((line) => !line.includes(` ${event}: (`) && !line.includes(` ${event}_ret: (`))
    const result = replay('Q5', lines.join('\n'), radix)
    expect(result.first).toEqual([])
    expect(result.creations).toBe(creations)
  })
})

describe('one flipped bit in a field that is predicted', () => {
  /** By event and field: the number of bits that are predicted, and in which lines. */
  const PREDICTED: [event: string, field: string, bits: number, lines?: RegExp][] = [
    ['nested_fault', 'l1_lpid', 32],
    ['nested_fault', 'gpa4', 52, / trap=0xe00/],
    ['nested_walk', 'ngpa', 64, / ngpa=0x[1-9a-f]/],
    ['nested_fault_ret', 'ret', 52],
    ['set_rc', 'nested', 8],
    ['set_rc', 'lpid', 32],
    ['set_rc_ret', 'ret', 8],
    ['pte_create', 'pte', 64, / rmapp=0x[1-9a-f]/],
    ['pte_create', 'gpa', 64, / rmapp=0x[1-9a-f]/],
    ['pte_create', 'level', 8, / rmapp=0x[1-9a-f]/],
    ['pte_create', 'lpid', 32],
    ['pte_create', 'rmapp', 64],
    ['pte_create', 'pgtable', 64],
    ['pte_unmap', 'pteval', 64, / memslot=0x0/],
    ['rmap_update_rc', 'clr', 64],
    ['rmap_update_rc', 'set', 64],
    ['rmap_update_rc', 'hpa', 64],
  ]
  const { trace, radix } = texts('Q5')
  const lines = trace.split('\n')

  test.for(PREDICTED)('%s: %s', ([event, field, bits, having = /./]) => {
    const places = lines.flatMap((line, i) => (line.includes(` ${event}: (`) && having.test(line) ? [i] : []))
    const pattern = new RegExp(` ${field}=(\\S+)`)
    fc.assert(
      fc.property(fc.constantFrom(...places), fc.integer({ min: 0, max: bits - 1 }), (at, bit) => {
        const shown = pattern.exec(lines[at]!)![1]!
        const value = BigInt.asUintN(64, shown.startsWith('-') ? -BigInt(shown.slice(1)) : BigInt(shown))
        const flipped = value ^ (1n << BigInt(bit))
        const text = event === 'nested_fault_ret' ? BigInt.asIntN(64, flipped).toString() : `0x${flipped.toString(16)}`
        const changed = lines.with(at, lines[at]!.replace(pattern, ` ${field}=${text}`)).join('\n')
        expect(replay('Q5', changed, radix).differences).toBeGreaterThan(0)
      }),
      { numRuns: cases(12), seed: 0x5eed },
    )
  })
})
