/** Explains how the host takes a page away and how it ages one: the operations with a walk of the rmap (spec 6). */
import { count } from '../../view/format'
import { LEAF_SIZES, hex } from '../shared/text'
import type { Outcome } from './machine'
import type { Op } from './ops'
import { leafAt, slotAt, type StateView } from './view'

/** The part of an explanation that each operation has its own of. */
export interface Told {
  /** Why it ended as it did. */
  readonly text: string
  /** How it ended, in the words of the model's API. */
  readonly outcome: string
  /** Sections of the specification. */
  readonly spec: readonly number[]
}

/** Explains an invalidation, or its first half. */
export function tellUnmap(
  op: Op & { readonly kind: 'unmap' | 'begin-unmap' },
  outcome: Outcome,
  before: StateView,
  after: StateView,
  pageShift: number,
): Told {
  const walk = outcome.walk!
  const host = leafAt(before.host, op.gfn * 2 ** pageShift)
  const seq =
    op.kind === 'begin-unmap'
      ? ' The invalidation is in progress until it is ended: until then every fault that would create a leaf is retried.'
      : ` mmuSeq is ${after.mmuSeq} now.`
  if (host === undefined) {
    return {
      outcome: 'no host leaf',
      text: `The host does not map gfn ${hex(op.gfn)}: there is no walk.${seq}`,
      spec: [6, 7],
    }
  }
  const stale = walk.entries - walk.cleared
  const range =
    host.shift === pageShift
      ? `the list of gfn ${hex(op.gfn)}`
      : `the lists of all ${2 ** (host.shift - pageShift)} gfns of the ${LEAF_SIZES[host.shift]} host leaf`
  return {
    outcome: `${walk.cleared} cleared, ${stale} stale`,
    text:
      `The host leaf is cleared. The walk detaches ${range} and visits ${count(walk.entries, 'entry', 'entries')}, newest first: ` +
      `${count(walk.cleared, 'shadow leaf', 'shadow leaves')} cleared, ${stale} stale and skipped.${seq}`,
    spec: [6, 7],
  }
}

/** Explains ageing. */
export function tellAge(
  op: Op & { readonly kind: 'age' },
  outcome: Outcome,
  before: StateView,
  after: StateView,
  pageShift: number,
): Told {
  const host = leafAt(before.host, op.gfn * 2 ** pageShift)
  const visited = after.counters.rcWalks.entries - before.counters.rcWalks.entries
  const first = host === undefined ? op.gfn : host.from / 2 ** pageShift
  const missed = slotAt(before, first)?.entries.length ?? 0
  const quirk =
    host !== undefined && first !== op.gfn && missed > 0
      ? ` Only the rmap slot of the named gfn is visited, so the ${count(missed, 'entry', 'entries')} at gfn ${hex(first)}, the first of the host leaf, ${missed === 1 ? 'is' : 'are'} missed (Linux does this too).`
      : ''
  return {
    outcome: outcome.wasReferenced === true ? 'referenced' : 'not referenced',
    text: `${outcome.wasReferenced === true ? 'The referenced bit of the host leaf is cleared, and the referenced bits of the shadow leaves of its rmap slot too' : 'The host leaf is not present or not referenced: nothing changes'}. ${count(visited, 'entry', 'entries')} visited, none removed.${quirk}`,
    spec: [6],
  }
}
