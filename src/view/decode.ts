/**
 * The possible meanings of a 64-bit word from the rmap or from a page table (spec 2, 3, 4).
 *
 * A word does not show where it was found, and the forms overlap: a kernel pointer has the top bits of a leaf PTE, and
 * a leaf PTE can be odd like a tagged entry. So every possible reading is given, each with a reason to doubt it, if
 * any.
 */
import { checkWord, wrongType } from '../base/args'
import { hex, hexWord, hiOf, loOf } from '../base/word'
import { LEAF, LeafFlag, PRESENT, swapBytes, unpackLeaf } from '../page-table/leaf'
import { unpackEntry } from '../rmap/entry'
import { formatEntry } from './format'

/** One possible meaning of a word. */
export interface Reading {
  /**
   * The kind of word: of an rmap slot or a node's `next` (`slot`), a node's entry (`entry`), a leaf PTE (`leaf`), a
   * link to a lower page table (`link`), or a pattern of memory that was freed or not yet written (`poison`).
   */
  readonly as: 'slot' | 'entry' | 'leaf' | 'link' | 'poison'
  /** The meaning, in words. */
  readonly text: string
  /** A reason to doubt this reading; undefined if there is none. */
  readonly doubt: string | undefined
}

const LOW_BITS = 0xffen // bits 1..11 of an entry

/**
 * The readings of a word, in this order: as a slot word or a node's `next`; as the entry of a node; as a leaf PTE, or a
 * link to a lower table; as a pattern that the kernel fills memory with. The first is always given, the others if
 * possible.
 *
 * @param word 0..2^64-1, in plain order
 * @throws RangeError, TypeError
 */
export function readWord(word: bigint): Reading[] {
  checkWord('word', word)
  const readings = [readSlot(word)]
  if (word !== 0n && (word & 0xfffn) === 0n)
    readings.push({ as: 'entry', text: formatEntry(unpackEntry(word)), doubt: doubtLpid(word) })
  if ((word & PRESENT) !== 0n) readings.push((word & LEAF) !== 0n ? readLeaf(word) : readLink(word))
  const poison = POISON.find(({ words }) => words.includes(word))
  if (poison !== undefined) readings.push({ as: 'poison', text: poison.text, doubt: undefined })
  return readings
}

/** @internal The meaning of a word with its bytes reversed, if that is more likely than its own; else undefined. */
export function reversedHint(word: bigint): string | undefined {
  const readings = readWord(word)
  if (readings.some(({ as }) => as === 'poison')) return undefined
  const reversed = swapWord(word)
  const likely = readWord(reversed).filter((reading) => isLikely(reversed, reading))
  // A leaf without a doubt has many bits that fit. Another kind counts only if no reading of the word itself is likely.
  const isClear = readings.some((reading) => isLikely(word, reading))
  const kind = likely.find(({ as }) => as === 'leaf') ?? (isClear ? undefined : likely[0])
  return kind && `with its bytes reversed it is a ${KINDS[kind.as]}`
}

/** Whether a reading has no doubt, and an entry has an address below 16 TiB: few L2 have more memory. */
function isLikely(word: bigint, { as, doubt }: Reading): boolean {
  const isEntry = as === 'entry' || (as === 'slot' && (word & 1n) === 1n)
  return doubt === undefined && (!isEntry || unpackEntry(word).gpa < 2 ** 44)
}

/** The word and, below it, its readings (see {@link readWord}), as lines of text. @throws RangeError, TypeError */
export function decodeWord(word: bigint): string {
  const lines = readWord(word).map(
    ({ as, text, doubt }) => `  ${LABELS[as].padEnd(12)}  ${text}${doubt === undefined ? '' : `  (but ${doubt})`}`,
  )
  return [hexWord(word), ...lines].join('\n')
}

const LABELS = {
  slot: 'slot word',
  entry: "node's entry",
  leaf: 'table leaf',
  link: 'table link',
  poison: 'pattern',
}

const KINDS = { ...LABELS, entry: 'node entry', poison: 'pattern' }

const filledWith = (byte: number): bigint => BigInt(byte) * 0x0101010101010101n

/** Patterns that the kernel fills memory with to find wrong uses of it (slab debugging, list poison of ppc64). */
const POISON: readonly { readonly words: readonly bigint[]; readonly text: string }[] = [
  {
    words: [filledWith(0x6b), 0xa56b6b6b6b6b6b6bn, 0x6b6b6b6b6b6b6ba5n],
    text: 'the kernel fills freed memory with 0x6b: the node was freed',
  },
  { words: [filledWith(0x5a)], text: 'the kernel fills new memory with 0x5a: allocated, not yet written' },
  { words: [filledWith(0xbb)], text: 'the red zone beside a freed object (0xbb)' },
  { words: [filledWith(0xcc)], text: 'the red zone beside an object in use (0xcc)' },
  {
    words: [0x5deadbeef0000100n],
    text: "LIST_POISON1: the next of an element that was removed from a list_head's list",
  },
  {
    words: [0x5deadbeef0000122n],
    text: "LIST_POISON2: the prev of an element that was removed from a list_head's list",
  },
]

