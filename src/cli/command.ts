/** The common parts of the commands: their interface, their errors and their options. */
import { writeFileSync } from 'node:fs'
import { parseArgs, type ParseArgsConfig } from 'node:util'
import { nearestName } from '../base/args'
import type { PageShift } from '../base/units'
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

/** The arguments of a command are wrong. */
export class UsageError extends Error {}

/** An input cannot be read, or an output cannot be written. The message has the file's name and the reason. */
export class Failure extends Error {}

/** Writes a complete file. @throws Failure */
export function writeOutput(file: string, text: string | Uint8Array): void {
  try {
    writeFileSync(file, text)
  } catch (error) {
    throw new Failure(`${file}: cannot be written: ${(error as Error).message}`)
  }
}

/** ` (did you mean X?)` for a misspelled X of the known names, with `before` in front of it; empty if none is near. */
export function didYouMean(name: string, known: readonly string[], before = ''): string {
  const nearest = nearestName(name, known)
  return nearest === undefined ? '' : ` (did you mean ${before}${nearest}?)`
}

/** Node's own parser of arguments. @throws UsageError with its message, and the nearest option for an unknown one */
export function parseCommandArgs<T extends NonNullable<ParseArgsConfig['options']>>(
  args: readonly string[],
  options: T,
) {
  try {
    return parseArgs({ args: [...args], options, allowPositionals: true })
  } catch (error) {
    const message = (error as Error).message.split(/\.? ?\n|\. /)[0]!
    const [, unknown] = /^Unknown option '--(.+)'$/.exec(message) ?? []
    const hint = unknown === undefined ? '' : didYouMean(unknown, Object.keys(options), '--')
    throw new UsageError(message + hint)
  }
}

/** The value of an option that is a number. @throws UsageError */
export function numberOption(name: string, text: string): number {
  try {
    const value = Number(parseWord(text))
    if (Number.isSafeInteger(value)) return value
  } catch {
    /* reported below */
  }
  throw new UsageError(`${name}: expected a number, in hex (0x...) or decimal, got ${JSON.stringify(text)}`)
}

/** The value of `--page-shift`. @throws UsageError */
export function pageShiftOption(value: string | undefined): PageShift {
  const shift = Number(value ?? 16)
  if (shift === 16 || shift === 12) return shift
  throw new UsageError(`--page-shift: expected 16 (64 KiB pages) or 12 (4 KiB pages), got ${JSON.stringify(value)}`)
}

/** The value of `--kvm`: an address, in hex with or without 0x. @throws UsageError */
export function kvmOption(value: string | undefined): bigint | undefined {
  if (value === undefined) return undefined
  if (/^(?:0x)?[\da-f]{1,16}$/i.test(value)) return BigInt(`0x${value.replace(/^0x/i, '')}`)
  throw new UsageError(`--kvm: expected an address in hex (0x...), got ${JSON.stringify(value)}`)
}

/** Most columns of a line: `--width`, else the terminal's width, else 80; at least 40. @throws UsageError */
export function widthOption(value: string | undefined): number {
  const width = value === undefined ? (process.stdout.columns ?? 80) : numberOption('--width', value)
  if (value !== undefined && width < 40) throw new UsageError(`--width: expected at least 40, got ${width}`)
  return Math.max(width, 40)
}

/** Checks that at most one input is standard input. @throws UsageError */
export function checkOneStandardInput(...files: readonly (string | undefined)[]): void {
  if (files.filter((file) => file === '-').length > 1) throw new UsageError('standard input (-) can be read only once')
}
