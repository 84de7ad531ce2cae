/// <reference lib="dom" />
/** Writes the heading of a report with its verdict, its figures, and notes on what it omits. */
import { byId, make } from '../shared/dom'
import { number } from '../shared/text'
import { count } from '../../view/format'
import type { ReportData } from './data'
import type { Step } from './steps'

/** What the model is compared with. */
export function otherSide({ source }: ReportData): string {
  return source === 'model' ? 'recording' : 'kernel'
}

/** Writes the heading. */
export function writeHeading(data: ReportData): void {
  const { name, source, result, pageShift } = data
  const who =
    source === 'model'
      ? 'A recording that the model wrote'
      : "A recording (ftrace) of a Linux kernel's nested reverse map"
  byId('title').textContent = name
  const verdict = make('span', verdictOf(data), { id: 'verdict', class: result.verdict === 'match' ? 'good' : 'bad' })
  const glossary = make('button', 'What are gfn, LPID, gpa, rmap slot, stale?', {
    type: 'button',
    class: 'link',
    'data-glossary': true,
  })
  byId('about').replaceChildren(
    `${who}, compared with the model of nested-rmap event by event: ${number(result.events)} events, ` +
      `${pageShift === 16 ? '64' : '4'} KiB pages. `,
    verdict,
    ' ',
    glossary,
  )
}

/** The verdict in a sentence, about the part of the recording that was read. */
function verdictOf(data: ReportData): string {
  const { verdict, differences, incomplete, missing } = data.result
  if (verdict === 'match' && missing > 0) return 'No differences in the part of the recording that was read.'
  if (verdict === 'match') return 'No differences: the model matches the recording exactly.'
  const found = `${differences === 0 ? 'no differences' : count(differences, 'difference')} between model and ${otherSide(data)}`
  if (verdict === 'differences') return `${found}.`
  return `Incomplete: ${incomplete}. In the part that was read there ${differences === 1 ? 'is' : 'are'} ${found}.`
}

/** Writes the figures of the complete recording. */
export function writeFigures(data: ReportData, steps: readonly Step[], hiddenSlots: number): void {
  const { result, longest } = data
  const { inserts, stale, taken, slots } = result
  const totals: [string, string][] = [
    ['events', number(result.events)],
    ['inserts', number(inserts.empty + inserts.second + inserts.list + inserts.duplicate)],
    ['duplicates', number(inserts.duplicate)],
    ['entries compared', number(result.scanSteps)],
    ['rmap range removals', number(result.ranges)],
    ['entries removed', number(taken.entries)],
    ['shadow leaves cleared', number(result.cleared)],
    ['stale entries visited', number(stale.noGuest + stale.noLeaf + stale.otherFrame)],
    ['longest list', longest === null ? '0' : `${number(longest.entries)}, first at line ${number(longest.line)}`],
    ['list nodes at the end / at most', `${number(result.nodes)} / ${number(result.peakNodes)}`],
    ['rmap slots: empty, single, list', `${number(slots.empty)}, ${number(slots.single)}, ${number(slots.list)}`],
    ['nested guests (LPIDs)', number(result.lpids)],
  ]
  byId('totals').replaceChildren(...totals.map(([name, value]) => make('div', [make('dt', name), make('dd', value)])))
  byId('left-out').replaceChildren(...notesOf(data, steps, hiddenSlots).map((note) => make('li', note)))
}

/** The first differences, and what the report omits. */
function notesOf({ result, longest, leftOut }: ReportData, steps: readonly Step[], hiddenSlots: number): string[] {
  const notes = result.first.map(({ line, event, message }) => `line ${number(line)}, ${event}: ${message}`)
  if (result.differences > notes.length) notes.push(`${number(result.differences - notes.length)} more differences`)
  if (result.lost) notes.push('The recording says that events were lost.')
  if (result.missing > 0) {
    notes.push(
      `The recording was cut or filtered: ${number(result.missing)} ` +
        `${result.missing === 1 ? 'entry of its header is' : 'entries of its header are'} missing.`,
    )
  }
  for (const { line, reason } of result.firstUnread) notes.push(`line ${number(line)} could not be read: ${reason}`)
  if (leftOut.before > 0) {
    notes.push(
      `Omitted: ${number(leftOut.before)} steps before the first step here. The figures and the curve are of the complete recording.`,
    )
  }
  if (leftOut.after > 0) {
    notes.push(
      `Omitted: ${number(leftOut.after)} steps after line ${number(steps.at(-1)?.line ?? 0)}, above the limit of a report. The figures and the ` +
        'curve are of the complete recording. A report with --from LINE has the steps from a later line on.',
    )
  }
  if (leftOut.between > 0)
    notes.push(`Omitted: ${number(leftOut.between)} steps of rmap slots above the limit of a report.`)
  if (hiddenSlots > 0) notes.push(`Not on the map: ${number(hiddenSlots)} rmap slots.`)
  if (longest !== null && longest.step < 0) {
    notes.push(
      `Omitted: the step at which a list was longest, line ${number(longest.line)}. A report with --from ${longest.line} has it.`,
    )
  }
  return notes
}
