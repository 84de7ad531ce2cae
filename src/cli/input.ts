/** Reads the input of the commands: files and standard input, plain or compressed. Errors name the file. */
import { createReadStream } from 'node:fs'
import type { Transform } from 'node:stream'
import * as zlib from 'node:zlib'
import { LineError } from '../base/lines'
import { Failure } from './command'
import { binaryKind, HEAD_BYTES } from './kinds'

/** A reader of the library: receives the bytes of an input, in chunks. */
export interface Sink {
  feed(chunk: Uint8Array): void
  end(): void
}

/** Options of {@link readInput}. */
export interface InputOptions {
  /** Returns the reason why an input with these first bytes (decompressed) cannot be used; undefined if it can. */
  readonly refuse?: (head: Buffer) => string | undefined
  /** The position of the reader, for the error of a damaged file. */
  readonly where?: () => string
  /** A command that can read converted text, for the message about a file that must be converted first. */
  readonly pipeTo?: string
  /** Whether truncated compressed data is read up to its end; by default it is refused. */
  readonly allowTruncated?: boolean
}

/** The name of an input in a message. */
export function inputName(file: string): string {
  return file === '-' ? 'standard input' : file
}

/**
 * Reads a file (`-`: standard input) into a sink. Data in gzip (or zstd, if Node has it) is decompressed. Memory is
 * proportional to a decompressed chunk.
 *
 * @returns whether the compressed data is truncated: only with {@link InputOptions.allowTruncated}
 * @throws Failure, with the file's name, for an input that cannot be read or that the sink refuses with a {@link LineError}
 */
export async function readInput(file: string, sink: Sink, options: InputOptions = {}): Promise<boolean> {
  const fail = (reason: string): Failure => new Failure(`${inputName(file)}: ${reason}`)
  const { refuse, where = () => '', pipeTo = 'nested-rmap replay -', allowTruncated = false } = options
  const sniff = (head: Buffer): void => {
    const kind = binaryKind(head, file, pipeTo) ?? refuse?.(head)
    if (kind !== undefined) throw fail(kind)
  }
  let truncated = false
  try {
    try {
      for await (const chunk of decompressed(file === '-' ? process.stdin : createReadStream(file), sniff)) {
        sink.feed(chunk)
      }
    } catch (error) {
      truncated = allowTruncated && (error as NodeJS.ErrnoException).code === 'Z_BUF_ERROR'
      if (!truncated) throw error
    }
    sink.end()
  } catch (error) {
    const { code = '', message } = error as NodeJS.ErrnoException
    if (error instanceof LineError) throw fail(message)
    if (code.startsWith('Z_') || code.startsWith('ZSTD_'))
      throw fail(`damaged or truncated compressed data${where()} (${message})`)
    if (code === 'EISDIR') throw fail(`is a directory: give a file in it (in tracefs: the file trace)`)
    if (code !== '') throw fail(message.replace(/^\w+: /, '').replace(/, \w+( '.*')?$/, ''))
    throw error
  }
  return truncated
}

const GZIP = Buffer.from([0x1f, 0x8b])
const ZSTD = Buffer.from([0x28, 0xb5, 0x2f, 0xfd])

/** The decompressor for data with these first bytes; undefined for data that is not compressed. */
function decompressor(head: Buffer): Transform | undefined {
  if (head.subarray(0, 2).equals(GZIP)) return zlib.createGunzip()
  const { createZstdDecompress } = zlib as { createZstdDecompress?: () => Transform } // since Node 22.15
  return head.subarray(0, 4).equals(ZSTD) ? createZstdDecompress?.() : undefined
}

async function* decompressed(
  source: AsyncIterable<Buffer>,
  sniff: (head: Buffer) => void,
): AsyncGenerator<Buffer, void, undefined> {
  const raw = await peek(source)
  const transform = decompressor(raw.head)
  if (transform === undefined) {
    sniff(raw.head)
    return yield* raw.all()
  }
  const plain = await peek(transformed(raw.all(), transform))
  sniff(plain.head)
  yield* plain.all()
}

/** The first bytes of a stream, and a generator of the whole stream. */
async function peek(
  source: AsyncIterable<Buffer>,
): Promise<{ head: Buffer; all(): AsyncGenerator<Buffer, void, undefined> }> {
  const chunks = source[Symbol.asyncIterator]()
  let first: Buffer = Buffer.alloc(0)
  let failed: unknown
  while (first.length < HEAD_BYTES && failed === undefined) {
    try {
      const { done, value } = await chunks.next()
      if (done === true) break
      first = first.length === 0 ? value : Buffer.concat([first, value])
    } catch (error) {
      failed = error // thrown by all(), after the bytes before it
    }
  }
  return {
    head: first.subarray(0, HEAD_BYTES),
    async *all() {
      if (first.length > 0) yield first
      if (failed !== undefined) throw failed
      for (let next = await chunks.next(); next.done !== true; next = await chunks.next()) yield next.value
    },
  }
}

/**
 * The decompressed stream. Unlike `for await` over the transform, it yields everything before an error, so that a
 * truncated file can be read up to its end.
 */
async function* transformed(
  source: AsyncIterable<Buffer>,
  transform: Transform,
): AsyncGenerator<Buffer, void, undefined> {
  let out: Buffer[] = []
  let failed: Error | undefined
  let wake = (): void => {}
  transform.on('data', (chunk: Buffer) => out.push(chunk))
  transform.on('error', (error) => {
    failed = error
    wake()
  })
  /** Passes data to the transform, and waits until it has been processed. */
  const step = (call: (done: () => void) => void): Promise<void> =>
    new Promise((resolve) => {
      wake = resolve
      if (failed === undefined) call(resolve)
      else resolve()
    })
  const taken = (): Buffer[] => {
    const chunks = out
    out = []
    return chunks
  }
  for await (const chunk of source) {
    await step((done) => transform.write(chunk, () => done()))
    yield* taken()
    if (failed !== undefined) throw failed
  }
  await step((done) => {
    transform.on('end', done)
    transform.end()
  })
  yield* taken()
  if (failed !== undefined) throw failed
}
