/**
 * Gives a class a short form for Node's `console.log`, which looks for a method under a registered symbol. Without it a
 * memslot would print its typed arrays. (It imports nothing from Node and has no effect on other platforms.)
 *
 * The method is added when the first instance of the class is created. It must not be declared in the class: bundlers
 * keep a class with a computed method name even if nothing uses it.
 */

/** @internal Makes `console.log` print `instance.inspect()`. To be called in a constructor. */
export function inspectable(instance: { inspect(): string }): void {
  const prototype = Object.getPrototypeOf(instance) as { inspect(): string }
  const symbol = Symbol.for('nodejs.util.inspect.custom')
  if (symbol in prototype) return
  Object.defineProperty(prototype, symbol, {
    value(this: { inspect(): string }) {
      return this.inspect()
    },
  })
}
