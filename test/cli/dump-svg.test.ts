/** `dump --svg` of the built package. */
import { spawnSync } from 'node:child_process'
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, expect, test } from 'vitest'

const root = fileURLToPath(new URL('../..', import.meta.url))
const recording = join(root, 'test/data/A.txt.gz')
const scratch = mkdtempSync(join(tmpdir(), 'nested-rmap-svg-'))
afterAll(() => rmSync(scratch, { recursive: true }))

function dump(...args: string[]): { code: number | null; out: string; err: string } {
  const { status, stdout, stderr } = spawnSync(
    process.execPath,
    [join(root, 'dist/cli.js'), 'dump', recording, ...args],
    { encoding: 'utf8', cwd: scratch },
  )
  return { code: status, out: stdout, err: stderr }
}

test('the drawn slots are written as SVG, including an empty one', () => {
  const { code, out } = dump('--gfn', '0x3d90', '--gfn', '1', '--svg', 'lists.svg')
  expect(code).toBe(0)
  expect(out).toContain('lists.svg: 2 slots\n')
  const svg = readFileSync(join(scratch, 'lists.svg'), 'utf8')
  expect(svg).toMatch(/^<svg xmlns="http:\/\/www\.w3\.org\/2000\/svg" .*<\/svg>\n$/s)
  const [, description] = /<desc>(.*)<\/desc>/.exec(svg)!
  const entries = out.match(/LPID \d+ {2}gpa 0x\w+/g)!
  expect(entries.length).toBe(3)
  for (const entry of entries) expect(description).toContain(entry)
  expect(description).toContain('gfn 0x1: the word is 0, no entry.')
})

test('without --gfn the picture has all slots that are not empty', () => {
  expect(dump('--svg', 'all.svg').out).toContain('all.svg: 59 slots\n')
  expect(readFileSync(join(scratch, 'all.svg'), 'utf8').match(/>gfn 0x\w+<\/text>/g)!.length).toBe(59)
})

test('a file that cannot be written, or standard output: one line and exit code 2', () => {
  expect(dump('--svg', 'no/such/folder.svg')).toMatchObject({
    code: 2,
    err: expect.stringMatching(/^nested-rmap: no\/such\/folder\.svg: cannot be written: .*\n$/),
  })
  expect(dump('--svg', '-')).toMatchObject({
    code: 2,
    err: 'nested-rmap dump: --svg: expected the name of a file: see nested-rmap dump --help\n',
  })
  expect(existsSync(join(scratch, '-'))).toBe(false)
})
