/**
 * The presets: sequences of operations for a lecture on the nested reverse map, with notes on what to look at. They have
 * the text form of the page's address (`ops.ts`), and the model runs them like any other sequence.
 */
import type { Gfn } from '../../index'
import { decodeSequence, type Sequence } from './ops'

/** A sequence with a title and notes. */
export interface Preset {
  readonly id: string
  readonly title: string
  /** What it shows: two or three sentences. */
  readonly what: string
  /** How many steps prepare it: the page opens after them. */
  readonly prepared: number
  /** The gfn whose rmap slot is shown even while it is empty. */
  readonly gfn: Gfn
  /** Notes on what to look at, by step. */
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
    'The three forms of an rmap slot',
    'Every gfn of L1 has one 64-bit word, its rmap slot: 0 (no entry), odd (one entry, in the word itself), or the address of the first list node. Here gfn 0x1 gets one entry and gfn 0x2 gets three.',
    6,
    0,
    // prettier-ignore
    ['16.head.base', 'g1', 'g2', 'g3', 'm1.10000.10000.16.rwx', 'm1.20000.20000.16.rwx', 'm2.20000.20000.16.rwx',
      'm3.20000.20000.16.rwx', 'f1.10000.r', 'f1.20000.r', 'f2.20000.r', 'f3.20000.r'],
    {
      8: 'A single entry needs no memory besides the word. Its tag, bit 0, distinguishes it from a pointer.',
      10: 'Two entries need one node: the oldest entry never has its own node.',
      11: 'n entries need n - 1 nodes. The newest is first; the oldest, with its tag, ends the list.',
    },
  ),
  preset(
    'duplicate-scan',
    'Why the duplicate scan exists',
    'A tlbie never removes an rmap entry. So when the page faults again, its entry is usually still in the list, and L0 scans the list for it. Without the scan, every new fault of the page would add a node.',
    4,
    3,
    // prettier-ignore
    ['16.head.base', 'g1', 'g2', 'm1.10000.30000.16.rwx', 'm2.20000.30000.16.rwx', 'f1.10000.r', 'f2.20000.r',
      't1.10000.16', 'f1.10000.r', 't1.10000.16', 'f1.10000.r', 't1.10000.16', 'f1.10000.r'],
    {
      8: 'Without the scan the list would have 3 entries now: LPID 1 twice.',
      10: 'Without the scan: 4 entries. Each scan costs 2 compares, and the list stays at 2 entries.',
      12: 'Without the scan: 5 entries and 4 nodes. A guest that repeats this would use up the memory of the host.',
    },
  ),
  preset(
    'stale-tlbie',
    'Stale entries after tlbie',
    'LPID 5 maps three of its pages to one page of L1. L1 then removes one mapping and changes another, each with a tlbie. The shadow leaves are cleared at once; the rmap entries stay until the host takes the page away.',
    4,
    7,
    // prettier-ignore
    ['16.head.base', 'g5', 'm5.10000.70000.16.rwx', 'm5.20000.70000.16.rwx', 'm5.30000.70000.16.rwx', 'f5.10000.r', 'f5.20000.r',
      'f5.30000.r', 'u5.20000', 't5.20000.16', 'm5.30000.90000.16.rwx', 't5.30000.16', 'f5.30000.r', 'h7'],
    {
      8: 'L0 does not notice that L1 changed its table.',
      9: 'The shadow leaf is cleared. Its entry stays in the list of gfn 0x7 and is stale.',
      12: 'The page is mapped to gfn 0x9 now, which has one entry. The old entry in the list of gfn 0x7 is stale: its leaf maps another page.',
      13: 'One shadow leaf maps the page that the host takes away: it is cleared. The two stale entries are skipped, and all nodes are freed.',
    },
  ),
  preset(
    'large-page',
    'A 2 MiB host page',
    'The host backs L1 with 2 MiB pages. Entries go to the rmap slot of the first gfn of the host leaf, whichever of its pages faulted. When the host takes any of its pages away, the complete leaf is cleared.',
    4,
    0,
    // prettier-ignore
    ['16.head.2m', 'g3', 'm3.10000.50000.16.rwx', 'm3.20000.110000.16.rwx', 'm3.200000.200000.21.rwx', 'f3.10000.r', 'f3.20000.w',
      'f3.2a0000.r', 'a5', 'a0', 'h5'],
    {
      5: "L1's page is gfn 0x5, but the entry is in the rmap slot of gfn 0x0. (With the placement of 2018, in Settings, it is in that of gfn 0x5.)",
      7: 'The guest leaf and the host leaf have 2 MiB, so the shadow leaf has 2 MiB too.',
      8: 'A quirk of Linux: ageing visits only the rmap slot of the named gfn, so it misses the list of the first gfn.',
      10: 'gfn 0x5 was named, but all 32 gfns are unmapped: the walk visits all of their rmap slots.',
    },
  ),
  preset(
    'mmu-seq',
    'The mmu_seq race',
    'A fault reads the host table, releases the lock, and later creates the shadow leaf. If the host took the page away in between, the leaf would map a page that L1 no longer has. mmuSeq (KVM: mmu_invalidate_seq) closes this race.',
    2,
    4,
    // prettier-ignore
    ['16.head.base', 'g1', 'm1.10000.40000.16.rwx', 'b1.10000.w', 'h4', 'c1', 'f1.10000.w', 'i4', 'f1.10000.w', 'e1', 'f1.10000.w'],
    {
      3: 'The host leaf exists now, the shadow leaf does not.',
      4: 'Between the halves the host takes the page away: mmuSeq is incremented.',
      5: 'The second half finds that mmuSeq has changed, and gives up. The rmap walk was already over: it would not have found the leaf.',
      8: 'While an invalidation is in progress, no fault can create a leaf.',
    },
  ),
  preset(
    'remap',
    'Remap without tlbie',
    'L1 maps a nested page to another gfn and sends no tlbie. When the nested guest writes, L0 finds a shadow leaf of the same size and ORs the new bits into it: two host frames are mixed in one leaf, and no rmap entry is inserted.',
    3,
    4,
    // prettier-ignore
    ['16.head.base', 'g1', 'm1.20000.20000.16.rwx', 'm1.10000.40000.16.r', 'f1.10000.r', 'm1.10000.90000.16.rwx', 'f1.10000.w',
      'f1.20000.r', 't1.10000.16', 'f1.10000.w'],
    {
      5: 'No tlbie follows: the shadow leaf still maps the old page.',
      6: 'The frame in the leaf is the bitwise OR of two frames: it belongs to neither page. As the invariants show, no rmap entry leads to this leaf.',
      7: 'The next page that the host allocates has exactly this frame. LPID 1 can now access it at 0x10000 too, and no walk would find that leaf.',
      9: 'After the missing tlbie, the next fault creates a correct leaf.',
    },
  ),
  preset(
    'lpid-zero',
    'LPID 0 cuts a list',
    'L0 checks only the upper bound of an LPID. In a list node the entry (LPID 0, gpa 0) is the word 0. In Linux every scan and walk ends at such a node, so older entries are not found.',
    6,
    3,
    // prettier-ignore
    ['16.head.base.lpid0', 'g1', 'g0', 'g2', 'm1.10000.30000.16.rwx', 'm0.0.30000.16.rwx', 'm2.20000.30000.16.rwx', 'f1.10000.r', 'f0.0.r',
      'f2.20000.r', 't1.10000.16', 'f1.10000.r', 'h3'],
    {
      8: 'The entry of this node is 0. As the only entry of an rmap slot it would have its tag, and do no harm.',
      11: 'The scan ends at the node of LPID 0: it does not find the old entry of LPID 1, and the same entry is inserted again.',
      12: 'The walk ends there too: the entry of LPID 0 and the oldest entry are not visited, a node leaks, and the shadow leaf of LPID 0 still maps the page that the host took away.',
    },
  ),
  preset(
    'lpid-reuse',
    'LPID reuse',
    'When a nested guest is dropped, its rmap entries stay. A new nested guest with the same LPID inherits them. This is harmless: a walk clears only leaves that map the page being taken away, and an old entry that a scan finds equals the new one.',
    2,
    2,
    // prettier-ignore
    ['16.head.base', 'g5', 'm5.10000.20000.16.rwx', 'f5.10000.r', 'd5', 'g5', 'm5.10000.20000.16.rwx', 'f5.10000.r', 'm5.10000.60000.16.rwx',
      't5.10000.16', 'f5.10000.r', 'h2'],
    {
      4: 'The shadow table is freed. The entry of gfn 0x2 stays, and no nested guest has its LPID.',
      7: 'The entry of the old LPID 5 is valid for the new one: the insert is a duplicate.',
      11: 'The leaf of LPID 5 at this address maps another page now: the old entry is skipped.',
    },
  ),
]
