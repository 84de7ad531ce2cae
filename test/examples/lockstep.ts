/**
 * An oracle for an emulator: every insert and every take is done on the emulator's own slots and on the model, and the
 * entries are compared at once. (Not the words: a pointer to a list node is each implementation's own.)
 *
 * A difference names the first operation after which the two are not the same; everything before it agreed.
 */
import { Memslot, type Entry } from 'nested-rmap'

/** The emulator's slots: an array of entries each, newest first. Replace it by yours. */
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
