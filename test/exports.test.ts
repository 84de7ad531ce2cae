import { readFileSync } from 'node:fs'
import ts from 'typescript'
import { expect, test } from 'vitest'

const manifest = JSON.parse(readFileSync('package.json', 'utf8')) as {
  exports: Record<string, unknown>
  tsup: { entry: Record<string, string> }[]
}

/** The source of each sub-path that package.json opens, by name: `index` for the package itself. */
const doors = new Map(
  Object.keys(manifest.exports)
    .filter((path) => !path.endsWith('.json'))
    .map((path) => {
      const name = path === '.' ? 'index' : path.slice(2)
      return [name, manifest.tsup.map(({ entry }) => entry[name]).find((source) => source !== undefined)]
    }),
)

const { config } = ts.readConfigFile('tsconfig.json', (file) => ts.sys.readFile(file))
const { options } = ts.parseJsonConfigFileContent(config, ts.sys, '.')
const program = ts.createProgram(
  [...doors.values()].filter((source) => source !== undefined),
  options,
)
const checker = program.getTypeChecker()

const isInternal = (symbol: ts.Symbol): boolean => symbol.getJsDocTags(checker).some((tag) => tag.name === 'internal')
const isDocumented = (symbol: ts.Symbol): boolean =>
  symbol.getDocumentationComment(checker).length > 0 || symbol.getJsDocTags(checker).length > 0

/** What of a class a user can name: no private member, none that is stripped from the types. */
function publicMembers(symbol: ts.Symbol): ts.Symbol[] {
  return [...symbol.members!.values(), ...symbol.exports!.values()].filter((member) => {
    const [declaration] = member.declarations ?? []
    if (declaration === undefined || isInternal(member) || member.flags & ts.SymbolFlags.Prototype) return false
    const named = declaration as ts.NamedDeclaration
    if (named.name !== undefined && ts.isPrivateIdentifier(named.name)) return false
    if (ts.isConstructorDeclaration(declaration)) return declaration.parameters.length > 0
    return !(ts.getCombinedModifierFlags(declaration) & (ts.ModifierFlags.Private | ts.ModifierFlags.Override))
  })
}

/** The names, `door: export.member`, that a user sees and that no comment explains. */
function undocumented(door: string, source: string): string[] {
  const file = program.getSourceFile(source)
  const missing: string[] = []
  for (const exported of checker.getExportsOfModule(checker.getSymbolAtLocation(file!)!)) {
    const symbol = exported.flags & ts.SymbolFlags.Alias ? checker.getAliasedSymbol(exported) : exported
    if (isInternal(symbol)) continue
    if (!isDocumented(symbol)) missing.push(`${door}: ${exported.name}`)
    if (!(symbol.flags & ts.SymbolFlags.Class)) continue // the fields of an interface may be explained by its own comment
    for (const member of publicMembers(symbol)) {
      if (!isDocumented(member)) missing.push(`${door}: ${exported.name}.${member.name}`)
    }
  }
  return missing
}

test('every sub-path of the package has its source', () => {
  expect(
    [...doors].filter(([, source]) => source === undefined || program.getSourceFile(source) === undefined),
  ).toEqual([])
})

test('every export, and every member of a class that a user sees, is documented', () => {
  expect([...doors].flatMap(([door, source]) => undocumented(door, source!))).toEqual([])
})

test('what is internal is not in the list of exports', () => {
  for (const [door, source] of doors) {
    if (door !== 'index' && !source!.endsWith('index.ts')) continue // a file that is a door of its own strips it
    const all = checker.getExportsOfModule(checker.getSymbolAtLocation(program.getSourceFile(source!)!)!)
    const inner = all.map((symbol) => (symbol.flags & ts.SymbolFlags.Alias ? checker.getAliasedSymbol(symbol) : symbol))
    expect(inner.filter(isInternal).map((symbol) => `${door}: ${symbol.name}`)).toEqual([])
  }
})
