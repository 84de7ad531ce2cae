/** The cost of a step and its changes, as counts. They are differences of the counters before and after it. */
import { count } from '../../view/format'
import type { StateView } from './view'

/** The counts of a step that are not 0, each with its unit. */
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
