/**
 * The bytes that the lines of a recording are cut at. (A file without imports, so that the build puts each where it is
 * used: as variables they would be loaded and checked for every byte.)
 */
export const TAB = 0x09
export const SPACE = 0x20
export const HASH = 0x23
export const OPEN = 0x28
export const CLOSE = 0x29
export const MINUS = 0x2d
export const ZERO = 0x30
export const COLON = 0x3a
export const EQUALS = 0x3d
export const BRACKET = 0x5b
export const BRACKET_END = 0x5d
export const X = 0x78
