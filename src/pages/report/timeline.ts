/**
 * A curve over a recording of unknown length, in bounded memory: when there are too many points, each pair is merged. A
 * point is the maximum of the value in its part of the recording, so no peak is lost.
 */
import { checkInteger } from '../../base/args'

/** A part of the recording: its last line, and the maximum of the value in it. */
export type Point = readonly [line: number, most: number]

/** Builds a curve. */
export class Timeline {
  readonly #limit: number
  #points: Point[] = []
  #each = 1 // values that one point summarizes
  #values = 0 // values of the current point so far
  #most = 0
  #line = 0

  /** @param limit most points, 2..2^20 */
  constructor(limit = 1000) {
    this.#limit = checkInteger('limit', limit, 2, 2 ** 20)
  }

  /** Adds the value after a line. */
  add(line: number, value: number): void {
    this.#line = line
    this.#most = this.#values === 0 ? value : Math.max(this.#most, value)
    if (++this.#values < this.#each) return
    this.#values = 0
    this.#points.push([line, this.#most])
    if (this.#points.length < this.#limit) return
    this.#each *= 2
    const pairs: Point[] = []
    for (let i = 1; i < this.#points.length; i += 2) {
      pairs.push([this.#points[i]![0], Math.max(this.#points[i - 1]![1], this.#points[i]![1])])
    }
    // A last point without a partner begins the next point.
    if (this.#points.length % 2 === 1) {
      this.#most = this.#points.at(-1)![1]
      this.#values = this.#each / 2
    }
    this.#points = pairs
  }

  /** The curve so far. */
  points(): Point[] {
    return this.#values === 0 ? [...this.#points] : [...this.#points, [this.#line, this.#most]]
  }
}
