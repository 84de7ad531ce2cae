/**
 * Reads rmap slots and list nodes from a dump of kernel memory (spec 3).
 *
 * The slot words are a stream: they are read one at a time. Nodes can be at any address, so their memory is kept.
 * {@link SlotReader} follows the pointers.
 */
import {
  checkFunction,
  checkInteger,
  checkIterable,
  checkOneOf,
  checkOptionNames,
  checkWord,
  wrongType,
} from '../base/args'
import { withJson } from '../base/json'
import type { Gfn } from '../base/units'
import { hex } from '../base/word'
import { SlotReader, type NodeReader, type Slot } from './slot'

/** The byte order of a word in memory. */
export type ByteOrder = 'little' | 'big'

/** A range of memory. */
export interface MemoryRange {
  /** The address of its first byte: 0..2^64-1. */
  readonly address: bigint
  /** The bytes. They are not copied. */
  readonly bytes: Uint8Array
}

/**
 * A reader of the list nodes in ranges of memory, which may be in any order. A node is two words of 8 bytes; if one of
 * them is not completely in one range, the reader returns undefined. Cost: O(log ranges) for a node.
 *
 * @throws RangeError for ranges that overlap or end after 2^64; TypeError
 */
export function nodeReader(ranges: Iterable<MemoryRange>, byteOrder: ByteOrder = 'little'): NodeReader {
  const little = checkOneOf<ByteOrder>('byteOrder', byteOrder, ['little', 'big']) === 'little'
  const sorted = [...checkIterable('ranges', ranges)].map(({ address, bytes }) => {
    checkWord('address', address)
    if (!(bytes instanceof Uint8Array)) throw wrongType('bytes', 'a Uint8Array', bytes)
    const end = address + BigInt(bytes.length)
    if (end > 2n ** 64n) throw new RangeError(`bytes: a range at ${hex(address)} ends after 2^64`)
    return { address, end, view: new DataView(bytes.buffer, bytes.byteOffset, bytes.length) }
  })
  sorted.sort((a, b) => (a.address < b.address ? -1 : a.address > b.address ? 1 : 0))
  for (let i = 1; i < sorted.length; i++) {
    if (sorted[i]!.address < sorted[i - 1]!.end) {
      throw new RangeError(`address: two ranges have ${hex(sorted[i]!.address)}`)
    }
  }
  const word = (address: bigint): bigint | undefined => {
    let low = 0
    let high = sorted.length
    while (low < high) {
      const middle = (low + high) >>> 1
      if (sorted[middle]!.end <= address) low = middle + 1
      else high = middle
    }
    const range = sorted[low]
    if (range === undefined || range.address > address || range.end < address + 8n) return undefined
    return range.view.getBigUint64(Number(address - range.address), little)
  }
  return (address) => {
    const next = word(address)
    const entry = word(address + 8n)
    return next === undefined || entry === undefined ? undefined : withJson({ next, entry })
  }
}

/** Options of {@link RawSlots}. */
export interface RawSlotsOptions {
  /** The gfn of the first slot: 0..2^52-1. */
  readonly baseGfn: Gfn
  /** The number of slots in the array: 1..2^52-baseGfn. */
  readonly npages: number
  /** Reads the nodes, for example a {@link nodeReader}. */
  readonly read: NodeReader
  /** The byte order of the slot words: `'little'` by default. */
  readonly byteOrder?: ByteOrder
}

/**
 * Reads the rmap slots that are not empty, each with its list, from the bytes of a slot array. Cost: the bytes, and
 * each node once.
 */
export class RawSlots {
  /** The gfn of the next slot: all slots below it have been read. */
  gfn: Gfn

  readonly #end: Gfn
  readonly #little: boolean
  readonly #reader: SlotReader
  readonly #part = new Uint8Array(8)
  #partBytes = 0

  /** @throws RangeError, TypeError */
  constructor(options: RawSlotsOptions) {
    const names = ['baseGfn', 'npages', 'read', 'byteOrder'] as const
    const { baseGfn, npages, read, byteOrder = 'little' } = checkOptionNames('options', options, names)
    this.gfn = checkInteger('baseGfn', baseGfn, 0, 2 ** 52 - 1, 16)
    this.#end = baseGfn + checkInteger('npages', npages, 1, 2 ** 52 - baseGfn)
    this.#little = checkOneOf<ByteOrder>('byteOrder', byteOrder, ['little', 'big']) === 'little'
    this.#reader = new SlotReader(read)
  }

  /**
   * Reads the next bytes, in chunks of any size: calls `onSlot` for each slot that is now complete and is not empty.
   *
   * @throws RangeError for more bytes than the array has; TypeError; whatever `onSlot` throws
   */
  feed(chunk: Uint8Array, onSlot: (slot: Slot) => void): void {
    if (!(chunk instanceof Uint8Array)) throw wrongType('chunk', 'a Uint8Array', chunk)
    checkFunction('onSlot', onSlot)
    let at = 0
    if (this.#partBytes > 0) {
      at = Math.min(8 - this.#partBytes, chunk.length)
      this.#part.set(chunk.subarray(0, at), this.#partBytes)
      this.#partBytes += at
      if (this.#partBytes < 8) return
      this.#partBytes = 0
      this.#words(this.#part, onSlot)
    }
    const whole = chunk.length - ((chunk.length - at) % 8)
    this.#words(chunk.subarray(at, whole), onSlot)
    this.#part.set(chunk.subarray(whole))
    this.#partBytes = chunk.length - whole
  }

  /** The array has ended. @throws RangeError if it was shorter than `npages` */
  end(): void {
    if (this.gfn !== this.#end || this.#partBytes > 0) {
      throw new RangeError(`the slot array ends at gfn ${hex(this.gfn)}, expected ${hex(this.#end)}`)
    }
  }

  #words(bytes: Uint8Array, onSlot: (slot: Slot) => void): void {
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length)
    for (let at = 0; at < bytes.length; at += 8) {
      if (this.gfn === this.#end)
        throw new RangeError(`the slot array has bytes after gfn ${hex(this.#end - 1)}, its last`)
      const gfn = this.gfn++
      const word = view.getBigUint64(at, this.#little)
      if (word !== 0n) onSlot(this.#reader.slot(gfn, word))
    }
  }
}
