/**
 * Describes a step of a report: a sentence, and pictures of the rmap slots that it concerns.
 */
import { hex } from '../../base/word'
import type { EntryFate } from '../../rmap/invalidate'
import { formatEntry, count } from '../../view/format'
import type { Slot, SlotLook, SlotMark } from '../../view/index'
import { listOf, slotOf, type Cell, type Effect, type History } from './history'

/** Names an rmap slot: its gfn, if it is known, and the address of its word. */
export interface Place {
  readonly gfn: number | undefined
  readonly address: bigint
}

/** An rmap slot to draw, with a title. */
export interface Picture {
  readonly title: string
  readonly slot: Slot
  readonly look: SlotLook
}

/** A shadow leaf that an rmap range removal cleared, and the rmap slot that had its entry. */
export interface ClearedLeaf {
  readonly lpid: number
  readonly gpa: number
  readonly place: Place
}

const FATES: Record<EntryFate, string> = {
  cleared: 'leaf cleared',
  'no-guest': 'stale: no such guest',
  'no-leaf': 'stale: no shadow leaf',
  'other-frame': 'stale: its leaf maps another page',
}

/** `gfn 0x3db0`, or the address of the rmap slot. */
export function placeText({ gfn, address }: Place): string {
  return gfn === undefined ? `rmap slot ${hex(address)}` : `gfn ${hex(gfn)}`
}

/** Describes a step in a sentence. */
export function describeStep(history: History, index: number, places: readonly Place[]): string {
  const step = history.steps[index]!
  const effects = history.effects[index]!
  const where = (slot: number): string => placeText(places[slot]!)
  switch (step.kind) {
    case 'insert': {
      const before = effects[0]!.before?.length ?? 0
      const outcome = {
        empty: 'the rmap slot was empty, its word now holds the entry',
        second: 'the second entry, a list node is put before the first',
        list: 'a list node is pushed at the head of the list',
        duplicate: 'the entry is already present, nothing changes',
        'no-memory': 'no list node was available',
      }[step.outcome]
      const compared = step.outcome === 'duplicate' ? duplicatePlace(effects[0]!.before, step.held) + 1 : before
      return `insert ${formatEntry(step.held)} into ${where(step.slot)}: ${outcome} (${count(compared, 'entry', 'entries')} compared)`
    }
    case 'remove': {
      const fates = step.taken.flatMap((taken) => taken.fates)
      const cleared = fates.filter((fate) => fate === 'cleared').length
      const what = `the host takes away gpa ${hex(step.gpa)}, 2^${step.shift} bytes at host address ${hex(step.hpa)}`
      if (fates.length === 0) return `${what}: all its rmap slots are empty`
      return (
        `${what}: ${count(fates.length, 'entry', 'entries')} of ${count(step.taken.length, 'rmap slot')}, ` +
        `${count(cleared, 'shadow leaf', 'shadow leaves')} cleared, ${fates.length - cleared} stale`
      )
    }
    case 'rc': {
      const bits = [
        [0x100, 'referenced'],
        [0x80, 'changed'],
      ]
        .filter(([bit]) => (step.clear & (bit as number)) !== 0)
        .map(([, name]) => name)
      return `ageing or dirty harvest of ${where(step.slot)}: ${bits.join(' and ') || hex(step.clear)} is cleared in the shadow leaves of its entries`
    }
    case 'guest':
      return `nested guest LPID ${step.lpid} is created, or its partition entry is read again (shadow LPID ${step.shadowLpid})`
    case 'release':
      return `nested guest LPID ${step.lpid} is freed (shadow LPID ${step.shadowLpid}); its rmap entries stay, stale`
    case 'tlbie':
      return `L1 invalidates mappings of LPID ${step.lpid}: ${step.what}; the rmap does not change`
    case 'free':
      return (
        `the rmap slots of gfn ${hex(step.baseGfn)}..${hex(step.baseGfn + step.npages - 1)} are freed, ` +
        `${step.slots.length} of them not empty`
      )
    case 'state':
      return `${where(step.slot)}: the model's rmap slot is set to the state in the recording`
  }
}

/** The rmap slots of a step as pictures, at most `most`. */
export function picturesOf(history: History, index: number, places: readonly Place[], most = 8): Picture[] {
  const step = history.steps[index]!
  return history.effects[index]!.slice(0, most).flatMap(({ slot, before, after }, i): Picture[] => {
    const place = places[slot]!
    const draw = (when: string, head: Cell | undefined, look: SlotLook = {}): Picture => ({
      title: `${placeText(place)}${when}`,
      slot: slotOf(place.gfn, place.address, head),
      look,
    })
    if (step.kind === 'insert' && before === after) {
      const found = duplicatePlace(before, step.held)
      const mark = (entry: number): SlotMark | undefined => (entry === found ? 'found' : undefined)
      return [draw(', unchanged', before, { mark })]
    }
    if (step.kind === 'insert') {
      const mark = (entry: number): SlotMark | undefined => (entry === 0 ? 'new' : undefined)
      return [draw(' after the insert', after, { mark, wordChanged: true })]
    }
    if (step.kind === 'remove') {
      const { fates } = step.taken[i]!
      const mark = (entry: number): SlotMark | undefined =>
        fates[entry] === undefined ? undefined : fates[entry] === 'cleared' ? 'cleared' : 'stale'
      const remark = (entry: number): string => (fates[entry] === undefined ? 'not visited' : FATES[fates[entry]])
      return [draw(' before the removal; it is empty now', before, { mark, remark })]
    }
    if (step.kind === 'free') return [draw(' before its memslot was freed', before)]
    if (before === after) return [draw(', unchanged', before)]
    return [draw(' before', before), draw(' after', after, { wordChanged: true })]
  })
}

/** The shadow leaves that a step cleared, in the order of the walk. */
export function clearedLeaves(history: History, index: number, places: readonly Place[]): ClearedLeaf[] {
  const step = history.steps[index]!
  if (step.kind !== 'remove') return []
  return step.taken.flatMap(({ slot, fates }, i) => {
    const list = listOf((history.effects[index]![i] as Effect).before)
    return list
      .filter((_, entry) => fates[entry] === 'cleared')
      .map(({ lpid, gpa }) => ({ lpid, gpa, place: places[slot]! }))
  })
}

function duplicatePlace(head: Cell | undefined, { lpid, gpa }: { lpid: number; gpa: number }): number {
  return listOf(head).findIndex((held) => held.lpid === lpid && held.gpa === gpa)
}
