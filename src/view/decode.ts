/**
 * What a 64-bit word may say, if it was found in the rmap or in a page table (spec 2, 3, 4).
 *
 * A word does not say where it was found, and the forms overlap: a kernel pointer has the top bits of a leaf, a table's
 * leaf can be odd like an entry. So every reading that is possible is given, each with what speaks against it.
 */
import { checkWord, wrongType } from '../base/args'
import { hex, hexWord, hiOf, loOf } from '../base/word'
import { LEAF, LeafFlag, PRESENT, swapBytes, unpackLeaf } from '../page-table/leaf'
import { unpackEntry } from '../rmap/entry'
import { formatEntry } from './format'

/** One thing that a word may be. */
export interface Reading {
  /** Where such a word stands. */
  readonly as: 'slot' | 'entry' | 'leaf' | 'link'
  /** What it says there. */
  readonly text: string
  /** What speaks against it; undefined if nothing does. */
  readonly doubt: string | undefined
}

const LOW_BITS = 0xffen // bits 1..11 of an entry

/**
 * The readings of a word, in this order: as a slot word or a node's `next`; as the entry of a node; as a leaf of a page
 * table, or a link to the next table. The first is always given, the others if the word can be one.
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
  return readings
}

/** The readings of a word as lines of text, under the word itself. {@link readWord} */
export function decodeWord(word: bigint): string {
  const lines = readWord(word).map(
    ({ as, text, doubt }) => `  ${LABELS[as].padEnd(12)}  ${text}${doubt === undefined ? '' : `  (but ${doubt})`}`,
  )
  return [hexWord(word), ...lines].join('\n')
}

const LABELS = { slot: 'slot word', entry: "node's entry", leaf: 'table leaf', link: 'table link' }

/**
 * The word that a text writes: hex after `0x`, or decimal.
 *
 * @throws RangeError for another text or a number of more than 64 bits; TypeError
 */
export function parseWord(text: string): bigint {
  if (typeof text !== 'string') throw wrongType('word', 'a string', text)
  const shown = JSON.stringify(text.slice(0, 40))
  // Hex without its 0x is often all digits; a leading zero gives it away.
  if (!/^(?:0[xX][0-9a-fA-F]{1,100}|0|[1-9][0-9]{0,99})$/.test(text)) {
    const hint = /^[0-9a-fA-F]{1,16}$/.test(text) ? ` (hex? write 0x${text})` : ''
    throw new RangeError(`word: expected a number in hex (0x...) or decimal, got ${shown}${hint}`)
  }
  const word = BigInt(text)
  if (word >= 2n ** 64n) throw new RangeError(`word: expected at most 64 bits, got ${shown}`)
  return word
}

/** A word with its eight bytes in the other order: what a raw table word is to a little-endian kernel (spec 4). */
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
  const rights = flags & (LeafFlag.READ | LeafFlag.WRITE | LeafFlag.EXECUTE)
  return {
    as: 'leaf',
    text: `frame ${hex(hpa / 4096)}, host address ${hex(hpa)}: ${names.join(' ') || 'no rights'}${rest}`,
    doubt: rights === 0 ? 'it allows no access' : others >> 53n === 0n ? undefined : 'a frame of L0 has no bits 53..61',
  }
}

function readLink(word: bigint): Reading {
  return { as: 'link', text: `to a lower table (present, no leaf): ${hex(word & ~PRESENT)}`, doubt: undefined }
}
