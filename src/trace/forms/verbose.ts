/**
 * ftrace's latency format with options/verbose:
 *
 *             CPU 0/KVM    4101   0 0 00000000 00000006 [0003793d] 228464.937ms (+0.001ms): rmap_insert_empty: (where) ...
 *             task         pid  cpu f preempt  index    time       since the start
 */
import { EVENT, headOf, type LineForm } from './form'

export const verbose: LineForm = {
  name: 'latency format with options/verbose',
  sample:
    '       CPU 0/KVM    4101   0 0 00000000 00000006 [0da1c8d9] 228464.937ms (+0.001ms): rmap_insert_empty: (kvm_fn+0xc/0x80 [kvm_hv]) rmapp=0xc008000000000038 slot=0x50000000010001',
  head: headOf(
    String.raw`(?<=\s)(?<pid>\d{1,10})\s+\d{1,5} \d+ [\da-f]{8} [\da-f]+ \[[\da-f]+\] (?<time>\d[\d.]*)(?:ms)? `,
    String.raw`\(\+\d[\d.]*(?:ms)?\): `,
    EVENT,
  ),
}
