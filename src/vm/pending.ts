/** Operations between their halves, so that a caller can put others in between (spec 6, 7). */
import type { RangeCounters } from '../rmap/invalidate'
import type { FaultResult } from './fault-result'

/**
 * A fault between its halves (spec 7): its shadow leaf is planned and not yet made. It holds its nested guest, and a list
 * node.
 */
export class PendingFault {
  /** - `pending`: the fault has not ended: commit or abandon it */
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
   * The second half: makes the leaf, unless the host has invalidated something since the first half.
   *
   * @throws Error when it was committed or abandoned before
   */
  commit(): FaultResult {
    this.#finish('commit')
    return this.#commit()
  }

  /**
   * Gives the fault up, and the nested guest that it holds back.
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

/** An invalidation between its halves (spec 7): the leaves are cleared, and until its end faults are retried. */
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

/**
 * A change of dirty logging between its halves (spec 6): the changed memslot is visible, and not yet flushed. Faults may
 * come in between; other operations on the memslot are refused until the end, as Linux holds a lock over both halves.
 */
export class PendingLogDirty {
  readonly #end: () => void
  #done = false

  /** @internal */
  constructor(end: () => void) {
    this.#end = end
  }

  /**
   * The second half: flushes the memslot, and mmuSeq moves.
   *
   * @throws Error when it was ended before
   */
  end(): void {
    if (this.#done) throw new Error('end: this change has ended: call beginSetLogDirty for another')
    this.#done = true
    this.#end()
  }
}
