/** What the commands of the command line share: their form, their errors, and how they read their input. */
import { createReadStream } from 'node:fs'
import { pipeline, Readable } from 'node:stream'
import { parseArgs, type ParseArgsConfig } from 'node:util'
import { createGunzip } from 'node:zlib'
import { LineError } from '../base/lines'
import { parseWord } from '../view/decode'

/** A command: `nested-rmap NAME ...`. */
export interface Command {
  readonly name: string
  /** One line, for the list of commands. */
  readonly summary: string
  /** What `--help` prints. */
  readonly help: string
  /** @returns the exit code @throws UsageError, Failure */
  run(args: readonly string[]): Promise<number>
}

/** The command was called in a wrong way. */
export class UsageError extends Error {}

/** The input cannot be read, and why: with the file's name and the line. */
export class Failure extends Error {}

/** Node's own parser of arguments, its complaints as a {@link UsageError}. */
export function parseCommandArgs<T extends NonNullable<ParseArgsConfig['options']>>(
  args: readonly string[],
  options: T,
) {
  try {
    return parseArgs({ args: [...args], options, allowPositionals: true })
  } catch (error) {
    throw new UsageError((error as Error).message.split(/\.? ?\n|\. /)[0]!)
  }
}

/** The value of an option that is a number. @throws UsageError */
export function numberOption(name: string, text: string): number {
  try {
    const value = Number(parseWord(text))
    if (Number.isSafeInteger(value)) return value
  } catch {
    /* said below */
  }
  throw new UsageError(`${name}: expected a number, in hex (0x...) or decimal, got ${JSON.stringify(text)}`)
}

/** Standard input can be read once. @throws UsageError */
export function checkOneStandardInput(...files: readonly (string | undefined)[]): void {
  if (files.filter((file) => file === '-').length > 1) throw new UsageError('standard input (-) can be read once')
}

/** What takes the bytes of an input, in chunks: the readers of the library. */
export interface Sink {
  feed(chunk: Uint8Array): void
  end(): void
}

/** How an input is named in a message. */
export function inputName(file: string): string {
  return file === '-' ? 'standard input' : file
}

/**
 * Reads a file (`-`: standard input), gunzipped if it is gzip's, into a sink. Memory is bounded by a chunk.
 *
 * @param where says how far the reading has come, for the error of a file that is cut off
 * @throws Failure with the file's name, for what cannot be read and for a {@link LineError} of the sink
 */
export async function readInput(file: string, sink: Sink, where: () => string = () => ''): Promise<void> {
  try {
    for await (const chunk of gunzipped(file === '-' ? process.stdin : createReadStream(file))) sink.feed(chunk)
    sink.end()
  } catch (error) {
    const { code = '', message } = error as NodeJS.ErrnoException
    if (error instanceof LineError) throw new Failure(`${inputName(file)}: ${message}`)
    if (code.startsWith('Z_'))
      throw new Failure(`${inputName(file)}: damaged or truncated gzip data${where()} (${message})`)
    if (code !== '')
      throw new Failure(`${inputName(file)}: ${message.replace(/^\w+: /, '').replace(/, \w+( '.*')?$/, '')}`)
    throw error
  }
}

async function* gunzipped(source: AsyncIterable<Buffer>): AsyncGenerator<Uint8Array, void, undefined> {
  const chunks = source[Symbol.asyncIterator]()
  // The first two bytes tell, and may come one by one.
  let head = Buffer.alloc(0)
  while (head.length < 2) {
    const { done, value } = await chunks.next()
    if (done === true) break
    head = Buffer.concat([head, value])
  }
  const all = async function* (): AsyncGenerator<Buffer, void, undefined> {
    yield head
    for (let next = await chunks.next(); next.done !== true; next = await chunks.next()) yield next.value
  }
  if (head[0] !== 0x1f || head[1] !== 0x8b) return yield* all()
  const gunzip = createGunzip()
  pipeline(Readable.from(all(), { objectMode: false }), gunzip, () => {}) // its errors come out of gunzip
  yield* gunzip as AsyncIterable<Buffer>
}
