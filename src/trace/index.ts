export { Replay } from './replay'
export { RadixComparison } from './compare-radix'
export { TraceEvent, TraceParser } from './parser'
export { EVENT_FIELDS } from './events'
export { LineError, MAX_LINE_BYTES } from '../base/lines'

export type { Difference } from './differences'
export type { ReplayResult } from './replay'
export type { EventName, FieldName } from './events'
