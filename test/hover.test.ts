/**
 * Hovering anything that a user can name shows what it is: every export, every member of a class, every property of
 * every options and result object that the exports lead to. Asked of TypeScript's language service, as an editor does.
 */
import { relative } from 'node:path'
import ts from 'typescript'
import { expect, test } from 'vitest'
import { doors, isInternal, service } from './support/public-api'

const program = service.getProgram()!
const checker = program.getTypeChecker()

/** What a user who hovers the name of this declaration reads. */
function hover(declaration: ts.Declaration): string {
  const name = ts.getNameOfDeclaration(declaration) ?? declaration
  const info = service.getQuickInfoAtPosition(declaration.getSourceFile().fileName, name.getStart())
  return ts.displayPartsToString(info?.documentation)
}

/** The declaration's names from the outside in: `src/vm/vm.ts: Vm.addMemslot.options.baseGfn`. */
function label(declaration: ts.Declaration): string {
  const names: string[] = []
  for (let node: ts.Node = declaration; !ts.isSourceFile(node); node = node.parent) {
    const name = ts.getNameOfDeclaration(node as ts.Declaration)
    if (name !== undefined) names.unshift(name.getText())
  }
  return `${relative('.', declaration.getSourceFile().fileName)}: ${names.join('.')}`
}

const isStringLiteralType = (type: ts.TypeNode | undefined): boolean =>
  type !== undefined && ts.isLiteralTypeNode(type) && ts.isStringLiteral(type.literal)

/** Our own declaration of a symbol that a user can name: not of a library, not private, not @internal. */
function ownDeclaration(symbol: ts.Symbol): ts.Declaration | undefined {
  const declaration = symbol.declarations?.find((each) => !program.isSourceFileDefaultLibrary(each.getSourceFile()))
  if (declaration === undefined || declaration.getSourceFile().fileName.includes('node_modules')) return undefined
  const name = ts.getNameOfDeclaration(declaration)
  if (name !== undefined && (ts.isPrivateIdentifier(name) || ts.isComputedPropertyName(name))) return undefined
  if (ts.getCombinedModifierFlags(declaration) & ts.ModifierFlags.Private || isInternal(symbol)) return undefined
  // The hover of a constant table's text or list shows it: `INVARIANTS.completeness` explains itself.
  if (ts.isPropertySignature(declaration) && isStringLiteralType(declaration.type)) return undefined // `event: 'rmap_take'`
  if (ts.isPropertyAssignment(declaration) && !ts.isNumericLiteral(declaration.initializer)) return undefined
  return declaration
}

/** Collects, from a door's exports on, the declarations whose hover is empty. */
class Walk {
  readonly undocumented = new Set<string>()
  readonly #seen = new Set<ts.Symbol | ts.Type>()

  symbol(symbol: ts.Symbol): void {
    const declaration = ownDeclaration(symbol)
    if (declaration === undefined || this.#seen.has(symbol)) return
    this.#seen.add(symbol)
    const overrides = ts.getCombinedModifierFlags(declaration) & ts.ModifierFlags.Override
    if (!overrides && hover(declaration) === '') this.undocumented.add(label(declaration))
    if (symbol.flags & (ts.SymbolFlags.Class | ts.SymbolFlags.Interface | ts.SymbolFlags.TypeAlias)) {
      this.type(checker.getDeclaredTypeOfSymbol(symbol))
    }
    if (symbol.flags & ts.SymbolFlags.Value) this.type(checker.getTypeOfSymbol(symbol))
  }

  /** What a type leads to: its properties, and the parameters and results of its functions. */
  type(type: ts.Type): void {
    if (this.#seen.has(type)) return
    this.#seen.add(type)
    if (type.isUnionOrIntersection()) for (const part of type.types) this.type(part)
    for (const part of checker.getTypeArguments(type as ts.TypeReference) ?? []) this.type(part)
    if (type.symbol !== undefined && ownDeclaration(type.symbol) === undefined) return // of a library, or private
    for (const property of type.getProperties()) this.symbol(property)
    for (const signature of [...type.getCallSignatures(), ...type.getConstructSignatures()]) {
      if (
        signature.declaration !== undefined &&
        ts.getJSDocTags(signature.declaration).some((tag) => tag.tagName.text === 'internal')
      )
        continue
      for (const parameter of signature.getParameters()) this.type(checker.getTypeOfSymbol(parameter))
      if (type.symbol?.name !== 'toJSON') this.type(signature.getReturnType()) // its comment says what JSON it is
    }
  }
}

test('hovering an export, a member, an option or a property of a result shows what it is', () => {
  const walk = new Walk()
  for (const source of doors.values()) {
    for (const exported of checker.getExportsOfModule(checker.getSymbolAtLocation(program.getSourceFile(source)!)!)) {
      walk.symbol(exported.flags & ts.SymbolFlags.Alias ? checker.getAliasedSymbol(exported) : exported)
    }
  }
  expect([...walk.undocumented].sort()).toEqual([])
})
