/**
 * The presets: sequences of operations that a lecture on the nested reverse map needs, each with a sentence on what to look
 * at. They are written as the page's address has them (`ops.ts`), and the model does them like any other.
 */
import type { Gfn } from '../../index'
import { decodeSequence, type Sequence } from './ops'

/** A sequence with a name. */
export interface Preset {
  readonly id: string
  readonly title: string
  /** What it shows: two or three sentences. */
  readonly what: string
  /** How many steps prepare it: the page shows it from there. */
  readonly prepared: number
  /** The gfn whose rmap slot is shown even while it is empty. */
  readonly gfn: Gfn
  /** What to look at, by step. */
  readonly notes: Readonly<Record<number, string>>
  readonly sequence: Sequence
}

function preset(
  id: string,
  title: string,
  what: string,
  prepared: number,
  gfn: Gfn,
  sequence: readonly string[],
  notes: Readonly<Record<number, string>> = {},
): Preset {
  return { id, title, what, prepared, gfn, notes, sequence: decodeSequence(sequence.join('/')) }
}

/** The presets, in the order of a lecture. */
export const PRESETS: readonly Preset[] = [
  preset(
    'three-forms',
    'The three forms of a slot',
    'Every gfn of L1 has one 64-bit word: 0 (no entry), an odd number (one entry, in the word itself), or the address of the first list node. Here gfn 0x1 gets one entry and gfn 0x2 gets three.',
    6,
    0,
    // prettier-ignore
    ['16.head.base', 'g1', 'g2', 'g3', 'm1.10000.10000.16.rwx', 'm1.20000.20000.16.rwx', 'm2.20000.20000.16.rwx',
      'm3.20000.20000.16.rwx', 'f1.10000.r', 'f1.20000.r', 'f2.20000.r', 'f3.20000.r'],
    {
      8: 'One entry costs no memory but the word: the tag in bit 0 tells it from a pointer.',
      10: 'Two entries take one node: the oldest entry is never in a node of its own.',
      11: 'n entries take n - 1 nodes. The newest is first, and the tagged word ends the list.',
    },
  ),
  preset(
    'duplicate-scan',
    'Why the duplicate scan exists',
    'A tlbie never removes an rmap entry. So when the page faults again, its entry is usually still in the list, and L0 scans the list to find that out. Count what would happen without the scan: every refault below would add a node.',
    4,
    3,
    // prettier-ignore
    ['16.head.base', 'g1', 'g2', 'm1.10000.30000.16.rwx', 'm2.20000.30000.16.rwx', 'f1.10000.r', 'f2.20000.r',
      't1.10000.16', 'f1.10000.r', 't1.10000.16', 'f1.10000.r', 't1.10000.16', 'f1.10000.r'],
    {
      8: 'Without the scan the list would have 3 entries now: this one twice.',
      10: 'Without the scan: 4 entries. The scan costs 2 compares each time, and the list stays at 2.',
      12: 'Without the scan: 5 entries and 4 nodes. A guest that does this in a loop would fill the memory of the host.',
    },
  ),
  preset(
    'stale-tlbie',
    'Stale entries after tlbie',
    'LPID 5 maps three of its pages to one page of L1. L1 then takes one mapping away and moves another, each with a tlbie. The shadow leaves are cleared at once; the rmap entries stay until the host takes the page away.',
    4,
    7,
    // prettier-ignore
    ['16.head.base', 'g5', 'm5.10000.70000.16.rwx', 'm5.20000.70000.16.rwx', 'm5.30000.70000.16.rwx', 'f5.10000.r', 'f5.20000.r',
      'f5.30000.r', 'u5.20000', 't5.20000.16', 'm5.30000.90000.16.rwx', 't5.30000.16', 'f5.30000.r', 'h7'],
    {
      8: 'L0 does not see that L1 changed its table.',
      9: 'The shadow leaf is cleared. Its entry stays in the list of gfn 0x7: it is stale.',
      12: 'The page is mapped again, to gfn 0x9: one entry there. The old one in the list of gfn 0x7 is stale: its leaf maps another page.',
      13: 'One shadow leaf reaches the page that the host takes. The two stale entries are skipped, and all nodes are freed.',
    },
  ),
  preset(
    'large-page',
    'A 2 MiB host page',
    'The host backs L1 with 2 MiB pages. Entries go to the rmap slot of the first gfn of the host leaf, whichever page of it was faulted. Taking any of its pages away clears the leaf as a unit.',
    4,
    0,
    // prettier-ignore
    ['16.head.2m', 'g3', 'm3.10000.50000.16.rwx', 'm3.20000.110000.16.rwx', 'm3.200000.200000.21.rwx', 'f3.10000.r', 'f3.20000.w',
      'f3.2a0000.r', 'a5', 'a0', 'h5'],
    {
      5: 'The page of L1 is gfn 0x5, the entry is in the slot of gfn 0x0. (With the placement of 2018, in Settings, it is in gfn 0x5.)',
      7: 'Guest leaf and host leaf both have 2 MiB: so has the shadow leaf.',
      8: 'A quirk of Linux: ageing visits the slot of the named gfn only, and misses the list at the first gfn.',
      10: 'gfn 0x5 was named, all 32 gfns are unmapped: the walk visits all of their slots.',
    },
  ),
  preset(
    'mmu-seq',
    'The mmu_seq race',
    'A fault reads the host table, drops the lock, and comes back to create the shadow leaf. If the host took the page away in between, the leaf would map a page that L1 no longer has. mmuSeq (KVM: mmu_invalidate_seq) closes that race.',
    2,
    4,
    // prettier-ignore
    ['16.head.base', 'g1', 'm1.10000.40000.16.rwx', 'b1.10000.w', 'h4', 'c1', 'f1.10000.w', 'i4', 'f1.10000.w', 'e1', 'f1.10000.w'],
    {
      3: 'The host leaf exists now; the shadow leaf does not.',
      4: 'Between the halves the host takes the page: mmuSeq moves.',
      5: 'The second half sees that mmuSeq has moved, and gives up. The rmap walk had passed already: it would never have found the leaf.',
      8: 'While an invalidation is in progress, no fault can create a leaf either.',
    },
  ),
  preset(
    'remap',
    'Remap without tlbie',
    'L1 moves a page in its table and forgets the tlbie. When the nested guest writes, L0 finds a shadow leaf of the same size and ORs the new bits into it: two host frames are mixed in one leaf, and no entry is inserted.',
    3,
    4,
    // prettier-ignore
    ['16.head.base', 'g1', 'm1.20000.20000.16.rwx', 'm1.10000.40000.16.r', 'f1.10000.r', 'm1.10000.90000.16.rwx', 'f1.10000.w',
      'f1.20000.r', 't1.10000.16', 'f1.10000.w'],
    {
      5: 'No tlbie follows: the shadow leaf still maps the old page.',
      6: 'The frame in the leaf is the bitwise OR of two frames: it belongs to neither page. See the invariants: no rmap entry leads to this leaf.',
      7: 'The next page that the host hands out has that very frame: LPID 1 reaches it at 0x10000 too, and no walk would find that.',
      9: 'After the tlbie that was missing, the next fault repairs it.',
    },
  ),
  preset(
    'lpid-zero',
    'LPID 0 cuts a list',
    'L0 checks only the upper bound of an LPID. An entry (LPID 0, gpa 0) in a list node is the word 0, and every scan and walk of Linux ends at an entry that is 0: older entries are out of reach.',
    6,
    3,
    // prettier-ignore
    ['16.head.base.lpid0', 'g1', 'g0', 'g2', 'm1.10000.30000.16.rwx', 'm0.0.30000.16.rwx', 'm2.20000.30000.16.rwx', 'f1.10000.r', 'f0.0.r',
      'f2.20000.r', 't1.10000.16', 'f1.10000.r', 'h3'],
    {
      8: 'A node whose entry is 0. As a single word it would have its tag, and do no harm.',
      11: 'The scan ends at the node of LPID 0: the old entry of LPID 1 is not found, and the same entry is inserted again.',
      12: 'The walk ends there too: LPID 0 and the oldest entry are not visited, a node is lost, and the shadow leaf of LPID 0 still maps the page that the host has taken.',
    },
  ),
  preset(
    'lpid-reuse',
    'LPID reuse',
    'When a nested guest is dropped, its rmap entries stay. A new nested guest with the same LPID inherits them. This is harmless: a walk clears only what maps the very page that is taken, and a scan that finds an old entry finds what it would insert.',
    2,
    2,
    // prettier-ignore
    ['16.head.base', 'g5', 'm5.10000.20000.16.rwx', 'f5.10000.r', 'd5', 'g5', 'm5.10000.20000.16.rwx', 'f5.10000.r', 'm5.10000.60000.16.rwx',
      't5.10000.16', 'f5.10000.r', 'h2'],
    {
      4: 'The shadow table is freed; the entry in gfn 0x2 stays, and no guest has its LPID.',
      7: 'The entry of the old LPID 5 serves the new one: a duplicate.',
      11: 'The leaf of LPID 5 at this address maps another page now: the old entry is skipped.',
    },
  ),
]
