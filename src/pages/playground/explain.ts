/**
 * Explains a step in one to three sentences, and names the sections of the specification (src/SPEC.md) with its rules. It
 * uses the outcome of the step and the states before and after it, nothing else.
 */
import type { FaultResult, Lpid } from '../../index'
import { count } from '../../view/format'
import { LEAF_SIZES, hex } from '../shared/text'
import type { Outcome } from './machine'
import { countsOf } from './counts'
import { tellAge, tellUnmap, type Told } from './explain-host'
import type { Step } from './history'
import type { Op } from './ops'
import { titleOf } from './title'
import { leafAt, slotAt, type StateView } from './view'

/** The explanation of a step. */
export interface Explanation extends Told {
  /** What was done. */
  readonly title: string
  /** Its cost and its changes, as counts. */
  readonly counts: readonly string[]
}

/** Explains a step. @param before the L1 before it */
export function explain(step: Step, before: StateView, pageShift: number): Explanation {
  const { op, outcome, refusal, view: after } = step
  const title = titleOf(op, before)
  if (outcome === undefined) {
    return { title, text: `This is not possible: ${refusal}.`, outcome: 'refused', counts: [], spec: [] }
  }
  return { title, ...tell(op, outcome, before, after, pageShift), counts: countsOf(before, after) }
}

function tell(op: Op, outcome: Outcome, before: StateView, after: StateView, pageShift: number): Told {
  switch (op.kind) {
    case 'guest':
      return {
        outcome: 'added',
        text: `L1 writes a partition table entry for LPID ${op.lpid}, with an empty guest table, and enters the nested guest. L0 creates an empty shadow table for it and gives it the shadow LPID ${shadowLpid(after, op.lpid)}.`,
        spec: [9],
      }
    case 'map':
    case 'unmap-guest':
    case 'protect':
      return tellEdit(op, before)
    case 'tlbie-page':
    case 'tlbie':
      return tellTlbie(op, before, after)
    case 'drop':
      return {
        outcome: 'dropped',
        text: `L1 clears the partition table entry and flushes with RIC 2: L0 drops the nested guest and frees its shadow table. Its ${count(entriesOf(after, op.lpid), 'rmap entry', 'rmap entries')} ${entriesOf(after, op.lpid) === 1 ? 'stays and is' : 'stay and are'} stale: no nested guest has the LPID now.`,
        spec: [9],
      }
    case 'fault':
    case 'begin-fault':
    case 'commit-fault':
      return tellFault(outcome.fault!, op, before, pageShift)
    case 'unmap':
    case 'begin-unmap':
      return tellUnmap(op, outcome, before, after, pageShift)
    case 'end-unmap':
      return {
        outcome: 'ended',
        text: `The invalidation increments mmuSeq (KVM: mmu_invalidate_seq) to ${after.mmuSeq}. Faults that sampled mmuSeq before are retried; new faults can create leaves again.`,
        spec: [7],
      }
    case 'age':
      return tellAge(op, outcome, before, after, pageShift)
    case 'log':
      return {
        outcome: op.on ? 'logging' : 'not logging',
        text: `The flag of the memslot is changed. Then all of its host leaves are unmapped, so that ${op.on ? 'every page is mapped as a base page from now on' : 'large pages can be used again'}.`,
        spec: [6, 10],
      }
    case 'harvest': {
      const pages = outcome.dirty!
      return {
        outcome: `${count(pages.length, 'dirty page')}`,
        text: `The changed bit of each dirty host leaf is cleared, and the changed bits of the shadow leaves of its rmap slot too. Dirty: ${pages.map(hex).join(', ') || 'none'}.`,
        spec: [6],
      }
    }
  }
}

