/** `nested-rmap decode`: the possible meanings of 64-bit words, as slot words, entries, leaves and links. */
import { LineError, LineSplitter } from '../base/lines'
import { hexWord } from '../base/word'
import { decodeWord, reversedHint, swapWord } from '../view/decode'
import { parseCommandArgs, UsageError, widthOption, type Command } from './command'
import { readInput } from './input'
import { pastedWords, type PastedWord } from './pasted-words'
import { wrap } from './text'

const HELP = `Usage: nested-rmap decode [--swap] [WORD...]

Lists what 64-bit words can be: a slot word or a node's next (empty, a tagged
entry with LPID and address, a pointer), the entry of a node, a leaf PTE of a
page table (host address, bits by name), a link to a lower table. A word does
not show where it was found, so every possible reading is listed, with a
reason to doubt it, if there is one.

  WORD     hexadecimal (0x...) or decimal. A number without 0x that can be
           either is shown as both. 0x30_0000ULL can be read as well.
  --swap   reverse the bytes first: for a word of a big-endian page table that
           a little-endian kernel printed

Without a WORD, or with -, pasted text is read from standard input: words,
lines of a trace (name=value), registers of an oops (GPR20: ...), and memory
as xxd, hexdump -C, crash (rd), gdb (x/gx) and drgn print it. Addresses of
memory are shown, but not decoded. Lines that begin with # are skipped.

Exit code: 0; 2 for something that is not a word.

Example: nested-rmap decode 0x0030000030261001
         nested-rmap decode --swap 0x87034833000000c0
`

export const decode: Command = {
  name: 'decode',
  summary: 'list what a 64-bit word can be: slot word, entry, leaf, link',
  help: HELP,
  async run(args) {
    const { values, positionals } = parseCommandArgs(args, { swap: { type: 'boolean' } })
    const show = (pasted: PastedWord): string => textOf(pasted, values.swap === true)
    if (positionals.length > 0 && positionals[0] !== '-') {
      let words: PastedWord[]
      try {
        words = positionals.flatMap(pastedWords)
      } catch (error) {
        throw new UsageError((error as Error).message)
      }
      process.stdout.write(words.map(show).join(''))
      return 0
    }
    if (positionals.length > 1 || (positionals.length === 0 && process.stdin.isTTY))
      throw new UsageError('expected WORDs, or - alone')
    await decodeLines((word) => process.stdout.write(show(word)))
    return 0
  },
}

function textOf({ word, name, remark, isAddress = false }: PastedWord, swap: boolean): string {
  if (isAddress) return `address ${hexWord(word)}\n`
  const label = name === undefined ? '' : `${name} = `
  const note = remark === undefined ? '' : `  (${remark})`
  const [, ...readings] = decodeWord(swap ? swapWord(word) : word).split('\n')
  const first = swap
    ? `${label}${hexWord(word)}${note}, its bytes reversed:\n${hexWord(swapWord(word))}`
    : `${label}${hexWord(word)}${note}`
  const hint = swap ? undefined : reversedHint(word)
  const lines = [...first.split('\n'), ...readings, ...(hint === undefined ? [] : [`  ${hint}: see --swap`])]
  return lines.map((line) => `${wrap(line, widthOption(undefined), ' '.repeat(16))}\n`).join('')
}

/** Decodes the words of standard input, line by line. */
async function decodeLines(show: (word: PastedWord) => void): Promise<void> {
  const lines = new LineSplitter()
  const onLine = (bytes: Uint8Array, start: number, end: number, line: number): void => {
    let words: PastedWord[]
    const text = Buffer.from(bytes.subarray(start, end)).toString('latin1')
    if (/^(?:\xef\xbb\xbf)?\s*#/.test(text)) return // the header of a trace
    try {
      words = pastedWords(text)
    } catch (error) {
      throw new LineError(line, (error as Error).message)
    }
    words.forEach(show)
  }
  await readInput('-', { feed: (chunk) => lines.feed(chunk, onLine), end: () => lines.end(onLine) })
}
