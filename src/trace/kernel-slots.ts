/**
 * The model's rmap slots by the kernel's addresses: a replay compares them with a recording.
 *
 * A recording names a slot by the address of its word, and a node by its address in the kernel. Here the slots are in
 * memslots of a fixed size (chunks), created when an event names an address in them. For each node of the model, the
 * address of the kernel's node is kept.
 */
import { withJson } from '../base/json'
import { hiOf, loOf, wordOf } from '../base/word'
import type { AllocationGate } from '../page-table/allocation-gate'
import { TAG } from '../rmap/entry'
import { MAX_NPAGES, Memslot, type InsertOutcome } from '../rmap/memslot'
import { NodeHeap } from '../rmap/node-heap'

/** Rmap slots of one chunk: a 4 KiB page of the kernel's memory. */
const CHUNK_SLOTS = 512
const CHUNK_SHIFT = 12

/** The rmap slots of one 4 KiB page of the kernel's memory. */
export class Chunk {
  readonly memslot: Memslot
  /** The slots that ever had an insert. */
  readonly touched = new Uint8Array(CHUNK_SLOTS)

  constructor(nodes: NodeHeap) {
    // The kernel does not check an LPID's lower bound, so a replay does not either (spec 11).
    this.memslot = new Memslot({ baseGfn: 0, npages: CHUNK_SLOTS, nodes, allowLpidZero: true })
  }
}

/** A list node with the kernel's addresses. */
export interface KernelNode {
  readonly address: bigint
  readonly next: bigint
  readonly entry: bigint
}

/** All rmap slots of a recording, by the kernel's addresses. */
export class KernelSlots {
  readonly nodes = new NodeHeap()
  readonly #gate: AllocationGate

  #chunks = new Map<number, Chunk>()
  #lastKey = -1
  #lastChunk: Chunk | undefined
  /** Whether a slot may have an entry. */
  #filled = false
  // The kernel's address of each node, by the node's number in the heap.
  #addressHi = new Int32Array(64)
  #addressLo = new Int32Array(64)

  /** `gate` counts the chunks. */
  constructor(gate: AllocationGate) {
    this.#gate = gate
  }

