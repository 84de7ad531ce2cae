/**
 * At the end of a replay: compares the model's tables with the kernel's dump of them (debugfs `radix`), leaf by leaf.
 * The shadow tables must be equal: bit for bit where the recording has the events of the fault path, else with the
 * referenced and changed bits aside. L1's own table, which the kernel may have gone on filling after the end of the
 * recording, is compared but is no difference. Nor is LPID 0's table, which the kernel's file never lists.
 *
 * The comparison reads the replay and never changes it; give its result to `Replay.result`.
 */
import { wrongType } from '../base/args'
import type { Gpa, Lpid } from '../base/units'
import { hex, hiOfNumber } from '../base/word'
import type { Leaf, RadixTable } from '../page-table/radix-table'
import { Differences, leafText, type Difference } from './differences'
import { RadixDumpReader } from './radix-dump'
import { Replay } from './replay'

/** What a comparison with a radix dump found. */
export interface RadixResult {
  /** Shadow leaves in the dump. */
  readonly leaves: number
  /** Shadow leaves that differ, that only the model has, or that only the dump has. */
  readonly differences: number
  /** The first ten of these. `line` is a line of the dump. */
  readonly first: readonly Difference[]
  /** Known causes outside the kernel that may explain the differences: a sentence each. */
  readonly hints: readonly string[]
  /** L1's own table, for information: none of this counts as a difference. */
  readonly host: {
    /** Leaves that are equal in both. */
    readonly same: number
    /** Leaves that both have at an address, and that are not equal. */
    readonly different: number
    /** Leaves that only the model has: the kernel cleared them after the recording. */
    readonly onlyModel: number
    /** Leaves that only the dump has: made before the recording began, or after it. */
    readonly onlyKernel: number
  }
}

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

  /** The next bytes of the dump, cut anywhere. @throws LineError, TypeError */
  feed(chunk: Uint8Array): void {
    this.#reader.feed(chunk)
  }

  /** The dump has ended: leaves of the model that it does not have are differences. @throws LineError */
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

  /** What was found up to now. */
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

  /** Whether two leaves are equal, the bits aside that the recording does not show. */
  #same(table: RadixTable, own: Leaf, kernel: Leaf): boolean {
    const ignored = BigInt(this.#replay.rc.ignored(table, hiOfNumber(own.gpa), own.gpa | 0))
    return own.gpa === kernel.gpa && own.shift === kernel.shift && ((own.word ^ kernel.word) & ~ignored) === 0n
  }
}
