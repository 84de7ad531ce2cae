/** Mistakes in making a recording that can cause differences, as its lines and the counts of its events show them. */
import { type EventName } from './events'
import type { TraceParser } from './parser'

/** Events that occur together: if a recording has the first and never the second, the second's probe did not fire. */
const FIRES_WITH: readonly (readonly [EventName, EventName])[] = [
  ['rmap_insert_node', 'rmap_insert_empty'],
  ['rmap_insert_duplicate', 'rmap_insert_empty'],
  ['rmap_take_node', 'rmap_take'],
  ['pte_create', 'pte_create_ret'],
  ['rmap_insert', 'pte_create'],
  ['rmap_insert', 'nested_update'],
  ['rmap_take', 'rmap_take_node'],
  ['rmap_take', 'rmap_remove_range'],
  ['rmap_remove_range', 'pte_unmap'],
  ['nested_release', 'nested_update'],
  ['nested_fault', 'nested_fault_ret'],
  ['nested_walk', 'nested_fault'],
  ['set_rc', 'set_rc_ret'],
]

/** Events that usually occur together, and what else than its probe can be the reason if the second never occurs. */
const OFTEN_WITH: readonly (readonly [EventName, EventName, string])[] = [
  ['rmap_insert_empty', 'rmap_insert_node', 'no rmap slot ever had a second entry'],
  ['rmap_insert_empty', 'rmap_insert_duplicate', 'no insert found its entry in the list'],
]

/** @internal The hint for a recording that lacks `missing` of the `entries` that its header counts. */
export function missingHint(entries: number, missing: number): string {
  return (
    `the header counts ${entries} entries, and ${missing} of them are missing: the recording was cut or filtered, which ` +
    'can cause differences: replay a complete copy of the file trace'
  )
}

/** @internal The mistakes that the lines of a recording suggest, a sentence for each. */
export function parserHints(parser: TraceParser): string[] {
  const hints: string[] = []
  if (parser.backwardsAt > 0) {
    hints.push(
      `time goes backwards at line ${parser.backwardsAt}: the files of single CPUs (per_cpu/cpuN/trace) must be merged by time; ` +
        'record the file trace, which has all CPUs',
    )
  }
  const silent = new Set<EventName>()
  const lacks = (name: EventName, other: EventName): boolean => {
    if (parser.count(name) === 0 || parser.count(other) > 0 || silent.has(other)) return false
    silent.add(other)
    return true
  }
  for (const [name, other] of FIRES_WITH) {
    if (lacks(name, other))
      hints.push(`there are ${name} events and no ${other}: its probe was not defined, not enabled, or never fires`)
  }
  for (const [name, other, harmless] of OFTEN_WITH) {
    if (lacks(name, other)) {
      hints.push(
        `there are ${name} events and no ${other}: either ${harmless}, or its probe was not defined, not enabled, or never fires`,
      )
    }
  }
  const created = parser.count('pte_create')
  const returned = parser.count('pte_create_ret')
  if (returned > 0 && created > returned) {
    hints.push(
      `${created - returned} of ${created} pte_create have no pte_create_ret: a kretprobe misses returns when it has too few ` +
        'instances: see the last column of kprobe_profile, and define it as r100:nr/pte_create_ret',
    )
  }
  return hints
}