function tellEdit(op: Op & { readonly kind: 'map' | 'unmap-guest' | 'protect' }, before: StateView): Told {
  const guest = before.guests.find(({ lpid }) => lpid === op.lpid)
  const old = leafAt(guest?.table ?? [], op.gpa)
  const shadow = leafAt(guest?.shadow ?? [], op.gpa)
  const what = {
    map: old === undefined ? 'L1 writes a leaf into its own table' : 'L1 overwrites a leaf in its own table',
    'unmap-guest': 'L1 clears a leaf in its own table',
    protect: 'L1 changes the permissions of a leaf in its own table',
  }[op.kind]
  const then =
    shadow === undefined
      ? 'L0 does not notice this; it reads the table when the nested guest faults.'
      : 'L0 does not notice this: its shadow leaf is out of date until L1 sends a tlbie.'
  return {
    outcome: op.kind === 'map' ? 'mapped by L1' : op.kind === 'protect' ? 'protected' : 'unmapped by L1',
    text: `${what}. ${then}`,
    spec: [1, 8],
  }
}

function tellTlbie(op: Op & { readonly kind: 'tlbie-page' | 'tlbie' }, before: StateView, after: StateView): Told {
  const cleared = after.counters.leaves.clearedByL1 - before.counters.leaves.clearedByL1
  if (op.kind === 'tlbie' && op.ric === 1) {
    return {
      outcome: '0 leaves cleared',
      text: 'RIC 1 invalidates the page walk cache. L0 has none, so nothing happens.',
      spec: [8],
    }
  }
  const entries = entriesOf(after, op.lpid)
  return {
    outcome: `${count(cleared, 'leaf', 'leaves')} cleared`,
    text:
      `L0 clears ${count(cleared, 'shadow leaf', 'shadow leaves')} of LPID ${op.lpid}. The rmap does not change` +
      (cleared > 0 && entries > 0
        ? `: ${cleared === 1 ? 'its entry stays and is' : 'their entries stay and are'} stale. A stale entry does no harm: a walk skips it, and a later fault of the page finds it.`
        : '.'),
    spec: [8],
  }
}

function tellFault(
  fault: FaultResult | { readonly outcome: 'pending' },
  op: Op & { readonly kind: 'fault' | 'begin-fault' | 'commit-fault' },
  before: StateView,
  pageShift: number,
): Told {
  switch (fault.outcome) {
    case 'pending':
      return {
        outcome: 'pending',
        text: `L0 has read L1's table and the host table, and has sampled mmuSeq (${before.mmuSeq}). The shadow leaf is not created yet: other operations can run before the second half.`,
        spec: [5, 7],
      }
    case 'mapped': {
      const slot = `the rmap slot of gfn ${hex(fault.gfn)}`
      const warning = fault.warning === undefined ? '' : ` Warning: ${fault.warning}.`
      if (fault.change === 'grown') {
        return {
          outcome: 'mapped (grown)',
          text: `A shadow leaf of the same size is present: the bits of the new word are OR-ed into it, and no rmap entry is inserted.${warning}`,
          spec: [5],
        }
      }
      const size = `a ${LEAF_SIZES[fault.shift]} shadow leaf at ${hex(fault.gpa)}`
      const length = slotAt(before, fault.gfn)?.entries.length ?? 0
      const insert = {
        empty: `${cap(slot)} was 0: the word itself now holds the entry, with its tag set.`,
        second: `${cap(slot)} held one entry: a list node with the new entry is added, and the old entry becomes its next, with the tag set.`,
        list: `A list node with the new entry is pushed at the head of ${slot}, after all ${length} entries were compared.`,
        duplicate: `The scan of ${slot} found the entry: nothing is inserted. Without the scan each new fault of this page would add a node of 16 bytes, without limit.`,
      }[fault.insert ?? 'empty']
      const first =
        fault.gfn === gfnOfFault(op, before, pageShift) || op.kind === 'commit-fault'
          ? ''
          : ` (the first gfn of the ${LEAF_SIZES[leafAt(before.host, fault.gfn * 2 ** pageShift)?.shift ?? 21]} host leaf)`
      return {
        outcome: `mapped (${fault.change}), insert: ${fault.insert ?? 'none'}`,
        text: `L0 combines L1's table with its own and creates ${size}. ${insert.replace(slot, slot + first).replace(cap(slot), cap(slot) + first)}${warning}`,
        spec: fault.insert === undefined ? [5] : [5, 3],
      }
    }
    case 'present':
      return {
        outcome: `present (${fault.reason})`,
        text: {
          allowed: 'The shadow leaf allows this access: the hardware reports no fault, and L0 is not entered.',
          'same-bits':
            'A shadow leaf of the same size is present and has all bits of the new one: nothing changes, and no rmap entry is inserted.',
        }[fault.reason],
        spec: [5],
      }
    case 'retry':
      return {
        outcome: `retry (${fault.reason})`,
        text: RETRY[fault.reason],
        spec: fault.reason === 'mmu-seq' ? [7] : [5],
      }
    case 'forward-to-l1':
      return {
        outcome: `forward-to-l1 (${fault.reason})`,
        text: `${FORWARD[fault.reason]} L0 forwards the fault to L1 (KVM: reflects it); nothing changes.`,
        spec: [5],
      }
    case 'mmio':
      return {
        outcome: `mmio (${fault.reason})`,
        text: 'No memslot contains the gfn: the access is for an emulated device.',
        spec: [5],
      }
    case 'fault-to-l2':
      return {
        outcome: `fault-to-l2 (${fault.reason})`,
        text: 'The memslot is read-only: the write is refused.',
        spec: [5],
      }
    case 'invalid':
      return {
        outcome: `invalid (${fault.reason})`,
        text: 'The guest leaf is smaller than the base page of L0, which cannot map it.',
        spec: [5],
      }
    case 'no-memory':
      return {
        outcome: `no-memory (${fault.reason})`,
        text: 'A table page cannot be allocated: no shadow leaf is created and the rmap slot is unchanged.',
        spec: [5],
      }
  }
}

