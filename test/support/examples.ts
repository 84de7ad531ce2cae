/**
 * Finds the examples in the README and in doc comments, and runs them.
 *
 * - A `ts` block, or an `@example`, is one program. Its comments `// => text` are the lines that it logs, in order.
 * - In an `@example` a line `expression // value` must have that JavaScript value; words may follow after a colon. The
 *   example need not import the package.
 * - A `console` block is a session: each line `$ nested-rmap ...` is a command, and the lines after it are its output.
 */
import { spawnSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { format } from 'node:util'
import ts from 'typescript'
import { expect } from 'vitest'
import { doors, exportedNames, subPath } from './public-api'

export interface Example {
  /** Its file and line: `README.md:31`. */
  readonly name: string
  readonly code: string
}

/** The code blocks of one language in a text that starts at a line of a file. */
export function blocks(language: string, text: string, file: string, firstLine = 1): Example[] {
  return [...text.matchAll(new RegExp('^```' + language + '\\n([^]*?)^```', 'gm'))].map(({ index, 1: code }) => ({
    name: `${file}:${firstLine + text.slice(0, index).split('\n').length - 1}`,
    code: code!,
  }))
}

/** The examples in the doc comments of a source file, with the imports that they omit. */
export function docExamples(file: string): Example[] {
  const source = readFileSync(file, 'utf8')
  return [...source.matchAll(/^( *)\/\*\*[^]*?\*\//gm)].flatMap(({ 0: comment, index }) => {
    const firstLine = source.slice(0, index).split('\n').length
    const text = comment.replace(/^ *(\/\*\*|\*\/|\* ?)/gm, '')
    return [...text.matchAll(/^@example\n([^]*?)(?=^@|$(?![^]))/gm)].map(({ index: at, 1: body }) => ({
      name: `${file}:${firstLine + text.slice(0, at).split('\n').length - 1}`,
      code: withImports(body!.replace(/^```.*\n/gm, '').trim()),
    }))
  })
}

const EXPORTS = exportedNames()

function withImports(code: string): string {
  const imported = new Set([...code.matchAll(/import .*?\bfrom/g)].flatMap(([line]) => line.match(/\w+/g)!))
  const words = new Set(code.replace(/\/\/.*/g, '').match(/(?<![.\w])[A-Za-z]\w*/g))
  const imports = [...words].filter((word) => EXPORTS.has(word) && !imported.has(word) && !declares(code, word))
  return imports.map((word) => `import { ${word} } from '${EXPORTS.get(word)}'\n`).join('') + code
}

const declares = (code: string, word: string): boolean => new RegExp(`\\b(const|let|class) ${word}\\b`).test(code)

/** The lines that an example must log. */
export function promised(code: string): string[] {
  return [...code.matchAll(/\/\/ => ?(.*)$/gm)].map(([, text]) => text!)
}

/** A line `expression // value`, and the value: `'second': now a list` is 'second'. Undefined for other lines. */
function promisedValue(line: string): { expression: string; value: string } | undefined {
  const [, expression, comment] =
    /^(?!\s|const |let |import |for |\}|console\.)(.+?)\s+\/\/ (?!=>)(.+)$/.exec(line) ?? []
  if (expression === undefined) return undefined
  const ends = [comment!.length, ...[...comment!.matchAll(/: /g)].map(({ index }) => index)]
  const value = ends.map((end) => `(${comment!.slice(0, end)})`).find(isExpression)
  return value === undefined ? undefined : { expression, value }
}

function isExpression(text: string): boolean {
  try {
    new Function(`return ${text}`)()
    return true
  } catch {
    return false
  }
}

/** Runs an example on the sources and compares its values. Returns the lines that it logged. */
export async function run(code: string): Promise<string[]> {
  const modules = new Map<string, unknown>()
  for (const [, name] of code.matchAll(/from '([^']+)'/g)) modules.set(name!, await import(sourceOf(name!)))
  const checked = code.split('\n').map((line) => {
    const promise = promisedValue(line)
    return promise === undefined
      ? line
      : `expect(${promise.expression}, ${JSON.stringify(line)}).toEqual${promise.value}`
  })
  const { outputText } = ts.transpileModule(checked.join('\n'), {
    compilerOptions: { module: ts.ModuleKind.CommonJS, target: ts.ScriptTarget.ES2022 },
  })
  const logged: string[] = []
  const log = (...args: unknown[]): number => logged.push(...format(...args).split('\n'))
  await new Function('require', 'exports', 'console', 'expect', `return (async () => {${outputText}\n})()`)(
    (name: string) => modules.get(name),
    {},
    { log },
    expect,
  )
  return logged
}

function sourceOf(name: string): string {
  const [, path] = /^nested-rmap(?:\/(.+))?$/.exec(name) ?? []
  return name.startsWith('nested-rmap') ? doors.get(path ?? 'index')! : name
}

/** Checks the types of all examples as one program, in which each is a module. Returns the errors. */
export function typeErrors(examples: readonly Example[]): string[] {
  const files = new Map(examples.map(({ code }, i) => [`${process.cwd()}/example-${i}.ts`, `${code}\nexport {}\n`]))
  const names = new Map([...files.keys()].map((file, i) => [file, examples[i]!.name]))
  const { config } = ts.readConfigFile('tsconfig.json', (file) => ts.sys.readFile(file))
  const { options } = ts.parseJsonConfigFileContent(config, ts.sys, '.')
  const paths = Object.fromEntries([...doors].map(([name, source]) => [subPath(name), [source]]))
  const settings = { ...options, noUnusedLocals: false, noUnusedParameters: false, paths }
  const host = ts.createCompilerHost(settings)
  const { getSourceFile, fileExists } = host
  host.fileExists = (file) => files.has(file) || fileExists(file)
  host.getSourceFile = (file, target) => {
    const text = files.get(file)
    return text === undefined ? getSourceFile(file, target) : ts.createSourceFile(file, text, target)
  }
  return ts
    .getPreEmitDiagnostics(ts.createProgram([...files.keys()], settings, host))
    .map(({ file, start, messageText }) => {
      const where =
        file === undefined
          ? ''
          : `${names.get(file.fileName) ?? file.fileName} line ${file.getLineAndCharacterOfPosition(start!).line + 1}`
      return `${where}: ${ts.flattenDiagnosticMessageText(messageText, ' ')}`
    })
}

/** Runs the commands of a session. Returns each with its output. */
export function session(code: string): { promised: string; printed: string } {
  const printed = [...code.matchAll(/^\$ nested-rmap (.*)$/gm)].map(([line, args]) => {
    const { stdout, stderr } = spawnSync(process.execPath, ['dist/cli.js', ...args!.replace(/ +#.*/, '').split(' ')], {
      encoding: 'utf8',
    })
    return `${line}\n${stdout}${stderr}`
  })
  return { promised: code, printed: printed.join('') }
}
