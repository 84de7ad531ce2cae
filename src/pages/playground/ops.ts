/**
 * The settings and operations of the playground as data, and their text form, which is in the page's address after the
 * `#`:
 *
 *     16.head.base/g5/m5.10000.70000.16.rwx/f5.10000.r@2        numbers in hex; page sizes are log2, in decimal
 *     settings     operations                          current step (default: the last)
 *
 * The reader does not trust the text: an invalid sequence is an error that says why. The model decides whether an
 * operation is possible when it runs.
 */
import type { Access, Gfn, Gpa, LeafShift, Lpid, NestedGpa, PageShift, Placement, Ric } from '../../index'

/** The settings of the L1. */
export interface Settings {
  readonly pageShift: PageShift
  readonly placement: Placement
  /** The pages that back L1's memory: base pages, or 2 MiB pages where possible. */
  readonly hostPages: 'base' | '2m'
  readonly allowLpidZero: boolean
}

/** The default settings: those of a POWER9 host today. */
export const DEFAULT_SETTINGS: Settings = { pageShift: 16, placement: 'head', hostPages: 'base', allowLpidZero: false }

/** The size of L1's memory, in bytes: two pages of 2 MiB. */
export const MEMORY_BYTES = 4 * 2 ** 20

/** An operation of L1, of a nested guest (L2) or of the host (L0). */
export type Op =
  | { readonly kind: 'guest'; readonly lpid: Lpid }
  | {
      readonly kind: 'map'
      readonly lpid: Lpid
      readonly gpa: NestedGpa
      readonly to: Gpa
      readonly shift: LeafShift
      /** Read, write and execute: bits of `LeafFlag`. */
      readonly allow: number
    }
  | { readonly kind: 'unmap-guest'; readonly lpid: Lpid; readonly gpa: NestedGpa }
  | { readonly kind: 'protect'; readonly lpid: Lpid; readonly gpa: NestedGpa; readonly allow: number }
  | { readonly kind: 'tlbie-page'; readonly lpid: Lpid; readonly gpa: NestedGpa; readonly shift: LeafShift }
  | { readonly kind: 'tlbie'; readonly lpid: Lpid; readonly ric: Ric }
  | { readonly kind: 'drop'; readonly lpid: Lpid }
  | { readonly kind: 'fault' | 'begin-fault'; readonly lpid: Lpid; readonly gpa: NestedGpa; readonly access: Access }
  /** The second half of the n-th fault that was begun, from 1. */
  | { readonly kind: 'commit-fault'; readonly n: number }
  | { readonly kind: 'unmap' | 'begin-unmap'; readonly gfn: Gfn }
  | { readonly kind: 'age'; readonly gfn: Gfn }
  /** The end of the n-th invalidation that was begun, from 1. */
  | { readonly kind: 'end-unmap'; readonly n: number }
  | { readonly kind: 'log'; readonly on: boolean }
  | { readonly kind: 'harvest' }

/** The kind of an operation. */
export type OpKind = Op['kind']

/** A sequence: the content of the page's address. */
export interface Sequence {
  readonly settings: Settings
  readonly ops: readonly Op[]
  /** How many of the operations have run at the current step. */
  readonly position: number
}

/** The text form of a field of an operation. */
interface Field {
  write(value: never): string
  read(text: string): unknown
}

const number: Field = {
  write: (value: number) => value.toString(16),
  read: (text) => (/^[0-9a-f]{1,13}$/.test(text) ? Number.parseInt(text, 16) : undefined),
}
const ALLOW = [
  ['r', 4],
  ['w', 2],
  ['x', 1],
] as const

const lpid = number
const gpa = number
const gfn = number
const to = number
const n = number
const shift = choice<LeafShift>(12, 16, 21, 30)
const ric = choice<Ric>(0, 1, 2)
const access: Field = {
  write: (value: Access) => (value === 'execute' ? 'x' : value[0]!),
  read: (text) => ({ r: 'read', w: 'write', x: 'execute' })[text],
}
const allow: Field = {
  write: (value: number) => permissionText(value) || '0',
  read: (text) => (/^(0|(?=.)r?w?x?)$/.test(text) ? permissionBits(text) : undefined),
}
const on: Field = {
  write: (value: boolean) => (value ? '1' : '0'),
  read: (text) => ({ 0: false, 1: true })[text],
}

