/**
 * Reads the page tables of an L1 as debugfs prints them: the file `radix` of its VM (kvm/<pid>-<fd>/radix).
 *
 *     pgdir: c00000002f4e0000                        L1's own table, by the address of its root
 *      10000: c000000033900387 16                    a leaf PTE: gpa, word (plain order), log2 of its size
 *     Nested LPID 3: pgdir: c00000002f530000         the shadow table of L1's guest 3; it may have no leaf
 *      100a0000: c00000002db60387 16
 *
 * Changes that copying makes to such a file are accepted: a byte order mark, blanks at the ends of a line, CR LF, and
 * the banner of `head` or `tail` (`==> .../radix <==`). Any other line is refused.
 *
 * {@link RadixDumpReader} streams: it keeps one line at most. {@link RadixDumpTables} builds the tables.
 */
import { checkFunction, checkInteger, checkObject, checkOneOf, checkOptionNames } from '../base/args'
import { LineError, LineSplitter } from '../base/lines'
import { type Lpid, MAX_GPA, MAX_LPID, type PageShift } from '../base/units'
import { hex } from '../base/word'
import { AllocationGate, MAX_READER_PAGES, ROOT_PAGES } from '../page-table/allocation-gate'
import { LEAF, PRESENT } from '../page-table/leaf'
import { RadixTable, TableLeaf, type Leaf } from '../page-table/radix-table'

/** Receives the tables and leaves of a dump, in order. `lpid`: L1's number for the guest, null for L1's own table. */
export interface RadixDumpVisitor {
  /** A table begins. `pgdir` is the host's address of its root. */
  table?(lpid: Lpid | null, pgdir: bigint, line: number): void
  /** A leaf of the table that began last. */
  leaf?(lpid: Lpid | null, leaf: Leaf, line: number): void
}

const TABLE = /^[ \t]*(?:Nested LPID (\d{1,9}): )?pgdir: ([0-9a-f]{1,16})[ \t]*$/
const LEAF_LINE = /^[ \t]*([0-9a-f]{1,16}): ([0-9a-f]{1,16}) (\d{1,3})[ \t]*$/
const BANNER = /^==> .* <==[ \t]*$/
const BYTE_ORDER_MARK = /^\xef\xbb\xbf/
const FORMS = '"pgdir: ADDRESS", "Nested LPID N: pgdir: ADDRESS" or " GPA: WORD SHIFT"'
const LONGEST = 200 // bytes of a line that are examined: more than any line of these forms has

/** Reads a dump in chunks of bytes. Time is proportional to the bytes; memory is one line, at most 1 MiB. */
export class RadixDumpReader {
  readonly #visitor: RadixDumpVisitor
  readonly #lines = new LineSplitter()
  readonly #seen = new Set<Lpid | null>()
  #lpid: Lpid | null = null
  #baseShift = 0

  /**
   * @param visitor called by `feed` and `end`, which also throw its errors
   * @throws TypeError
   */
  constructor(visitor: RadixDumpVisitor) {
    this.#visitor = checkObject('visitor', visitor)
    if (visitor.table !== undefined) checkFunction('visitor.table', visitor.table)
    if (visitor.leaf !== undefined) checkFunction('visitor.leaf', visitor.leaf)
  }

  /** Reads the next bytes. @throws LineError for a line of no known form or with a bad value; TypeError */
  feed(chunk: Uint8Array): void {
    this.#lines.feed(chunk, this.#onLine)
  }

  /** The dump has ended. @throws LineError, also for a dump without any table */
  end(): void {
    this.#lines.end(this.#onLine)
    if (this.#seen.size === 0) throw new LineError(this.#lines.lines + 1, 'the dump has no table ("pgdir: ADDRESS")')
  }

  readonly #onLine = (bytes: Uint8Array, start: number, end: number, line: number): void => {
    if (start === end) return
    let text = String.fromCharCode(...bytes.subarray(start, Math.min(end, start + LONGEST)))
    if (line === 1) text = text.replace(BYTE_ORDER_MARK, '')
    const leaf = LEAF_LINE.exec(text)
    if (leaf !== null) return this.#onLeaf(leaf, line)
    const table = TABLE.exec(text)
    if (table !== null) return this.#onTable(table, line)
    if (BANNER.test(text) || (end - start < LONGEST && text.trim() === '')) return
    throw new LineError(line, `expected ${FORMS}, got ${JSON.stringify(text.slice(0, 80))}`)
  }

