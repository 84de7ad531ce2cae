/**
 * What a long list holds, and how far down: what an insert wants to know, without the scan (spec 3).
 *
 * Linux compares with every entry of the list, so n inserts into one slot cost n(n-1)/2 compares. We say so, and do
 * not pay it. Entries are only pushed at the head, and only taken all together. So an entry's ordinal (1 for the
 * oldest) never changes, and its distance from the head is the list's length less its ordinal.
 *
 *     cell   | hi | lo | ordinal |     12 bytes; ordinal 0: nothing here
 *
 * Open addressing with linear probing, from a cell that grows with the hash: so the cells lie in the order of their
 * hashes (but for collisions), and what is copied into a larger table is written front to back.
 *
 * Memory: a table is half full when it is made, and made anew when it is three quarters full: 16 to 24 bytes an
 * entry. (A guest that picks its addresses so that their hashes collide gets what it gets from Linux: a scan.)
 */

const CELL_WORDS = 3

/** @internal Finds an entry's ordinal in one list (spec 3). */
export class DedupIndex {
  /** Entries, as many as the list has. */
  size = 0

  /** Cells looked at so far: the work done. */
  probes = 0

  #cells = new Int32Array(0)
  #room = 0 // cells

  /** Bytes of the table. */
  get byteLength(): number {
    return this.#cells.byteLength
  }

  /** Whether one entry more needs a larger table. */
  get isFull(): boolean {
    return (this.size + 1) * 4 > this.#room * 3
  }

  /**
   * Takes a table that so many entries, at least 2, fill by half. False when the platform has no memory for it: nothing
   * has changed.
   */
  resize(entries: number): boolean {
    const old = this.#cells
    try {
      this.#cells = new Int32Array(entries * 2 * CELL_WORDS)
    } catch {
      return false
    }
    this.#room = entries * 2
    for (let at = 0; at < old.length; at += CELL_WORDS) {
      if (old[at + 2] !== 0) this.#write(old[at]!, old[at + 1]!, old[at + 2]!)
    }
    return true
  }

  /** The ordinal of the entry with these halves, 1 for the list's oldest; 0 when it is not there. O(1), nearly always. */
  find(hi: number, lo: number): number {
    return this.#cells[this.#seek(hi, lo) + 2]!
  }

  /** Adds an entry that is not there, to a table that is not full. O(1), nearly always. */
  add(hi: number, lo: number, ordinal: number): void {
    this.#write(hi, lo, ordinal)
    this.size++
  }

  #write(hi: number, lo: number, ordinal: number): void {
    const at = this.#seek(hi, lo)
    this.#cells[at] = hi
    this.#cells[at + 1] = lo
    this.#cells[at + 2] = ordinal
  }

  /** Where the entry's cell is, or the free one where it would be. There always is a free one. */
  #seek(hi: number, lo: number): number {
    const cells = this.#cells
    let at = Math.floor(hash(hi, lo) * this.#room * 2 ** -32) * CELL_WORDS
    for (let probes = 1; ; probes++) {
      if (cells[at + 2] === 0 || (cells[at + 1] === lo && cells[at] === hi)) {
        this.probes += probes
        return at
      }
      at += CELL_WORDS
      if (at === cells.length) at = 0
    }
  }
}

/** 32 bits in which every bit of the entry has its say. For one `hi`, no two `lo` have the same; nor the other way. */
function hash(hi: number, lo: number): number {
  let h = Math.imul(hi, 0x9e3779b1) ^ lo
  h = Math.imul(h ^ (h >>> 16), 0x85ebca6b)
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35)
  return (h ^ (h >>> 16)) >>> 0
}
