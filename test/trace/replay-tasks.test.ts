/** Recordings of several tasks, each in a few lines: legal ones, without a difference, and broken ones. */
import { describe, expect, test } from 'vitest'
import {
  ARRAY,
  create,
  ENTRY,
  freed,
  GROWS,
  guest,
  LEAF,
  line,
  mapped,
  MEMSLOT,
  messages,
  range,
  READ_ONLY,
  replayLines,
  returns,
  START,
  take,
  taken,
  takeLast,
  unmap,
  WORD,
} from '../support/trace-lines'

describe('legal', () => {
  test.each<[string, (string | string[])[]]>([
    ['an rmap range removal by another task', [START, taken(9)]],
    [
      'a host leaf is set and cleared before its creation returns',
      [
        create(1, 1, WORD, 0x30000),
        unmap(9, 1, WORD, 0x30000, MEMSLOT),
        range(9, 0x30000, 0x20000000),
        returns(1),
        create(1, 1, WORD, 0x30000),
        returns(1),
      ],
    ],
    [
      'an rmap range removal clears a leaf before bits are OR-ed in',
      [
        READ_ONLY,
        GROWS,
        unmap(9, 1, WORD, 0x30000, MEMSLOT),
        range(9, 0x30000, 0x20000000),
        unmap(9, 2, WORD & ~2n, 0x70000),
        returns(1),
      ],
    ],
    [
      'the same, after they are OR-ed in',
      [
        READ_ONLY,
        GROWS,
        unmap(9, 1, WORD, 0x30000, MEMSLOT),
        range(9, 0x30000, 0x20000000),
        unmap(9, 2, WORD, 0x70000),
        returns(1),
      ],
    ],
    [
      'another task clears a leaf before bits are OR-ed in',
      [READ_ONLY, GROWS, unmap(9, 2, WORD & ~2n, 0x70000), returns(1)],
    ],
    ['the same, after they are OR-ed in', [READ_ONLY, GROWS, unmap(9, 2, WORD, 0x70000), returns(1)]],
    ['a table is freed during a creation', [READ_ONLY, GROWS, freed(9, 2), returns(1)]],
    [
      'a fault of another task during an rmap range removal',
      [START, taken(9).flatMap((text, i) => (i === 2 ? [text, create(2, 1, WORD, 0x50000), returns(2)] : [text]))],
    ],
    ['the recording ends during an rmap range removal', [START, taken(9).slice(0, 3)]],
    [
      'the recording ends during an insert',
      [
        START,
        create(1, 2, WORD, 0x80000, ARRAY + 24n),
        line(1, 'rmap_insert', { rmapp: ARRAY + 24n, old: ENTRY | 1n, node: 0x100, new: (5n << 52n) | 0x80000n }),
      ],
    ],
    ['the recording begins during a creation', [returns(1), START]],
    ['a refused access: pte_unmap has the address of the access', [START, unmap(1, 2, WORD, 0x70028)]],
    [
      'a refused access after a tlbie that cleared another page',
      [
        START,
        mapped(1, 4, 0x2001, 0x80000),
        line(1, 'tlb_invalidate', { instr: 0x10000, rs: 5, rb: 0x800a0 }),
        unmap(1, 2, LEAF | (0x2001n << 16n), 0x80000),
        unmap(1, 2, WORD, 0x70028),
      ],
    ],
    [
      'a refused access after an rmap range removal by the same task',
      [START, mapped(1, 4, 0x2001, 0x80000), taken(1), unmap(1, 2, LEAF | (0x2001n << 16n), 0x80123)],
    ],
    [
      'of two creations of a host leaf only the second has set it when it is cleared',
      [
        START,
        create(1, 1, LEAF | (0x3000n << 16n), 0x40000),
        create(2, 1, (LEAF & ~2n) | (0x3001n << 16n), 0x40000),
        unmap(9, 1, (LEAF & ~2n) | (0x3001n << 16n), 0x40000, MEMSLOT),
        range(9, 0x40000, 0x30010000),
        returns(1, '-11'),
        returns(2),
      ],
    ],
    [
      'an rmap range removal finds a guest whose nested_update comes later',
      [
        START,
        freed(1, 2),
        guest(1, 'nested_release', 5, 2),
        freed(1, 2),
        unmap(9, 1, WORD, 0x30000, MEMSLOT),
        range(9, 0x30000, 0x20000000),
        take(9, 3, ENTRY | 1n),
        takeLast(9, 0xabc),
        guest(1, 'nested_update', 5, 4),
      ],
    ],
    [
      'a guest that was dropped while a vCPU holds it keeps its leaf: an rmap range removal does not find the guest',
      [START, guest(1, 'nested_update', 5, 2), taken(9).slice(0, 3), takeLast(9, 0)],
    ],
    [
      'two vCPUs create one guest: the duplicate guest is released, with a table that no event has named',
      [START, guest(2, 'nested_release', 5, 7), freed(2, 7)],
    ],
    [
      'L1 ends: its table and the lists of its rmap slots are freed',
      [
        START,
        freed(1, 2),
        guest(1, 'nested_release', 5, 2),
        freed(1, 2),
        freed(1, 1),
        guest(1, 'nested_update', 5, 2),
        mapped(1, 3, 0x2000, 0x70000),
      ],
    ],
  ])('%s', (_name, lines) => {
    expect(messages(replayLines(...lines))).toEqual([])
  })

  test('the entries of a dropped and of a new guest are counted as the kernel found them', () => {
    const dropped = replayLines(START, guest(1, 'nested_update', 5, 2), taken(9).slice(0, 3), takeLast(9, 0))
    expect(dropped).toMatchObject({ cleared: 0, stale: { noGuest: 1, noLeaf: 0 } })
    const early = replayLines(
      START,
      freed(1, 2),
      guest(1, 'nested_release', 5, 2),
      freed(1, 2),
      unmap(9, 1, WORD, 0x30000, MEMSLOT),
      range(9, 0x30000, 0x20000000),
      take(9, 3, ENTRY | 1n),
      takeLast(9, 0xabc),
      guest(1, 'nested_update', 5, 4),
    )
    expect(early).toMatchObject({ cleared: 0, stale: { noGuest: 0, noLeaf: 1 } })
  })
})