  #onTable([, number, pgdir]: RegExpExecArray, line: number): void {
    const lpid = number === undefined ? null : Number(number)
    if (lpid !== null && lpid > MAX_LPID) throw new LineError(line, `LPID: expected at most ${MAX_LPID}, got ${lpid}`)
    if (this.#seen.has(lpid)) {
      throw new LineError(line, lpid === null ? 'a second table of L1' : `a second table of LPID ${lpid}`)
    }
    this.#seen.add(lpid)
    this.#lpid = lpid
    this.#visitor.table?.(lpid, BigInt(`0x${pgdir!}`), line)
  }

  #onLeaf([, gpaText, wordText, shiftText]: RegExpExecArray, line: number): void {
    if (this.#seen.size === 0) throw new LineError(line, 'a leaf before any table ("pgdir: ADDRESS")')
    const shift = Number(shiftText)
    if (shift !== 12 && shift !== 16 && shift !== 21 && shift !== 30) {
      throw new LineError(line, `shift: expected 12, 16, 21 or 30, got ${shift}`)
    }
    if (shift < 21) {
      if (this.#baseShift === 0) this.#baseShift = shift
      if (this.#baseShift !== shift)
        throw new LineError(line, `shift: expected ${this.#baseShift} as in earlier leaves, got ${shift}`)
    }
    const gpa = Number.parseInt(gpaText!, 16)
    if (gpa > MAX_GPA) throw new LineError(line, `gpa: expected at most ${hex(MAX_GPA)}, got 0x${gpaText}`)
    if (gpa % 2 ** shift !== 0) {
      throw new LineError(line, `gpa: expected a multiple of ${hex(2 ** shift)}, got 0x${gpaText}`)
    }
    const word = BigInt(`0x${wordText!}`)
    if ((word & (PRESENT | LEAF)) !== (PRESENT | LEAF)) {
      throw new LineError(line, `word: expected a present leaf, got 0x${wordText}`)
    }
    this.#visitor.leaf?.(this.#lpid, new TableLeaf(gpa, shift, word), line)
  }
}

/** Options of {@link RadixDumpTables}. */
export interface RadixDumpOptions {
  /** log2 of L0's base page size in bytes: 16 (the default) or 12. The dump must be of that kernel. */
  readonly pageShift?: PageShift
  /** The most pages of 4 KiB for the tables: 1..2^53-1. The default is 2^18 (1 GiB). */
  readonly maxPages?: number
}

/** The tables of a dump. Memory is proportional to the tables, at most `maxPages`. */
export class RadixDumpTables {
  /** L1's own table: gpa to host address; undefined if the dump has none. */
  host: RadixTable | undefined
  /** The shadow tables by L1's number for the guest, including empty ones. */
  readonly shadows = new Map<Lpid, RadixTable>()

  readonly #reader: RadixDumpReader

  /**
   * @throws RangeError, TypeError
   */
  constructor(options: RadixDumpOptions = {}) {
    const names = ['pageShift', 'maxPages'] as const
    const { pageShift: given = 16, maxPages = MAX_READER_PAGES } = checkOptionNames('options', options, names)
    const pageShift = checkOneOf<PageShift>('pageShift', given, [16, 12])
    checkInteger('maxPages', maxPages, 1, Number.MAX_SAFE_INTEGER)
    const gate = new AllocationGate(Infinity)
    const checkPages = (line: number): void => {
      if (gate.pages <= maxPages) return
      throw new LineError(line, `the tables need more than ${maxPages} pages: give RadixDumpTables a larger maxPages`)
    }
    let table: RadixTable
    this.#reader = new RadixDumpReader({
      table: (lpid, _pgdir, line) => {
        gate.pages += ROOT_PAGES
        checkPages(line)
        table = new RadixTable({ pageShift }, gate)
        if (lpid === null) this.host = table
        else this.shadows.set(lpid, table)
      },
      leaf: (_lpid, { gpa, shift, word }, line) => {
        if (shift < 21 && shift !== pageShift) {
          throw new LineError(
            line,
            `shift: expected ${pageShift}, 21 or 30 with base pages of 2^${pageShift} bytes, got ${shift}`,
          )
        }
        if (table.lookup(gpa)?.shift === shift) throw new LineError(line, `a second leaf at ${hex(gpa)}`)
        let stored: boolean
        try {
          stored = table.set(gpa, shift, word)
        } catch (error) {
          throw new LineError(line, (error as Error).message) // a larger leaf, or smaller ones, in the same place
        }
        if (!stored) throw new LineError(line, 'no memory for the tables')
        checkPages(line)
      },
    })
  }

  /** Reads the next bytes. @throws LineError, TypeError */
  feed(chunk: Uint8Array): void {
    this.#reader.feed(chunk)
  }

  /** The dump has ended. @throws LineError */
  end(): void {
    this.#reader.end()
  }
}
