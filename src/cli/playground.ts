/** `nested-rmap playground`: writes the playground, one HTML file. */
import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { parseCommandArgs, UsageError, writeOutput, type Command } from './command'

const HELP = `Usage: nested-rmap playground [-o FILE]

Writes a page that runs the model: nested guests, faults, lists and
invalidations, with presets, undo and an explanation of each step. It is one
HTML file, which opens from disk and needs no network.

  -o, --output FILE  where to write, playground.html by default; - for standard
                     output

Exit code: 0 written; 2 wrong usage or a file that cannot be written.

Example: nested-rmap playground -o playground.html
`

export const playground: Command = {
  name: 'playground',
  summary: 'write an HTML page that runs the model, to try it out',
  help: HELP,
  async run(args) {
    const { values, positionals } = parseCommandArgs(args, { output: { type: 'string', short: 'o' } })
    if (positionals.length > 0) throw new UsageError(`expected no argument, got ${JSON.stringify(positionals[0])}`)
    const { output = 'playground.html' } = values
    if (output === '') throw new UsageError('-o: expected the name of a file, got ""')
    const html = page()
    if (output === '-') {
      process.stdout.write(html)
      return 0
    }
    writeOutput(output, html)
    process.stdout.write(`${output}: ${Math.ceil(html.length / 1024)} KiB\n`)
    return 0
  },
}

/** The page: the build writes it to the folder of this program. */
function page(): Buffer {
  return readFileSync(fileURLToPath(new URL('./playground.html', import.meta.url)))
}
