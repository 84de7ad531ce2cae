/**
 * Finds the examples in the README and in doc comments, and runs them.
 *
 * - A `ts` block is one program. What it logs is said by its comments `// => text`, in order, one a line.
 * - A `console` block is a session: each line `$ nested-rmap ...` is a command, and what follows it is what it prints.
 */
import { spawnSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { format } from 'node:util'
import ts from 'typescript'
import { doors } from './public-api'

export interface Example {
  /** Where it is: `README.md:31`. */
  readonly name: string
  readonly code: string
}

/** The blocks of one language in a text, which starts at a line of a file. */
export function blocks(language: string, text: string, file: string, firstLine = 1): Example[] {
  return [...text.matchAll(new RegExp('^```' + language + '\\n([^]*?)^```', 'gm'))].map(({ index, 1: code }) => ({
    name: `${file}:${firstLine + text.slice(0, index).split('\n').length - 1}`,
    code: code!,
  }))
}

/** The `@example` blocks in a source file. */
export function docExamples(file: string): Example[] {
  const source = readFileSync(file, 'utf8')
  return [...source.matchAll(/^( *)\/\*\*[^]*?\*\//gm)]
    .filter(([comment]) => comment.includes('@example'))
    .flatMap(({ 0: comment, index }) =>
      blocks('ts', comment.replace(/^ *(\/\*\*|\*\/|\* ?)/gm, ''), file, source.slice(0, index).split('\n').length),
    )
}

/** The lines that an example's comments promise. */
export function promised(code: string): string[] {
  return [...code.matchAll(/\/\/ => ?(.*)$/gm)].map(([, text]) => text!)
}

/** Runs an example on the sources; returns the lines that it logged. */
export async function run(code: string): Promise<string[]> {
  const modules = new Map<string, unknown>()
  for (const [, name] of code.matchAll(/from '([^']+)'/g)) modules.set(name!, await import(sourceOf(name!)))
  const { outputText } = ts.transpileModule(code, {
    compilerOptions: { module: ts.ModuleKind.CommonJS, target: ts.ScriptTarget.ES2022 },
  })
  const logged: string[] = []
  const log = (...args: unknown[]): number => logged.push(...format(...args).split('\n'))
  await new Function('require', 'exports', 'console', `return (async () => {${outputText}\n})()`)(
    (name: string) => modules.get(name),
    {},
    { log },
  )
  return logged
}

function sourceOf(name: string): string {
  const [, path] = /^nested-rmap(?:\/(.+))?$/.exec(name) ?? []
  return name.startsWith('nested-rmap') ? doors.get(path ?? 'index')! : name
}

/** The types of all examples as one program, each a module of its own that imports the package: the errors it has. */
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

const subPath = (name: string): string => (name === 'index' ? 'nested-rmap' : `nested-rmap/${name}`)

/** The commands of a session with what each printed, as `nested-rmap` prints it. */
export function session(code: string): { promised: string; printed: string } {
  const printed = [...code.matchAll(/^\$ nested-rmap (.*)$/gm)].map(([line, args]) => {
    const { stdout, stderr } = spawnSync(process.execPath, ['dist/cli.js', ...args!.replace(/ +#.*/, '').split(' ')], {
      encoding: 'utf8',
    })
    return `${line}\n${stdout}${stderr}`
  })
  return { promised: code, printed: printed.join('') }
}
