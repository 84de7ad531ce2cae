/**
 * Writes the events of an L1 as a recording: lines of ftrace's text, as a real kernel's probes write them, that
 * `nested-rmap replay` reads. Words of tables have their bytes reversed, as a little-endian kernel shows them.
 */
import { checkFunction } from '../base/args'
import { hiOf, loOf } from '../base/word'
import { swapBytes } from '../page-table/leaf'
import type { VmEvent, VmObserver } from './events'

/** Fields that ftrace prints in decimal. */
const DECIMAL: ReadonlySet<string> = new Set([
  'level',
  'lpid',
  'ret',
  'shift',
  'l1_lpid',
  'shadow_lpid',
  'change',
  'pshift',
  'nested',
  'writing',
])
/** Words of tables, which are big-endian in memory. */
const SWAPPED: ReadonlySet<string> = new Set(['pte', 'pteval'])
/** Events of the model's own, which no probe shows. */
const OWN: ReadonlySet<VmEvent['event']> = new Set(['tlb_flush', 'warning', 'fault', 'set_rc_result'])

/**
 * An observer that writes each event as a line of a recording. It must observe the L1 from its beginning, and until no
 * later than its `releaseAll`: no probe shows the slots that this empties. The replay predicts today's placement of entries:
 * a recording of an L1 with `placement: 'faulting'` differs where host pages are large.
 *
 * @param write gets each line, without its end; the first is a header
 * @throws TypeError
 */
export function recorder(write: (line: string) => void): VmObserver {
  checkFunction('write', write)
  write('# tracer: nop')
  let time = 0
  const observer = (event: VmEvent): void => {
    if (OWN.has(event.event)) return
    const { event: name, task, pid, ...fields } = event
    const shown = Object.entries(fields).map(([field, value]) => `${field}=${show(field, value as bigint | number)}`)
    const seconds = (++time / 1e6).toFixed(6)
    write(`            ${task}-${pid}       [000] .....  ${seconds.padStart(11)}: ${name}: (model) ${shown.join(' ')}`)
  }
  return Object.assign(observer, { fromBeginning: true })
}

function show(name: string, value: bigint | number): string {
  if (DECIMAL.has(name) && typeof value === 'number') return String(value)
  const word = BigInt(value)
  return `0x${(SWAPPED.has(name) ? swapBytes(hiOf(word), loOf(word)) : word).toString(16)}`
}