/** The letter and the fields of each kind of operation, in the order of the text. */
const FORMS: Readonly<Record<OpKind, readonly [letter: string, fields: Readonly<Record<string, Field>>]>> = {
  guest: ['g', { lpid }],
  map: ['m', { lpid, gpa, to, shift, allow }],
  'unmap-guest': ['u', { lpid, gpa }],
  protect: ['p', { lpid, gpa, allow }],
  'tlbie-page': ['t', { lpid, gpa, shift }],
  tlbie: ['T', { lpid, ric }],
  drop: ['d', { lpid }],
  fault: ['f', { lpid, gpa, access }],
  'begin-fault': ['b', { lpid, gpa, access }],
  'commit-fault': ['c', { n }],
  unmap: ['h', { gfn }],
  'begin-unmap': ['i', { gfn }],
  'end-unmap': ['e', { n }],
  age: ['a', { gfn }],
  log: ['l', { on }],
  harvest: ['y', {}],
}
const BY_LETTER = new Map(Object.entries(FORMS).map(([kind, [letter]]) => [letter, kind as OpKind]))

/** Most operations of a sequence in an address. */
const MOST_OPS = 2000

/** The permission bits for the letters `rwx` in a text. */
export function permissionBits(text: string): number {
  return ALLOW.reduce((bits, [letter, bit]) => (text.includes(letter) ? bits | bit : bits), 0)
}

/** The letters of `rwx` whose permission bits are set. */
export function permissionText(bits: number): string {
  return ALLOW.map(([letter, bit]) => ((bits & bit) === 0 ? '' : letter)).join('')
}

/** An operation as text. */
export function encodeOp(op: Op): string {
  const [letter, fields] = FORMS[op.kind]
  return (
    letter +
    Object.entries(fields)
      .map(([name, field]) => field.write(op[name as keyof Op] as never))
      .join('.')
  )
}

/** Reads an operation. @throws Error */
export function decodeOp(text: string): Op {
  const kind = BY_LETTER.get(text[0] ?? '')
  if (kind === undefined) throw new Error(`"${text.slice(0, 40)}" is not an operation`)
  const names = Object.entries(FORMS[kind][1])
  const parts = text.length === 1 ? [] : text.slice(1).split('.')
  const values = names.map(([name, field], i) => [name, field.read(parts[i] ?? '')] as const)
  if (parts.length !== names.length || values.some(([, value]) => value === undefined)) {
    throw new Error(
      `"${text.slice(0, 40)}" is not an operation: expected ${names.map(([name]) => name).join(', ') || 'no field'}`,
    )
  }
  return { kind, ...Object.fromEntries(values) } as Op
}

/** A sequence as text, without the `#`. */
export function encodeSequence({ settings, ops, position }: Sequence): string {
  const { pageShift, placement, hostPages, allowLpidZero } = settings
  const head = [pageShift, placement, hostPages, ...(allowLpidZero ? ['lpid0'] : [])].join('.')
  return [head, ...ops.map(encodeOp)].join('/') + (position === ops.length ? '' : `@${position}`)
}

/** Reads a sequence. @throws Error */
export function decodeSequence(text: string): Sequence {
  const [, body, at] = /^([^@]*)(?:@(\d{1,9}))?$/.exec(text) ?? []
  if (body === undefined) throw new Error('expected a sequence of operations, then @ and the number of a step')
  const [head, ...texts] = body.split('/')
  const [pageShift, placement, hostPages, ...more] = head!.split('.')
  if (
    !['16', '12'].includes(pageShift!) ||
    !['head', 'faulting'].includes(placement!) ||
    !['base', '2m'].includes(hostPages!) ||
    !['', 'lpid0'].includes(more.join('.'))
  ) {
    throw new Error(`"${head!.slice(0, 40)}" are not settings: expected for example 16.head.base`)
  }
  if (texts.length > MOST_OPS) throw new Error(`expected at most ${MOST_OPS} operations, got ${texts.length}`)
  const ops = texts.map(decodeOp)
  const settings: Settings = {
    pageShift: Number(pageShift) as PageShift,
    placement: placement as Placement,
    hostPages: hostPages as Settings['hostPages'],
    allowLpidZero: more.length > 0,
  }
  return { settings, ops, position: Math.min(at === undefined ? ops.length : Number(at), ops.length) }
}

function choice<T extends number>(...values: readonly T[]): Field {
  return {
    write: (value: T) => String(value),
    read: (text) => values.find((value) => String(value) === text),
  }
}
