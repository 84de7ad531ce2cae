/** L1's invalidations in a recording: what they request is cleared, and nothing else (spec 8). */
import { describe, expect, test } from 'vitest'
import { Replay, type ReplayResult } from '../../src/trace/index'
import { recording } from '../support/recordings'
import { freed, guest, line, mapped, messages, replayLines, START, taken, unmap, WORD } from '../support/trace-lines'

const tlbie = (rb: number, instr = 0x10000, rs = 5): string => line(1, 'tlb_invalidate', { instr, rs, rb })
const rpt = (fields: Record<string, bigint | number>): string =>
  line(1, 'rpt_invalidate', { lpid: 5, type: 3, pg_sizes: 2, start: 0x70000, end: 0x80000, ...fields })
const AP_64K = 0xa0
const ALL = { start: 0, end: 2n ** 64n - 1n }
const NEXT = mapped(1, 9, 0x3000, 0x1000000)[0]!
const SECOND = mapped(1, 4, 0x2001, 0x80000)
const SECOND_WORD = WORD + 0x10000n

describe('the kernel clears what L1 requests', () => {
  test.each<[string, (string | string[])[]]>([
    ['a page', [tlbie(0x70000 | AP_64K), unmap(1, 2, WORD, 0x70000)]],
    ['a page without a leaf', [tlbie(0x90000 | AP_64K)]],
    ['a page of a guest that does not exist', [tlbie(0x70000 | AP_64K, 0x10000, 6)]],
    ['a request that is an error', [tlbie(0x70000 | AP_64K, 0x50000), tlbie(0x70000 | AP_64K, 0), tlbie(0x70060)]],
    ['the page walk cache alone', [tlbie(0x800, 0x50000)]],
    ['a 2 MiB page', [SECOND, tlbie(0x20), unmap(1, 2, WORD, 0x70000), unmap(1, 2, SECOND_WORD, 0x80000)]],
    ['the whole LPID', [tlbie(0x800), freed(1, 2)]],
    ['all LPIDs', [guest(1, 'nested_update', 6, 3), tlbie(0xc00), freed(1, 3), freed(1, 2)]],
    [
      'all LPIDs and their partition entries, guest by guest',
      [
        guest(1, 'nested_update', 6, 3),
        tlbie(0xc00, 0x90000),
        freed(1, 2),
        guest(1, 'nested_update', 5, 2),
        freed(1, 3),
        guest(1, 'nested_update', 6, 3),
      ],
    ],
    ['a range', [SECOND, rpt({ end: 0x90000 }), unmap(1, 2, WORD, 0x70000), unmap(1, 2, SECOND_WORD, 0x80000)]],
    ['an empty range: one page', [rpt({ end: 0x70000 }), unmap(1, 2, WORD, 0x70000)]],
    ['a range that ends before it starts', [rpt({ end: 0x6ffff })]],
    ['a type without the TLB', [rpt({ type: 5 })]],
    ['all addresses', [rpt(ALL), freed(1, 2)]],
    ['all nested types', [rpt({ type: 15, start: 0, end: 0 }), freed(1, 2), guest(1, 'nested_update', 5, 2)]],
    ['more pages than 33', [rpt({ end: 0x70000 + 34 * 0x10000 }), freed(1, 2)]],
    ['pages smaller than the base page: undefined in Linux', [rpt({ pg_sizes: 1, end: 0x71000 })]],
    ['the same, and larger pages after that', [rpt({ pg_sizes: 15, end: 0x71000 })]],
    [
      'the same: leaves there may be cleared',
      [rpt({ pg_sizes: 3, end: 0x70000 + 33 * 0x1000 }), unmap(1, 2, WORD, 0x70000)],
    ],
    [
      'a guest that was dropped while a vCPU holds it is not found',
      [tlbie(0x800, 0x90000), freed(1, 2), guest(1, 'nested_update', 5, 2), SECOND, tlbie(0x20), tlbie(0x800)],
    ],
    ['the host clears the leaf first', [tlbie(0x70000 | AP_64K), taken(9)]],
    [
      'the host clears the leaf first, and another CPU maps the page again',
      [tlbie(0x70000 | AP_64K), taken(9), mapped(2, 4, 0x2001, 0x70000)],
    ],
    ['the recording ends before it is done', [tlbie(0x70000 | AP_64K)].slice(0, 1)],
  ])('%s', (name, lines) => {
    const after = name.startsWith('the recording ends') ? [] : [NEXT]
    expect(messages(replayLines(START, ...lines, after))).toEqual([])
  })
})

describe('the kernel does not clear what L1 requests', () => {
  test.each<[string, (string | string[])[], RegExp]>([
    [
      'a page',
      [tlbie(0x70000 | AP_64K)],
      /the tlb_invalidate of line 8 invalidates 0x70000 of LPID 5.*kernel: it is not cleared/,
    ],
    ['one page of two', [SECOND, tlbie(0x20), unmap(1, 2, WORD, 0x70000)], /invalidates 0x80000 of LPID 5/],
    ['the whole LPID', [tlbie(0x800)], /invalidates all of LPID 5, so its table is freed/],
    ['a range', [rpt({})], /the rpt_invalidate of line 8 invalidates 0x70000/],
    ['all addresses', [rpt(ALL)], /invalidates all of LPID 5/],
  ])('%s', (_name, lines, message) => {
    const found = messages(replayLines(START, ...lines, NEXT))
    expect(found).toHaveLength(1)
    expect(found[0]).toMatch(message)
  })
})

describe('recording A, damaged', () => {
  const A = recording('A')!.trace.toString('latin1').split('\n')
  const replay = (lines: string[]): ReplayResult => {
    const run = new Replay()
    run.feed(Buffer.from(lines.join('\n'), 'latin1'))
    run.end()
    return run.result()
  }
  const requests = A.flatMap((text, i) =>
    text.includes(' tlb_invalidate: (') && / rb=0x\w*[0-9a-f]a0$/.test(text) ? [i] : [],
  )

  test('without its tlb_invalidate lines, the cleared leaves are counted as unexplained', () => {
    const unmaps = requests.filter((i) => / pte_unmap: .*memslot=0x0/.test(A[i + 1]!)).length
    const result = replay(A.filter((text) => !text.includes(' tlb_invalidate: (')))
    expect(unmaps).toBeGreaterThan(600)
    expect(result.unexplained).toBe(unmaps)
    expect(result.hints.join('\n')).toMatch(/shadow leaves were cleared for no reason that the recording shows/)
  })

  test('another page in a tlb_invalidate gives a difference or an unexplained pte_unmap', () => {
    for (const at of requests.filter((_, i) => i % 40 === 0)) {
      const other = A[at]!.replace(/ rb=0x(\w+)$/, (_all, rb) => ` rb=0x${(BigInt(`0x${rb}`) ^ 0x10000n).toString(16)}`)
      const { differences, unexplained } = replay(A.with(at, other))
      expect(differences + unexplained).toBeGreaterThan(0)
    }
  })

  test('a leaf that is not cleared is a difference', () => {
    const at = requests.find((i) => / pte_unmap: .*memslot=0x0/.test(A[i + 1]!))!
    const { first } = replay(A.toSpliced(at + 1, 1))
    expect(first[0]!.message).toMatch(new RegExp(`the tlb_invalidate of line ${at + 1} invalidates 0x\\w+ of LPID`))
  })
})
