/**
 * The list nodes of the rmap (KVM: `struct rmap_nested`), and their allocator (spec 3).
 *
 *     byte  0               8               16
 *           | next          | entry         |      next:  another node's address (even), or, in the last node,
 *                                                         the oldest entry, tagged
 *                                                  entry: tag 0
 *
 * The nodes are in one growing buffer, 16 bytes each, so four of them fill a cache line. A node's address is its byte
 * offset in the buffer: a multiple of 16, at least 16. Address 0 is NULL, as in the kernel, and is never allocated.
 * Several memslots can share one heap, as the memslots of an L1 share the kernel's.
 *
 * Allocating and freeing a node must never create an object; only the buffer may be replaced by a larger one.
 */
import { badNumber, checkOptionNames, toInteger } from '../base/args'
import { inspectable } from '../base/inspect'
import { emptyWithJson } from '../base/json'
import { hex, hexWord, wordOf } from '../base/word'

/** The address of a list node in its heap, in bytes: a multiple of 16, 0 for none. */
export type NodeAddress = number

const enum Node {
  BYTES = 16,
  /** 32-bit halves: next, low and high, then entry, low and high. */
  HALVES = 4,
  /** In the low half of a free node's entry. No entry in a node is odd, so a pointer to a free node is recognised. */
  POISON = -1,
}

const FIRST_CAPACITY = 64

/** Most nodes of one heap. With the 16 bytes at address 0 they fill 2 GiB, so an address is a positive 32-bit integer. */
export const MAX_NODES = 2 ** 27 - 1

/** Options of {@link NodeHeap}. */
export interface NodeHeapOptions {
  /** Most nodes in use at once: 0..2^27-1. The default is 2^27-1: 2 GiB of nodes. */
  readonly limit?: number | bigint
}

/** The two words of a list node, as the kernel has them in memory. `JSON.stringify` writes them as hex strings. */
export interface NodeWords {
  /** The address of the next node (even), or, in the last node, the oldest entry with its tag (odd). */
  readonly next: bigint
  /** The entry of this node, with tag 0. */
  readonly entry: bigint
}

/**
 * The heap of 16-byte list nodes that one or more memslots share (spec 3). Memory: 16 bytes a node. When the buffer is
 * full, it grows to four times its size; it never shrinks. The platform uses memory only for the part that was written.
 *
 * @example
 * const nodes = new NodeHeap({ limit: 1000 })
 * const low = new Memslot({ baseGfn: 0, npages: 16, nodes })
 * const high = new Memslot({ baseGfn: 0x1000, npages: 16, nodes })
 */
export class NodeHeap {
  /** Most nodes in use at once: 0..2^27-1. */
  readonly limit: number = 0

  /** @internal The nodes: four 32-bit halves each, little-endian. Replaced when the heap grows. */
  words = new Int32Array(FIRST_CAPACITY * Node.HALVES)

  #freeList: NodeAddress = 0
  #free = 0
  /** The address of the next new node: 16 * (1 + {@link peak}), because free nodes are used first. */
  #unused: NodeAddress = Node.BYTES
  /** The end of the buffer, or of the part of it that the limit allows. */
  #end: NodeAddress = 0

