/** Lines as bytes: the characters that the parser cuts at, and the loops that skip them. */

/** The characters that lines are cut at. (A const enum, so that the numbers are literals in the built code.) */
export const enum Byte {
  TAB = 0x09,
  ESCAPE = 0x1b,
  SPACE = 0x20,
  HASH = 0x23,
  OPEN = 0x28,
  CLOSE = 0x29,
  MINUS = 0x2d,
  DOT = 0x2e,
  ZERO = 0x30,
  COLON = 0x3a,
  EQUALS = 0x3d,
  BRACKET = 0x5b,
  BRACKET_END = 0x5d,
  X = 0x78,
}

/** The value of a hexadecimal digit, -1 for any other byte. */
export const DIGIT = new Int8Array(256).fill(-1)
for (let value = 0; value < 16; value++) {
  DIGIT[value.toString(16).charCodeAt(0)] = value
  DIGIT[value.toString(16).toUpperCase().charCodeAt(0)] = value
}

/** A text of one byte a character as bytes. */
export function bytesOf(text: string): Uint8Array {
  return Uint8Array.from(text, (char) => char.charCodeAt(0))
}

/** Bytes as text, one character a byte. */
export function textOf(bytes: Uint8Array, start: number, end: number): string {
  let text = ''
  for (let at = start; at < end; at += 4096) {
    text += String.fromCharCode(...bytes.subarray(at, Math.min(end, at + 4096)))
  }
  return text
}

/** At most `most` characters of a text for a message: what cannot be printed becomes a question mark. */
export function printable(text: string, most = 60): string {
  return text.slice(0, most).replace(/[^ -~]/g, '?')
}

/** A hash of a name. */
export function nameHash(bytes: Uint8Array, start: number, end: number): number {
  let hash = 0
  for (let at = start; at < end; at++) hash = (Math.imul(hash, 31) + bytes[at]!) | 0
  return hash
}

/** Whether `prefix` is at `at`. */
export function startsWith(bytes: Uint8Array, at: number, end: number, prefix: Uint8Array): boolean {
  if (end - at < prefix.length) return false
  for (let i = 0; i < prefix.length; i++) if (bytes[at + i] !== prefix[i]) return false
  return true
}

/** Whether a byte is a decimal digit. */
export function isDigit(byte: number): boolean {
  return byte >= Byte.ZERO && byte < Byte.ZERO + 10
}

/** The first place from `start` that is not a space or tab. */
export function skipSpaces(bytes: Uint8Array, start: number, end: number): number {
  let at = start | 0
  while (at < end && (bytes[at] === Byte.SPACE || bytes[at] === Byte.TAB)) at++
  return at
}

/** The first place from `start` that is a space or tab. */
export function skipWord(bytes: Uint8Array, start: number, end: number): number {
  let at = start | 0
  while (at < end && bytes[at] !== Byte.SPACE && bytes[at] !== Byte.TAB) at++
  return at
}