const RETRY: Readonly<Record<(FaultResult & { outcome: 'retry' })['reason'], string>> = {
  refused:
    "A shadow leaf is present, but L1's table does not allow the access: the shadow leaf is cleared. The retried access misses and is then forwarded to L1.",
  'mmu-seq':
    'The host has invalidated a page since mmuSeq was sampled, or an invalidation is in progress. The page that L0 found may not belong to L1 any more: no leaf is created, and the access is retried.',
  'no-node': 'No list node is available: the rmap slot and the shadow table are unchanged, and the access is retried.',
  'no-table-page': 'A larger leaf is present, and the table page below it cannot be allocated: nothing changes.',
  'no-backing': 'The host has no page for this gfn at the moment.',
  dropped: 'The nested guest was dropped between the halves of the fault.',
  tlbie: 'L1 has invalidated mappings of the nested guest between the halves of the fault: it starts again.',
  'host-leaf': 'The bits cannot be set in the host leaf: the shadow leaf is cleared.',
  'shadow-leaf': 'The bits cannot be set in the shadow leaf: it is cleared.',
}

const FORWARD: Readonly<Record<(FaultResult & { outcome: 'forward-to-l1' })['reason'], string>> = {
  'no-root': "L1's partition table entry has no table root.",
  'no-translation': "L1's table does not map the address.",
  malformed: "L1's table is malformed at the address.",
  'not-allowed': "L1's table does not allow the access.",
  'no-rc': 'The guest leaf lacks the referenced or changed bit, which only L1 may set.',
}

function entriesOf(view: StateView, lpid: Lpid): number {
  return view.slots.reduce((sum, { entries }) => sum + entries.filter((entry) => entry.lpid === lpid).length, 0)
}

function shadowLpid(view: StateView, lpid: Lpid): string {
  return String(view.guests.find((guest) => guest.lpid === lpid)?.shadowLpid ?? 'none')
}

/** The gfn to which L1 maps the address of a fault. */
function gfnOfFault(
  op: Op & { readonly kind: 'fault' | 'begin-fault' | 'commit-fault' },
  before: StateView,
  pageShift: number,
): number | undefined {
  if (op.kind === 'commit-fault') return undefined
  const leaf = leafAt(before.guests.find(({ lpid }) => lpid === op.lpid)?.table ?? [], op.gpa)
  return leaf && Math.floor((leaf.to + (op.gpa - leaf.from)) / 2 ** pageShift)
}

function cap(text: string): string {
  return text[0]!.toUpperCase() + text.slice(1)
}
