/** Finds out who wrote a recording: a kernel's ftrace, or the model's own `recorder`. */

/** Most bytes of a recording that are read: they contain its first events. */
const MOST_BYTES = 2 ** 16

/** Reads the beginning of a recording. The recorder writes `(model)` where a kernel names the probed function. */
export class SourceProbe {
  #text = ''

  /** Reads the next chunk of the recording. */
  feed(chunk: Uint8Array): void {
    if (this.#text.length >= MOST_BYTES) return
    this.#text += String.fromCharCode(...chunk.subarray(0, MOST_BYTES - this.#text.length))
  }

  /** Who wrote it. */
  get source(): 'kernel' | 'model' {
    return /^ *\S.*: \w+: \(model\) /m.test(this.#text) ? 'model' : 'kernel'
  }
}
