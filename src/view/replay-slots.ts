/**
 * The rmap slots of a recording: what the kernel had in memory, at its own addresses, at the point that a replay has reached.
 */
import { wrongType } from '../base/args'
import { withJson } from '../base/json'
import { unpackEntry } from '../rmap/entry'
import type { Chunk, KernelSlots } from '../trace/kernel-slots'
import { Replay } from '../trace/replay'
import type { Slot } from './slot'

/**
 * The rmap slots that are not empty now, by address: as the kernel's memory would show them, node for node. A generator: a
 * slot is read when it is asked for.
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
