/**
 * The list of an rmap slot: the scan for an entry, the walk, and the removal of the complete list (spec 3).
 *
 *     word --> node { next, entry newest } --> ... --> node { next = entry oldest | 1, entry }
 *
 * A slot word is given as its halves. The low half alone says what it is: 0 for an empty rmap slot, odd for an entry,
 * otherwise the address of a node, which is below 2^31.
 *
 * **Quirk**, LPID 0 (spec 11): in Linux a scan or a walk ends at a *node* whose entry is 0 (LPID 0, frame 0). That node
 * and the older ones are not compared, visited or freed. The model does the same.
 *
 * These loops must never allocate.
 */
import type { Lpid, NestedGpa } from '../base/units'
import { EntryBits, entryGpa, entryLpid } from './entry'
import type { NodeAddress, NodeHeap } from './node-heap'

/** @internal A result of {@link scanList} that is not a number of compares. */
export const enum Scan {
  /** The list has more nodes than may be visited. */
  TOO_LONG = 0,
}

/**
 * @internal Looks for an entry in an rmap slot that is not empty, newest first, and counts the compares. Returns `steps`
 * if the last compare matched, `~steps` if none did, {@link Scan.TOO_LONG} if the list has more than `most` nodes.
 *
 * This is the hottest loop of the library. `| 0` tells the engine that all values are 32-bit integers; without it the
 * engine would check them at each step. One branch compares both halves of an entry: two would be mispredicted more often.
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
  while ((word & EntryBits.TAG) === 0) {
    if (steps === most) return Scan.TOO_LONG
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
  return ((word ^ lo ^ EntryBits.TAG) | (oldestHi ^ hi)) === 0 ? steps : ~steps
}

/**
 * @internal Walks a list that was detached from its rmap slot, newest first: calls `visit` with each entry, then frees its
 * node. A node's `next` is read before the call, so `visit` may insert and free. If `visit` throws, the remaining nodes
 * are freed without a call.
 *
 * @returns the number of entries
 */
export function takeList(
  heap: NodeHeap,
  wordHi: number,
  wordLo: number,
  visit: ((lpid: Lpid, gpa: NestedGpa) => void) | undefined,
): number {
  let nextHi = wordHi | 0
  let next = wordLo | 0
  let node: NodeAddress = 0
  let count = 0
  if (next === 0) return 0
  try {
    while ((next & EntryBits.TAG) === 0) {
      const { words } = heap // read again each time: an insert by `visit` may replace the buffer
      const at = next >>> 2
      const lo = words[at + 2]!
      const hi = words[at + 3]!
      if ((lo | hi) === 0) return count // the quirk of LPID 0
      node = next
      next = words[at]!
      nextHi = words[at + 1]!
      if (visit !== undefined) visit(entryLpid(hi), entryGpa(hi, lo))
      heap.free(node)
      count++
    }
    node = 0
    const oldest = next
    next = 0
    if (visit !== undefined) visit(entryLpid(nextHi), entryGpa(nextHi, oldest))
    return count + 1
  } catch (error) {
    freeRest(heap, node, next)
    throw error
  }
}

/** @internal After a visitor threw: frees the node it was called with (0: none), and the list from `next` on (0: none). */
export function freeRest(heap: NodeHeap, node: NodeAddress, next: number): void {
  if (node !== 0) heap.free(node)
  takeList(heap, 0, next, undefined)
}

/**
 * @internal A walk over the entries of a slot word, newest first, for a loop `while (list.next())`. A node's `next` is
 * read together with its entry, so the loop may free the node.
 */
export class ListWalk {
  /** The current entry: its untagged halves. */
  hi = 0
  lo = 0

  readonly #heap: NodeHeap
  #nextHi: number
  #nextLo: number // 0: the end

  constructor(heap: NodeHeap, wordHi: number, wordLo: number) {
    this.#heap = heap
    this.#nextHi = wordHi
    this.#nextLo = wordLo
  }

  /** Moves to the next entry; false if there is none. */
  next(): boolean {
    const word = this.#nextLo
    this.#nextLo = 0
    if (word === 0) return false
    if ((word & EntryBits.TAG) !== 0) {
      this.hi = this.#nextHi
      this.lo = word & ~EntryBits.TAG
      return true
    }
    const { words } = this.#heap
    const at = word >>> 2
    const lo = words[at + 2]!
    const hi = words[at + 3]!
    if ((lo | hi) === 0) return false // the quirk of LPID 0
    this.hi = hi
    this.lo = lo
    this.#nextHi = words[at + 1]!
    this.#nextLo = words[at]!
    return true
  }
}
