/**
 * After a replay: compares the model's tables with the kernel's dump of them (debugfs `radix`), leaf by leaf.
 *
 * The shadow tables must be equal, except for the referenced and changed bits if the recording lacks the events of the
 * fault path. L1's own table is compared for information: the kernel may have changed it after the end of the
 * recording. LPID 0's table is not compared: the kernel's file never lists it.
 *
 * The comparison never changes the replay. Give its result to `Replay.result`.
 */
import { wrongType } from '../base/args'
import type { Gpa, Lpid } from '../base/units'
import { hex, hiOfNumber } from '../base/word'
import type { Leaf, RadixTable } from '../page-table/radix-table'
import { Differences, leafText } from './differences'
import { RadixDumpReader } from './radix-dump'
import { Replay } from './replay'
import type { RadixResult } from './replay-result'

/**
 * Compares a radix dump with the tables of a replay that has ended.
 *
 * @example
 * const replay = new Replay()
 * replay.end() // after the recording was fed to it
 * const comparison = new RadixComparison(replay)
 * comparison.feed(new TextEncoder().encode('pgdir: c000000001000000\n'))
 * comparison.end()
 * replay.result(comparison.result()).differences // 0
 */
export class RadixComparison {
  readonly #replay: Replay
  readonly #shadows: ReadonlyMap<Lpid, RadixTable>
  readonly #found = new Differences()
  readonly #host = { same: 0, different: 0, onlyModel: 0, onlyKernel: 0 }
  readonly #seen = new Map<Lpid | null, Set<Gpa>>()
  #leaves = 0
  #line = 0

  readonly #reader = new RadixDumpReader({
    table: (_lpid, _pgdir, line) => {
      this.#line = line
    },
    leaf: (lpid, leaf, line) => {
      this.#line = line
      let seen = this.#seen.get(lpid)
      if (seen === undefined) this.#seen.set(lpid, (seen = new Set()))
      if (lpid !== null && seen.has(leaf.gpa))
        this.#differ(lpid, leaf.gpa, this.#shadows.get(lpid)?.lookup(leaf.gpa), leaf)
      seen.add(leaf.gpa)
      if (lpid === null) this.#compareHost(leaf)
      else this.#compareShadow(lpid, leaf)
    },
  })

  /**
   * @param replay a replay that has ended
   * @throws TypeError; Error when the recording has not ended
   */
  constructor(replay: Replay) {
    if (!(replay instanceof Replay)) throw wrongType('replay', 'a Replay', replay)
    if (!replay.ended) throw new Error('replay: the recording has not ended: call end first')
    this.#replay = replay
    this.#shadows = replay.shadows()
  }

  /** Reads the next bytes of the dump, in chunks of any size. @throws LineError, TypeError */
  feed(chunk: Uint8Array): void {
    this.#reader.feed(chunk)
  }

  /** The dump has ended: leaves that only the model has are differences. @throws LineError */
  end(): void {
    this.#reader.end()
    this.#host.onlyModel = this.#missing(null, this.#replay.host).length
    for (const [lpid, shadow] of this.#shadows) {
      for (const leaf of this.#missing(lpid, shadow)) this.#differ(lpid, leaf.gpa, leaf, undefined)
    }
    if (this.#leaves > 0 && this.#found.count >= this.#leaves && this.#replay.found.count === 0) {
      this.#found.hints.add('no leaf of the dump matches: it may be from another VM, or from another time')
    }
  }

  /** The differences up to now. */
  result(): RadixResult {
    return {
      leaves: this.#leaves,
      differences: this.#found.count,
      first: [...this.#found.first],
      hints: [...this.#found.hints],
      host: { ...this.#host },
    }
  }

  #compareHost(leaf: Leaf): void {
    const own = this.#replay.host.lookup(leaf.gpa)
    this.#host[own === undefined ? 'onlyKernel' : this.#same(this.#replay.host, own, leaf) ? 'same' : 'different']++
  }

  #compareShadow(lpid: Lpid, leaf: Leaf): void {
    this.#leaves++
    const shadow = this.#shadows.get(lpid)
    const own = shadow?.lookup(leaf.gpa)
    if (own === undefined || !this.#same(shadow!, own, leaf)) this.#differ(lpid, leaf.gpa, own, leaf)
  }

  #missing(lpid: Lpid | null, table: RadixTable): Leaf[] {
    const seen = this.#seen.get(lpid)
    if (lpid === 0) return [] // the kernel's file never lists the table of LPID 0
    return [...table.leaves()].filter(({ gpa }) => seen?.has(gpa) !== true)
  }

  #differ(lpid: Lpid, gpa: Gpa, own: Leaf | undefined, kernel: Leaf | undefined): void {
    this.#found.add(
      this.#line,
      'radix',
      `LPID ${lpid}: ${hex(gpa)}: model ${leafText(own)}, kernel ${leafText(kernel)}`,
    )
  }

  /** Whether two leaves are equal, except for the bits that the recording does not show. */
  #same(table: RadixTable, own: Leaf, kernel: Leaf): boolean {
    const ignored = BigInt(this.#replay.rc.ignored(table, hiOfNumber(own.gpa), own.gpa | 0))
    return own.gpa === kernel.gpa && own.shift === kernel.shift && ((own.word ^ kernel.word) & ~ignored) === 0n
  }
}
