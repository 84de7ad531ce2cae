/** The rmap slots of a replay: the content of the kernel's memory after the last event, with its addresses. */
import { wrongType } from '../base/args'
import { withJson } from '../base/json'
import { unpackEntry } from '../rmap/entry'
import type { Chunk, KernelSlots } from '../trace/kernel-slots'
import { Replay } from '../trace/replay'
import type { Slot } from './slot'

/**
 * The rmap slots of a replay that are not empty now, by address: the same words and nodes as in the kernel's memory. A
 * generator: it reads a slot when the caller takes it.
 *
 * @throws TypeError at the first slot
 */
export function* slotsOfReplay(replay: Replay): Generator<Slot, void, undefined> {
  if (!(replay instanceof Replay)) throw wrongType('replay', 'a Replay', replay)
  const { slots, arrays } = replay
  for (const { address, chunk, index } of slots.filled()) {
    yield withJson({ ...readKernelSlot(slots, chunk, index), gfn: arrays.shownGfn(address), address })
  }
}

/** @internal One slot of a replay, empty or not. */
export function readKernelSlot(
  slots: KernelSlots,
  chunk: Chunk,
  index: number,
): Pick<Slot, 'word' | 'nodes' | 'entries' | 'flaws'> {
  const word = slots.word(chunk, index)
  const nodes = slots.list(chunk, index)
  const words = nodes.map(({ entry }) => entry)
  const last = nodes.at(-1)?.next ?? word
  if ((last & 1n) === 1n) words.push(last)
  return { word, nodes, entries: words.map(unpackEntry), flaws: [] }
}
