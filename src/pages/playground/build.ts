/**
 * The last step of `npm run build`: puts the playground's script into its frame, as `dist/playground.html`. It then removes
 * itself and the script, which the package does not need.
 */
import { readFileSync, rmSync, writeFileSync } from 'node:fs'
import { playgroundHtml } from './html'

const script = new URL('./playground-page.global.js', import.meta.url)
writeFileSync(new URL('./playground.html', import.meta.url), playgroundHtml(readFileSync(script, 'utf8')))
rmSync(script)
rmSync(new URL(import.meta.url))
