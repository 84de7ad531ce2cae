/** What package.json and the index files open to a user. (That each name is documented: `hover.test.ts`.) */
import ts from 'typescript'
import { expect, test } from 'vitest'
import { doors, isInternal, service } from './support/public-api'

const program = service.getProgram()!
const checker = program.getTypeChecker()

test('every sub-path of the package has its source', () => {
  expect([...doors.values()].filter((source) => program.getSourceFile(source) === undefined)).toEqual([])
})

test('what is internal is not in the list of exports', () => {
  for (const [door, source] of doors) {
    if (door !== 'index' && !source.endsWith('index.ts')) continue // a file that is a sub-path of its own strips it
    const all = checker.getExportsOfModule(checker.getSymbolAtLocation(program.getSourceFile(source)!)!)
    const inner = all.map((symbol) => (symbol.flags & ts.SymbolFlags.Alias ? checker.getAliasedSymbol(symbol) : symbol))
    expect(inner.filter(isInternal).map((symbol) => `${door}: ${symbol.name}`)).toEqual([])
  }
})
