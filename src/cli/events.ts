/** `nested-rmap events`: the events of a recording, their required and optional fields, and a sample line of each. */
import { EVENT_SAMPLES } from '../trace/event-samples'
import { EVENT_FIELDS, EVENT_NAMES } from '../trace/events'
import { LINE_FORMS } from '../trace/forms/index'
import { parseCommandArgs, UsageError, widthOption, type Command } from './command'
import { wrap } from './text'

const HELP = `Usage: nested-rmap events [--width N]

Lists the events that a recording can have: when each occurs, its required
fields, its optional fields, and a sample line; then the forms of a line that
can be read.

  --width N  columns of the text: the terminal's, or 80, by default. A sample
             line is never broken

Exit code: 0.

Example: nested-rmap events | less -S
`

export const events: Command = {
  name: 'events',
  summary: 'list the events of a recording, their fields, and sample lines',
  help: HELP,
  async run(args) {
    const { values, positionals } = parseCommandArgs(args, { width: { type: 'string' } })
    if (positionals.length > 0) throw new UsageError('expected no argument')
    const width = widthOption(values.width)
    const said = (text: string): string => wrap(`  ${text}`, width, '    ')
    const list = EVENT_NAMES.map((name) => {
      const { required, optional } = EVENT_FIELDS[name]
      const { when, line } = EVENT_SAMPLES[name]
      return `${name}\n${said(when)}\n${said(`required: ${required.join(' ')}`)}\n${said(`optional: ${optional.join(' ')}`)}\n${line}\n`
    })
    const forms = LINE_FORMS.map(({ name, sample }) => `${said(name)}\n${sample}\n`)
    process.stdout.write(`${list.join('\n')}\nForms of a line:\n\n${forms.join('\n')}`)
    return 0
  },
}
