/**
 * ftrace's text (`trace`, `trace_pipe`) and `trace-cmd report`, with `-t`, `-R` and `--ts-diff`:
 *
 *      CPU 0/KVM-4101    [000] .....   228.464937: rmap_insert_empty: (where) rmapp=0x...
 *      CPU 0/KVM-4101  [000]-0x0   228.464937: rmap_insert_empty:    __probe_ip=0x... rmapp=0x...       trace-cmd 3.4 -R
 *
 * The flags may be missing (options/irq-info off). The time is a number with every trace clock.
 */
import { EVENT, headOf, PID, TIME, type LineForm } from './form'

export const ftrace: LineForm = {
  name: 'ftrace, trace-cmd report',
  sample:
    '       CPU 0/KVM-4101  [000]-0x0   228.464937: (+1)     nr:rmap_insert_empty:    __probe_ip=0xc008000001200000 rmapp=0xc008000000000038 slot=0x50000000010001',
  head: headOf(PID, String.raw`\[\d+\](?:-0x[\da-f]+)?\s+(?:[^\s:]+\s+)?`, TIME, EVENT),
}
