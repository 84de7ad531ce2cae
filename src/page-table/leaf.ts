/**
 * The leaf PTE of a page table: a page frame and its permissions, in one 64-bit word (spec 4).
 *
 *     63  62  61                56                                      12  11   9  8  7 6  4  3  2  1  0
 *     | P | L |  software       |            frame (4 KiB units)          | soft | R | C | att | p | r | w | x |
 *
 *     P present, L leaf, R referenced (accessed), C changed (dirty), att cache attributes, p privileged,
 *     r read, w write, x execute
 *
 * The ISA's frame field has bits 56..12. L0's own frame mask keeps the bits from the page shift to 52. So a host address
 * is below 2^53 and a host frame number below 2^41: exact JavaScript numbers.
 *
 * This file only encodes and decodes. What the bits mean for a fault (spec 5) is decided in vm/.
 */
import { checkOptionNames, checkWord, toInteger } from '../base/args'
import { type HostFrame, type Hpa, type LeafShift, MAX_HPA } from '../base/units'
import { hex, hiOf, loOf, numberOf, wordOf } from '../base/word'

/** The low 12 bits of a leaf word, by name (spec 4). */
export const LeafFlag = {
  /** Set by the hardware on an access (Linux: accessed). */
  REFERENCED: 0x100,
  /** Set by the hardware on a write (Linux: dirty). */
  CHANGED: 0x080,
  /** Only the privileged state may access the page. */
  PRIVILEGED: 0x008,
  /** May be read. */
  READ: 0x004,
  /** May be written. */
  WRITE: 0x002,
  /** May be executed. */
  EXECUTE: 0x001,
} as const

/** @internal {@link LeafFlag} for hot paths: the numbers of a const enum are literals in the built code. */
export const enum Flag {
  REFERENCED = 0x100,
  CHANGED = 0x080,
  READ = 0x004,
  WRITE = 0x002,
  EXECUTE = 0x001,
  /** The bits that the hardware sets. */
  RC = REFERENCED | CHANGED,
}

/** The fields of a leaf word. */
export interface LeafFields {
  /** The host address that the leaf maps to, in bytes: a multiple of 4 KiB, 0..2^53-4096. */
  readonly hpa: Hpa
  /** Bits 11..0, by name in {@link LeafFlag}: 0..0xfff. */
  readonly flags: number
}

/** The word's present bit (spec 4). */
export const PRESENT = 0x8000000000000000n

/** The word's leaf bit (spec 4). */
export const LEAF = 0x4000000000000000n

/** @internal Bits of a word's high half. (A const enum: hot paths get the number itself.) */
export const enum LeafHi {
  /** The word's present bit. */
  PRESENT = 1 << 31,
  /** The word's leaf bit. */
  LEAF = 1 << 30,
  /** L0's frame mask: bits 52..32. */
  FRAME = 0x1fffff,
}

/** @internal log2 of the page size for each AP value in rB of a tlbie (spec 8). */
export const AP_SHIFT: ReadonlyMap<number, LeafShift> = new Map([
  [0, 12],
  [1, 21],
  [2, 30],
  [5, 16],
])

/** @internal The bits that the hardware sets: referenced and changed. */
export const RC: number = Flag.RC

/**
 * Encodes the word of a present leaf (spec 4). O(1).
 *
 * @throws RangeError, TypeError
 * @example
 * packLeaf({ hpa: 0x12340000, flags: LeafFlag.READ | LeafFlag.REFERENCED }) // 0xc000000012340104n
 */
export function packLeaf(fields: { readonly [K in keyof LeafFields]: LeafFields[K] | bigint }): bigint {
  const { hpa, flags } = checkOptionNames('fields', fields, ['hpa', 'flags'])
  const address = toInteger('hpa', hpa, 0, MAX_HPA, 16)
  if (address % 4096 !== 0) throw new RangeError(`hpa: expected a multiple of 0x1000, got ${hex(address)}`)
  return PRESENT | LEAF | BigInt(address) | BigInt(toInteger('flags', flags, 0, 0xfff, 16))
}

/**
 * Decodes the word of a leaf (spec 4): the host address (bits 52..12, whatever the page shift) and the flags (bits 11..0).
 * The other bits are ignored. O(1).
 *
 * @param word 0..2^64-1
 * @throws RangeError, TypeError
 */
export function unpackLeaf(word: bigint): LeafFields {
  checkWord('word', word)
  return { hpa: leafHpa(hiOf(word), loOf(word), 12), flags: Number(word & 0xfffn) }
}

/** @internal The frame in a leaf's halves, in units of 4 KiB. */
export function leafFrame(hi: number, lo: number): HostFrame {
  return (hi & LeafHi.FRAME) * 0x100000 + (lo >>> 12)
}

/** @internal The host address in a leaf's halves, in bytes, rounded down to a multiple of 2^shift. */
export function leafHpa(hi: number, lo: number, shift: number): Hpa {
  return numberOf(hi & LeafHi.FRAME, lo & (-1 << shift))
}

/** @internal A leaf word without its referenced and changed bits, for comparing two dumps. */
export function withoutRc(word: bigint): bigint {
  return word & ~BigInt(RC)
}

/** @internal The word with its bytes reversed: a big-endian table word as a little-endian kernel prints it (spec 4). */
export function swapBytes(hi: number, lo: number): bigint {
  return wordOf(swap32(lo), swap32(hi))
}

/** @internal A 32-bit half with its bytes reversed. */
export function swap32(half: number): number {
  return (half << 24) | ((half & 0xff00) << 8) | ((half >>> 8) & 0xff00) | (half >>> 24)
}
