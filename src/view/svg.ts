/** Writes SVG as text, without a DOM. Attribute values and text are escaped here. */

/** @internal Text escaped for XML; characters that XML forbids become U+FFFD. */
export function escapeXml(text: string): string {
  // oxlint-disable-next-line no-control-regex
  const allowed = text.replace(/[\u0000-\u0008\u000b\u000c\u000e-\u001f\ud800-\udfff\ufffe\uffff]/g, (character) =>
    character.length === 1 ? '\ufffd' : character,
  )
  return allowed.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;').replaceAll('"', '&quot;')
}

/** @internal The markup of an element. Numbers are rounded to a tenth. Children are markup: they are not escaped. */
export function tag(
  name: string,
  attributes: Readonly<Record<string, string | number>>,
  ...children: string[]
): string {
  const written = Object.entries(attributes).map(
    ([key, value]) => ` ${key}="${typeof value === 'number' ? round(value) : escapeXml(value)}"`,
  )
  const body = children.join('')
  return body === '' ? `<${name}${written.join('')}/>` : `<${name}${written.join('')}>${body}</${name}>`
}

/** @internal A number rounded to a tenth. */
export function round(value: number): number {
  return Math.round(value * 10) / 10
}
