/// <reference lib="dom" />
/** Helpers that create and find the elements of a page. */

/** Creates an element with text or children, and attributes. An attribute that is undefined or false is omitted. */
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

/** The element of the page with an id. */
export function byId<T extends HTMLElement = HTMLElement>(id: string): T {
  const found = document.getElementById(id)
  if (found === null) throw new Error(`the page has no element ${id}`)
  return found as T
}

/** Creates a table. @param head the titles of the columns */
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

/** A picture of the library as an element. Only for the library's own markup, in which all text is escaped. */
export function svgElement(markup: string): SVGSVGElement {
  const parsed = new DOMParser().parseFromString(markup, 'image/svg+xml').documentElement
  return document.importNode(parsed, true) as unknown as SVGSVGElement
}

/** The width available to a picture in a frame, in pixels: the frame without its padding, at least 240. */
export function innerWidthOf(frame: HTMLElement): number {
  const { paddingLeft, paddingRight } = getComputedStyle(frame)
  return Math.max(frame.clientWidth - parseFloat(paddingLeft) - parseFloat(paddingRight), 240)
}
