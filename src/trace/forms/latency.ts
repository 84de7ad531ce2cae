/**
 * ftrace's latency format (options/latency-format), which ftrace_dump_on_oops and `crash` print too, and
 * `trace-cmd report -l`: the cpu has no brackets and is followed by the flags.
 *
 *     CPU 0/KV-4101      0.....    6us+: rmap_insert_empty: (where) rmapp=0x...
 *     CPU 0/KV-4101    0d..2.   228.464937: rmap_insert_empty:    rmapp=0x...                        trace-cmd -l
 */
import { EVENT, headOf, PID, type LineForm } from './form'

export const latency: LineForm = {
  name: 'latency format, ftrace_dump_on_oops, trace-cmd report -l',
  sample:
    '[  229.000206] CPU 0/KV-4101      0d..2.    6us+: rmap_insert_empty: (kvm_fn+0xc/0x80 [kvm_hv]) rmapp=0xc008000000000038 slot=0x50000000010001',
  head: headOf(
    PID,
    // The cpu, the flags, the time: in microseconds, followed by a mark for the delay, or as trace-cmd prints it.
    String.raw`\d{1,5}(?:-0x[\da-f]+|[^\s\d:][^\s:]*)\s+(?<time>\d[\d.]*)(?:us)?\s?[ +!#*@$]?:\s*`,
    EVENT,
  ),
}
