/** Builds recordings of a few lines: an L1 (LPID 1), its nested guest (LPID 5, shadow LPID 2), and several tasks. */
import { expect } from 'vitest'
import { Replay, type ReplayResult } from '../../src/trace/index'
import { swapWord } from '../../src/view/index'

export const ARRAY = 0xc008_0000_0000_0000n
export const MEMSLOT = 'memslot=0x5000'
export const LEAF = 0xc000_0000_0000_0187n

export type Value = bigint | number | string
export const hex = (value: Value): string => (typeof value === 'string' ? value : `0x${value.toString(16)}`)

/** A line of a task, with the fields unchanged but the bytes of leaf words reversed. */
export function line(pid: number, event: string, fields: Record<string, Value>): string {
  const shown = Object.entries(fields).map(
    ([name, value]) =>
      `${name}=${name.startsWith('pte') && typeof value === 'bigint' ? hex(swapWord(value)) : hex(value)}`,
  )
  return ` t-${pid} [000] ..... 1.0: ${event}: (f+0x0/0x1) ${shown.join(' ')}`
}

export const create = (pid: number, lpid: number, pte: bigint, gpa: number, slot = 0n): string =>
  line(pid, 'pte_create', { pgtable: 1, pte, gpa, level: 0, mmu_seq: 0, lpid, rmapp: slot })
export const returns = (pid: number, ret = '0'): string => line(pid, 'pte_create_ret', { ret })
export const insertEmpty = (pid: number, slot: bigint, entry: bigint): string[] => [
  line(pid, 'rmap_insert', { rmapp: slot, old: 0, node: 0x100, new: entry }),
  line(pid, 'rmap_insert_empty', { rmapp: slot, slot: entry | 1n }),
]
export const unmap = (pid: number, lpid: number, pteval: bigint, gpa: number, memslot = 'memslot=0x0'): string =>
  `${line(pid, 'pte_unmap', { ptep: 1, pteval, gpa, shift: 16, lpid })} ${memslot}`
export const range = (pid: number, gpa: number, hpa: number): string =>
  line(pid, 'rmap_remove_range', {
    memslot: 0x5000,
    gpa,
    hpa,
    nbytes: 0x10000,
    base_gfn: 0,
    npages: 0x4000,
    rmap: ARRAY,
  })
export const take = (pid: number, index: number, old: bigint): string =>
  line(pid, 'rmap_take', { slotp: ARRAY + BigInt(index * 8), old, idx: index })
export const takeLast = (pid: number, gp = 1): string => line(pid, 'rmap_take_node', { node: 0, next: 0, gp, rmap: 0 })
export const guest = (pid: number, event: 'nested_update' | 'nested_release', l1: number, shadow: number): string =>
  line(pid, event, { l1_lpid: l1, shadow_lpid: shadow })
export const freed = (pid: number, lpid: number): string => line(pid, 'table_free', { pgd: 1, lpid })

/** LPID 5 (shadow LPID 2) maps its address `nested` to L1's page `gfn`, which is at host page `page`. */
export const mapped = (pid: number, gfn: number, page: number, nested: number): string[] => {
  const word = LEAF | (BigInt(page) << 16n)
  const slot = ARRAY + BigInt(gfn * 8)
  return [
    create(pid, 1, word, gfn << 16),
    returns(pid),
    create(pid, 2, word, nested, slot),
    ...insertEmpty(pid, slot, (5n << 52n) | BigInt(nested)),
    returns(pid),
  ]
}
export const START = [guest(1, 'nested_update', 5, 2), ...mapped(1, 3, 0x2000, 0x70000)]
export const WORD = LEAF | (0x2000n << 16n)
export const ENTRY = (5n << 52n) | 0x70000n
/** The same, but read-only; and the fault that makes it writable. */
export const READ_ONLY = START.map((text) =>
  text.replace(/pte=\S+ gpa=0x70000/, `pte=${hex(swapWord(WORD & ~2n))} gpa=0x70000`),
)
export const GROWS = create(1, 2, WORD, 0x70000, ARRAY + 24n)
/** The host takes gfn 3 away: all events, in one task. */
export const taken = (pid: number): string[] => [
  unmap(pid, 1, WORD, 0x30000, MEMSLOT),
  range(pid, 0x30000, 0x20000000),
  take(pid, 3, ENTRY | 1n),
  unmap(pid, 2, WORD, 0x70000),
  takeLast(pid),
]

export function replayLines(...lines: (string | string[])[]): ReplayResult {
  const run = new Replay()
  run.feed(new TextEncoder().encode(`${lines.flat().join('\n')}\n`))
  run.end()
  return run.result()
}
export const messages = ({ differences, first }: ReplayResult): string[] => {
  expect(first).toHaveLength(Math.min(differences, 10))
  return first.map(({ message }) => message)
}
