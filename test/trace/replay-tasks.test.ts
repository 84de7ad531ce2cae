/** What several CPUs may do to a recording, each in a few lines: legal, so without a difference; or with what breaks it. */
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
    ['a range in a task of its own', [START, taken(9)]],
    [
      "L1's leaf is set and taken away before its creation returns",
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
      'a leaf whose bits grow is cleared by a range, before they grew',
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
      'and after',
      [
        READ_ONLY,
        GROWS,
        unmap(9, 1, WORD, 0x30000, MEMSLOT),
        range(9, 0x30000, 0x20000000),
        unmap(9, 2, WORD, 0x70000),
        returns(1),
      ],
    ],
    ['and by L1, before they grew', [READ_ONLY, GROWS, unmap(9, 2, WORD & ~2n, 0x70000), returns(1)]],
    ['and after', [READ_ONLY, GROWS, unmap(9, 2, WORD, 0x70000), returns(1)]],
    ['a table is freed under a creation', [READ_ONLY, GROWS, freed(9, 2), returns(1)]],
    [
      'a fault of another task beside a range',
      [START, taken(9).flatMap((text, i) => (i === 2 ? [text, create(2, 1, WORD, 0x50000), returns(2)] : [text]))],
    ],
    ['the recording ends in the middle of a range', [START, taken(9).slice(0, 3)]],
    [
      'and of an insert',
      [
        START,
        create(1, 2, WORD, 0x80000, ARRAY + 24n),
        line(1, 'rmap_insert', { rmapp: ARRAY + 24n, old: ENTRY | 1n, node: 0x100, new: (5n << 52n) | 0x80000n }),
      ],
    ],
    ['it begins in the middle of a creation', [returns(1), START]],
    ['a refused access: the leaf is unmapped by the address of the access', [START, unmap(1, 2, WORD, 0x70028)]],
    [
      'a refused access after a tlbie that found its page',
      [
        START,
        mapped(1, 4, 0x2001, 0x80000),
        line(1, 'tlb_invalidate', { instr: 0x10000, rs: 5, rb: 0x800a0 }),
        unmap(1, 2, LEAF | (0x2001n << 16n), 0x80000),
        unmap(1, 2, WORD, 0x70028),
      ],
    ],
    [
      'a refused access after a range of the same task',
      [START, mapped(1, 4, 0x2001, 0x80000), taken(1), unmap(1, 2, LEAF | (0x2001n << 16n), 0x80123)],
    ],
    [
      'of two creations of a leaf of L1 only the second has set it when it goes',
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
      'a range meets a guest whose nested_update comes a moment later',
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
      'a guest that was dropped while held keeps its leaf: the range does not find it',
      [START, guest(1, 'nested_update', 5, 2), taken(9).slice(0, 3), takeLast(9, 0)],
    ],
    [
      "two vCPUs make one guest: the loser's is released, with a table that nothing has told of",
      [START, guest(2, 'nested_release', 5, 7), freed(2, 7)],
    ],
    [
      'L1 goes: its table, and with it what its slots hold',
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

  test('what a range found of such guests is counted as the kernel saw it', () => {
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
      'the first take of all is lost',
      [START, taken(9).toSpliced(2, 1), later],
      [/takes 0x0050000000070001 from slot .*no such event before this pte_unmap/],
    ],
    [
      "all of a task's last range is lost, and another task has the lock",
      [START, taken(9).slice(0, 2), later, taken(8).slice(0, 1)],
      [/clears 0x70000 of LPID 5.*no such event before this rmap_insert/],
    ],
    ["the end of a task's last range", [START, taken(9).slice(0, 4), later], [/node 0x0, next 0x0{16}/]],
    [
      "the outcome of a task's last insert",
      [START, mapped(2, 4, 0x2001, 0x80000).slice(0, 4), taken(9)],
      [/the insert of line 11 was empty/],
    ],
    ["the range after a task's last unmapping", [START, taken(9).slice(0, 1), later], [/L1's leaf unmapped in line 8/]],
    [
      'a leaf goes with bits that nothing lets grow',
      [READ_ONLY, unmap(9, 2, WORD, 0x70000)],
      [/0xc000000020000185.*kernel: 0xc000000020000187/],
    ],
    [
      'bits grow in a table that was freed',
      [READ_ONLY, freed(9, 2), GROWS, returns(1)],
      [/so an rmap_insert; kernel: none/],
    ],
    [
      'ageing inside the range of another task',
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
    ['a return without a creation, in a task that was seen', [START, returns(1)], [/no creation in progress/]],
    [
      'a tlbie that unmaps its page under another address',
      [START, line(1, 'tlb_invalidate', { instr: 0x10000, rs: 5, rb: 0x700a0 }), unmap(1, 2, WORD, 0x70028)],
      [/0xc000000020000187 of 2\^16 bytes at 0x70028/],
    ],
    [
      'the same by range',
      [
        START,
        line(1, 'rpt_invalidate', { lpid: 5, type: 3, pg_sizes: 2, start: 0x70000, end: 0x80000 }),
        unmap(1, 2, WORD, 0x70028),
      ],
      [/at 0x70028/],
    ],
    [
      'a word that no creation under way explains',
      [START, create(1, 2, WORD | 0x400n, 0x70000, ARRAY + 24n), unmap(9, 2, WORD | 0xc00n, 0x70000)],
      [/0xc000000020000187/],
    ],
    [
      'a guest that a range meets, and that is never told of',
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
    ['a guest that is gone without a word', [START, taken(9).slice(0, 3), takeLast(9, 0)], [/clears 0x70000/]],
    [
      "a loser's guest is released, and another table is freed",
      [START, guest(1, 'nested_release', 5, 7), freed(1, 2)],
      [/shadow LPID 7 was released in line 8/],
    ],
    [
      'an array that lies over another',
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
      [/no leaf of L1/, /an array at 0xc008000000000000 of 16384 pages from gfn 0x0; kernel: one .* from gfn 0x1/],
    ],
    [
      'a creation that returns what is no errno',
      [create(1, 1, WORD, 0x30000), returns(1, '4')],
      [/ret 0, -11 or -12; kernel: 4/],
    ],
    [
      'ageing that names a frame in the middle of a page',
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
