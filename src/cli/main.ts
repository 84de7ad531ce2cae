/** The command line: runs a command, and turns an error into a line on standard error and an exit code. */
import { version } from '../../package.json'
import { didYouMean, Failure, UsageError, type Command } from './command'
import { decode } from './decode'
import { dump } from './dump'
import { events } from './events'
import { playground } from './playground'
import { replay } from './replay'
import { report } from './report'
import { vectors } from './vectors'

const COMMANDS: readonly Command[] = [replay, report, playground, dump, decode, events, vectors]

const HELP = `nested-rmap: an executable model of Linux KVM's nested reverse map
(PowerPC Book3S HV)

Usage: nested-rmap COMMAND ...

${COMMANDS.map(({ name, summary }) => `  ${name.padEnd(10)} ${summary}`).join('\n')}

  nested-rmap COMMAND --help   arguments and options of a command, an example
  nested-rmap --version        ${version}

Exit code: 0 no problem found; 1 differences; 2 wrong usage or unreadable
input; 3 incomplete input, so there is no verdict.
`

async function main([name, ...args]: readonly string[]): Promise<number> {
  if (name === '--version' || name === '-v') return print(`${version}\n`)
  if (name === 'help' && args[0] !== undefined) return main([args[0], '--help'])
  if (name === '--help' || name === '-h' || name === 'help') return print(HELP)
  const command = COMMANDS.find((known) => known.name === name)
  if (command === undefined) {
    process.stderr.write(name === undefined ? HELP : unknownCommand(name))
    return 2
  }
  if (args.includes('--help') || args.includes('-h')) return print(command.help)
  try {
    return await command.run(args)
  } catch (error) {
    if (error instanceof UsageError) {
      process.stderr.write(`nested-rmap ${command.name}: ${error.message}: see nested-rmap ${command.name} --help\n`)
    } else if (error instanceof Failure) {
      process.stderr.write(`nested-rmap: ${error.message}\n`)
    } else {
      throw error
    }
    return 2
  }
}

function unknownCommand(name: string): string {
  const known = [...COMMANDS.map((command) => command.name), '--version']
  return `nested-rmap: unknown command ${JSON.stringify(name)}${didYouMean(name, known)}: see nested-rmap --help\n`
}

function print(text: string): 0 {
  process.stdout.write(text)
  return 0
}

// The reader may close the pipe early: `nested-rmap ... | head` is not an error.
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code === 'EPIPE') process.exit(0)
  process.stderr.write(`nested-rmap: standard output: cannot be written: ${error.message}\n`)
  process.exit(2)
})
process.exitCode = await main(process.argv.slice(2))
