/// <reference lib="dom" />
/// <reference lib="dom.iterable" />
/** The buttons for the operations, and the fields with their operands. */
import type { Access, LeafShift } from '../../index'
import { byId, make } from '../shared/dom'
import { hex, LEAF_SIZES } from '../shared/text'
import type { Op } from './ops'
import { titleOf } from './title'
import type { StateView } from './view'

interface Operands {
  readonly lpid: number
  readonly gpa: number
  readonly gfn: number
  readonly shift: LeafShift
  readonly allow: number
}

type Action = readonly [label: string, id: string, of: (operands: Operands) => Op]

const fault =
  (kind: 'fault' | 'begin-fault', access: Access) =>
  ({ lpid, gpa }: Operands): Op => ({ kind, lpid, gpa, access })

const ACTIONS: Readonly<Record<'l2' | 'l1' | 'l0', readonly Action[]>> = {
  l2: [
    ['Read', 'read', fault('fault', 'read')],
    ['Write', 'write', fault('fault', 'write')],
    ['Execute', 'execute', fault('fault', 'execute')],
    ['Begin read', 'begin-read', fault('begin-fault', 'read')],
    ['Begin write', 'begin-write', fault('begin-fault', 'write')],
  ],
  l1: [
    ['Add guest', 'add', ({ lpid }) => ({ kind: 'guest', lpid })],
    [
      'Map gpa to gfn',
      'map',
      ({ lpid, gpa, gfn, shift, allow }) => ({ kind: 'map', lpid, gpa, to: gfn * 2 ** pageShift, shift, allow }),
    ],
    ['Unmap', 'unmap-guest', ({ lpid, gpa }) => ({ kind: 'unmap-guest', lpid, gpa })],
    ['Protect', 'protect', ({ lpid, gpa, allow }) => ({ kind: 'protect', lpid, gpa, allow })],
    ['tlbie page', 'tlbie-page', ({ lpid, gpa, shift }) => ({ kind: 'tlbie-page', lpid, gpa, shift })],
    ['tlbie LPID', 'tlbie', ({ lpid }) => ({ kind: 'tlbie', lpid, ric: 0 })],
    ['Drop guest', 'drop', ({ lpid }) => ({ kind: 'drop', lpid })],
  ],
  l0: [
    ['Take gfn away', 'unmap', ({ gfn }) => ({ kind: 'unmap', gfn })],
    ['Begin invalidation', 'begin-unmap', ({ gfn }) => ({ kind: 'begin-unmap', gfn })],
    ['Age gfn', 'age', ({ gfn }) => ({ kind: 'age', gfn })],
    ['Log dirty', 'log', () => ({ kind: 'log', on: !isLogging })],
    ['Harvest dirty', 'harvest', () => ({ kind: 'harvest' })],
  ],
}

let pageShift = 16
let isLogging = false

/** The buttons. */
export class Controls {
  /** Called with the operation to run. If it throws, its message is shown next to the buttons. */
  onOp: (op: Op) => void = () => {}

  readonly #buttons: (readonly [HTMLButtonElement, Action[2]])[] = []

  constructor() {
    for (const [who, actions] of Object.entries(ACTIONS)) {
      byId(`ops-${who}`).append(
        ...actions.map(([label, id, of]) => {
          const button = make('button', label, { type: 'button', id: `op-${id}` })
          button.addEventListener('click', () => this.#do(of))
          this.#buttons.push([button, of])
          return button
        }),
      )
    }
    byId('target').addEventListener('submit', (event) => event.preventDefault())
    byId('target').addEventListener('input', () => this.#describe())
  }

  /** Writes operands into the fields. */
  take(operands: { readonly lpid?: number; readonly gpa?: number; readonly gfn?: number }): void {
    for (const name of ['lpid', 'gpa', 'gfn'] as const) {
      const value = operands[name]
      if (value !== undefined) byId<HTMLInputElement>(name).value = name === 'lpid' ? String(value) : hex(value)
    }
    this.#describe()
  }

  /** Adapts the buttons to a state: adds one for each second half of a pending fault or invalidation. */
  render(view: StateView, shift: 16 | 12): void {
    isLogging = view.logDirty
    byId('op-log').textContent = isLogging ? 'Stop logging' : 'Log dirty'
    byId<HTMLButtonElement>('op-harvest').disabled = !isLogging
    if (pageShift !== shift || byId('shift').childElementCount === 0) {
      pageShift = shift
      byId('shift').replaceChildren(
        ...[shift, 21, 30].map((size) => make('option', LEAF_SIZES[size]!, { value: size })),
      )
    }
    this.#second('ops-l2', view.faults, (n) => ({ kind: 'commit-fault', n }), 'Commit fault')
    this.#second('ops-l0', view.unmaps, (n) => ({ kind: 'end-unmap', n }), 'End invalidation')
    byId('refused').textContent = ''
    this.#describe()
  }

  #second(id: string, begun: readonly { readonly n: number }[], of: (n: number) => Op, label: string): void {
    for (const old of byId(id).querySelectorAll('.second')) old.remove()
    byId(id).append(
      ...begun.map(({ n }) => {
        const button = make('button', `${label} ${n}`, {
          type: 'button',
          class: 'second primary',
          id: `op-${of(n).kind}-${n}`,
        })
        button.addEventListener('click', () => this.#do(() => of(n)))
        return button
      }),
    )
  }

  #do(of: Action[2]): void {
    const refused = byId('refused')
    refused.textContent = ''
    try {
      this.onOp(of(this.#operands()))
    } catch (error) {
      refused.textContent = (error as Error).message
    }
  }

  /** Sets the title of each button: the operation with the current operands. */
  #describe(): void {
    let operands: Operands
    try {
      operands = this.#operands()
    } catch {
      return // the reader has not finished typing a number
    }
    for (const [button, of] of this.#buttons) button.title = titleOf(of(operands))
  }

  #operands(): Operands {
    const number = (id: string, name: string): number => {
      const text = byId<HTMLInputElement>(id).value.trim()
      const value = /^(0x[0-9a-f]+|[0-9]+)$/i.test(text) ? Number(text) : NaN
      if (!Number.isSafeInteger(value))
        throw new Error(`${name}: expected a number, in hex (0x...) or decimal, got "${text}"`)
      return value
    }
    const allow = (['r', 'w', 'x'] as const).reduce(
      (bits, letter, i) => (byId<HTMLInputElement>(`allow-${letter}`).checked ? bits | (4 >> i) : bits),
      0,
    )
    return {
      lpid: number('lpid', 'LPID'),
      gpa: number('gpa', 'nested gpa'),
      gfn: number('gfn', 'gfn'),
      shift: Number(byId<HTMLSelectElement>('shift').value) as LeafShift,
      allow,
    }
  }
}
