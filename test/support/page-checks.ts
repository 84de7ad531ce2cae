/** Checks for every page of the project in a browser: its text is readable, and nothing overflows. */
import type { Page } from './chromium'

/** The sizes of a window, in CSS pixels, at which the pages are looked at: a phone, a laptop, a large screen. */
export const SIZES = [
  [400, 800],
  [1280, 720],
  [1920, 1080],
] as const

/** Texts with a contrast below 4.5 to their background. */
export function weakTexts(page: Page): Promise<string[]> {
  return page.evaluate(`(() => {
    const parse = (text) => text.match(/[\\d.]+/g).map(Number)
    const light = ([r, g, b]) => [r, g, b].map((v) => (v /= 255) <= 0.03928 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4)
      .reduce((sum, v, i) => sum + v * [0.2126, 0.7152, 0.0722][i], 0)
    const isSvg = (element) => element.namespaceURI.endsWith('svg')
    const behind = (element) => {
      if (isSvg(element)) { // the last shape drawn before it that is filled and below its middle
        const { left, right, top, bottom } = element.getBoundingClientRect()
        const [x, y] = [(left + right) / 2, (top + bottom) / 2]
        const shapes = [...element.ownerSVGElement.querySelectorAll('rect')].filter((shape) => {
          const box = shape.getBoundingClientRect()
          return shape.compareDocumentPosition(element) & Node.DOCUMENT_POSITION_FOLLOWING && getComputedStyle(shape).fill !== 'none' &&
            getComputedStyle(shape).opacity === '1' && box.left <= x && x <= box.right && box.top <= y && y <= box.bottom
        })
        if (shapes.length > 0) return parse(getComputedStyle(shapes.at(-1)).fill)
      }
      for (let at = element; at; at = at.parentElement) {
        const colour = parse(getComputedStyle(at).backgroundColor)
        if (colour[3] !== 0) return colour
      }
      return [255, 255, 255]
    }
    return [...document.querySelectorAll('body *')].filter((element) => element.checkVisibility() && !element.disabled &&
      !element.closest('title, desc, style') && [...element.childNodes].some((node) => node.nodeType === 3 && node.data.trim() !== '')).flatMap((element) => {
      const style = getComputedStyle(element)
      const [one, other] = [light(parse(isSvg(element) ? style.fill : style.color)), light(behind(element))].sort((a, b) => b - a)
      const contrast = (one + 0.05) / (other + 0.05)
      return contrast < 4.5 ? [element.tagName + ' ' + element.textContent.slice(0, 30) + ' ' + contrast.toFixed(2)] : []
    })
  })()`)
}

/** How many pixels the page is wider than its window. */
export function overflow(page: Page): Promise<number> {
  return page.evaluate('document.documentElement.scrollWidth - innerWidth')
}

/** Controls and pictures without a name for screen readers. */
export async function nameless(page: Page): Promise<unknown[]> {
  const { nodes } = await page.send('Accessibility.getFullAXTree')
  const roles = ['button', 'textbox', 'slider', 'spinbutton', 'combobox', 'img', 'image', 'searchbox', 'checkbox']
  return (nodes as { ignored: boolean; role?: { value: string }; name?: { value: string } }[]).filter(
    ({ ignored, role, name }) => !ignored && roles.includes(role?.value ?? '') && !name?.value,
  )
}
