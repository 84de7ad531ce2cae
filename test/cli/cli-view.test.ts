/** The commands `decode` and `dump` of the built package (`npm test` builds it first). */
import { spawnSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { gunzipSync, gzipSync } from 'node:zlib'
import { afterAll, expect, test } from 'vitest'

const root = fileURLToPath(new URL('../..', import.meta.url))
const data = (name: string): string => join(root, 'test/data', name)
const scratch = mkdtempSync(join(tmpdir(), 'nested-rmap-'))
afterAll(() => rmSync(scratch, { recursive: true }))

interface Run {
  code: number | null
  out: string
  err: string
}

function run(args: string[], input = ''): Run {
  const { status, stdout, stderr } = spawnSync(process.execPath, [join(root, 'dist/cli.js'), ...args], {
    input,
    encoding: 'utf8',
  })
  return { code: status, out: stdout, err: stderr }
}

/** Writes a file in the scratch folder. @returns its path */
function file(name: string, content: string | Uint8Array): string {
  writeFileSync(join(scratch, name), content)
  return join(scratch, name)
}

test('decode: words as arguments', () => {
  expect(run(['decode', '0x0030000030261001', '0'])).toEqual({
    code: 0,
    err: '',
    out: '0x0030000030261001\n  slot word     tagged entry: LPID 3  gpa 0x30261000\n0x0000000000000000\n  slot word     empty: no entry\n',
  })
})

test('decode: a word with its bytes reversed', () => {
  const { code, out } = run(['decode', '--swap', '0x87034833000000c0'])
  expect(code).toBe(0)
  expect(out.split('\n').slice(0, 2)).toEqual(['0x87034833000000c0, its bytes reversed:', '0xc000000033480387'])
})

test('decode: words on standard input, up to a text that is not a word', () => {
  expect(run(['decode'], '0x20 33\n\n 0').out.match(/^0x\S+/gm)).toEqual([
    '0x0000000000000020',
    '0x0000000000000021',
    '0x0000000000000000',
  ])
  expect(run(['decode', '-'], '1\n2 x\n')).toMatchObject({
    code: 2,
    err: 'nested-rmap: standard input: line 2: word: expected a number in hex (0x...) or decimal, got "x"\n',
  })
  expect(run(['decode'], '1\nx')).toMatchObject({
    code: 2,
    err: expect.stringMatching(/^nested-rmap: standard input: line 2: /),
  })
})

test('decode: a complete trace: its header is skipped, and a negative value is read', () => {
  const { code, out, err } = run(['decode'], readFileSync(data('cases/ret-s32.txt'), 'utf8'))
  expect({ code, err }).toEqual({ code: 0, err: '' })
  expect(out).toContain('\nret = 0xfffffffffffffff5\n')
})

test('decode: an argument that is not a word is wrong usage', () => {
  expect(run(['decode', '5', 'face'])).toEqual({
    code: 2,
    out: '',
    err: 'nested-rmap decode: word: expected a number in hex (0x...) or decimal, got "face" (hex? write 0xface): see nested-rmap decode --help\n',
  })
})

/** The words that decode finds in a text: `name = word` or `address word`, with the remark. */
const read = (text: string): string[] => {
  const { code, out } = run(['decode'], text)
  expect(code).toBe(0)
  return out.split('\n').filter((line) => /^\S/.test(line))
}

const NODE = ['0xc00000002bf8f360', '0x00200000101e0000']

test('decode: pasted words', () => {
  expect(read('30000030261001')).toEqual([
    '0x00001b48ed259f09  (30000030261001 as decimal)',
    '0x0030000030261001  (as hexadecimal: write 0x30000030261001)',
  ])
  expect(read('c00000002bf84c80')).toEqual(['0xc00000002bf84c80  (c00000002bf84c80 as hexadecimal)'])
  expect(read('0xc000_0000_2bf8_4c80, 0x0030000030261001ULL; "0x30000030261001,"')).toEqual([
    '0xc00000002bf84c80',
    '0x0030000030261001',
    '0x0030000030261001',
  ])
  expect(read("['0xc00000002bf8f360', '0x200000101e0000']")).toEqual(NODE)
  expect(read('old=0x0 node=0xc00000002bf8f360 new=0x200000101e0000')).toEqual([
    'old = 0x0000000000000000',
    `node = ${NODE[0]}`,
    `new = ${NODE[1]}`,
  ])
  expect(read('  .rmap = (u64)9007199254740993,\n$1 = 0x5')).toEqual([
    'rmap = 0x0020000000000001',
    '1 = 0x0000000000000005',
  ])
  expect(
    read('[  12.345678] GPR20: 8703e0aa030000c0 c00000002bf84c80\nNIP:  c008000001200732 LR: c0080000012005c6'),
  ).toEqual([
    'GPR20 = 0x8703e0aa030000c0',
    'GPR21 = 0xc00000002bf84c80',
    'NIP = 0xc008000001200732',
    'LR = 0xc0080000012005c6',
  ])
})

test.each([
  ['crash rd', 'c00000002bf84c80:  c00000002bf8f360 00200000101e0000   `..+............'],
  ['gdb x/gx', '0xc00000002bf84c80:\t0xc00000002bf8f360\t0x00200000101e0000'],
  ['gdb x/gx with a symbol', '0xc00000002bf84c80 <b+8>:\t0xc00000002bf8f360\t0x00200000101e0000'],
  ['od -A x -t x8', 'c00000002bf84c80 c00000002bf8f360 00200000101e0000'],
  ['xxd', 'c00000002bf84c80: 60f3 f82b 0000 00c0 0000 1e10 0000 2000  `..+.......... .'],
  ['xxd -g1', 'c00000002bf84c80: 60 f3 f8 2b 00 00 00 c0 00 00 1e 10 00 00 20 00  `..+.......... .'],
  ['xxd -e -g8', 'c00000002bf84c80: c00000002bf8f360 00200000101e0000  `..+.......... .'],
  ['hexdump -C', 'c00000002bf84c80  60 f3 f8 2b 00 00 00 c0  00 00 1e 10 00 00 20 00  |`..+.......... .|'],
])('decode: memory as %s prints it; its address is not decoded', (_tool, text) => {
  const words = read(text)
  expect(words[0]).toBe('address 0xc00000002bf84c80')
  expect(words.slice(1).map((line) => line.replace(/ .*/, ''))).toEqual(NODE)
})

test('dump: a list of a recording', () => {
  const { code, out } = run([
    'dump',
    data('A.txt.gz'),
    '--gfn',
    '0x3db0',
    '--gfn',
    '1',
    '--entries',
    '2',
    '--width',
    '120',
  ])
  expect(code).toBe(0)
  expect(out.split('\n').map((line) => line.trimEnd())).toEqual([
    expect.stringMatching(/^gfn 0x3db0  \[ -> 0xc0000000\w{8} \] +10 entries$/),
    expect.stringMatching(
      /^  --> node 0xc0000000\w{8} \{ next -> 0xc0000000\w{8}, 0x00\w{14} \}  LPID \d  gpa 0x\w+0000  newest$/,
    ),
    '  ... 8 more ...',
    expect.stringMatching(/^      \^ that next, its tag off +LPID \d  gpa 0x\w+0000  oldest$/),
    'gfn 0x1  [ 0                  ]  no entry',
    '59 slots not empty (3 single, 56 lists), 380 entries, 321 nodes, longest 11',
    'No problems found.',
    '',
  ])
})

test('dump: recording, memory and tables of one kernel match', () => {
  const { code, out } = run([
    'dump',
    data('D.txt.gz'),
    '--memory',
    data('D-memory.json'),
    '--radix',
    data('D-radix.txt'),
  ])
  expect(code).toBe(0)
  expect(out).toContain('recording and memory have the same 54 rmap slots, node for node\n')
  expect(out).toContain('54 slots not empty (6 single, 48 lists), 400 entries, 346 nodes, longest 12\n')
  expect(out).toContain('table of LPID 6     47 of 64 KiB\n')
  expect(out).toMatch(/\n216 shadow leaves, 0 without their entry\nNo problems found\.\n$/)
})

test('dump: a damaged memory is reported, as a flaw and as a difference from the recording', () => {
  const nodes = Uint8Array.from(gunzipSync(readFileSync(data('D-nodes.bin.gz'))))
  const slots = Uint8Array.from(gunzipSync(readFileSync(data('D-slots.bin.gz'))))
  const head = new BigUint64Array(slots.buffer).find((word) => word !== 0n && word % 2n === 0n)!
  const json = JSON.parse(readFileSync(data('D-memory.json'), 'utf8'))
  new BigUint64Array(nodes.buffer)[Number(head - BigInt(json.memory[0].address)) / 8] = 0n
  file('nodes.bin.gz', gzipSync(nodes))
  json.memory[0].file = 'nodes.bin.gz'
  json.slots.file = 'slots.bin'
  file('slots.bin', slots)
  const { code, out } = run(['dump', data('D.txt.gz'), '--memory', file('memory.json', JSON.stringify(json))])
  expect(code).toBe(1)
  expect(out).toMatch(/^!! recording and memory differ in 1 slot$/m)
  expect(out).toContain(`  !! node 0x${head.toString(16)}: next is 0 instead of the oldest entry\n`)
})

test('dump: a leaf whose entry is missing gives exit code 1', () => {
  const text = readFileSync(data('D-radix.txt'), 'utf8')
  const radix = file('radix.txt', text.replace(/(Nested LPID 1: .*\n)/, '$1 7ff0000: c000000000010387 16\n'))
  const { code, out } = run(['dump', '--memory', data('D-memory.json'), '--radix', radix, '--gfn', '0'])
  expect(code).toBe(1)
  expect(out).toMatch(
    /^400 entries, 184 stale, which is legal \(no shadow leaf: \d+; .*\)\n217 shadow leaves, 1 without their entry\n!! Problems were found: .*\n$/m,
  )
  expect(out).toMatch(/^  !! leaf without entry: LPID 1  gpa 0x7ff0000 -> 0x10000: /m)
})

const unreadable: [name: string, args: () => string[], err: string | RegExp][] = [
  [
    'nothing to read',
    () => ['dump'],
    'nested-rmap dump: expected a RECORDING, --sample, --memory or --radix: see nested-rmap dump --help\n',
  ],
  [
    'a gfn without an rmap slot',
    () => ['dump', data('A.txt.gz'), '--gfn', '0x4000'],
    'nested-rmap dump: --gfn: 0x4000 has no rmap slot: expected a gfn in 0x0..0x3fff: see nested-rmap dump --help\n',
  ],
  [
    "an option's value that looks like an option",
    () => ['dump', '--gfn', '-1'],
    "nested-rmap dump: Option '--gfn' argument is ambiguous: see nested-rmap dump --help\n",
  ],
  [
    'standard input twice',
    () => ['dump', '-', '--radix', '-'],
    'nested-rmap dump: standard input (-) can be read only once: see nested-rmap dump --help\n',
  ],
  [
    'an unknown option',
    () => ['dump', '--deep'],
    "nested-rmap dump: Unknown option '--deep': see nested-rmap dump --help\n",
  ],
  ['no file', () => ['dump', '--radix', join(scratch, 'none')], /^nested-rmap: \S+none: no such file or directory\n$/],
  [
    'a malformed radix file',
    () => ['dump', '--radix', file('bad.txt', 'pgdir: 0\nx')],
    /bad\.txt: line 2: expected "pgdir: ADDRESS", /,
  ],
  [
    'a recording with a malformed radix file',
    () => ['dump', data('A.txt.gz'), '--memory', data('D-memory.json'), '--radix', file('bad.txt', 'pgdir: 0\nx')],
    /bad\.txt: line 2: expected "pgdir: ADDRESS", /,
  ],
  [
    'a file that is not JSON',
    () => ['dump', '--memory', file('bad.json', '{')],
    /^nested-rmap: \S+bad\.json: not JSON: expected a description, in JSON, of a dump of kernel memory, as in the README, "Dumps of kernel memory"\n$/,
  ],
  [
    'a JSON file without a description',
    () => ['dump', '--memory', file('other.json', '{"slots":{}}')],
    /^nested-rmap: \S+other\.json: memory: expected an array\n$/,
  ],
  [
    'an address that is not a string',
    () => {
      const json = JSON.parse(readFileSync(data('D-memory.json'), 'utf8'))
      json.memory[0].address = 123
      return ['dump', '--memory', file('number.json', JSON.stringify(json))]
    },
    /^nested-rmap: \S+number\.json: memory\[0\]\.address: expected a string, got number\n$/,
  ],
  [
    'a slot array that is too short',
    () => {
      const json = JSON.parse(readFileSync(data('D-memory.json'), 'utf8'))
      json.slots.file = 'short.bin'
      json.memory = []
      file('short.bin', new Uint8Array(24))
      return ['dump', '--memory', file('short.json', JSON.stringify(json))]
    },
    /^nested-rmap: \S+short\.bin: the slot array ends at gfn 0x3, expected 0x4000\n$/,
  ],
  [
    'memory of the wrong length',
    () => {
      const json = JSON.parse(readFileSync(data('D-memory.json'), 'utf8'))
      json.memory[0].file = 'long.bin.gz'
      file('long.bin.gz', gzipSync(new Uint8Array(10_000_000)))
      return ['dump', '--memory', file('long.json', JSON.stringify(json))]
    },
    /^nested-rmap: \S+long\.bin\.gz: expected 65536 bytes, got more\n$/,
  ],
]

for (const [name, args, err] of unreadable) {
  test(`dump: ${name}: one line and exit code 2`, () => {
    const result = run(args())
    expect(result).toMatchObject({ code: 2, out: '' })
    if (typeof err === 'string') expect(result.err).toBe(err)
    else expect(result.err).toMatch(err)
  })
}

test('each command has a help with an example', () => {
  for (const command of ['decode', 'dump']) {
    const { code, out, err } = run([command, '--help'])
    expect({ code, err }).toEqual({ code: 0, err: '' })
    expect(out).toMatch(/^Usage: nested-rmap /)
    expect(out).toMatch(/^Exit code: /m)
    expect(out).toMatch(/^Example: nested-rmap /m)
  }
})
