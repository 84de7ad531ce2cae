/** A fault and an invalidation between their halves, for the caller to put anything in between (spec 7). */
import type { RangeCounters } from '../rmap/invalidate'
import type { FaultResult } from './fault-result'

/** A fault between its halves (section 7): its shadow leaf is planned, and not yet made. */
export class PendingFault {
  /** Tells it from the result of a fault that is over. */
  readonly outcome = 'pending'
  readonly #commit: () => FaultResult
  readonly #abandon: () => void
  #done = false

  /** @internal */
  constructor(commit: () => FaultResult, abandon: () => void) {
    this.#commit = commit
    this.#abandon = abandon
  }

  /**
   * The second half: makes the leaf, if the host has invalidated nothing since the first.
   *
   * @throws Error when it was committed or abandoned before
   */
  commit(): FaultResult {
    this.#finish('commit')
    return this.#commit()
  }

  /**
   * Gives the fault up: its nested guest is held no longer.
   *
   * @throws Error when it was committed or abandoned before
   */
  abandon(): void {
    this.#finish('abandon')
    this.#abandon()
  }

  #finish(what: string): void {
    if (this.#done) throw new Error(`${what}: this fault is over: call beginFault for another`)
    this.#done = true
  }
}

/** An invalidation between its halves (section 7): the leaves are gone, and faults retry until its end. */
export class PendingUnmap {
  /** What its walks met. */
  readonly walks: Readonly<RangeCounters>
  readonly #end: () => void
  #done = false

  /** @internal */
  constructor(walks: RangeCounters, end: () => void) {
    this.walks = walks
    this.#end = end
  }

  /**
   * The second half: mmuSeq moves.
   *
   * @throws Error when it was ended before
   */
  end(): void {
    if (this.#done) throw new Error('end: this invalidation is over: call beginUnmap for another')
    this.#done = true
    this.#end()
  }
}
