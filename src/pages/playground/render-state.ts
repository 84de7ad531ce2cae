/// <reference lib="dom" />
/** Writes the invariants, and the counters with their changes. */
import { INVARIANTS } from '../../index'
import { byId, make } from '../shared/dom'
import { number } from '../shared/text'
import type { StateView } from './view'

/** Writes each invariant with a mark, and where it is broken. */
export function renderInvariants({ broken }: StateView): void {
  byId('invariant-list').replaceChildren(
    ...Object.entries(INVARIANTS).map(([name, sentence]) => {
      const here = broken.filter(({ invariant }) => invariant === name)
      const holds = here.length === 0
      const mark = make('span', holds ? '✓ ' : '✗ ', { class: holds ? 'good' : 'bad', 'aria-hidden': 'true' })
      const parts: (Node | string)[] = [
        mark,
        make('span', name, { class: holds ? '' : 'bad' }),
        make('span', holds ? ' holds' : ' is broken', { class: 'sr' }),
      ]
      for (const { message } of here.slice(0, 4)) parts.push(make('p', message, { class: 'bad' }))
      if (here.length > 4) parts.push(make('p', `${here.length - 4} more`, { class: 'bad' }))
      return make('li', parts, { title: sentence })
    }),
  )
}

/** Writes the counters. */
export function renderCounters(before: StateView, after: StateView): void {
  const rows = countersOf(after)
  const old = countersOf(before)
  byId('counter-list').replaceChildren(
    ...rows.flatMap(([name, value], i) => {
      const delta = value - old[i]![1]
      const change =
        delta === 0 ? [] : [make('span', ` (${delta > 0 ? '+' : '−'}${number(Math.abs(delta))})`, { class: 'delta' })]
      return [make('dt', name), make('dd', [number(value), ...change])]
    }),
  )
}

function countersOf({ counters, mmuSeq }: StateView): [name: string, value: number][] {
  const { faults, inserts, scanSteps, nodes, bytes, leaves, flushes, walks, warnings, longestList } = counters
  return [
    ['entries compared by scans', scanSteps],
    ['inserts: empty', inserts.empty],
    ['inserts: second', inserts.second],
    ['inserts: list', inserts.list],
    ['inserts: duplicate', inserts.duplicate],
    ['list nodes saved by the scan', inserts.duplicate],
    ['list nodes in use', nodes.inUse],
    ['longest list ever', longestList],
    ['bytes of rmap slots', bytes.slots],
    ['bytes of list nodes', bytes.nodes],
    ['bytes of table pages', bytes.tables],
    ['faults: mapped', faults.mapped],
    ['faults: retry', faults.retry],
    ['faults: forward-to-l1', faults['forward-to-l1']],
    ['shadow leaves created', leaves.created],
    ['shadow leaves cleared by L0', leaves.clearedByL0],
    ['shadow leaves cleared by L1', leaves.clearedByL1],
    ['stale entries visited by walks', walks.staleNoGuest + walks.staleNoLeaf + walks.staleOtherFrame],
    ['TLB flushes of L2', flushes.l2],
    ['mmuSeq', mmuSeq],
    ['warnings', warnings],
  ]
}
