/** The model records random operations: the replay predicts every event, and ends with the same tables. */
import { expect, test } from 'vitest'
import type { RadixTable } from '../../src/index'
import { recorder } from '../../src/index'
import { VmModel, vectors, type VmOperation } from '../../src/testing/index'
import { Replay } from '../../src/trace/index'
import { cases } from '../support/cases'

const leavesOf = (table: RadixTable): string[] => [...table].map(({ gpa, shift, word }) => `${gpa} ${shift} ${word}`)

for (const [name, pageShift, weights] of [
  ['races; memslots that are added and removed', 16, { races: 5 }],
  ['races with base pages of 4 KiB', 12, { races: 5 }],
  ['large pages; LPIDs that are reused', 16, { large: 5, reuse: 4 }],
] as const) {
  test(`a recording of random operations: ${name}`, () => {
    for (let seed = 0; seed < cases(25); seed++) {
      const model = new VmModel({ pageShift })
      const lines: string[] = []
      model.vm.observe(recorder((line) => lines.push(line)))
      const [, ...operations] = vectors({ level: 'vm', ops: 300, seed, vm: { pageShift }, weights })
      for (const operation of operations) {
        const { answer: _, ...fields } = JSON.parse(operation) as VmOperation & { answer: unknown }
        if (fields.op === 'releaseAll') break // no event shows which rmap slots it empties
        model.run(fields as VmOperation)
      }
      // Until a memslot's removal ends, no event shows that it was invalidated.
      for (const memslot of model.vm.memslots) if (memslot.invalid) model.vm.removeMemslot(memslot)

      const replay = new Replay({ pageShift })
      replay.feed(new TextEncoder().encode(`${lines.join('\n')}\n`))
      replay.end()
      const { verdict, first } = replay.result()
      expect({ seed, verdict, first }).toEqual({ seed, verdict: 'match', first: [] })
      for (const [lpid, shadow] of replay.shadows()) {
        const guest = model.vm.guest(lpid)
        if (guest !== undefined) expect(leavesOf(shadow), `seed ${seed}, LPID ${lpid}`).toEqual(leavesOf(guest.shadow))
      }
    }
  })
}
