import fc from 'fast-check'
import { expect, test } from 'vitest'
import { decodeWord, parseWord, readWord, reversedHint, swapWord } from '../../src/view/decode'
import { MAX_GPA, MAX_HPA, MAX_LPID, packEntry, packLeaf, LeafFlag } from '../../src/index'

const text = (word: bigint): string[] => decodeWord(word).split('\n')

test('an empty slot', () => {
  expect(text(0n)).toEqual(['0x0000000000000000', '  slot word     empty: no entry'])
})

test('a tagged entry', () => {
  expect(text(0x0030000030261001n)).toEqual([
    '0x0030000030261001',
    '  slot word     tagged entry: LPID 3  gpa 0x30261000',
  ])
})

test('a leaf PTE is not an entry, although it is odd', () => {
  expect(text(0xc000000033900387n)).toEqual([
    '0xc000000033900387',
    '  slot word     tagged entry: LPID 3072  gpa 0x33900000  (but an entry has no bits 1..11, here 0x386)',
    '  table leaf    frame 0x33900, host address 0x33900000: referenced changed read write execute, other bits 0x200',
  ])
})

test('a kernel pointer could be a leaf', () => {
  expect(text(0xc00000002d4d4a20n)).toEqual([
    '0xc00000002d4d4a20',
    '  slot word     pointer to the list node at 0xc00000002d4d4a20',
    '  table leaf    frame 0x2d4d4, host address 0x2d4d4000: no permissions, other bits 0xa20  (but it allows no access)',
  ])
})

test('an entry with tag 0 could be a pointer', () => {
  expect(text(0x0030000030261000n)).toEqual([
    '0x0030000030261000',
    "  slot word     pointer to the list node at 0x30000030261000  (but the kernel's addresses begin with 0xc, a NodeHeap's are below 2^31)",
    "  node's entry  LPID 3  gpa 0x30261000",
  ])
})

test('a link and doubtful words', () => {
  expect(text(0x800000002f4e000dn)[2]).toBe(
    '  table link    to a lower table (present, not a leaf) at 0x2f4e0000, 2^13 entries',
  )
  expect(text(0x7001n)[1]).toBe("  slot word     tagged entry: LPID 0  gpa 0x7000  (but LPID 0 is the host's)")
  expect(text(0x22n)[1]).toBe(
    "  slot word     pointer to the list node at 0x22  (but a node's address is a multiple of 8)",
  )
  expect(text(0xe000000000001004n).at(-1)).toBe(
    '  table leaf    frame 0x1, host address 0x1000: read, other bits 0x2000000000000000  (but a frame of L0 has no bits 53..61)',
  )
})

test('every entry and every leaf is decoded without a doubt', () => {
  const lpid = fc.integer({ min: 1, max: MAX_LPID })
  const gpa = fc.integer({ min: 0, max: MAX_GPA })
  fc.assert(
    fc.property(lpid, gpa, (lpid, gpa) => {
      const [slot] = readWord(packEntry(lpid, gpa) | 1n)
      const page = gpa - (gpa % 4096)
      expect(slot).toEqual({
        as: 'slot',
        text: `tagged entry: LPID ${lpid}  gpa 0x${page.toString(16)}`,
        doubt: undefined,
      })
      expect(readWord(packEntry(lpid, gpa)).find(({ as }) => as === 'entry')?.doubt).toBeUndefined()
    }),
  )
  fc.assert(
    fc.property(
      fc.integer({ min: 0, max: Math.floor(MAX_HPA / 4096) }),
      fc.integer({ min: 1, max: 0xfff }),
      (frame, flags) => {
        const leaf = readWord(packLeaf({ hpa: frame * 4096, flags: flags | LeafFlag.READ })).find(
          ({ as }) => as === 'leaf',
        )
        expect(leaf!.text).toContain(`frame 0x${frame.toString(16)}, host address 0x${(frame * 4096).toString(16)}:`)
        expect(leaf!.doubt).toBeUndefined()
      },
    ),
  )
})

