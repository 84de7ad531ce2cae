/**
 * Uses the model as an oracle for an emulator: every insert and every removal runs on the emulator's own rmap slots and on
 * the model, and the entries are compared. (The words are not: each implementation has its own pointers to list nodes.)
 *
 * A difference names the first operation after which the two differ.
 */
import { Memslot, type Entry } from 'nested-rmap'

/** The emulator's rmap slots: an array of entries for each, newest first. Replace it with yours. */
class EmulatorSlots {
  readonly #slots = new Map<number, Entry[]>()

  insert(gfn: number, lpid: number, gpa: number): string {
    const slot = this.entries(gfn)
    if (slot.some((entry) => entry.lpid === lpid && entry.gpa === gpa)) return 'duplicate'
    this.#slots.set(gfn, [{ lpid, gpa }, ...slot])
    return slot.length === 0 ? 'empty' : slot.length === 1 ? 'second' : 'list'
  }

  entries(gfn: number): Entry[] {
    return this.#slots.get(gfn) ?? []
  }

  takeAll(gfn: number): void {
    this.#slots.delete(gfn)
  }
}

const model = new Memslot({ baseGfn: 0, npages: 8 })
const emulator = new EmulatorSlots()

function compare(what: string, expected: unknown, got: unknown): void {
  const [a, b] = [JSON.stringify(expected), JSON.stringify(got)]
  if (a !== b) throw new Error(`${what}: the model has ${a}, the emulator ${b}`)
}

let operations = 0
for (let step = 0; step < 2000; step++) {
  const gfn = (step * 7) % 8
  if (step % 97 === 0) {
    model.takeAll(gfn)
    emulator.takeAll(gfn)
  } else {
    const lpid = 1 + (step % 3)
    const gpa = ((step * 31) % 40) * 0x1000
    compare(`step ${step}, outcome`, model.insert(gfn, lpid, gpa), emulator.insert(gfn, lpid, gpa))
  }
  compare(`step ${step}, entries of gfn ${gfn}`, model.entries(gfn), emulator.entries(gfn))
  operations++
}
console.log(`${operations} operations, no difference`) // => 2000 operations, no difference
