/** A whole L1, compared with the simplest model of one after every operation; and with its own recording. */
import * as fc from 'fast-check'
import { expect, test } from 'vitest'
import { recorder, type FaultResult, type Leaf, type SetRcResult } from '../../src/index'
import { compareVm, OperationError, VmModel, vmOperations } from '../../src/testing/index'
import { Replay } from '../../src/trace/index'
import { cases } from '../support/cases'
import { SimplestVm } from '../support/simplest-vm'

type Result = FaultResult | SetRcResult

const GEOMETRIES = [
  [16, 'head'],
  [16, 'faulting'],
  [12, 'head'],
  [12, 'faulting'],
] as const

/** How the faults of all runs ended: none may be missing, or the runs do not try what they are to try. */
const outcomes = new Set<string>()

const shown = (leaves: Iterable<Leaf>): string[] =>
  Array.from(leaves, ({ gpa, shift, word }) => `${gpa.toString(16)}/${shift} ${word.toString(16)}`)

/** A result without its warning, which the simplest model does not know. */
function plain(result: Result | undefined): object | undefined {
  if (result === undefined) return undefined
  const { warning: _, ...rest } = result as Result & { warning?: string }
  return rest
}

function seen(result: Result | undefined): void {
  if (result === undefined) return
  const words = 'change' in result ? [result.change, result.insert] : [result.reason]
  outcomes.add([result.outcome, ...words].filter((word) => word !== undefined).join(' '))
}

for (const [pageShift, placement] of GEOMETRIES) {
  test(`an L1 does what the simplest model does, and breaks no invariant: page shift ${pageShift}, placement ${placement}`, () => {
    for (const [unitShift, runs, maxSteps] of [
      [21, 250, 200],
      [30, 6, 60],
    ] as const) {
      let result: Result | undefined
      compareVm(fc, (settings) => new SimplestVm(settings), {
        pageShift,
        placement,
        unitShift,
        runs: cases(runs),
        maxSteps,
        before({ vm }) {
          result = undefined
          vm.observe((event) => {
            if (event.event === 'fault' || event.event === 'set_rc_result') result = event.result
          })
        },
        afterEach({ vm }, mine, { op }) {
          if (JSON.stringify(plain(result)) !== JSON.stringify(plain(mine.result)))
            expect(plain(result)).toEqual(plain(mine.result))
          if (op !== 'setRc') seen(result)
          result = undefined
          if (vm.mmuSeq !== mine.model.seq) expect(vm.mmuSeq).toBe(mine.model.seq)
          const guests = [...vm.guests, ...vm.droppedGuests].map(({ lpid, refs }) => `${lpid} ${refs}`)
          expect(guests.join()).toBe(mine.guests.map(({ lpid, refs }) => `${lpid} ${refs}`).join())
          if (vm.droppedGuests.length > 0)
            expect(vm.droppedGuests.map(({ shadow }) => shown(shadow))).toEqual(mine.droppedLeaves().map(shown))
          if (guests.length + vm.host.leafCount === 0) return
          const broken = vm.check().filter(({ invariant }) => invariant !== 'changed-bit' || !mine.harvestedInside)
          if (broken.length > 0) expect(broken).toEqual([])
        },
      })
    }
  }, 120_000)
}

const FAULT_PATH = / (nested_fault|nested_walk|nested_fault_ret|set_rc|set_rc_ret): /

for (const [pageShift, placement] of GEOMETRIES) {
  test(`a recording written by the model replays without a difference: page shift ${pageShift}, placement ${placement}`, () => {
    fc.assert(
      fc.property(vmOperations(fc, { pageShift, placement, maxSteps: 150 }), (operations) => {
        const lines: string[] = []
        // Linux of 2018, which places entries by the faulting gfn, had no probes of the fault path: no word is predicted
        const shows = (text: string): boolean => placement === 'head' || !FAULT_PATH.test(text)
        const model = new VmModel({ pageShift, placement })
        model.vm.observe(recorder((text) => void (shows(text) && lines.push(text))))
        for (const operation of operations) {
          if (operation.op === 'releaseAll') continue // no probe shows the rmap slots that this empties
          try {
            model.run(operation)
          } catch (error) {
            if (!(error instanceof OperationError)) throw error // one that follows from a releaseAll
          }
        }
        const replay = new Replay({ pageShift })
        replay.feed(new TextEncoder().encode(`${lines.join('\n')}\n`))
        replay.end()
        const { first, skipped, inserts, ranges } = replay.result()
        const { counters } = model.vm
        expect(first).toEqual([])
        expect({ skipped, inserts, ranges }).toEqual({
          skipped: 0,
          inserts: counters.inserts,
          ranges: counters.walks.ranges,
        })
      }),
      { numRuns: cases(25) },
    )
  }, 60_000)
}

test('those runs came by every way out that they are meant to try', () => {
  expect([...outcomes].sort()).toEqual([
    'fault-to-l2 read-only-memslot',
    'forward-to-l1 malformed',
    'forward-to-l1 no-root',
    'forward-to-l1 no-translation',
    'forward-to-l1 not-allowed',
    'invalid small-guest-leaf',
    'mapped grown',
    'mapped made duplicate',
    'mapped made empty',
    'mapped made list',
    'mapped made second',
    'mmio invalid-memslot',
    'mmio no-memslot',
    'present allowed',
    'present same-bits',
    'retry dropped',
    'retry mmu-seq',
    'retry no-backing',
    'retry refused',
    'retry tlbie',
  ])
})
