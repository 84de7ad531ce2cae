/** Lines as bytes: the characters that separate the parts of a line, and functions that scan for them. */

/** The characters that separate the parts of a line. (A const enum, so that the built code has literals.) */
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

/** At most `most` characters of a text, for a message. Characters that cannot be printed become question marks. */
export function printable(text: string, most = 60): string {
  return text.slice(0, most).replace(/[^ -~]/g, '?')
}

/** A hash of a name. */
export function nameHash(bytes: Uint8Array, start: number, end: number): number {
  let hash = 0
  for (let at = start; at < end; at++) hash = (Math.imul(hash, 31) + bytes[at]!) | 0
  return hash
}

/** Whether the bytes from `at` begin with `prefix`. */
export function startsWith(bytes: Uint8Array, at: number, end: number, prefix: Uint8Array): boolean {
  if (end - at < prefix.length) return false
  for (let i = 0; i < prefix.length; i++) if (bytes[at + i] !== prefix[i]) return false
  return true
}

/** Whether a byte is a decimal digit. */
export function isDigit(byte: number): boolean {
  return byte >= Byte.ZERO && byte < Byte.ZERO + 10
}

/** The index of the first byte from `start` that is not a space or tab; `end` if there is none. */
export function skipSpaces(bytes: Uint8Array, start: number, end: number): number {
  let at = start | 0
  while (at < end && (bytes[at] === Byte.SPACE || bytes[at] === Byte.TAB)) at++
  return at
}

/** The index of the first space or tab from `start`; `end` if there is none. */
export function skipWord(bytes: Uint8Array, start: number, end: number): number {
  let at = start | 0
  while (at < end && bytes[at] !== Byte.SPACE && bytes[at] !== Byte.TAB) at++
  return at
}
