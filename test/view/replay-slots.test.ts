import { readFileSync } from 'node:fs'
import { gunzipSync } from 'node:zlib'
import { expect, test } from 'vitest'
import { Replay } from '../../src/trace/index'
import { nodeReader, RawSlots } from '../../src/view/raw-memory'
import { slotsOfReplay } from '../../src/view/replay-slots'
import { summarize, type Slot } from '../../src/view/slot'

const file = (name: string): Buffer => readFileSync(new URL(`../data/${name}`, import.meta.url))

function replayed(name: string): Replay {
  const replay = new Replay()
  replay.feed(gunzipSync(file(name)))
  replay.end()
  return replay
}

test('the replay of a recording and the memory of its kernel have the same lists, node for node', () => {
  const { slots, memory } = JSON.parse(file('D-memory.json').toString())
  const read = nodeReader(
    memory.map((range: { file: string; address: string }) => ({
      address: BigInt(range.address),
      bytes: gunzipSync(file(range.file)),
    })),
  )
  const inMemory: Slot[] = []
  const raw = new RawSlots({ baseGfn: slots.baseGfn, npages: slots.npages, read })
  raw.feed(gunzipSync(file(slots.file)), (slot) =>
    inMemory.push({
      ...slot,
      address: BigInt(slots.address) + 8n * BigInt(slot.gfn! - slots.baseGfn),
    }),
  )
  const fromReplay = [...slotsOfReplay(replayed('D.txt.gz'))]
  expect(fromReplay).toEqual(inMemory)
  expect(summarize(fromReplay)).toMatchObject({ slots: 54, entries: 400 })
})

test('the slots of recording A equal the counts of its replay', () => {
  const replay = replayed('A.txt.gz')
  const { slots, nodes } = replay.result()
  expect(summarize(slotsOfReplay(replay))).toMatchObject({
    slots: slots.single + slots.list,
    single: slots.single,
    nodes,
    flaws: 0,
  })
})
