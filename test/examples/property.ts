/**
 * A property-based test with fast-check: it compares an implementation of rmap slots with the model on random sequences.
 *
 * The implementation has a bug: its scan compares only the LPIDs, not the addresses. fast-check finds a sequence with a
 * difference, and `compareMemslot` removes the operations that the difference does not need.
 */
import * as fc from 'fast-check'
import type { Entry } from 'nested-rmap'
import { compareMemslot, ComparisonError, type MemslotImplementation } from 'nested-rmap/testing'

function makeMine(): MemslotImplementation {
  const slots = new Map<number, Entry[]>()
  const entries = (gfn: number): Entry[] => slots.get(gfn) ?? []
  return {
    entries,
    insert(gfn, lpid, gpa) {
      const slot = entries(gfn)
      if (slot.some((entry) => entry.lpid === lpid)) return 'duplicate' // the bug
      slots.set(gfn, [{ lpid, gpa: gpa - (gpa % 4096) }, ...slot])
      return slot.length === 0 ? 'empty' : slot.length === 1 ? 'second' : 'list'
    },
    takeAll(gfn) {
      const taken = entries(gfn)
      slots.delete(gfn)
      return taken
    },
  }
}

try {
  compareMemslot(fc, makeMine, { runs: 200, seed: 1 })
} catch (error) {
  if (!(error instanceof ComparisonError)) throw error
  console.log(error.operations.length) // => 2
  console.log(error.difference.replace(/^.*: outcome/, 'outcome')) // => outcome: the model has "second", yours "duplicate"
}
