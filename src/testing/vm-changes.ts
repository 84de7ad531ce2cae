/**
 * What an operation changed in the state of an L1: host leaves, shadow leaves, slots, nested guests, mmuSeq.
 *
 * The whole state is read after every operation and compared with what it was, so that a change in a place where none is
 * expected is seen too.
 */
import { wordOf } from '../base/word'
import type { Leaf, RadixTable } from '../page-table/radix-table'
import type { NestedGuest } from '../vm/nested-guest'
import type { Vm } from '../vm/vm'
import { pairOf } from './memslot-level'
import { wordText } from './operation'
import type { ChangedLeaf, VmAnswer } from './vm-operation'

/** The properties of an answer that are changes of the state. */
type Changes = Pick<VmAnswer, 'guests' | 'host' | 'shadow' | 'slots' | 'mmuSeq'>

/** @internal Remembers the state of an L1, and says what has changed in it since. */
export class VmChanges {
  readonly #vm: Vm
  /** Nested guests that exist, with their numbers and what was in their shadow tables. */
  readonly #guests = new Map<NestedGuest, { number: number; leaves: Leaf[] }>()
  #made = 0
  #host: Leaf[] = []
  /** The slots that are not empty, by gfn: their words. */
  #words = new Map<number, bigint>()
  #used: readonly number[] = []
  #mmuSeq = 0

  constructor(vm: Vm) {
    this.#vm = vm
  }

  /** The changes since the last call. Cost: the state. */
  next(): Changes {
    const guests = this.#guestChanges()
    const host = this.#vm.host.leafCount === 0 && this.#host.length === 0 ? [] : this.#hostChanges()
    const shadow = this.#shadowChanges()
    const slots = this.#slotChanges()
    const { mmuSeq } = this.#vm
    const moved = mmuSeq !== this.#mmuSeq
    this.#mmuSeq = mmuSeq
    return {
      ...(guests.length > 0 && { guests }),
      ...(host.length > 0 && { host }),
      ...(shadow.length > 0 && { shadow }),
      ...(slots.length > 0 && { slots }),
      ...(moved && { mmuSeq }),
    }
  }

  /** The host leaves after the last operation. */
  get hostLeaves(): readonly Leaf[] {
    return this.#host
  }

  /** The shadow leaves of a nested guest after the last operation. */
  shadowLeaves(guest: NestedGuest): readonly Leaf[] {
    return this.#guests.get(guest)?.leaves ?? []
  }

  /** The gfns whose slots are not empty, or were not before the last operation. */
  usedGfns(): number[] {
    return [...this.#used]
  }

  #guestChanges(): NonNullable<Changes['guests']>[number][] {
    const exist = new Set([...this.#vm.guests, ...this.#vm.droppedGuests])
    const changes: [number, number | null][] = []
    for (const [guest, { number }] of this.#guests) {
      if (exist.has(guest)) continue
      this.#guests.delete(guest)
      changes.push([number, null])
    }
    for (const guest of exist) {
      if (this.#guests.has(guest)) continue
      this.#guests.set(guest, { number: ++this.#made, leaves: [] })
      changes.push([this.#made, guest.lpid])
    }
    return changes
  }

  #hostChanges(): ChangedLeaf[] {
    const now = leavesOf(this.#vm.host)
    const changes = changedLeaves(this.#host, now)
    this.#host = now
    return changes
  }

  #shadowChanges(): [number, ChangedLeaf[]][] {
    const changes: [number, ChangedLeaf[]][] = []
    for (const [guest, before] of this.#guests) {
      if (guest.shadow.leafCount === 0 && before.leaves.length === 0) continue
      const now = leavesOf(guest.shadow)
      const changed = changedLeaves(before.leaves, now)
      before.leaves = now
      if (changed.length > 0) changes.push([before.number, changed])
    }
    return changes
  }

  #slotChanges(): NonNullable<Changes['slots']>[number][] {
    const now = new Map<number, bigint>()
    const changed: number[] = []
    for (const { baseGfn, rmap, singles, lists } of this.#vm.memslots) {
      const halves = new Int32Array(rmap.words.buffer)
      // `left`: how many are not empty, as the memslot counts them (`check()` counts them anew)
      for (let at = 0, left = singles + lists; left > 0 && at < halves.length; at += 2) {
        if (halves[at] === 0 && halves[at + 1] === 0) continue
        left--
        const gfn = baseGfn + at / 2
        const word = wordOf(halves[at + 1]!, halves[at]!)
        now.set(gfn, word)
        if (this.#words.get(gfn) !== word) changed.push(gfn)
      }
    }
    for (const gfn of this.#words.keys()) if (!now.has(gfn)) changed.push(gfn)
    this.#used = [...now.keys(), ...changed.filter((gfn) => !now.has(gfn))]
    this.#words = now
    // A list that changed has another word: one insert at most pushes a node, and a slot that was emptied has none.
    return changed.sort((a, b) => a - b).map((gfn) => [gfn, now.has(gfn) ? this.#vm.entries(gfn).map(pairOf) : []])
  }
}

function leavesOf(table: RadixTable): Leaf[] {
  return table.leafCount === 0 ? [] : [...table.leaves()]
}

/** Both lists are in address order. */
function changedLeaves(before: readonly Leaf[], now: readonly Leaf[]): ChangedLeaf[] {
  const changes: ChangedLeaf[] = []
  let old = 0
  for (const leaf of now) {
    for (; old < before.length && before[old]!.gpa < leaf.gpa; old++) changes.push(removed(before[old]!))
    const there = before[old]?.gpa === leaf.gpa ? before[old++] : undefined
    if (there?.shift === leaf.shift && there.word === leaf.word) continue
    if (there !== undefined && there.shift !== leaf.shift) changes.push(removed(there))
    changes.push([leaf.gpa, leaf.shift, wordText(leaf.word)])
  }
  for (; old < before.length; old++) changes.push(removed(before[old]!))
  return changes
}

function removed({ gpa, shift }: Leaf): ChangedLeaf {
  return [gpa, shift, null]
}