describe('broken', () => {
  const later = mapped(1, 4, 0x2001, 0x80000)
  test.each<[string, (string | string[])[], RegExp[]]>([
    [
      'the first rmap_take of the recording is missing',
      [START, taken(9).toSpliced(2, 1), later],
      [/takes 0x0050000000070001 from slot .*no such event before this pte_unmap/],
    ],
    [
      "all steps of a task's last rmap range removal are missing, and another task holds the lock",
      [START, taken(9).slice(0, 2), later, taken(8).slice(0, 1)],
      [/clears 0x70000 of LPID 5.*no such event before this rmap_insert/],
    ],
    [
      "the end of a task's last rmap range removal is missing",
      [START, taken(9).slice(0, 4), later],
      [/node 0x0, next 0x0{16}/],
    ],
    [
      "the outcome of a task's last insert is missing",
      [START, mapped(2, 4, 0x2001, 0x80000).slice(0, 4), taken(9)],
      [/the insert of line 11 was empty/],
    ],
    [
      "the rmap range removal after a task's last unmapped host leaf is missing",
      [START, taken(9).slice(0, 1), later],
      [/a host leaf was unmapped in line 8/],
    ],
    [
      'a leaf is cleared with a bit that no creation ORs in',
      [READ_ONLY, unmap(9, 2, WORD, 0x70000)],
      [/0xc000000020000185.*kernel: 0xc000000020000187/],
    ],
    [
      'bits are OR-ed into a leaf of a table that was freed',
      [READ_ONLY, freed(9, 2), GROWS, returns(1)],
      [/so an rmap_insert; kernel: none/],
    ],
    [
      "ageing during another task's rmap range removal",
      [
        START,
        taken(9).flatMap((text, i) =>
          i !== 2
            ? [text]
            : [
                text,
                line(2, 'rmap_update_rc', {
                  rmapp: ARRAY + 24n,
                  old: 0,
                  clr: 0x100,
                  set: 0,
                  hpa: 0x20000000,
                  nbytes: 1,
                }),
              ],
        ),
      ],
      [/clears 0x70000/],
    ],
    ['a return without a creation, in a task with earlier events', [START, returns(1)], [/no creation in progress/]],
    [
      'a tlbie that clears its page by an address inside it',
      [START, line(1, 'tlb_invalidate', { instr: 0x10000, rs: 5, rb: 0x700a0 }), unmap(1, 2, WORD, 0x70028)],
      [/0xc000000020000187 of 2\^16 bytes at 0x70028/],
    ],
    [
      'the same for a range of H_RPT_INVALIDATE',
      [
        START,
        line(1, 'rpt_invalidate', { lpid: 5, type: 3, pg_sizes: 2, start: 0x70000, end: 0x80000 }),
        unmap(1, 2, WORD, 0x70028),
      ],
      [/at 0x70028/],
    ],
    [
      'a word that no creation in progress explains',
      [START, create(1, 2, WORD | 0x400n, 0x70000, ARRAY + 24n), unmap(9, 2, WORD | 0xc00n, 0x70000)],
      [/0xc000000020000187/],
    ],
    [
      'a guest that an rmap range removal finds, without a nested_update',
      [
        START,
        freed(1, 2),
        guest(1, 'nested_release', 5, 2),
        freed(1, 2),
        unmap(9, 1, WORD, 0x30000, MEMSLOT),
        range(9, 0x30000, 0x20000000),
        take(9, 3, ENTRY | 1n),
        takeLast(9, 0xabc),
      ],
      [/no guest has LPID 5; kernel: gp 0xabc/],
    ],
    ['a guest that disappears without an event', [START, taken(9).slice(0, 3), takeLast(9, 0)], [/clears 0x70000/]],
    [
      'a duplicate guest is released, and another table is freed',
      [START, guest(1, 'nested_release', 5, 7), freed(1, 2)],
      [/shadow LPID 7 was released in line 8/],
    ],
    [
      'an array that overlaps another',
      [
        START,
        taken(9),
        line(1, 'rmap_remove_range', {
          memslot: 0x5000,
          gpa: 0x40000,
          hpa: 0,
          nbytes: 0x10000,
          base_gfn: 1,
          npages: 0x4000,
          rmap: ARRAY,
        }),
      ],
      [
        /no host leaf was unmapped/,
        /an array at 0xc008000000000000 of 16384 pages from gfn 0x0; kernel: one .* from gfn 0x1/,
      ],
    ],
    [
      'a creation that returns neither 0 nor an errno',
      [create(1, 1, WORD, 0x30000), returns(1, '4')],
      [/ret 0, -11 or -12; kernel: 4/],
    ],
    [
      'ageing with an hpa inside a page',
      [
        START,
        taken(9).slice(0, 2),
        take(9, 3, ENTRY | 1n),
        unmap(9, 2, WORD, 0x70000),
        takeLast(9),
        later,
        line(9, 'rmap_update_rc', {
          rmapp: ARRAY + 32n,
          old: (5n << 52n) | 0x80001n,
          clr: 0x100,
          set: 0,
          hpa: 0x20011000,
          nbytes: 1,
        }),
      ],
      [/gfn 0x4 is at 0x20010000; kernel: at 0x20011000/],
    ],
  ])('%s', (_name, lines, wanted) => {
    const found = messages(replayLines(...lines))
    wanted.forEach((pattern, i) => expect(found[i] ?? 'no difference').toMatch(pattern))
  })
})