test('a word that is written is parsed again, and any other text is a RangeError', () => {
  fc.assert(
    fc.property(fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }), (word) => {
      expect(parseWord(`0x${word.toString(16)}`)).toBe(word)
      expect(parseWord(`0X${word.toString(16).toUpperCase().padStart(20, '0')}`)).toBe(word)
      expect(parseWord(`${word}`)).toBe(word)
      expect(swapWord(swapWord(word))).toBe(word)
    }),
  )
  fc.assert(
    fc.property(fc.string(), (text) => {
      try {
        const word = parseWord(text)
        expect(BigInt(text)).toBe(word)
      } catch (error) {
        expect(error).toBeInstanceOf(RangeError)
      }
    }),
  )
})

test('the error for a text that is not a word', () => {
  expect(() => parseWord('c000000033900387')).toThrow(
    new RangeError(
      'word: expected a number in hex (0x...) or decimal, got "c000000033900387" (hex? write 0xc000000033900387)',
    ),
  )
  expect(() => parseWord('-1')).toThrow(new RangeError('word: expected a number in hex (0x...) or decimal, got "-1"'))
  expect(() => parseWord('0x10000000000000000')).toThrow(
    new RangeError('word: expected at most 64 bits, got "0x10000000000000000"'),
  )
  expect(() => parseWord(5 as never)).toThrow(new TypeError('word: expected a string, got number'))
  expect(() => readWord(-1n)).toThrow(RangeError)
  expect(swapWord(0x87034833000000c0n)).toBe(0xc000000033480387n)
})

test('a link: the low 5 bits are its size, not part of the address', () => {
  expect(text(0x800000039b835205n)[2]).toBe(
    '  table link    to a lower table (present, not a leaf) at 0x39b835200, 2^5 entries',
  )
  const doubt = (word: bigint): string | undefined => readWord(word).find(({ as }) => as === 'link')!.doubt
  expect(doubt(0x800000002f4e0009n)).toBeUndefined()
  expect(doubt(0x800000002f4e0007n)).toBe('tables have 2^5, 2^9 or 2^13 entries')
  expect(doubt(0x800000002f4e1009n)).toBeUndefined()
  expect(doubt(0x800000002f4e0209n)).toBe('a table of 2^9 entries begins at a multiple of 0x1000')
  expect(doubt(0x8f0000002f4e0009n)).toBe('addresses of tables are below 2^53')
})

test('patterns that the kernel fills memory with', () => {
  const pattern = (word: bigint): string | undefined => readWord(word).find(({ as }) => as === 'poison')?.text
  expect(pattern(0x6b6b6b6b6b6b6b6bn)).toBe('the kernel fills freed memory with 0x6b: the node was freed')
  expect(pattern(0x5a5a5a5a5a5a5a5an)).toBe('the kernel fills new memory with 0x5a: allocated, not yet written')
  expect(pattern(0x5deadbeef0000100n)).toMatch(/^LIST_POISON1: /)
  expect(pattern(0x5deadbeef0000122n)).toMatch(/^LIST_POISON2: /)
  expect(pattern(0x6b6b6b6b6b6b6b6cn)).toBeUndefined()
})

test('a word with its bytes reversed gets a hint, whatever its kind', () => {
  const hint = (word: bigint): string | undefined => reversedHint(swapWord(word))
  expect(hint(0xc000000033480387n)).toBe('with its bytes reversed it is a table leaf')
  expect(hint(0x800000039b835205n)).toBe('with its bytes reversed it is a table link')
  expect(hint(0x0030000030261001n)).toBe('with its bytes reversed it is a slot word')
  expect(hint(0xc00000002bf84c80n)).toBe('with its bytes reversed it is a slot word')
  for (const plain of [0n, 0xc000000033480387n, 0x0030000030261001n, 0x0030000030261000n, 0xc00000002bf84c80n]) {
    expect(reversedHint(plain)).toBeUndefined()
  }
})
