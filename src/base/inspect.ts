/**
 * How Node's `console.log` finds an object's own short form: a method under a registered symbol. Without it a memslot
 * would print its typed arrays. (This needs no import of Node's, and does nothing elsewhere.)
 *
 * It is added to a class when its first instance is made. Bundlers keep a class with a computed method name even where
 * nobody uses the class; so no class may have one.
 */

/** @internal Lets `console.log` print `instance.inspect()`. For constructors. */
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
