/**
 * At the end of a replay: the model's tables against the kernel's dump of them (debugfs `radix`), leaf by leaf,
 * referenced and changed bits aside. The shadow tables must be equal. L1's own table, which the kernel may have gone
 * on filling when the recording had ended, is compared but not judged.
 */
import { wrongType } from '../base/args'
import type { Gpa, Lpid } from '../base/units'
import { hex } from '../base/word'
import { withoutRc } from '../page-table/leaf'
import type { Leaf, RadixTable } from '../page-table/radix-table'
import { leafText } from './differences'
import { RadixDumpReader } from './radix-dump'
import { Replay } from './replay'

/** Compares a dump with the tables of a replay that has ended. Differences go into the replay's result. */
export class RadixComparison {
  /** L1's own table: leaves that are the same in both, that differ, and that only one of the two has. */
  readonly host = { same: 0, different: 0, onlyModel: 0, onlyKernel: 0 }

  readonly #replay: Replay
  readonly #shadows: ReadonlyMap<Lpid, RadixTable>
  readonly #radix = { leaves: 0, differences: 0 }
  readonly #seen = new Map<Lpid | null, Set<Gpa>>()
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
   * @param replay at the end of its recording
   * @throws TypeError; Error when the recording has not ended
   */
  constructor(replay: Replay) {
    if (!(replay instanceof Replay)) throw wrongType('replay', 'a Replay', replay)
    if (!replay.ended) throw new Error('replay: the recording has not ended: call end first')
    this.#replay = replay
    this.#shadows = replay.shadows()
    replay.radix = this.#radix
  }

  /** The next bytes of the dump. @throws LineError, TypeError */
  feed(chunk: Uint8Array): void {
    this.#reader.feed(chunk)
  }

  /** The dump has ended: what it does not have is missing. @throws LineError */
  end(): void {
    this.#reader.end()
    this.host.onlyModel = [...this.#missing(null, this.#replay.host)].length
    for (const [lpid, shadow] of this.#shadows) {
      for (const leaf of this.#missing(lpid, shadow)) this.#differ(lpid, leaf.gpa, leaf, undefined)
    }
    const { leaves, differences } = this.#radix
    if (leaves > 0 && differences >= leaves && this.#replay.found.count === differences) {
      this.#replay.found.hints.add('no leaf of the dump agrees: it may be of another VM, or of another time')
    }
  }

  #compareHost(leaf: Leaf): void {
    const own = this.#replay.host.lookup(leaf.gpa)
    this.host[own === undefined ? 'onlyKernel' : same(own, leaf) ? 'same' : 'different']++
  }

  #compareShadow(lpid: Lpid, leaf: Leaf): void {
    this.#radix.leaves++
    const own = this.#shadows.get(lpid)?.lookup(leaf.gpa)
    if (own === undefined || !same(own, leaf)) this.#differ(lpid, leaf.gpa, own, leaf)
  }

  #missing(lpid: Lpid | null, table: RadixTable): Leaf[] {
    const seen = this.#seen.get(lpid)
    return [...table.leaves()].filter(({ gpa }) => seen?.has(gpa) !== true)
  }

  #differ(lpid: Lpid, gpa: Gpa, own: Leaf | undefined, kernel: Leaf | undefined): void {
    this.#radix.differences++
    this.#replay.found.add(
      this.#line,
      'radix',
      `LPID ${lpid}: ${hex(gpa)}: model ${leafText(own)}, kernel ${leafText(kernel)}`,
    )
  }
}

function same(one: Leaf, other: Leaf): boolean {
  return one.gpa === other.gpa && one.shift === other.shift && withoutRc(one.word) === withoutRc(other.word)
}
