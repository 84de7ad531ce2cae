/**
 * The last step of `npm run build`: writes `dist/playground.html` with the playground's script in it. Then it removes the
 * script and itself: the package does not need them.
 */
import { readFileSync, rmSync, writeFileSync } from 'node:fs'
import { playgroundHtml } from './html'

const script = new URL('./playground-page.global.js', import.meta.url)
writeFileSync(new URL('./playground.html', import.meta.url), playgroundHtml(readFileSync(script, 'utf8')))
rmSync(script)
rmSync(new URL(import.meta.url))
