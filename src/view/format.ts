/**
 * The text of entries and counts.
 */
import { checkObject } from '../base/args'
import { hex } from '../base/word'
import { toLpid, toNestedGpa, type Entry } from '../rmap/entry'

/** An entry as text: `LPID 3  gpa 0x30261000`. @throws RangeError, TypeError */
export function formatEntry(entry: Entry): string {
  const { lpid, gpa } = checkObject('entry', entry)
  return `LPID ${toLpid(lpid, 0)}  gpa ${hex(toNestedGpa(gpa))}`
}

/** @internal `1 entry`, `2 entries` */
export function count(n: number, one: string, many = `${one}s`): string {
  return `${n} ${n === 1 ? one : many}`
}
