/**
 * A step in one to three sentences, in standard terms, with the section of the specification (src/SPEC.md) that says so:
 * what was done, how it ended, and what it cost. Everything is read from the outcome and from the two states around it.
 *
 * (This file is over 300 lines: one sentence for each outcome of each operation.)
 */
import type { FaultResult, Lpid } from '../../index'
import { count } from '../../view/format'
import { LEAF_SIZES, hex } from '../shared/text'
import type { Outcome } from './machine'
import { permissionText, type Op } from './ops'
import type { Step } from './history'
import { leafAt, slotAt, type StateView } from './view'

/** A step explained. */
export interface Explanation {
  /** What was done. */
  readonly title: string
  /** Why it ended as it did. */
  readonly text: string
  /** How it ended: the model's own words. */
  readonly outcome: string
  /** What it cost, and what changed in numbers. */
  readonly counts: readonly string[]
  /** Sections of the specification. */
  readonly spec: readonly number[]
}

type Told = Omit<Explanation, 'title' | 'counts'>

/** Explains a step. @param before the L1 before it */
export function explain(step: Step, before: StateView, pageShift: number): Explanation {
  const { op, outcome, refusal, view: after } = step
  const title = titleOf(op, before)
  if (outcome === undefined) {
    return { title, text: `This is not possible here: ${refusal}.`, outcome: 'refused', counts: [], spec: [] }
  }
  return { title, ...tell(op, outcome, before, after, pageShift), counts: countsOf(before, after) }
}

/** An operation in a few words. */
export function titleOf(op: Op, before?: StateView): string {
  switch (op.kind) {
    case 'guest':
      return `L1 adds a nested guest: LPID ${op.lpid}`
    case 'map':
      return `L1 maps ${hex(op.gpa)} of LPID ${op.lpid} to gpa ${hex(op.to)} (${LEAF_SIZES[op.shift]}, ${permissionText(op.allow) || 'no access'})`
    case 'unmap-guest':
      return `L1 unmaps ${hex(op.gpa)} in its table for LPID ${op.lpid}`
    case 'protect':
      return `L1 sets the permissions of ${hex(op.gpa)} of LPID ${op.lpid} to ${permissionText(op.allow) || 'none'}`
    case 'tlbie-page':
      return `L1: tlbie of the ${LEAF_SIZES[op.shift]} page at ${hex(op.gpa)} of LPID ${op.lpid}`
    case 'tlbie':
      return `L1: tlbie of all of LPID ${op.lpid}, RIC ${op.ric}`
    case 'drop':
      return `L1 drops its nested guest LPID ${op.lpid}`
    case 'fault':
      return `LPID ${op.lpid} ${ACCESS[op.access]} ${hex(op.gpa)}`
    case 'begin-fault':
      return `LPID ${op.lpid} ${ACCESS[op.access]} ${hex(op.gpa)}: first half of the fault`
    case 'commit-fault': {
      const begun = before?.faults.find(({ n }) => n === op.n)
      return `Second half of fault ${op.n}${begun === undefined ? '' : ` (LPID ${begun.lpid}, ${hex(begun.gpa)})`}`
    }
    case 'unmap':
      return `The host takes gfn ${hex(op.gfn)} away`
    case 'begin-unmap':
      return `The host begins to take gfn ${hex(op.gfn)} away`
    case 'end-unmap':
      return `Invalidation ${op.n} ends`
    case 'age':
      return `The host ages gfn ${hex(op.gfn)}`
    case 'log':
      return `The host switches dirty logging ${op.on ? 'on' : 'off'}`
    case 'harvest':
      return 'The host harvests dirty pages'
  }
}

const ACCESS = { read: 'reads', write: 'writes', execute: 'executes' } as const

