/**
 * Text input as lines of bytes: what the readers of recordings and of dumps share.
 *
 * Input comes in chunks of any size, from wherever; a line is shown as a range of bytes, in the chunk itself where
 * it lies in one, so nothing is allocated for it and it is decoded only where its reader wants to. Memory is bounded
 * however long the input is: one line at most is kept.
 */
import { checkInteger, wrongType } from './args'

const LF = 10
const CR = 13

/** Longest line that the readers of this library take, in bytes: 1 MiB. */
export const MAX_LINE_BYTES = 2 ** 20

/** A line of input that cannot be read, and its number. */
export class LineError extends Error {
  override readonly name = 'LineError'
  /** The line's number, from 1. */
  readonly line: number

  /** @param reason what is wrong, without the line number: the message is `line N: reason` */
  constructor(line: number, reason: string) {
    super(`line ${line}: ${reason}`)
    this.line = line
  }
}

/**
 * Shown one line: the bytes `start..end-1` of `bytes`, without its line end, and its number, from 1. The bytes are
 * only good during the call.
 */
export type LineVisitor = (bytes: Uint8Array, start: number, end: number, line: number) => void

/**
 * Cuts chunks of bytes into lines, which end in LF or CR LF; the last one may end with the input. What a visitor
 * throws comes out of `feed` or `end`; the splitter is of no use then, as it is after a {@link LineError}.
 */
export class LineSplitter {
  readonly #maxBytes: number
  #kept = new Uint8Array(256) // the part of a line that earlier chunks brought
  #keptBytes = 0
  #line = 0

  /**
   * @param maxBytes longest line, without its line end, 1..2^30
   * @throws RangeError, TypeError
   */
  constructor(maxBytes: number = MAX_LINE_BYTES) {
    this.#maxBytes = checkInteger('maxBytes', maxBytes, 1, 2 ** 30)
  }

  /** Lines shown so far. */
  get lines(): number {
    return this.#line
  }

  /**
   * Shows the lines that end in this chunk. Allocates nothing for a line that lies in it.
   *
   * @throws LineError for a line that is too long, as soon as it is; TypeError
   */
  feed(chunk: Uint8Array, onLine: LineVisitor): void {
    if (!(chunk instanceof Uint8Array)) throw wrongType('chunk', 'a Uint8Array', chunk)
    // Lines are shown in a Uint8Array, not in the Buffer that the chunk may be: readers are faster if all that they see is of
    // one class. Line ends are searched in the chunk itself: Buffer.indexOf is memchr, 4 times as fast as Uint8Array's.
    const bytes = new Uint8Array(chunk.buffer, chunk.byteOffset, chunk.length)
    let start = 0
    let end = chunk.indexOf(LF)
    if (this.#keptBytes > 0 && end >= 0) {
      this.#keep(bytes, 0, end)
      this.end(onLine)
      start = end + 1
      end = chunk.indexOf(LF, start)
    }
    for (; end >= 0; end = chunk.indexOf(LF, start)) {
      this.#show(bytes, start, end, onLine)
      start = end + 1
    }
    if (start < bytes.length) this.#keep(bytes, start, bytes.length)
  }

  /** The input has ended: shows the last line, if it had no line end. @throws LineError */
  end(onLine: LineVisitor): void {
    const bytes = this.#keptBytes
    this.#keptBytes = 0
    if (bytes > 0) this.#show(this.#kept, 0, bytes, onLine)
  }

  #show(bytes: Uint8Array, start: number, end: number, onLine: LineVisitor): void {
    if (end > start && bytes[end - 1] === CR) end--
    this.#line++
    if (end - start > this.#maxBytes) throw this.#tooLong(this.#line)
    onLine(bytes, start, end, this.#line)
  }

  #keep(chunk: Uint8Array, start: number, end: number): void {
    const bytes = this.#keptBytes + end - start
    if (bytes > this.#maxBytes + 1) throw this.#tooLong(this.#line + 1) // one more: it may be the CR of its end
    if (bytes > this.#kept.length) {
      const kept = new Uint8Array(Math.max(bytes, Math.min(this.#kept.length * 2, this.#maxBytes + 1)))
      kept.set(this.#kept.subarray(0, this.#keptBytes))
      this.#kept = kept
    }
    this.#kept.set(chunk.subarray(start, end), this.#keptBytes)
    this.#keptBytes = bytes
  }

  #tooLong(line: number): LineError {
    return new LineError(line, `longer than ${this.#maxBytes} bytes`)
  }
}
