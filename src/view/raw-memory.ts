/**
 * Kernel memory as a dump has it: bytes at addresses, read as the words of slots and nodes (spec 3).
 *
 * The slot words come as a stream of bytes and are read one at a time; the memory with the nodes is looked into at any
 * place, so it is held. {@link SlotReader} follows the pointers.
 */
import { checkFunction, checkInteger, checkIterable, checkObject, checkOneOf, checkWord, wrongType } from '../base/args'
import type { Gfn } from '../base/units'
import { hex } from '../base/word'
import { SlotReader, type NodeReader, type Slot } from './slot'

/** The order of the bytes of a word in memory. */
export type ByteOrder = 'little' | 'big'

/** A piece of memory. */
export interface MemoryRange {
  /** Where its first byte lies. */
  readonly address: bigint
  readonly bytes: Uint8Array
}

/**
 * A reader of the nodes that lie in some ranges of memory. The ranges may come in any order. A node is two words; each
 * must lie wholly in one range, else the node is not there. O(log ranges) a node.
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
    return next === undefined || entry === undefined ? undefined : { next, entry }
  }
}

/**
 * Reads slots from the bytes of a slot array: those that are not empty, in order, each with its list. Give it the
 * bytes in chunks of any size.
 */
export class RawSlots {
  /** The gfns of the slots read so far end before this one. */
  gfn: Gfn

  readonly #end: Gfn
  readonly #little: boolean
  readonly #reader: SlotReader
  readonly #part = new Uint8Array(8)
  #partBytes = 0

  /**
   * @param options.baseGfn the gfn of the first slot, 0..2^52-1
   * @param options.npages slots in the array, at least 1
   * @param options.read where the nodes are: {@link nodeReader}, say
   * @param options.byteOrder of the slot words; `'little'` by default
   * @throws RangeError, TypeError
   */
  constructor(options: { baseGfn: Gfn; npages: number; read: NodeReader; byteOrder?: ByteOrder }) {
    const { baseGfn, npages, read, byteOrder = 'little' } = checkObject('options', options)
    this.gfn = checkInteger('baseGfn', baseGfn, 0, 2 ** 52 - 1, 16)
    this.#end = baseGfn + checkInteger('npages', npages, 1, 2 ** 52 - baseGfn)
    this.#little = checkOneOf<ByteOrder>('byteOrder', byteOrder, ['little', 'big']) === 'little'
    this.#reader = new SlotReader(read)
  }

  /**
   * Shows the slots that end in this chunk and are not empty.
   *
   * @throws RangeError for more bytes than the array has; TypeError; what `onSlot` throws
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

  /** The array has ended. @throws RangeError when it was shorter than `npages` */
  end(): void {
    if (this.gfn !== this.#end || this.#partBytes > 0) {
      throw new RangeError(`the slot array ends at gfn ${hex(this.gfn)}, expected ${hex(this.#end)}`)
    }
  }

  #words(bytes: Uint8Array, onSlot: (slot: Slot) => void): void {
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length)
    for (let at = 0; at < bytes.length; at += 8) {
      if (this.gfn === this.#end) throw new RangeError(`the slot array goes on after gfn ${hex(this.#end - 1)}`)
      const gfn = this.gfn++
      const word = view.getBigUint64(at, this.#little)
      if (word !== 0n) onSlot(this.#reader.slot(gfn, word))
    }
  }
}
