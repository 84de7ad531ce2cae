/**
 * The list behind a slot word: the scan for an entry, and the walk (spec 3).
 *
 *     word --> node { next, entry newest } --> ... --> node { next = entry oldest | 1, entry }
 *
 * A word is given as its halves. The low one alone says what it is: 0 for an empty slot, odd for an entry, else the
 * address of a node, which is below 2^31.
 *
 * **Quirk**, LPID 0 (spec 11): a scan and a walk end at a *node* whose entry is 0, (LPID 0, frame 0): that node and all
 * that is older are neither compared, visited nor freed.
 */
import { TAG } from './entry'
import type { NodeAddress, NodeHeap } from './node-heap'

/** @internal What {@link scanList} says of a list with more nodes than it may look at. */
export const TOO_LONG = 0

/**
 * @internal Looks for an entry in a slot that is not empty, newest first, and counts the compares: `steps` where the
 * last one matched, `~steps` where none did, {@link TOO_LONG} after `most` nodes without an end.
 *
 * The hottest loop of the library. `| 0` tells the engine that all is 32-bit integers: without it each step would tag
 * and check them. Of an entry both halves are compared at once: one branch, where two would be mispredicted in turn.
 */
export function scanList(
  nodes: Int32Array,
  wordHi: number,
  wordLo: number,
  hi: number,
  lo: number,
  most: number,
): number {
  let word = wordLo | 0
  let node = -1
  let steps = 0
  hi |= 0
  lo |= 0
  most |= 0
  while ((word & TAG) === 0) {
    if (steps === most) return TOO_LONG
    node = word >>> 2
    const entryLo = nodes[node + 2]!
    const entryHi = nodes[node + 3]!
    if ((entryLo | entryHi) === 0) return ~steps
    steps = (steps + 1) | 0
    if (((entryLo ^ lo) | (entryHi ^ hi)) === 0) return steps
    word = nodes[node]!
  }
  steps = (steps + 1) | 0
  const oldestHi = node < 0 ? wordHi | 0 : nodes[node + 1]!
  return ((word ^ lo ^ TAG) | (oldestHi ^ hi)) === 0 ? steps : ~steps
}

/**
 * @internal A walk over the entries behind a word, newest first, for a loop `while (list.next())`. What comes next is
 * read before an entry is shown. A walk that takes frees each node after its entry was shown; whoever leaves the loop
 * early calls {@link ListWalk.end}, so that the others are freed as well.
 */
export class ListWalk {
  /** The entry that is shown: its untagged halves. */
  hi = 0
  lo = 0

  readonly #heap: NodeHeap
  readonly #taking: boolean
  #nextHi: number
  #nextLo: number // 0: the end
  #node: NodeAddress = 0 // of the entry that is shown; 0: it rides in a word

  constructor(heap: NodeHeap, wordHi: number, wordLo: number, taking: boolean) {
    this.#heap = heap
    this.#nextHi = wordHi
    this.#nextLo = wordLo
    this.#taking = taking
  }

  /** Goes to the next entry; false when there is none. */
  next(): boolean {
    if (this.#taking && this.#node !== 0) this.#heap.free(this.#node)
    const word = this.#nextLo
    this.#node = 0
    this.#nextLo = 0
    if (word === 0) return false
    if ((word & TAG) !== 0) {
      this.hi = this.#nextHi
      this.lo = word & ~TAG
      return true
    }
    const { words } = this.#heap
    const at = word >>> 2
    const lo = words[at + 2]!
    const hi = words[at + 3]!
    if ((lo | hi) === 0) return false // the quirk of LPID 0
    this.hi = hi
    this.lo = lo
    this.#node = word
    this.#nextHi = words[at + 1]!
    this.#nextLo = words[at]!
    return true
  }

  /** Leaves what is left unseen. */
  end(): void {
    while (this.next()) continue
  }
}
