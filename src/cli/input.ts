/** How the commands read their input: files and standard input, plain or compressed, with errors that name the file. */
import { createReadStream } from 'node:fs'
import type { Transform } from 'node:stream'
import * as zlib from 'node:zlib'
import { LineError } from '../base/lines'
import { Failure } from './command'
import { binaryKind, HEAD_BYTES } from './kinds'

/** What takes the bytes of an input, in chunks: the readers of the library. */
export interface Sink {
  feed(chunk: Uint8Array): void
  end(): void
}

/** How an input is to be read. */
export interface InputOptions {
  /** Looks at the first bytes, decompressed, and says why the input cannot be used; undefined if it can. */
  readonly refuse?: (head: Buffer) => string | undefined
  /** How far the reading has come, for the error of a damaged file. */
  readonly where?: () => string
  /** The command that reads what another one prints, for the message on a file that must be converted. */
  readonly pipeTo?: string
  /** Whether compressed data that breaks off is read up to there; by default it is refused. */
  readonly allowTruncated?: boolean
}

/** How an input is named in a message. */
export function inputName(file: string): string {
  return file === '-' ? 'standard input' : file
}

/**
 * Reads a file (`-`: standard input), decompressed if it is gzip's (or zstd's, where Node can), into a sink. Memory is bounded by what a
 * chunk decompresses to.
 *
 * @returns whether the compressed data breaks off: possible only with {@link InputOptions.allowTruncated}
 * @throws Failure with the file's name, for what cannot be read and for a {@link LineError} or RangeError of the sink's `end`
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
    if (code === 'EISDIR') throw fail(`is a directory: give a file in it (of tracefs: the file trace)`)
    if (code !== '') throw fail(message.replace(/^\w+: /, '').replace(/, \w+( '.*')?$/, ''))
    throw error
  }
  return truncated
}

const GZIP = Buffer.from([0x1f, 0x8b])
const ZSTD = Buffer.from([0x28, 0xb5, 0x2f, 0xfd])

/** The decompressor for data that begins so; undefined for data to be read as it is. */
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

/** The first bytes of a stream, and all of it. They may come one by one. */
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
      failed = error // after what came before it
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
 * What a decompressor makes of a stream. Unlike `for await` over it, this gives all that was decompressed before an error, so that a
 * file that breaks off can be read up to there.
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
  /** Gives the transform more, and waits until it has taken it. */
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
