/// <reference lib="dom" />
/** The few helpers with which the pages build their elements. */

/** An element with text or children, and attributes. An attribute that is undefined or false is left out. */
export function make<K extends keyof HTMLElementTagNameMap>(
  name: K,
  content: string | readonly (Node | string)[] = '',
  attributes: Readonly<Record<string, string | number | boolean | undefined>> = {},
): HTMLElementTagNameMap[K] {
  const element = document.createElement(name)
  for (const [key, value] of Object.entries(attributes)) {
    if (value !== undefined && value !== false) element.setAttribute(key, value === true ? '' : String(value))
  }
  element.append(...(typeof content === 'string' ? [content] : content))
  return element
}

/** The element of the frame that has an id. */
export function byId<T extends HTMLElement = HTMLElement>(id: string): T {
  const found = document.getElementById(id)
  if (found === null) throw new Error(`the page has no element ${id}`)
  return found as T
}

/** A table with its head: every cell of the first column names its row. */
export function makeTable(
  caption: string,
  head: readonly string[],
  rows: readonly HTMLTableRowElement[],
): HTMLTableElement {
  const headRow = make(
    'tr',
    head.map((text) => make('th', text, { scope: 'col' })),
  )
  return make('table', [make('caption', caption, { class: 'sr' }), make('thead', [headRow]), make('tbody', rows)])
}

/** A picture that the library drew, in the page. The markup is the library's own, and all text in it is escaped. */
export function svgElement(markup: string): SVGSVGElement {
  const parsed = new DOMParser().parseFromString(markup, 'image/svg+xml').documentElement
  return document.importNode(parsed, true) as unknown as SVGSVGElement
}

/** The width that a picture may take in a frame: what its padding leaves. */
export function innerWidthOf(frame: HTMLElement): number {
  const { paddingLeft, paddingRight } = getComputedStyle(frame)
  return Math.max(frame.clientWidth - parseFloat(paddingLeft) - parseFloat(paddingRight), 240)
}
