/// <reference lib="dom" />
/** Draws the guest table and the shadow table of each nested guest, side by side by nested gpa, with the changes. */
import type { Lpid } from '../../index'
import { byId, make, makeTable } from '../shared/dom'
import { hex, LEAF_SIZES } from '../shared/text'
import { permissionText } from './ops'
import { leafAt, type GuestView, type LeafView, type StateView } from './view'

/** Draws the tables. @param onChoose called with the LPID and the nested gpa of the row that the reader chose */
export function renderTables(
  before: StateView,
  after: StateView,
  pageShift: number,
  onChoose: (lpid: Lpid, gpa: number) => void,
): void {
  const lpids = [...new Set([...before.guests, ...after.guests].map(({ lpid }) => lpid))].sort((a, b) => a - b)
  const frame = byId('tables')
  if (lpids.length === 0) {
    frame.replaceChildren(make('p', 'L1 has no nested guest.', { class: 'hint' }))
    return
  }
  frame.replaceChildren(...lpids.map((lpid) => guestOf(lpid, before, after, pageShift, onChoose)))
}

function guestOf(
  lpid: Lpid,
  before: StateView,
  after: StateView,
  pageShift: number,
  onChoose: (lpid: Lpid, gpa: number) => void,
): HTMLElement {
  const [old, now] = [before, after].map(({ guests }) => guests.find((guest) => guest.lpid === lpid))
  const state =
    now === undefined || (now.shadowLpid === undefined && now.table === undefined)
      ? 'dropped'
      : now.shadowLpid === undefined
        ? 'not entered yet'
        : `shadow LPID ${now.shadowLpid}`
  const rows = rowsOf(old, now).map(({ from, guest, shadow, oldGuest, oldShadow }) => {
    const isGone = guest === undefined && shadow === undefined
    const changed = isGone
      ? 'gone'
      : leafText(guest, '') !== leafText(oldGuest, '') || leafText(shadow, '') !== leafText(oldShadow, '')
        ? 'changed'
        : undefined
    const choose = make('button', hex(from), { type: 'button', class: 'link mono', title: 'Use it as the operand' })
    choose.addEventListener('click', () => onChoose(lpid, from))
    const covering = guest ?? leafAt(now?.table ?? [], from)
    return make(
      'tr',
      [
        make('th', [choose], { scope: 'row' }),
        make('td', guestText(guest, covering, oldGuest, from, pageShift), { class: 'mono' }),
        make('td', shadow === undefined ? (oldShadow === undefined ? '-' : 'cleared') : leafText(shadow, 'hpa '), {
          class: 'mono',
        }),
      ],
      { class: changed },
    )
  })
  const head = ['nested gpa', "guest table (L1's)", "shadow table (L0's)"]
  return make(
    'div',
    [
      make('h3', `LPID ${lpid}, ${state}`),
      rows.length === 0
        ? make('p', 'Both tables are empty.', { class: 'hint' })
        : makeTable(`Tables of LPID ${lpid}`, head, rows),
    ],
    { class: 'guest scroll' },
  )
}

interface Row {
  readonly from: number
  readonly guest: LeafView | undefined
  readonly shadow: LeafView | undefined
  readonly oldGuest: LeafView | undefined
  readonly oldShadow: LeafView | undefined
}

/** One row for each address at which a leaf begins now or began before the step. */
function rowsOf(old: GuestView | undefined, now: GuestView | undefined): Row[] {
  const leaves = [old?.table, old?.shadow, now?.table, now?.shadow].map(
    (of) => new Map((of ?? []).map((leaf) => [leaf.from, leaf])),
  )
  const starts = [...new Set(leaves.flatMap((of) => [...of.keys()]))].sort((a, b) => a - b)
  return starts.map((from) => {
    const [oldGuest, oldShadow, guest, shadow] = leaves.map((of) => of.get(from))
    return { from, guest, shadow, oldGuest, oldShadow }
  })
}

function guestText(
  guest: LeafView | undefined,
  covering: LeafView | undefined,
  old: LeafView | undefined,
  from: number,
  pageShift: number,
): string {
  if (guest !== undefined) return leafText(guest, '') + ` = gfn ${hex(Math.floor(guest.to / 2 ** pageShift))}`
  if (covering !== undefined)
    return `in ${hex(covering.from)}: gfn ${hex(Math.floor((covering.to + from - covering.from) / 2 ** pageShift))}`
  return old === undefined ? '-' : 'cleared'
}

/** `0x70000 rwx 64 KiB`; for a shadow leaf also R (referenced) and C (changed). */
function leafText(leaf: LeafView | undefined, prefix: string): string {
  if (leaf === undefined) return ''
  const rc = prefix === '' ? '' : ` ${(leaf.flags & 0x100) === 0 ? '' : 'R'}${(leaf.flags & 0x80) === 0 ? '' : 'C'}`
  return `${prefix}${hex(leaf.to)} ${permissionText(leaf.flags) || 'none'}${rc.trimEnd()} ${LEAF_SIZES[leaf.shift]}`
}
