/**
 * Finds the words in pasted text: of a trace, an oops, `xxd`, crash, gdb or drgn. A table has the forms of a line; any
 * other line is a list of words, separated by spaces or commas.
 *
 *      old=0x0 node=0xc00000002bf84c80 new=0x30000030261000        pairs, of a trace or of drgn
 *      GPR20: 8703e0aa030000c0 c00000002bf84c80                    registers of an oops
 *      c00000002bf84c80:  c00000002bf8f360 00200000101e0000  ...   crash: rd
 *      0xc00000002bf84c80 <b+8>:  0xc00000002bf8f360               gdb: x/2gx
 *      00000010: 60f3 f82b 0000 00c0 0000 1e10 0000 2000  `..+     xxd: bytes, read as little-endian words
 */
import { parseWord } from '../view/decode'

/** A word of a text. */
export interface PastedWord {
  readonly word: bigint
  /** Its name in the text: a field or a register. */
  readonly name?: string
  /** A remark on how the text was read. */
  readonly remark?: string
  /** Whether it is the address of the words after it: it is shown, but not decoded. */
  readonly isAddress?: boolean
}

interface TextForm {
  readonly line: RegExp
  /** The words of a line that matches. */
  readonly words: (groups: Record<string, string | undefined>, text: string) => PastedWord[]
}

const HEX_WORD = String.raw`(?:0x[\da-f]{1,16}|[\da-f]{16})`

const FORMS: readonly TextForm[] = [
  {
    // Memory in bytes: xxd, xxd -g1, hexdump -C.
    line: /^(?<at>[\da-f]{6,16}):?\s{1,2}(?<bytes>(?:[\da-f]{2}){1,2}(?: {1,2}(?:[\da-f]{2}){1,2})*)(?:\s{2}.*|\s*)$/i,
    words: ({ at, bytes }) => [address(at!), ...littleEndian(bytes!.replace(/\s/g, ''))],
  },
  {
    // Memory in words: crash's rd, gdb's x/gx (with a symbol), xxd -e -g8, od -t x8.
    line: new RegExp(
      String.raw`^(?:0x)?(?<at>[\da-f]{6,16})(?:\s*<[^>]*>)?(?::\s*|\s+)(?<words>${HEX_WORD}(?:\s+${HEX_WORD})*)(?:\s.*)?$`,
      'i',
    ),
    words: ({ at, words }) => [address(at!), ...words!.split(/\s+/).map((word) => ({ word: hexadecimal(word) }))],
  },
  {
    // The last line of hexdump or od: only an address.
    line: /^0[\da-f]{5,7}$/,
    words: (_, text) => [address(text)],
  },
  {
    // Registers of an oops, four in a line.
    line: /\bGPR(?<first>\d\d):(?<words>(?:\s+[\da-f]{16})+)/,
    words: ({ first, words }) =>
      words!
        .trim()
        .split(/\s+/)
        .map((word, i) => ({ name: `GPR${String(Number(first) + i).padStart(2, '0')}`, word: hexadecimal(word) })),
  },
  {
    // Pairs: a trace's name=value, drgn's .name = (u64)value. Text between them is ignored.
    line: /[\w.]+\s*=\s*(?:\([^)]*\)\s*)?(?:0x[\da-f]|-?\d)/i,
    words: (_, text) =>
      [...text.matchAll(/(?:^|[\s.,{(*$])(\w+)\s*=\s*(?:\([^)]*\)\s*)?(-?)(0x[\da-f_]+|\d[\d_]*)/gi)].map(
        ([, name, minus, value]) => {
          const word = parseWord(value!.replaceAll('_', ''))
          return { name: name!, word: minus === '' ? word : BigInt.asUintN(64, -word) }
        },
      ),
  },
  {
    // Other registers: NIP:  c008000001200732 LR: c0080000012005c6
    line: /\b[A-Z]\w*:\s+(?:0x)?[\da-f]{8,16}\b/i,
    words: (_, text) =>
      [...text.matchAll(/\b([A-Za-z]\w*):\s+(?:0x)?([\da-f]{8,16})\b/gi)].map(([, name, value]) => ({
        name: name!,
        word: hexadecimal(value!),
      })),
  },
]

/**
 * The words of a line of text.
 *
 * @throws RangeError if the line contains anything else
 */
export function pastedWords(line: string): PastedWord[] {
  // eslint-disable-next-line no-control-regex
  const text = line.replace(/\x1b\[[0-?]*[ -/]*[@-~]/g, '').trim()
  for (const form of FORMS) {
    const match = form.line.exec(text)
    if (match !== null) return form.words(match.groups ?? {}, text)
  }
  return text
    .split(/[\s,;]+/)
    .map((token) => token.replace(/^\(\w[\w\s*]*\)/, '').replace(/^['"`[({<]+|['"`\])}>]+$/g, ''))
    .filter((token) => token !== '')
    .flatMap(oneWord)
}

/** The word of a token; two words if it can be decimal or hexadecimal. */
function oneWord(token: string): PastedWord[] {
  const text = token
    .replace(/['"`,;]+$/, '')
    .replace(/(?<=[\da-f])_(?=[\da-f])/gi, '')
    .replace(/(?<=[\da-f])(?:u?ll?|lu|llu|u)$/i, '')
  if (
    /^0[\da-f]+$/i.test(text) ||
    (/^[\da-f]{2,16}$/i.test(text) && /[a-f]/i.test(text) && /\d|^[a-f]{8,}$/i.test(text))
  ) {
    const shorter = text.length <= 16 ? text : text.replace(/^0+/, '')
    return [{ word: parseWord(`0x${shorter}`), remark: `${text} as hexadecimal` }]
  }
  const word = parseWord(text)
  if (!/^\d{11,16}$/.test(text)) return [{ word }]
  return [
    { word, remark: `${text} as decimal` },
    { word: hexadecimal(text), remark: `as hexadecimal: write 0x${text}` },
  ]
}

function address(text: string): PastedWord {
  return { word: hexadecimal(text), isAddress: true }
}

function hexadecimal(text: string): bigint {
  return BigInt(`0x${text.replace(/^0x/i, '')}`)
}

/** The words of memory, from its bytes as hexadecimal digits in the order of their addresses. */
function littleEndian(digits: string): PastedWord[] {
  return (digits.match(/.{16}/g) ?? []).map((word) => ({
    word: hexadecimal(word.match(/../g)!.reverse().join('')),
    remark: 'little-endian',
  }))
}
