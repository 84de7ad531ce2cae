/** The recordings of real kernels that the tests replay: some are in the repository, large ones may be next to it. */
import { existsSync, readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { gunzipSync } from 'node:zlib'

const DATA = fileURLToPath(new URL('../data/', import.meta.url))
const SHARED = fileURLToPath(new URL('../../../shared/traces/', import.meta.url))

/** The path of a file of recordings; undefined if it is absent. */
export function tracePath(name: string): string | undefined {
  return [DATA + name, SHARED + name].find(existsSync)
}

/** A recording and the dump of its tables, as bytes. */
export function recording(name: string): { trace: Buffer; radix: Buffer } | undefined {
  const trace = tracePath(`${name}.txt.gz`)
  const radix = tracePath(`${name}-radix.txt`)
  if (trace === undefined || radix === undefined) return undefined
  return { trace: gunzipSync(readFileSync(trace)), radix: readFileSync(radix) }
}
