/** The description of a dump of kernel memory: the addresses and the files of the slot array and the list nodes. */
import { dirname, join } from 'node:path'
import { checkInteger, checkObject, checkOneOf } from '../base/args'
import { parseWord } from '../view/decode'
import { nodeReader, RawSlots, type ByteOrder, type MemoryRange } from '../view/raw-memory'
import type { Slot } from '../view/slot'
import { Failure } from './command'
import { readInput } from './input'

/** Most bytes of a description. */
const MOST_JSON = 2 ** 24
/** Most bytes of all ranges with nodes: they are kept in memory. */
const MOST_MEMORY = 2 ** 32

/** A dump of kernel memory. Its nodes are in memory; its slot array is read later. */
export interface MemoryFile {
  readonly baseGfn: number
  readonly npages: number
  /** Reads the slots that are not empty, in order. @throws Failure */
  readSlots(onSlot: (slot: Slot) => void): Promise<void>
}

/** Reads a description and its ranges with nodes. @throws Failure */
export async function openMemoryFile(file: string): Promise<MemoryFile> {
  const text = Buffer.from(await readWhole(file, MOST_JSON)).toString()
  const { byteOrder, slots, ranges } = describe(file, text)
  const memory: MemoryRange[] = []
  for (const { address, bytes, name } of ranges) memory.push({ address, bytes: await readWhole(name, bytes, bytes) })
  const { baseGfn, npages } = slots
  const raw = named(file, () => new RawSlots({ baseGfn, npages, byteOrder, read: nodeReader(memory, byteOrder) }))
  return {
    baseGfn,
    npages,
    async readSlots(onSlot) {
      const add = (slot: Slot): void => onSlot({ ...slot, address: slots.address + 8n * BigInt(slot.gfn! - baseGfn) })
      await readInput(slots.name, {
        feed: (chunk) => named(slots.name, () => raw.feed(chunk, add)),
        end: () => named(slots.name, () => raw.end()),
      })
    },
  }
}

interface Description {
  readonly byteOrder: ByteOrder
  readonly slots: { readonly address: bigint; readonly baseGfn: number; readonly npages: number; readonly name: string }
  readonly ranges: readonly { readonly address: bigint; readonly bytes: number; readonly name: string }[]
}

function describe(file: string, text: string): Description {
  return named(file, () => {
    const { byteOrder, slots, memory } = checkObject('file', parseJson(text))
    const { baseGfn, npages } = checkObject('slots', slots)
    if (!Array.isArray(memory)) throw new TypeError('memory: expected an array')
    const name = (of: string, value: unknown): string => {
      if (typeof value !== 'string' || value === '') throw new TypeError(`${of}.file: expected the name of a file`)
      return join(dirname(file), value)
    }
    let left = MOST_MEMORY
    const ranges = memory.map((range, i) => {
      const bytes = checkInteger(`memory[${i}].bytes`, checkObject(`memory[${i}]`, range).bytes, 0, left)
      left -= bytes
      return { address: addressAt(`memory[${i}]`, range.address), bytes, name: name(`memory[${i}]`, range.file) }
    })
    return {
      byteOrder: checkOneOf<ByteOrder>('byteOrder', byteOrder, ['little', 'big']),
      slots: { address: addressAt('slots', slots.address), baseGfn, npages, name: name('slots', slots.file) },
      ranges,
    }
  })
}

function parseJson(text: string): ReturnType<typeof JSON.parse> {
  try {
    return JSON.parse(text)
  } catch {
    throw new TypeError(
      'not JSON: expected a description, in JSON, of a dump of kernel memory, as in the README, "Dumps of kernel memory"',
    )
  }
}

function addressAt(of: string, value: string): bigint {
  try {
    return parseWord(value)
  } catch (error) {
    throw new TypeError(`${of}.address: ${(error as Error).message.replace(/^word: /, '')}`)
  }
}

/** Reads a complete file of at most `most` bytes, or of exactly `exact` bytes. @throws Failure */
async function readWhole(name: string, most: number, exact?: number): Promise<Uint8Array> {
  const chunks: Uint8Array[] = []
  let bytes = 0
  await readInput(name, {
    feed(chunk) {
      bytes += chunk.length
      if (bytes > most)
        throw new Failure(`${name}: expected ${exact === undefined ? 'at most ' : ''}${most} bytes, got more`)
      chunks.push(chunk)
    },
    end() {
      if (exact !== undefined && bytes !== exact) throw new Failure(`${name}: expected ${exact} bytes, got ${bytes}`)
    },
  })
  return Buffer.concat(chunks)
}

/** Runs `what`. @throws Failure: its error, with the file's name before it */
function named<T>(name: string, what: () => T): T {
  try {
    return what()
  } catch (error) {
    if (error instanceof RangeError || error instanceof TypeError) {
      throw new Failure(`${name}: ${error.message}`)
    }
    throw error
  }
}
