/**
 * The style sheet of the pictures: colours and fonts. Each picture contains it.
 *
 * A picture may be part of a page, shown by `<img>`, or imported by a drawing program. So the style sheet has only
 * class selectors and no variables. Each class name has a prefix, because a style element in a page applies to the
 * whole page.
 */

/** The colours of a picture: `'auto'` follows the viewer's light or dark setting. */
export type SvgTheme = 'auto' | 'light' | 'dark'

const PREFIXES: Readonly<Record<SvgTheme, string>> = { auto: 'nra-', light: 'nrl-', dark: 'nrd-' }

/** By class name: fill or stroke, the light colour, the dark colour. Text has a contrast of 4.5 or more. */
const COLOURS = {
  back: ['fill', '#ffffff', '#14171c'],
  cell: ['fill', '#f6f7f9', '#20252d'],
  lpid: ['fill', '#d6e6fb', '#16375e'],
  gpa: ['fill', '#d7f0df', '#174028'],
  tag: ['fill', '#ffe9a8', '#4a3800'],
  zero: ['fill', '#eceff3', '#2a303a'],
  ink: ['fill', '#1d2129', '#e4e7ec'],
  dim: ['fill', '#535c69', '#a5afbc'],
  box: ['stroke', '#5b6472', '#9aa4b2'],
  rule: ['stroke', '#b6bfcb', '#4a5361'],
  arrow: ['stroke', '#1d2129', '#e4e7ec'],
  'new-line': ['stroke', '#1a7340', '#6fd08c'],
  'new-text': ['fill', '#1a7340', '#6fd08c'],
  'found-line': ['stroke', '#0b62c4', '#6cb2ff'],
  'found-text': ['fill', '#0b62c4', '#6cb2ff'],
  'cleared-line': ['stroke', '#b3261e', '#ff8a80'],
  'cleared-text': ['fill', '#b3261e', '#ff8a80'],
  'stale-line': ['stroke', '#7a4d00', '#d9a441'],
  'stale-text': ['fill', '#7a4d00', '#d9a441'],
} as const

const MONO = 'ui-monospace,"DejaVu Sans Mono",Menlo,Consolas,monospace'
const SANS = 'system-ui,"Segoe UI","DejaVu Sans",Helvetica,Arial,sans-serif'

/** Sizes, fonts and line widths: the same in light and dark. */
const SHAPES = {
  word: `font-family:${MONO};font-size:12px`,
  name: `font-family:${MONO};font-size:11px`,
  title: `font-family:${SANS};font-size:12px;font-weight:600`,
  label: `font-family:${SANS};font-size:9px`,
  note: `font-family:${SANS};font-size:11px`,
  strong: 'font-weight:600',
  frame: 'fill:none;stroke-width:1.2',
  split: 'fill:none;stroke-width:1',
  line: 'fill:none;stroke-width:1.4',
  mark: 'fill:none;stroke-width:2.6',
  dashed: 'stroke-dasharray:5 3',
} as const

/** @internal A name of the style sheet: a colour or a shape. */
export type StyleName = keyof typeof COLOURS | keyof typeof SHAPES

/** @internal The value of a class attribute. */
export function classes(theme: SvgTheme, ...names: readonly StyleName[]): string {
  return names.map((name) => PREFIXES[theme] + name).join(' ')
}

/** @internal The style sheet of a theme. */
export function styleSheet(theme: SvgTheme): string {
  const prefix = PREFIXES[theme]
  const colours = (which: 1 | 2): string =>
    Object.entries(COLOURS)
      .map(([name, colour]) => `.${prefix}${name}{${colour[0]}:${colour[which]}}`)
      .join('')
  const shapes = Object.entries(SHAPES)
    .map(([name, rules]) => `.${prefix}${name}{${rules}}`)
    .join('')
  const inDark = theme === 'auto' ? `@media (prefers-color-scheme:dark){${colours(2)}}` : ''
  return `${shapes}${colours(theme === 'dark' ? 2 : 1)}${inDark}`
}
