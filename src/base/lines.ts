/**
 * Splits text input into lines of bytes, for the readers of recordings and of dumps.
 *
 * Input comes in chunks of any size. A line is given to its visitor as a range of bytes. If it lies in one chunk, it is a
 * range of that chunk: nothing is allocated, and the visitor decodes only what it needs. Memory is bounded, however long
 * the input is: at most one line is kept.
 */
import { checkInteger, wrongType } from './args'

const LF = 10
const CR = 13

/** The longest line that the readers of this library accept, in bytes: 1 MiB. */
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
 * Called with each line: the bytes `start..end-1` of `bytes`, without the line end, and the line's number, from 1. The
 * bytes are valid only during the call.
 */
export type LineVisitor = (bytes: Uint8Array, start: number, end: number, line: number) => void

/**
 * Splits chunks of bytes into lines, which end in LF or CR LF; the last line needs no line end. `feed` and `end` throw
 * what a visitor throws. After an error the splitter must not be used again.
 */
export class LineSplitter {
  readonly #maxBytes: number
  #kept = new Uint8Array(256) // the beginning of a line, from earlier chunks
  #keptBytes = 0
  #line = 0

  /**
   * @param maxBytes the longest line, in bytes without its line end: 1..2^30
   * @throws RangeError, TypeError
   */
  constructor(maxBytes: number = MAX_LINE_BYTES) {
    this.#maxBytes = checkInteger('maxBytes', maxBytes, 1, 2 ** 30)
  }

  /** Lines given to a visitor so far. */
  get lines(): number {
    return this.#line
  }

  /**
   * Calls the visitor with each line that ends in this chunk.
   *
   * @throws LineError as soon as a line is too long; TypeError
   */
  feed(chunk: Uint8Array, onLine: LineVisitor): void {
    if (!(chunk instanceof Uint8Array)) throw wrongType('chunk', 'a Uint8Array', chunk)
    // The visitor gets a Uint8Array even if the chunk is a Buffer: visitors are faster if they always see one class. The
    // search for line ends uses the chunk itself: Buffer.indexOf is memchr, 4 times as fast as Uint8Array's.
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

  /** To be called at the end of the input: calls the visitor with the last line, if it has no line end. @throws LineError */
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
    if (bytes > this.#maxBytes + 1) throw this.#tooLong(this.#line + 1) // one more byte: it may be the CR of the line end
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
