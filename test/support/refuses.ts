import { expect } from 'vitest'

/** Asserts that `call` throws an error of exactly this class, with exactly this message. */
export function refuses(call: () => unknown, type: new (...args: never[]) => Error, message: string): void {
  let thrown: unknown
  try {
    call()
  } catch (error) {
    thrown = error
  }
  expect(thrown, `expected: ${message}`).toBeInstanceOf(Error)
  const { constructor, message: got } = thrown as Error
  expect({ type: constructor.name, message: got }).toEqual({ type: type.name, message })
}
