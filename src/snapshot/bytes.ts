/** Writes and reads the numbers of a snapshot: little-endian on every machine, with bounds checks when reading. */

/** The error for a snapshot that cannot be restored. */
export class SnapshotError extends Error {
  override readonly name = 'SnapshotError'

  /** @param reason what is wrong; the message is `snapshot: reason` */
  constructor(reason: string) {
    super(`snapshot: ${reason}`)
  }
}

const MAX_SAFE = 0x1f_ffff_ffff_ffffn

/** @internal Writes numbers into a buffer that grows. */
export class ByteWriter {
  #bytes = new Uint8Array(4096)
  #view = new DataView(this.#bytes.buffer)
  #length = 0

  u8(value: number): void {
    const at = this.#room(1)
    this.#view.setUint8(at, value)
  }

  u16(value: number): void {
    const at = this.#room(2)
    this.#view.setUint16(at, value, true)
  }

  u32(value: number): void {
    const at = this.#room(4)
    this.#view.setUint32(at, value, true)
  }

  /** Writes a word: 8 bytes. */
  u64(value: bigint): void {
    const at = this.#room(8)
    this.#view.setBigUint64(at, value, true)
  }

  /** Writes an integer of 0..2^53-1 in 8 bytes. */
  integer(value: number): void {
    this.u64(BigInt(value))
  }

  /** Writes each value in 4 bytes. */
  halves(values: Int32Array): void {
    const at = this.#room(values.length * 4)
    for (let i = 0; i < values.length; i++) this.#view.setInt32(at + i * 4, values[i]!, true)
  }

  bytes(values: Uint8Array): void {
    const at = this.#room(values.length)
    this.#bytes.set(values, at)
  }

  /** A copy of the bytes written so far. */
  result(): Uint8Array {
    return this.#bytes.slice(0, this.#length)
  }

  /** Makes room for `bytes` more, and returns their position. May replace the buffer. */
  #room(bytes: number): number {
    const at = this.#length
    this.#length += bytes
    if (this.#length > this.#bytes.length) {
      const larger = new Uint8Array(Math.max(this.#length, this.#bytes.length * 2))
      larger.set(this.#bytes.subarray(0, at))
      this.#bytes = larger
      this.#view = new DataView(larger.buffer)
    }
    return at
  }
}

/** @internal Reads the numbers of a {@link ByteWriter}. @throws SnapshotError at the end of the bytes, or out of range */
export class ByteReader {
  readonly #view: DataView
  #at: number

  constructor(bytes: Uint8Array, start = 0) {
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
    this.#at = start
  }

  /** Bytes not read yet. */
  get left(): number {
    return this.#view.byteLength - this.#at
  }

  u8(what: string, max = 0xff): number {
    return this.#within(what, this.#view.getUint8(this.#take(what, 1)), max)
  }

  u16(what: string, max = 0xffff): number {
    return this.#within(what, this.#view.getUint16(this.#take(what, 2), true), max)
  }

  u32(what: string, max = 0xffffffff): number {
    return this.#within(what, this.#view.getUint32(this.#take(what, 4), true), max)
  }

  u64(what: string): bigint {
    return this.#view.getBigUint64(this.#take(what, 8), true)
  }

  /** Reads an integer of 0..max in 8 bytes. */
  integer(what: string, max = Number.MAX_SAFE_INTEGER): number {
    const value = this.u64(what)
    if (value > MAX_SAFE) throw new SnapshotError(`${what}: expected at most ${max}, got ${value}`)
    return this.#within(what, Number(value), max)
  }

  /** Reads a count of items of at least `bytes` each. More than can follow are refused, so the input bounds the memory. */
  count(what: string, bytes: number): number {
    const count = this.u32(what)
    if (count * bytes <= this.left) return count
    throw new SnapshotError(`${what}: ${count} do not fit in the ${this.left} bytes left`)
  }

  halves(what: string, count: number): Int32Array {
    const at = this.#take(what, count * 4)
    const values = new Int32Array(count)
    for (let i = 0; i < count; i++) values[i] = this.#view.getInt32(at + i * 4, true)
    return values
  }

  #take(what: string, bytes: number): number {
    if (bytes > this.left) throw new SnapshotError(`${what}: the snapshot ends before it`)
    const at = this.#at
    this.#at += bytes
    return at
  }

  #within(what: string, value: number, max: number): number {
    if (value > max) throw new SnapshotError(`${what}: expected at most ${max}, got ${value}`)
    return value
  }
}

/** @internal CRC-32 (IEEE 802.3). It detects every error within 32 consecutive bits, so any single altered byte. */
export function crc32(bytes: Uint8Array): number {
  let crc = -1
  for (let i = 0; i < bytes.length; i++) crc = (crc >>> 8) ^ CRC_TABLE[(crc ^ bytes[i]!) & 0xff]!
  return ~crc >>> 0
}

const CRC_TABLE = /* @__PURE__ */ crcTable()

function crcTable(): Int32Array {
  return new Int32Array(256).map((_, byte) => {
    let crc = byte
    for (let bit = 0; bit < 8; bit++) crc = (crc >>> 1) ^ ((crc & 1) === 0 ? 0 : 0xedb88320)
    return crc
  })
}
