/**
 * The list nodes of the rmap, and their allocator (spec 3).
 *
 *     byte  0               8               16
 *           | next          | entry         |      next:  another node's address (even), or, in the last node,
 *                                                         the oldest entry, tagged
 *                                                  entry: tag 0
 *
 * Nodes lie side by side in one growing buffer, as 16 bytes each, so a node is one quarter of a cache line. Its
 * address is its byte offset there: a multiple of 16, from 16 up. Address 0 is NULL, as in the kernel: nothing is
 * ever allocated there. Several memslots share one heap, as the memslots of an L1 share the kernel's.
 */
import { badNumber, checkInteger, checkObject } from '../base/args'
import { INSPECT } from '../base/inspect'
import { wordOf } from '../base/word'

/** The address of a list node in its heap, in bytes: a multiple of 16, 0 for none. */
export type NodeAddress = number

const enum Node {
  BYTES = 16,
  /** 32-bit halves: next, low and high, then entry, low and high. */
  HALVES = 4,
  /** In the low half of a free node's entry: no entry of a node is odd, so a stale pointer is recognised. */
  POISON = -1,
}

const FIRST_CAPACITY = 64

/** Most nodes of one heap: with the unused first one they fill 2 GiB, so an address is a positive 32-bit integer. */
export const MAX_NODES = 2 ** 27 - 1

/** Allocates the 16-byte list nodes of one or more memslots (spec 3). */
export class NodeHeap {
  /** Most nodes in use at once. */
  readonly limit: number = 0

  /** @internal The nodes: four 32-bit halves each, little-endian. Replaced when the heap grows. */
  words = new Int32Array(FIRST_CAPACITY * Node.HALVES)

  #freeList: NodeAddress = 0
  #free = 0
  /** Where the next new node goes. Free ones are used first: so there are as many as were ever in use at once. */
  #unused: NodeAddress = Node.BYTES
  /** Where room, or what the limit allows of it, ends. */
  #end: NodeAddress = 0

  /**
   * @param options.limit most nodes in use at once, 0..2^27-1 (the default: 2 GiB of nodes)
   * @throws RangeError, TypeError
   */
  constructor(options: { limit?: number } = {}) {
    const { limit = MAX_NODES } = checkObject('options', options)
    this.limit = checkInteger('limit', limit, 0, MAX_NODES)
    this.#end = Math.min(this.words.byteLength, this.#limitEnd)
  }

  /** Nodes in use now. */
  get inUse(): number {
    return this.peak - this.#free
  }

  /** Most nodes that were ever in use at once. */
  get peak(): number {
    return this.#unused / Node.BYTES - 1
  }

  /** Bytes of the buffer: 16 for each node it has room for, and for the one at address 0. */
  get byteLength(): number {
    return this.words.byteLength
  }

  /** Whether `address` is that of a node in use. */
  has(address: NodeAddress): boolean {
    return (
      Number.isInteger(address) &&
      address >= Node.BYTES &&
      address < this.#unused &&
      address % Node.BYTES === 0 &&
      this.words[(address >>> 2) + 2] !== Node.POISON
    )
  }

  /**
   * A node's two words, as the kernel has them in memory.
   *
   * @throws RangeError when there is no node in use at `address`; TypeError
   */
  read(address: NodeAddress): { next: bigint; entry: bigint } {
    if (!this.has(address)) throw badNumber('address', 'that of a node in use', address, 16)
    const { words } = this
    const at = address >>> 2
    return { next: wordOf(words[at + 1]!, words[at]!), entry: wordOf(words[at + 3]!, words[at + 2]!) }
  }

  /** @internal What `console.log` shows. */
  [INSPECT](): string {
    return `NodeHeap { in use: ${this.inUse}, peak: ${this.peak}, limit: ${this.limit} }`
  }

  /** @internal A node, its words undefined; 0 when the limit is reached or there is no memory. O(1) amortised. */
  allocate(): NodeAddress {
    const address = this.#freeList
    if (address === 0) return this.#allocateNew()
    this.#freeList = this.words[address >>> 2]!
    this.#free--
    return address
  }

  #allocateNew(): NodeAddress {
    const address = this.#unused
    if (address === this.#end && !this.#grow()) return 0
    this.#unused = address + Node.BYTES
    return address
  }

  /**
   * @internal The address that {@link allocate} gives next, with room made for it; 0 where it would. What an allocation
   * before the lock comes to: asked for, and given back where it was not needed (spec 3).
   */
  nextAddress(): NodeAddress {
    if (this.#freeList !== 0) return this.#freeList
    return this.#unused === this.#end && !this.#grow() ? 0 : this.#unused
  }

  /** @internal Gives a node back. Last freed, first allocated, as a slab does. */
  free(address: NodeAddress): void {
    const at = address >>> 2
    this.words[at] = this.#freeList
    this.words[at + 2] = Node.POISON
    this.#freeList = address
    this.#free++
  }

  /** @internal The words of the nodes that were ever in use, from address 16 up: what a snapshot keeps. */
  get everUsed(): Int32Array {
    return this.words.subarray(Node.HALVES, this.#unused / 4)
  }

  /** @internal The free node that is used next; 0 for none. Each has the next one's address in its `next`. */
  get freeHead(): NodeAddress {
    return this.#freeList
  }

  /** @internal Takes over what {@link everUsed} and {@link freeHead} gave. Returns what is wrong with it, if so. */
  load(nodes: Int32Array, freeHead: NodeAddress): string | undefined {
    const count = nodes.length / Node.HALVES
    const words = new Int32Array(Math.max(FIRST_CAPACITY, count + 1) * Node.HALVES)
    words.set(nodes, Node.HALVES)
    let free = 0
    for (let address = freeHead; address !== 0; address = words[address >>> 2]!) {
      if (address < Node.BYTES || address > count * Node.BYTES || address % Node.BYTES !== 0) {
        return `0x${(address >>> 0).toString(16)} in the free list is no node`
      }
      if (words[(address >>> 2) + 2] !== Node.POISON) return `0x${address.toString(16)} in the free list is in use`
      if (++free > count) return 'the free list has no end'
    }
    let poisoned = 0
    for (let at = Node.HALVES + 2; at < (count + 1) * Node.HALVES; at += Node.HALVES)
      if (words[at] === Node.POISON) poisoned++
    if (poisoned !== free) return `${poisoned} are free, ${free} are in the free list`
    if (count > this.limit) return `there were ${count}, the limit is ${this.limit}`
    this.words = words
    this.#freeList = freeHead
    this.#unused = (count + 1) * Node.BYTES
    this.#free = free
    this.#end = Math.min(words.byteLength, this.#limitEnd)
    return undefined
  }

  get #limitEnd(): number {
    return (this.limit + 1) * Node.BYTES
  }

  /** Twice the room, within the limit. False when there is none to be had. */
  #grow(): boolean {
    const bytes = Math.min(this.words.byteLength * 2, this.#limitEnd)
    if (bytes <= this.#unused) return false
    let words: Int32Array<ArrayBuffer>
    try {
      words = new Int32Array(bytes / 4)
    } catch {
      return false // the platform has no such buffer for us: out of memory, like the kernel's allocator
    }
    words.set(this.words)
    this.words = words
    this.#end = bytes
    return true
  }
}
