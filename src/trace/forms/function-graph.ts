// Events among the calls of the function_graph tracer, with options/funcgraph-proc, which prints the task:
//
//      0)  CPU 0/K-4101   |               |  /* rmap_insert_empty: (where) rmapp=0x... */
import { EVENT, headOf, type LineForm } from './form'

export const functionGraph: LineForm = {
  name: 'function_graph with options/funcgraph-proc',
  sample:
    ' 228.464937 |   0)  CPU 0/K-4101   |               |  /* rmap_insert_empty: (kvm_fn+0xc/0x80 [kvm_hv]) rmapp=0xc008000000000038 slot=0x50000000010001 */',
  head: headOf(String.raw`-(?<pid>\d{1,10})\s+\|[^/]*/\* `, EVENT),
}
