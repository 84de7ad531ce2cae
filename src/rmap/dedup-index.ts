/**
 * An index of a long list: it finds an entry and its position without a scan (spec 3).
 *
 * Linux compares a new entry with every entry of the list, so n inserts into one rmap slot cost n(n-1)/2 compares. The
 * model counts these compares but does not make them. An entry is only pushed at the head, and a list is only removed
 * completely. So an entry's ordinal (1 for the oldest) never changes: list length - ordinal entries are before it.
 *
 *     cell   | hi | lo | ordinal |     12 bytes; ordinal 0: an empty cell
 *
 * A hash table with open addressing and linear probing. The first cell to probe grows with the hash, so cells are sorted
 * by hash (except for collisions), and a copy into a larger table writes it from front to back.
 *
 * Memory: 16 to 24 bytes an entry. A new table is half full; it is replaced when it is three quarters full. (If a guest
 * chooses addresses with colliding hashes, `find` becomes a scan, as in Linux.)
 */

const enum Cell {
  WORDS = 3,
}

/** @internal Finds an entry's ordinal in one list (spec 3). */
export class DedupIndex {
  /** Entries in the table: as many as the list has. */
  size = 0

  /** Cells that all calls of {@link find} compared. */
  probes = 0

  #cells = new Int32Array(0)
  #cellOfHash = 0 // cells / 2^32
  #most = 0 // entries at which the table is full
  #found = 0 // position of the cell at which find ended

  /** Bytes of the table. */
  get byteLength(): number {
    return this.#cells.byteLength
  }

  /** Whether one more entry needs a larger table. */
  get isFull(): boolean {
    return this.size >= this.#most
  }

  /**
   * Moves the cells to a new table, which `entries` entries fill by half.
   *
   * @param entries at least 2, and at least {@link size}
   * @returns false if there is no memory; nothing has changed then
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
   * The ordinal of an entry, given as its untagged halves; 0 if the list does not have it. O(1) unless hashes collide. It
   * always ends, because there is always an empty cell.
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
    this.#found = at
    return cells[at + 2]!
  }

  /** Adds an entry right after {@link find} did not find it. The table must not be full. */
  add(hi: number, lo: number, ordinal: number): void {
    this.#write(hi, lo, ordinal)
    this.size++
  }

  #write(hi: number, lo: number, ordinal: number): void {
    const at = this.#found
    this.#cells[at] = hi
    this.#cells[at + 1] = lo
    this.#cells[at + 2] = ordinal
  }
}

/**
 * A 32-bit hash that depends on every bit of the entry. The low half is mixed before the high half is added: in real
 * guests both count up in small steps.
 */
function hash(hi: number, lo: number): number {
  let h = Math.imul(lo ^ (lo >>> 15), 0x9e3779b1)
  h = Math.imul(h ^ (h >>> 16) ^ hi, 0x85ebca6b)
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35)
  return (h ^ (h >>> 16)) >>> 0
}
