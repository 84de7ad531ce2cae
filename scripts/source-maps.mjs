/** Removes the copies of the sources from the source maps (the package contains src/), and tsup's second reference to a map. */
import { readdirSync, readFileSync, writeFileSync } from 'node:fs'

for (const name of readdirSync('dist').filter((file) => file.endsWith('.map'))) {
  const map = JSON.parse(readFileSync(`dist/${name}`, 'utf8'))
  delete map.sourcesContent
  writeFileSync(`dist/${name}`, JSON.stringify(map))
  const code = `dist/${name.slice(0, -'.map'.length)}`
  const comment = `//# sourceMappingURL=${name}\n`
  writeFileSync(code, readFileSync(code, 'utf8').trimEnd().concat('\n').replaceAll(comment, '').concat(comment))
}
