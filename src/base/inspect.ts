/**
 * How Node's `console.log` finds an object's own short form: a method under this symbol. Without it a memslot would
 * print its typed arrays. (A registered symbol, so this needs no import of Node's and does nothing elsewhere.)
 */

/** @internal */
export const INSPECT: unique symbol = Symbol.for('nodejs.util.inspect.custom')
