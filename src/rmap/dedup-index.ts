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

const enum Cell {
  WORDS = 3,
}

/** @internal Finds an entry's ordinal in one list (spec 3). */
export class DedupIndex {
  /** Entries, as many as the list has. */
  size = 0

  /** Cells looked at so far: the work done. */
  probes = 0

  #cells = new Int32Array(0)
  #cellOfHash = 0 // cells / 2^32
  #most = 0 // entries that a table may have
  #sought = 0 // where find ended

  /** Bytes of the table. */
  get byteLength(): number {
    return this.#cells.byteLength
  }

  /** Whether one entry more needs a larger table. */
  get isFull(): boolean {
    return this.size >= this.#most
  }

  /**
   * Takes a table that so many entries, at least 2, fill by half. False when the platform has no memory for it: nothing
   * has changed.
   */
  resize(entries: number): boolean {
    const old = this.#cells
    try {
      this.#cells = new Int32Array(entries * 2 * Cell.WORDS)
    } catch {
      return false
    }
    this.#cellOfHash = (entries * 2) / 2 ** 32
    this.#most = Math.floor((entries * 2 * 3) / 4)
    for (let at = 0; at < old.length; at += Cell.WORDS) {
      if (old[at + 2] === 0) continue
      this.find(old[at]!, old[at + 1]!)
      this.#write(old[at]!, old[at + 1]!, old[at + 2]!)
    }
    return true
  }

  /**
   * The ordinal of the entry with these halves, 1 for the list's oldest; 0 when it is not there. O(1), nearly always:
   * there always is a free cell, at which it ends.
   */
  find(hi: number, lo: number): number {
    const cells = this.#cells
    let at = Math.floor(hash(hi, lo) * this.#cellOfHash) * Cell.WORDS
    let probes = 1
    while (cells[at + 2] !== 0 && (cells[at + 1] !== lo || cells[at] !== hi)) {
      probes++
      at += Cell.WORDS
      if (at === cells.length) at = 0
    }
    this.probes += probes
    this.#sought = at
    return cells[at + 2]!
  }

  /** Adds the entry that {@link find} has just not found, to a table that is not full. */
  add(hi: number, lo: number, ordinal: number): void {
    this.#write(hi, lo, ordinal)
    this.size++
  }

  #write(hi: number, lo: number, ordinal: number): void {
    const at = this.#sought
    this.#cells[at] = hi
    this.#cells[at + 1] = lo
    this.#cells[at + 2] = ordinal
  }
}

/**
 * 32 bits in which every bit of the entry has its say: the low half is scattered before the high one comes in, as both
 * count up slowly in what guests do.
 */
function hash(hi: number, lo: number): number {
  let h = Math.imul(lo ^ (lo >>> 15), 0x9e3779b1)
  h = Math.imul(h ^ (h >>> 16) ^ hi, 0x85ebca6b)
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35)
  return (h ^ (h >>> 16)) >>> 0
}