  /** The chunk of the slot at an address. */
  chunkAt(hi: number, lo: number): Chunk {
    const key = chunkKey(hi, lo)
    if (key === this.#lastKey) return this.#lastChunk!
    let chunk = this.#chunks.get(key)
    if (chunk === undefined) {
      this.#chunks.set(key, (chunk = new Chunk(this.nodes)))
      this.#gate.pages++
    }
    this.#lastKey = key
    this.#lastChunk = chunk
    return chunk
  }

  /** The index in its chunk of the slot at an address. */
  indexAt(lo: number): number {
    return (lo >>> 3) & (CHUNK_SLOTS - 1)
  }

  /** The parts of an array that have a chunk, in order: `npages` slots of the chunk from `index` on. */
  *parts(
    hi: number,
    lo: number,
    npages: number,
  ): Generator<{ chunk: Chunk; index: number; slot: number; npages: number }> {
    const first = this.indexAt(lo)
    const firstKey = chunkKey(hi, lo)
    const keys = Math.ceil((first + npages) / CHUNK_SLOTS)
    for (const key of keys > this.#chunks.size ? this.#keysBetween(firstKey, firstKey + keys) : count(firstKey, keys)) {
      const chunk = this.#chunks.get(key)
      if (chunk === undefined) continue
      const slot = (key - firstKey) * CHUNK_SLOTS - first
      const index = Math.max(0, -slot)
      yield { chunk, index, slot: slot + index, npages: Math.min(CHUNK_SLOTS, npages - slot) - index }
    }
  }

  /** The keys in `from..to-1` that have a chunk, in order: for an array that has more keys than there are chunks. */
  #keysBetween(from: number, to: number): number[] {
    return [...this.#chunks.keys()].filter((key) => key >= from && key < to).sort((a, b) => a - b)
  }

  chunks(): Iterable<Chunk> {
    return this.#chunks.values()
  }

  /** The slots that are not empty, in order of their addresses. */
  *filled(): Generator<{ address: bigint; chunk: Chunk; index: number }> {
    for (const key of [...this.#chunks.keys()].sort((a, b) => a - b)) {
      const chunk = this.#chunks.get(key)!
      for (let index = 0; index < CHUNK_SLOTS; index++) {
        if (!chunk.memslot.isEmptyAt(index))
          yield { address: (BigInt(key) << BigInt(CHUNK_SHIFT)) + BigInt(index * 8), chunk, index }
      }
    }
  }

  /** Whether a slot's word equals the kernel's. Pointers are compared by the kernel's address of the head node. */
  holds(chunk: Chunk, index: number, hi: number, lo: number): boolean {
    const ownLo = chunk.memslot.loAt(index)
    const ownHi = chunk.memslot.hiAt(index)
    if ((ownLo & TAG) !== 0 || (ownLo | ownHi) === 0) return ownLo === lo && ownHi === hi
    return this.#addressLo[ownLo >>> 4] === lo && this.#addressHi[ownLo >>> 4] === hi
  }

  /** A slot's word as the kernel would have it. */
  word(chunk: Chunk, index: number): bigint {
    return this.#kernelWord(chunk.memslot.hiAt(index), chunk.memslot.loAt(index))
  }

  /** The nodes of a slot's list, newest first. */
  list(chunk: Chunk, index: number): KernelNode[] {
    return chunk.memslot.listNodes(index).map(({ address, next, entry }) =>
      withJson({
        address: this.#kernelAddress(address),
        next: this.#kernelWord(hiOf(next), loOf(next)),
        entry,
      }),
    )
  }

  /** The model's insert. If it links a node, the node gets the address of the one that the kernel allocated. */
  insert(chunk: Chunk, index: number, hi: number, lo: number, nodeHi: number, nodeLo: number): InsertOutcome {
    this.#filled = true
    const outcome = chunk.memslot.insertEntry(index, hi, lo)
    if (outcome === 'second' || outcome === 'list') this.#nameHead(chunk, index, nodeHi, nodeLo)
    return outcome
  }

  /**
   * Adopts the kernel's slot word. For a pointer, the head of the model's list gets its address; if the model has no
   * list, nothing changes, because the kernel's list is not known.
   */
  adoptWord(chunk: Chunk, index: number, hi: number, lo: number): void {
    if ((lo & TAG) === 0 && (lo | hi) !== 0) {
      const own = chunk.memslot.loAt(index)
      if (own !== 0 && (own & TAG) === 0) this.#nameHead(chunk, index, hi, lo)
      return
    }
    this.#filled = true
    chunk.memslot.take(index)
    chunk.memslot.writeAt(index, hi, lo)
  }

  /** Inserts an entry that the kernel inserted and the model did not, without a scan. */
  adoptPush(chunk: Chunk, index: number, hi: number, lo: number, nodeHi: number, nodeLo: number): void {
    const { memslot } = chunk
    const address = memslot.isEmptyAt(index) ? 0 : this.nodes.allocate()
    if (address === 0) return memslot.writeAt(index, hi, lo | TAG)
    this.nodes.words.set([memslot.loAt(index), memslot.hiAt(index), lo, hi], address >>> 2)
    memslot.writeAt(index, 0, address)
    this.#nameHead(chunk, index, nodeHi, nodeLo)
  }

  /** Removes the newest entry of a slot, which the kernel did not insert. */
  adoptPop(chunk: Chunk, index: number): void {
    const { memslot } = chunk
    const address = memslot.loAt(index)
    if (address === 0) return // freed with its array since
    if ((address & TAG) !== 0) return memslot.writeAt(index, 0, 0)
    const at = address >>> 2
    memslot.writeAt(index, this.nodes.words[at + 1]!, this.nodes.words[at]!)
    this.nodes.free(address)
  }

  /** Empties the slots of an array that the kernel has freed. */
  free(hi: number, lo: number, npages: number): void {
    for (const { chunk, index, npages: slots } of this.parts(hi, lo, Math.min(npages, MAX_NPAGES))) {
      for (let i = index; i < index + slots; i++) chunk.memslot.take(i)
    }
  }

  /** Empties all slots. */
  freeAll(): void {
    if (!this.#filled) return
    this.#filled = false
    for (const { memslot } of this.#chunks.values()) for (let i = 0; i < CHUNK_SLOTS; i++) memslot.take(i)
  }

  #nameHead(chunk: Chunk, index: number, hi: number, lo: number): void {
    const number = chunk.memslot.loAt(index) >>> 4
    if (number >= this.#addressLo.length) {
      this.#addressHi = grown(this.#addressHi, number)
      this.#addressLo = grown(this.#addressLo, number)
    }
    this.#addressHi[number] = hi
    this.#addressLo[number] = lo
  }

  #kernelAddress(address: number): bigint {
    return wordOf(this.#addressHi[address >>> 4]!, this.#addressLo[address >>> 4]!)
  }

  #kernelWord(hi: number, lo: number): bigint {
    return (lo & TAG) !== 0 || (lo | hi) === 0 ? wordOf(hi, lo) : this.#kernelAddress(lo)
  }
}

/** The number of the chunk that contains an address: exact, because it has 52 bits. */
function chunkKey(hi: number, lo: number): number {
  return (hi >>> 0) * 2 ** (32 - CHUNK_SHIFT) + (lo >>> CHUNK_SHIFT)
}

function* count(from: number, many: number): Generator<number, void, undefined> {
  for (let n = 0; n < many; n++) yield from + n
}

function grown(array: Int32Array<ArrayBuffer>, index: number): Int32Array<ArrayBuffer> {
  const larger = new Int32Array(Math.max(array.length * 2, index + 1))
  larger.set(array)
  return larger
}
