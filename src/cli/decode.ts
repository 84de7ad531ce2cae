/** `nested-rmap decode`: what 64-bit words say, as slot words, entries and leaves. */
import { LineError, LineSplitter } from '../base/lines'
import { hexWord } from '../base/word'
import { decodeWord, parseWord, readWord, swapWord } from '../view/decode'
import { parseCommandArgs, UsageError, type Command } from './command'
import { readInput } from './input'

const HELP = `Usage: nested-rmap decode [--swap] [WORD...]

Says what 64-bit words may be: a slot word or a node's next (empty, tagged entry with LPID and address, pointer), the
entry of a node, a leaf of a page table (frame, bits by name). A word does not say where it was found: each reading that
is possible is given, with what speaks against it.

  WORD     hex (0x...) or decimal; without any, or with -, words are read from standard input, apart by spaces or lines
  --swap   reverse the bytes first: for a word of a big-endian table that a little-endian kernel printed

Exit code: 0, or 2 for something that is no word.

Example: nested-rmap decode 0x0030000030261001
         nested-rmap decode --swap 0x87034833000000c0
`

export const decode: Command = {
  name: 'decode',
  summary: 'say what a 64-bit word is: slot word, entry, table leaf',
  help: HELP,
  async run(args) {
    const { values, positionals } = parseCommandArgs(args, { swap: { type: 'boolean' } })
    const show = (word: bigint): string => {
      const reversed = swapWord(word)
      if (values.swap === true) return `${hexWord(word)}, its bytes reversed:\n${decodeWord(reversed)}\n`
      const isLeaf = readWord(reversed).some(({ as, doubt }) => as === 'leaf' && doubt === undefined)
      return `${decodeWord(word)}\n${isLeaf ? '  with its bytes reversed it is a table leaf: see --swap\n' : ''}`
    }
    if (positionals.length > 0 && positionals[0] !== '-') {
      process.stdout.write(positionals.map(wordArgument).map(show).join(''))
      return 0
    }
    if (positionals.length > 1 || (positionals.length === 0 && process.stdin.isTTY))
      throw new UsageError('expected WORDs, or - alone')
    await decodeLines((word) => process.stdout.write(show(word)))
    return 0
  },
}

function wordArgument(text: string): bigint {
  try {
    return parseWord(text)
  } catch (error) {
    throw new UsageError((error as Error).message)
  }
}

/** Shows each word of standard input as its line comes. */
async function decodeLines(show: (word: bigint) => void): Promise<void> {
  const lines = new LineSplitter()
  const onLine = (bytes: Uint8Array, start: number, end: number, line: number): void => {
    for (const text of Buffer.from(bytes.subarray(start, end))
      .toString('latin1')
      .split(/[\s,]+/)) {
      if (text === '') continue
      let word: bigint
      try {
        word = parseWord(text)
      } catch (error) {
        throw new LineError(line, (error as Error).message)
      }
      show(word)
    }
  }
  await readInput('-', { feed: (chunk) => lines.feed(chunk, onLine), end: () => lines.end(onLine) })
}
