/**
 * Writes the package's type declarations into dist/, once for `import` (.d.ts) and once for `require` (.d.cts), each
 * with a map to its source in src/, so that an editor's "go to definition" opens the TypeScript source. (tsup would bundle
 * the declarations into one file without a map.) Declarations marked @internal are omitted.
 */
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { dirname } from 'node:path'
import ts from 'typescript'

const manifest = JSON.parse(readFileSync('package.json', 'utf8'))
const { config } = ts.readConfigFile('tsconfig.json', (file) => ts.sys.readFile(file))
const { options } = ts.parseJsonConfigFileContent(config, ts.sys, '.')

/** The source of each sub-path of package.json's `exports` that has types: `index` for the package itself. */
const doors = Object.entries(manifest.exports)
  .filter(([, conditions]) => conditions.import?.types !== undefined)
  .map(([path]) => (path === '.' ? 'index' : path.slice(2)))
  .map((name) => [name, manifest.tsup.map(({ entry }) => entry[name]).find((source) => source !== undefined)])

/** Adds a file extension to the relative imports of a declaration. TypeScript finds the declaration next to that file. */
function addExtension(extension) {
  return (context) => (file) => {
    const { factory } = context
    const visit = (node) => {
      const isImport = ts.isImportDeclaration(node) || ts.isExportDeclaration(node) || ts.isImportTypeNode(node)
      return ts.visitEachChild(node, isImport ? visitSpecifier : visit, context)
    }
    // The specifier of an import is a string literal; that of the type import('...') is one in a literal type.
    const visitSpecifier = (node) => {
      if (ts.isLiteralTypeNode(node)) return factory.updateLiteralTypeNode(node, visitSpecifier(node.literal))
      if (!ts.isStringLiteral(node)) return visit(node)
      return node.text.startsWith('.') ? factory.createStringLiteral(node.text + extension, true) : node
    }
    return ts.visitEachChild(file, visit, context)
  }
}

function write(name, text) {
  mkdirSync(dirname(name), { recursive: true })
  writeFileSync(name, text)
}

const program = ts.createProgram(
  doors.map(([, source]) => source),
  {
    ...options,
    noEmit: false,
    declaration: true,
    declarationMap: true,
    emitDeclarationOnly: true,
    outDir: 'dist/types',
  },
)
for (const [extension, suffix] of [
  ['.js', '.d.ts'],
  ['.cjs', '.d.cts'],
]) {
  const rename = (text) => text.replaceAll('.d.ts', suffix)
  const { emitSkipped, diagnostics } = program.emit(
    undefined,
    (name, text) => write(rename(name), text.replace(/"file":"[^"]*"|(?<=\n\/\/# sourceMappingURL=).*/, rename)),
    undefined,
    true,
    { afterDeclarations: [addExtension(extension)] },
  )
  if (emitSkipped || diagnostics.length > 0) {
    console.error(ts.formatDiagnostics(diagnostics, ts.createCompilerHost(options)))
    process.exit(1)
  }
  for (const [name, source] of doors) {
    const target = source.replace(/^src\/(.*)\.ts$/, './types/$1')
    write(`dist/${name}${suffix}`, `export * from '${target}${extension}'\n`)
  }
}
