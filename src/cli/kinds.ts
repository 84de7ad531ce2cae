/**
 * Recognises files that cannot be read by their first bytes. The error names the kind of file, and a command that
 * converts it. One table has the kinds that no command reads, the other those that are not a recording.
 */

/** A kind of file. */
interface Kind {
  readonly name: string
  readonly matches: (head: Buffer) => boolean
  /** The command that writes the converted file to standard output. */
  readonly command?: (file: string) => string
  /** What to do, if there is no such command. */
  readonly advice?: string
}

const begins = (...starts: (string | readonly number[])[]): Kind['matches'] => {
  const all = starts.map((start) => Buffer.from(start as string, 'latin1'))
  return (head) => all.some((start) => head.subarray(0, start.length).equals(start))
}

const unpack = (name: string, matches: Kind['matches'], tool: string): Kind => ({
  name: `${name} data`,
  matches,
  command: (file) => `${tool} ${file}`,
})

const BINARY: readonly Kind[] = [
  unpack('xz', begins([0xfd, 0x37, 0x7a, 0x58, 0x5a, 0]), 'xz -dc'),
  unpack('bzip2', (head) => /^BZh[1-9]/.test(head.toString('latin1', 0, 4)), 'bzip2 -dc'),
  unpack('zstd', begins([0x28, 0xb5, 0x2f, 0xfd]), 'zstd -dc'),
  unpack('gzip (twice)', begins([0x1f, 0x8b]), 'zcat'),
  unpack('lz4', begins([0x04, 0x22, 0x4d, 0x18]), 'lz4 -dc'),
  unpack('lzma', begins([0x5d, 0, 0]), 'xz --format=lzma -dc'),
  unpack('lzip', begins('LZIP'), 'lzip -dc'),
  unpack('compress (.Z)', begins([0x1f, 0x9d]), 'uncompress -c'),
  unpack('zip', begins('PK\x03\x04'), 'unzip -p'),
  unpack('7z', begins([0x37, 0x7a, 0xbc, 0xaf, 0x27, 0x1c]), '7z x -so'),
  unpack('tar', (head) => head.toString('latin1', 257, 262) === 'ustar', 'tar -xOf'),
  {
    name: "trace-cmd's binary file (trace.dat)",
    matches: begins('\x17\x08\x44tracing'),
    command: (file) => `trace-cmd report -i ${file}`,
  },
  {
    name: "perf's binary file (perf.data)",
    matches: begins('PERFILE2', '2ELIFREP', 'PERFFILE', 'ELIFFREP'),
    command: (file) => `perf script -i ${file}`,
  },
  {
    name: 'a crash dump of a kernel',
    matches: begins('KDUMP   ', 'DISKDUMP', 'makedumpfile'),
    advice: 'get the text of its trace buffer with crash (extension trace: "trace show"), and give that text',
  },
  {
    name: 'an ELF file, such as a crash dump',
    matches: begins('\x7fELF'),
    advice:
      'get the text of the trace buffer of a crash dump with crash (extension trace: "trace show"), and give that text',
  },
  {
    name: 'text in UTF-16',
    matches: begins([0xff, 0xfe], [0xfe, 0xff]),
    command: (file) => `iconv -f UTF-16 -t UTF-8 ${file}`,
  },
]

const NOT_RECORDINGS: readonly Kind[] = [
  {
    name: "a dump of page tables (debugfs's file radix)",
    matches: (head) => /^(?:\s*|==> .*\n)(?:Nested LPID \d+: )?pgdir: [\da-f]+\s*$/m.test(firstLines(head)),
    advice: 'give it with --radix, besides a recording',
  },
  {
    name: 'JSON',
    matches: (head) => /^\s*(?:\{\s*["}]|\[\s*[{\]"])/.test(firstLines(head)),
    advice:
      'a recording is text: one line for each event, as ftrace, trace-cmd report or perf script print it (a dump of memory is given with --memory)',
  },
  {
    name: 'HTML',
    matches: (head) => /^\s*<(?:!doctype|html)\b/i.test(firstLines(head)),
    advice: 'a recording is text: one line for each event, as ftrace, trace-cmd report or perf script print it',
  },
  {
    name: 'definitions of kprobes',
    matches: (head) => /^(?:#.*\n|\s*\n)*[pr]\d*:[\w-]+\/\w+ \w/.test(firstLines(head)),
    advice: 'write them to kprobe_events, enable them, and give a copy of the file trace',
  },
  {
    name: 'binary data',
    matches: (head) => head.includes(0),
    advice:
      'a recording is text: one line for each event, as ftrace, trace-cmd report or perf script print it (a dump of memory is given with --memory, which takes a description in JSON)',
  },
]

/** The number of first bytes of a file that are examined. */
export const HEAD_BYTES = 1024

/** The kind of a binary file, and how to convert it; undefined if it may be text. */
export function binaryKind(head: Buffer, file: string, command: string): string | undefined {
  return describe(BINARY, head, file, command)
}

/** The kind of a text, or of other binary data, that is not a recording, and what to do; undefined if it may be one. */
export function textKind(head: Buffer, file: string, command: string): string | undefined {
  return describe(NOT_RECORDINGS, head, file, command)
}

function describe(kinds: readonly Kind[], head: Buffer, file: string, command: string): string | undefined {
  const kind = kinds.find(({ matches }) => matches(head))
  if (kind === undefined) return undefined
  const shown =
    file === '-' ? 'FILE' : /^[\w./+@%:,-]+$/.test(file) ? file : `'${file.replaceAll("'", String.raw`'\''`)}'`
  return `${kind.name}: ${kind.command === undefined ? kind.advice : `try: ${kind.command(shown)} | ${command}`}`
}

function firstLines(head: Buffer): string {
  return head
    .toString('latin1')
    .replace(/^\xef\xbb\xbf/, '')
    .replaceAll('\r', '')
}
