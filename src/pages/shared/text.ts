/** Writes numbers and sizes for the pages. */
export { hex } from '../../base/word'

/** The size of a leaf as text, by log2 of its bytes. */
export const LEAF_SIZES: Readonly<Record<number, string>> = { 12: '4 KiB', 16: '64 KiB', 21: '2 MiB', 30: '1 GiB' }

/** A number with thousands separators: `12,204`. */
export function number(value: number): string {
  return value.toLocaleString('en-US')
}
