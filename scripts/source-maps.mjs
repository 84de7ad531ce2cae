/** The package carries src/, so its source maps need no copy of it; and each file names its map once, where tsup names it twice. */
import { readdirSync, readFileSync, writeFileSync } from 'node:fs'

for (const name of readdirSync('dist').filter((file) => file.endsWith('.map'))) {
  const map = JSON.parse(readFileSync(`dist/${name}`, 'utf8'))
  delete map.sourcesContent
  writeFileSync(`dist/${name}`, JSON.stringify(map))
  const code = `dist/${name.slice(0, -'.map'.length)}`
  const comment = `//# sourceMappingURL=${name}\n`
  writeFileSync(code, readFileSync(code, 'utf8').trimEnd().concat('\n').replaceAll(comment, '').concat(comment))
}