function tell(op: Op, outcome: Outcome, before: StateView, after: StateView, pageShift: number): Told {
  switch (op.kind) {
    case 'guest':
      return {
        outcome: 'added',
        text: `L1 writes a partition table entry for LPID ${op.lpid}, with an empty guest table, and enters it. L0 makes a nested guest with an empty shadow table and the shadow LPID ${shadowLpid(after, op.lpid)}.`,
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
        text: `L1 clears the partition table entry and flushes with RIC 2: L0 drops the nested guest and frees its shadow table. Its ${count(entriesOf(after, op.lpid), 'rmap entry', 'rmap entries')} ${entriesOf(after, op.lpid) === 1 ? 'stays' : 'stay'} behind, stale: no nested guest has the LPID now.`,
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
        text: `The invalidation increments mmuSeq (KVM: mmu_invalidate_seq) to ${after.mmuSeq}. Faults that sampled it before now retry; new ones can create leaves again.`,
        spec: [7],
      }
    case 'age':
      return tellAge(op, outcome, before, after, pageShift)
    case 'log':
      return {
        outcome: op.on ? 'logging' : 'not logging',
        text: `The memslot's flag is changed, and then all of its host leaves are unmapped, so that ${op.on ? 'every page is mapped as a base page from now on' : 'large pages can be used again'}.`,
        spec: [6, 10],
      }
    case 'harvest': {
      const pages = outcome.dirty!
      return {
        outcome: `${count(pages.length, 'dirty page')}`,
        text: `The changed bit of each dirty host leaf is cleared, and so are those of the shadow leaves that its rmap slot leads to. Dirty: ${pages.map(hex).join(', ') || 'none'}.`,
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
      ? 'L0 does not see this; it reads the table when the nested guest faults.'
      : 'L0 does not see this: its shadow leaf is unchanged, and out of date until L1 says so with a tlbie.'
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
      text: 'RIC 1 names the page walk cache, of which L0 keeps none: nothing happens.',
      spec: [8],
    }
  }
  const entries = entriesOf(after, op.lpid)
  return {
    outcome: `${count(cleared, 'leaf', 'leaves')} cleared`,
    text:
      `L0 clears ${count(cleared, 'shadow leaf', 'shadow leaves')} of LPID ${op.lpid}. The rmap is not touched` +
      (cleared > 0 && entries > 0
        ? ': the entries stay in their lists, stale. They do no harm: a walk skips them, and a refault finds them again.'
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
        text: `L0 has read L1's table and the host table, and has sampled mmuSeq (${before.mmuSeq}). The shadow leaf is not created yet: anything can happen before the second half.`,
        spec: [5, 7],
      }
    case 'mapped': {
      const slot = `the rmap slot of gfn ${hex(fault.gfn)}`
      const warning = fault.warning === undefined ? '' : ` Warning: ${fault.warning}.`
      if (fault.change === 'grown') {
        return {
          outcome: 'mapped (grown)',
          text: `A shadow leaf of the same size was present: the bits of the new word are OR-ed into it, and no entry is inserted.${warning}`,
          spec: [5],
        }
      }
      const size = `a ${LEAF_SIZES[fault.shift]} shadow leaf at ${hex(fault.gpa)}`
      const length = slotAt(before, fault.gfn)?.entries.length ?? 0
      const insert = {
        empty: `${cap(slot)} was 0: the word itself now holds the entry, with tag 1.`,
        second: `${cap(slot)} held one entry: a list node with the new entry is put before it, and the old one moves into the node's next, tag 1.`,
        list: `A list node with the new entry is pushed at the head of ${slot}, after all ${length} entries were compared.`,
        duplicate: `The scan of ${slot} found the entry: nothing is inserted. Without the scan, each refault of this page would add a node of 16 bytes, for ever.`,
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
          allowed: 'The shadow leaf allows this access: for the hardware it is no fault, and L0 is not entered.',
          'same-bits':
            'A shadow leaf of the same size was present that has all bits of the new one: nothing changes, and no entry is inserted.',
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
        text: 'No memslot has the gfn: it is a device that L1 emulates or is given.',
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
        text: 'A table page cannot be allocated: no leaf is created and the slot is unchanged.',
        spec: [5],
      }
  }
}

const RETRY: Readonly<Record<(FaultResult & { outcome: 'retry' })['reason'], string>> = {
  refused:
    "L1's table does not allow what the shadow leaf was present for: the shadow leaf is cleared, and the retried access misses.",
  'mmu-seq':
    'The host has invalidated something since mmuSeq was sampled, or is doing so now. L0 may have found a page that was taken away since: no leaf is created, and the access faults again.',
  'no-node': 'No list node is available: the slot and the shadow table are unchanged, and the access faults again.',
  'no-table-page': 'A larger leaf is in the way, and the table page below it cannot be allocated.',
  'no-backing': 'The host has no page for this gfn now.',
  dropped: 'The nested guest was dropped between the halves of the fault.',
  tlbie: 'L1 has invalidated mappings of the nested guest between the halves: the fault starts again.',
  'host-leaf': 'The host leaf cannot take the bits: the shadow leaf is cleared.',
  'shadow-leaf': 'The shadow leaf cannot take the bits: it is cleared.',
}

const FORWARD: Readonly<Record<(FaultResult & { outcome: 'forward-to-l1' })['reason'], string>> = {
  'no-root': "L1's partition table entry has no table.",
  'no-translation': "L1's table has no leaf for the address.",
  malformed: "L1's table is malformed there.",
  'not-allowed': "L1's table does not allow the access.",
  'no-rc': 'The guest leaf lacks the referenced or changed bit, which only L1 may set.',
}

function tellUnmap(
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
      ? ' The invalidation is in progress until its end: every fault that would create a leaf retries.'
      : ` mmuSeq is ${after.mmuSeq} now.`
  if (host === undefined) {
    return {
      outcome: 'no host leaf',
      text: `The host maps nothing at gfn ${hex(op.gfn)}: no walk.${seq}`,
      spec: [6, 7],
    }
  }
  const stale = walk.entries - walk.cleared
  const range =
    host.shift === pageShift
      ? `the slot of gfn ${hex(op.gfn)}`
      : `the slots of all ${2 ** (host.shift - pageShift)} gfns of the ${LEAF_SIZES[host.shift]} host leaf`
  return {
    outcome: `${walk.cleared} cleared, ${stale} stale`,
    text:
      `The host leaf is cleared. The walk detaches ${range} and visits ${count(walk.entries, 'entry', 'entries')}, newest first: ` +
      `${count(walk.cleared, 'shadow leaf', 'shadow leaves')} cleared, ${stale} stale and skipped.${seq}`,
    spec: [6, 7],
  }
}

function tellAge(
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
      ? ` Only the slot of the named gfn is visited, so the ${count(missed, 'entry', 'entries')} at gfn ${hex(first)}, the first of the host leaf, ${missed === 1 ? 'is' : 'are'} missed (Linux does this too).`
      : ''
  return {
    outcome: outcome.wasReferenced === true ? 'referenced' : 'not referenced',
    text: `${outcome.wasReferenced === true ? 'The referenced bit of the host leaf is cleared, and so are those of the shadow leaves behind the slot' : 'The host leaf is absent or not referenced: nothing changes'}. ${count(visited, 'entry', 'entries')} visited, none taken.${quirk}`,
    spec: [6],
  }
}

/** What a step changed, in numbers. */
export function countsOf(before: StateView, after: StateView): string[] {
  const [b, a] = [before.counters, after.counters]
  const inserts = ({ inserts: { empty, second, list, duplicate } }: StateView['counters']): number =>
    empty + second + list + duplicate
  const counts: string[] = []
  const add = (n: number, one: string, many?: string): void => {
    if (n > 0) counts.push(count(n, one, many))
  }
  if (inserts(a) > inserts(b)) counts.push(`${count(a.scanSteps - b.scanSteps, 'entry', 'entries')} compared`)
  add(a.nodes.inUse - b.nodes.inUse, 'list node allocated', 'list nodes allocated')
  add(b.nodes.inUse - a.nodes.inUse, 'list node freed', 'list nodes freed')
  add(a.hostLeaves.created - b.hostLeaves.created, 'host leaf created', 'host leaves created')
  add(a.hostLeaves.cleared - b.hostLeaves.cleared, 'host leaf cleared', 'host leaves cleared')
  add(a.leaves.created - b.leaves.created, 'shadow leaf created', 'shadow leaves created')
  const cleared = (of: StateView['counters']): number => of.leaves.clearedByL0 + of.leaves.clearedByL1
  add(cleared(a) - cleared(b), 'shadow leaf cleared', 'shadow leaves cleared')
  add(a.flushes.l2 - b.flushes.l2, 'TLB flush of a nested guest', 'TLB flushes of nested guests')
  add(
    a.flushes.wrongPartition - b.flushes.wrongPartition,
    'TLB flush of the wrong partition',
    'TLB flushes of the wrong partition',
  )
  add(a.warnings - b.warnings, 'warning')
  const broken = after.broken.length - before.broken.length
  if (broken > 0) counts.push(`${count(broken, 'broken invariant')} more`)
  return counts
}

function entriesOf(view: StateView, lpid: Lpid): number {
  return view.slots.reduce((sum, { entries }) => sum + entries.filter((entry) => entry.lpid === lpid).length, 0)
}

function shadowLpid(view: StateView, lpid: Lpid): string {
  return String(view.guests.find((guest) => guest.lpid === lpid)?.shadowLpid ?? 'none')
}

/** The gfn that a fault's address is mapped to by L1. */
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