/**
 * The word, 0..2^64-1, that a text contains: hexadecimal after `0x`, or decimal.
 *
 * @throws RangeError for any other text or a number of more than 64 bits; TypeError
 */
export function parseWord(text: string): bigint {
  if (typeof text !== 'string') throw wrongType('word', 'a string', text)
  const shown = JSON.stringify(text.slice(0, 40))
  // Hex without 0x is often decimal digits only: so a leading zero is refused.
  if (!/^(?:0[xX][0-9a-fA-F]{1,100}|0|[1-9][0-9]{0,99})$/.test(text)) {
    const hint = /^[0-9a-fA-F]{1,16}$/.test(text) ? ` (hex? write 0x${text})` : ''
    throw new RangeError(`word: expected a number in hex (0x...) or decimal, got ${shown}${hint}`)
  }
  const word = BigInt(text)
  if (word >= 2n ** 64n) throw new RangeError(`word: expected at most 64 bits, got ${shown}`)
  return word
}

/**
 * A word with its eight bytes reversed. Page tables are big-endian, so a little-endian kernel prints their words in
 * this form (spec 4).
 *
 * @param word 0..2^64-1
 * @throws RangeError, TypeError
 */
export function swapWord(word: bigint): bigint {
  checkWord('word', word)
  return swapBytes(hiOf(word), loOf(word))
}

function readSlot(word: bigint): Reading {
  if (word === 0n) return { as: 'slot', text: 'empty: no entry', doubt: undefined }
  if ((word & 1n) === 0n) {
    const doubt =
      (word & 7n) !== 0n
        ? "a node's address is a multiple of 8"
        : word >> 60n === 0xcn || word < 2n ** 31n
          ? undefined
          : "the kernel's addresses begin with 0xc, a NodeHeap's are below 2^31"
    return { as: 'slot', text: `pointer to the list node at ${hex(word)}`, doubt }
  }
  const doubt = (word & LOW_BITS) === 0n ? doubtLpid(word) : `an entry has no bits 1..11, here ${hex(word & LOW_BITS)}`
  return { as: 'slot', text: `tagged entry: ${formatEntry(unpackEntry(word))}`, doubt }
}

function doubtLpid(word: bigint): string | undefined {
  return unpackEntry(word).lpid === 0 ? "LPID 0 is the host's" : undefined
}

function readLeaf(word: bigint): Reading {
  const { hpa, flags } = unpackLeaf(word)
  const names = Object.entries(LeafFlag)
    .filter(([, bit]) => (flags & bit) !== 0)
    .map(([name]) => name.toLowerCase())
  const known = Object.values(LeafFlag).reduce((sum: number, bit) => sum | bit, 0)
  const others = (word & 0x3fe0000000000000n) | BigInt(flags & ~known)
  const rest = others === 0n ? '' : `, other bits ${hex(others)}`
  const permissions = flags & (LeafFlag.READ | LeafFlag.WRITE | LeafFlag.EXECUTE)
  return {
    as: 'leaf',
    text: `frame ${hex(hpa / 4096)}, host address ${hex(hpa)}: ${names.join(' ') || 'no permissions'}${rest}`,
    doubt:
      permissions === 0 ? 'it allows no access' : others >> 53n === 0n ? undefined : 'a frame of L0 has no bits 53..61',
  }
}

/**
 * A link: bit 63 present, bit 62 not a leaf, bits 5..61 the address of the lower table, bits 0..4 its size:
 *
 *      63 62                                    5 4            0
 *      1  0   address of the table               | log2 of its entries
 */
function readLink(word: bigint): Reading {
  const bits = word & 0x1fn
  const address = word & ~PRESENT & ~0x1fn
  const doubt =
    address >> 53n !== 0n
      ? 'addresses of tables are below 2^53'
      : bits !== 5n && bits !== 9n && bits !== 13n
        ? 'tables have 2^5, 2^9 or 2^13 entries'
        : address % (8n << bits) !== 0n
          ? `a table of 2^${bits} entries begins at a multiple of ${hex(8n << bits)}`
          : undefined
  return {
    as: 'link',
    text: `to a lower table (present, not a leaf) at ${hex(address)}, 2^${bits} entries`,
    doubt,
  }
}
