/**
 * `perf script`, without options or with `-F comm,pid,tid,cpu,time,event,trace`: the task's name, its thread id (or
 * pid/tid), the cpu if it was recorded, the time, the period if it was requested, and the event with its group.
 *
 *      CPU 0/KVM    4101 [000]   228.464937:   nr:rmap_insert_empty: (c008000001200732) rmapp=0x...
 *      CPU 0/KVM    4100/4101    [000]   228.464937:          1 nr:rmap_insert_empty: (c008000001200732) rmapp=0x...
 */
import { EVENT, headOf, TIME, type LineForm } from './form'

export const perfScript: LineForm = {
  name: 'perf script',
  sample:
    '       CPU 0/KVM    4100/4101  [000]   228.464937:          1    nr:rmap_insert_empty: (c008000001200732) rmapp=0xc008000000000038 slot=0x50000000010001',
  head: headOf(
    String.raw`(?<=\s)(?:\d{1,10}/)?(?<pid>\d{1,10})\s+(?:\[\d+\]\s+)?(?:[^\s:\d][^\s:]*\s+)?`,
    TIME,
    String.raw`(?:\d+\s+)?`,
    EVENT,
  ),
}