  /** @throws RangeError, TypeError */
  constructor(options: NodeHeapOptions = {}) {
    const { limit = MAX_NODES } = checkOptionNames('options', options, ['limit'])
    this.limit = toInteger('limit', limit, 0, MAX_NODES)
    this.#end = Math.min(this.words.byteLength, this.#limitEnd)
    inspectable(this)
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

  /** Whether `address` is the address of a node in use; false for anything else. O(1). */
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
   * The two words of a node in use. O(1).
   *
   * @param address a multiple of 16, in bytes
   * @throws RangeError if no node in use has this address; TypeError
   */
  read(address: NodeAddress): NodeWords {
    if (!this.has(address)) throw badNumber('address', 'the address of a node in use', address, 16)
    const { words } = this
    const at = address >>> 2
    const node = emptyWithJson() as { next: bigint; entry: bigint }
    node.next = wordOf(words[at + 1]!, words[at]!)
    node.entry = wordOf(words[at + 3]!, words[at + 2]!)
    return node
  }

  /**
   * What `JSON.stringify` writes: the counts, and the nodes in use by ascending address, with words as hex strings. Cost:
   * the nodes that were ever in use.
   */
  toJSON(): { limit: number; inUse: number; peak: number; nodes: { address: number; next: string; entry: string }[] } {
    const { limit, inUse, peak } = this
    const nodes = []
    for (let address: number = Node.BYTES; address < this.#unused; address += Node.BYTES) {
      if (!this.has(address)) continue
      const { next, entry } = this.read(address)
      nodes.push({ address, next: hexWord(next), entry: hexWord(entry) })
    }
    return { limit, inUse, peak, nodes }
  }

  /** @internal What `console.log` shows. */
  inspect(): string {
    return `NodeHeap { in use: ${this.inUse}, peak: ${this.peak}, limit: ${this.limit} }`
  }

  /** @internal Allocates a node, with undefined words; 0 if the limit is reached or there is no memory. O(1) amortised. */
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
   * @internal The address that {@link allocate} will return next; 0 if no node is available. Grows the buffer if needed.
   * Models Linux's allocation before it takes mmu_lock, which is freed if the node is not needed (spec 3).
   */
  nextAddress(): NodeAddress {
    if (this.#freeList !== 0) return this.#freeList
    return this.#unused === this.#end && !this.#grow() ? 0 : this.#unused
  }

  /** @internal Frees a node. The node that was freed last is allocated first, as in Linux's slab allocator. */
  free(address: NodeAddress): void {
    const at = address >>> 2
    this.words[at] = this.#freeList
    this.words[at + 2] = Node.POISON
    this.#freeList = address
    this.#free++
  }

  /** @internal The words of the nodes that were ever in use, from address 16 on: for snapshots. */
  get everUsed(): Int32Array {
    return this.words.subarray(Node.HALVES, this.#unused / 4)
  }

  /** @internal The head of the free list: the node that is allocated next; 0 for none. `next` links the free nodes. */
  get freeHead(): NodeAddress {
    return this.#freeList
  }

  /** @internal Restores {@link everUsed} and {@link freeHead}. Returns what is wrong with them, if anything. */
  load(nodes: Int32Array, freeHead: NodeAddress): string | undefined {
    const count = nodes.length / Node.HALVES
    const words = new Int32Array(Math.max(FIRST_CAPACITY, count + 1) * Node.HALVES)
    words.set(nodes, Node.HALVES)
    let free = 0
    for (let address = freeHead; address !== 0; address = words[address >>> 2]!) {
      if (address < Node.BYTES || address > count * Node.BYTES || address % Node.BYTES !== 0) {
        return `${hex(address >>> 0)} in the free list is not a node`
      }
      if (words[(address >>> 2) + 2] !== Node.POISON) return `${hex(address)} in the free list is in use`
      if (++free > count) return 'the free list has no end'
    }
    let poisoned = 0
    for (let at = Node.HALVES + 2; at < (count + 1) * Node.HALVES; at += Node.HALVES)
      if (words[at] === Node.POISON) poisoned++
    if (poisoned !== free) return `${poisoned} nodes are free, the free list has ${free}`
    if (count > this.limit) return `${count} nodes were in use at once, the limit is ${this.limit}`
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

  /**
   * Grows the buffer to four times its size, but not above the limit; false if there is no memory or the limit is reached.
   * (Four, not two: the unused part costs no memory, and each growth copies all nodes.)
   */
  #grow(): boolean {
    const bytes = Math.min(this.words.byteLength * 4, this.#limitEnd)
    if (bytes <= this.#unused) return false
    let words: Int32Array<ArrayBuffer>
    try {
      words = new Int32Array(bytes / 4)
    } catch {
      return false // out of memory, like the kernel's allocator
    }
    words.set(this.words)
    this.words = words
    this.#end = bytes
    return true
  }
}
