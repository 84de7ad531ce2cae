/** The public API of the package as an editor shows it, from TypeScript's language service. */
import { readFileSync } from 'node:fs'
import { resolve } from 'node:path'
import ts from 'typescript'

const manifest = JSON.parse(readFileSync('package.json', 'utf8')) as {
  exports: Record<string, unknown>
  tsup: { entry: Record<string, string> }[]
}

/** The source of each sub-path that package.json exports, by name: `index` for the package itself. */
export const doors = new Map(
  Object.keys(manifest.exports)
    .filter((path) => !/\.\w+$/.test(path))
    .map((path) => {
      const name = path === '.' ? 'index' : path.slice(2)
      const source = manifest.tsup.map(({ entry }) => entry[name]).find((file) => file !== undefined)
      if (source === undefined) throw new Error(`${path}: tsup in package.json has no entry named ${name}`)
      return [name, resolve(source)]
    }),
)

const { config } = ts.readConfigFile('tsconfig.json', (file) => ts.sys.readFile(file))
const { options } = ts.parseJsonConfigFileContent(config, ts.sys, '.')

export const service = ts.createLanguageService({
  getCompilationSettings: () => options,
  getScriptFileNames: () => [...doors.values()],
  getScriptVersion: () => '1',
  getScriptSnapshot: (file) => {
    const text = ts.sys.readFile(file)
    return text === undefined ? undefined : ts.ScriptSnapshot.fromString(text)
  },
  getCurrentDirectory: () => process.cwd(),
  getDefaultLibFileName: (forOptions) => ts.getDefaultLibFilePath(forOptions),
  fileExists: (file) => ts.sys.fileExists(file),
  readFile: (file) => ts.sys.readFile(file),
})

export function isInternal(symbol: ts.Symbol): boolean {
  return symbol.getJsDocTags(service.getProgram()!.getTypeChecker()).some((tag) => tag.name === 'internal')
}

/** The name of each export, with the sub-path to import it from. */
export function exportedNames(): Map<string, string> {
  const program = service.getProgram()!
  const checker = program.getTypeChecker()
  const names = new Map<string, string>()
  for (const [door, source] of doors) {
    for (const { name } of checker.getExportsOfModule(checker.getSymbolAtLocation(program.getSourceFile(source)!)!)) {
      if (!names.has(name)) names.set(name, subPath(door))
    }
  }
  return names
}

/** The name with which a user imports a sub-path. */
export const subPath = (door: string): string => (door === 'index' ? 'nested-rmap' : `nested-rmap/${door}`)
