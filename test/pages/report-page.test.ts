/** The report that the command writes, in a real browser. Skipped with a message if there is no Chromium. */
import { spawnSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'
import { gunzipSync } from 'node:zlib'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { GuestTable, recorder, Vm } from '../../src/index'
import { describeInChromium, type Page } from '../support/chromium'
import { SIZES, nameless, overflow, weakTexts } from '../support/page-checks'

const root = fileURLToPath(new URL('../..', import.meta.url))
const scratch = mkdtempSync(join(tmpdir(), 'nested-rmap-report-'))
const recording = join(root, 'test/data/A.txt.gz')

function report(
  file: string,
  name: string,
  ...options: string[]
): { code: number | null; out: string; err: string; path: string } {
  const path = join(scratch, name)
  const { status, stdout, stderr } = spawnSync(
    process.execPath,
    [join(root, 'dist/cli.js'), 'report', file, '-o', path, ...options],
    { encoding: 'utf8' },
  )
  return { code: status, out: stdout, err: stderr, path }
}

afterAll(() => rmSync(scratch, { recursive: true, maxRetries: 5 }))

test('the command writes one file that refers to no other', () => {
  const { code, err, out, path } = report(recording, 'whole.html')
  expect({ code, err }).toEqual({ code: 0, err: '' })
  expect(out).toMatch(/^.*whole\.html: 1\d\d KiB, no difference\n$/)
  const html = readFileSync(path, 'utf8')
  expect(html).not.toMatch(/<(link|script|img)[^>]*(href|src)="(?!data:)/)
  expect(html).not.toMatch(/https?:\/\/(?!www\.w3\.org\/2000\/svg)/)
})

test('wrong usage and a file that cannot be written give one line and exit code 2', () => {
  const run = (...args: string[]): unknown => {
    const { status, stdout, stderr } = spawnSync(process.execPath, [join(root, 'dist/cli.js'), 'report', ...args], {
      encoding: 'utf8',
    })
    return [status, stdout, stderr]
  }
  expect(run()).toEqual([
    2,
    '',
    'nested-rmap report: expected one RECORDING, or --sample: see nested-rmap report --help\n',
  ])
  expect(run(recording)).toEqual([2, '', 'nested-rmap report: expected -o FILE: see nested-rmap report --help\n'])
  expect(run(recording, '-o', 'x.html', '--steps', '0')).toEqual([
    2,
    '',
    'nested-rmap report: --steps: expected an integer in 1..1000000, got 0: see nested-rmap report --help\n',
  ])
  expect(run(recording, '-o', join(scratch, 'no/such/folder.html'))).toEqual([
    2,
    '',
    expect.stringMatching(/^nested-rmap: \S+folder\.html: cannot be written: .*\n$/),
  ])
})

describeInChromium((newPage) => {
  let page: Page

  beforeAll(async () => {
    page = await newPage()
    await page.open(pathToFileURL(report(recording, "a report's <page>.html").path).href)
  }, 60_000)

  const step = async (): Promise<number> => Number(await page.evaluate('document.getElementById("step").value'))
  const go = (to: number): Promise<unknown> =>
    page.evaluate(
      `new Promise((done) => { addEventListener('hashchange', done, { once: true }); location.hash = 'step=${to}' })`,
    )

  test('it opens from disk, without errors and without requests', async () => {
    expect(await page.text('h1')).toBe('Recording A.txt.gz')
    expect(await page.text('#about')).toMatch(
      /^A recording \(ftrace\) of a Linux kernel's nested reverse map, compared with the model .*: 12,204 events, 64 KiB pages\. /,
    )
    expect(await page.text('#verdict')).toBe('No differences: the model matches the recording exactly.')
    expect(await page.text('#totals')).toContain('longest list12, first at line 10,371')
    expect(await page.text('#longest')).toBe('Longest list (12)')
    expect(await page.text('#what')).toMatch(
      /: the second entry, a list node is put before the first \(1 entry compared\)$/,
    )
    expect(await page.evaluate("document.querySelectorAll('#pictures svg').length")).toBe(1)
    expect(page.complaints).toEqual([])
    expect(page.requests).toEqual([])
  })

  test('one key goes to the step at which a list first had the greatest length', async () => {
    await page.press('l')
    expect(await page.text('#what')).toMatch(
      /^Line 10,371: insert LPID \d+ {2}gpa 0x\w+ into gfn 0x\w+: a list node is pushed at the head of the list \(11 entries compared\)$/,
    )
    const text = await page.text('#pictures pre')
    expect(text).toMatch(/12 entries$/m)
    expect(text).toMatch(/newest, new$/m)
    expect(await page.text('#pictures svg > title')).toMatch(/^rmap slot of gfn 0x\w+: a list of 12 entries$/)
    expect(await page.evaluate('location.hash')).toBe(`#step=${await step()}`)
  })

  test('the arrow keys, Page Up, Page Down, Home and End move between the steps', async () => {
    await go(500)
    for (const [key, to] of [
      ['ArrowRight', 501],
      ['ArrowLeft', 500],
      ['PageDown', 600],
      ['PageUp', 500],
      ['Home', 1],
      ['ArrowLeft', 1],
    ] as const) {
      await page.press(key)
      expect(await step()).toBe(to)
    }
    await page.press('End')
    expect(
      await page.evaluate('document.getElementById("slider").value === document.getElementById("slider").max'),
    ).toBe(true)
    expect(await page.evaluate('document.getElementById("forward").disabled')).toBe(true)
  })

  test('a gfn and an LPID are found, forwards and backwards', async () => {
    await page.press('Home')
    await page.press('/')
    await page.send('Input.insertText', { text: '0x3db0' })
    await page.press('Enter')
    expect(await page.text('#what')).toContain('gfn 0x3db0')
    const first = await step()
    await page.evaluate('document.activeElement.blur()')
    await page.press('n')
    expect(await step()).toBeGreaterThan(first)
    await page.press('p')
    expect(await step()).toBe(first)
    await page.press('p')
    expect(await page.text('#found')).toBe('No step before this one with gfn 0x3db0.')
    await page.evaluate(
      'document.getElementById("search-kind").value = "lpid", document.getElementById("search-text").value = "9"',
    )
    await page.press('n')
    expect(await page.text('#what')).toContain('LPID 9')
    await page.evaluate('document.getElementById("search-text").value = "nine"')
    await page.press('n')
    expect(await page.text('#found')).toBe('Enter a number, in hex (0x...) or decimal.')
  })

  test('an rmap range removal shows the lists, the fate of each entry, and the leaves cleared', async () => {
    await page.evaluate(
      'document.getElementById("search-kind").value = "gfn", document.getElementById("search-text").value = "0x2fa6"',
    )
    await page.press('End')
    await page.press('p')
    while (!(await page.text('#what')).includes('the host takes away')) await page.press('p')
    const [, entries, cleared] = (await page.text('#what')).match(
      /: (\d+) entr(?:y|ies) of 1 rmap slot, (\d+) shadow (?:leaf|leaves) cleared, \d+ stale$/,
    )!
    const before = await page.text('#pictures pre')
    expect(before.match(/leaf cleared/g)?.length ?? 0).toBe(Number(cleared))
    expect(before.match(/stale: /g)?.length ?? 0).toBe(Number(entries) - Number(cleared))
    expect(
      await page.evaluate('document.querySelectorAll("#pictures tbody tr, #pictures table > tr:has(td)").length'),
    ).toBe(Number(cleared))
    expect(await page.text('#pictures h3')).toMatch(/^gfn 0x2fa6 before the removal; it is empty now$/)
    const marked = (name: string): Promise<number> =>
      page.evaluate(`document.querySelectorAll('#pictures svg rect.nra-${name}-line').length`)
    expect(await marked('cleared')).toBe(Number(cleared))
    expect(await marked('stale')).toBe(Number(entries) - Number(cleared))
  })

  for (const [width, height] of [
    [1280, 720],
    [1920, 1080],
  ] as const) {
    test(`the longest list is completely in view at ${width}x${height}, also after a jump`, async () => {
      const inView = (): Promise<boolean> =>
        page.evaluate(`(() => {
            const { top, bottom, left, right } = document.querySelector('#pictures svg').getBoundingClientRect()
            return top >= 0 && left >= 0 && bottom <= innerHeight && right <= innerWidth
          })()`)
      await page.look(width, height, 'light')
      await page.evaluate('scrollTo(0, 0)')
      await page.press('l')
      expect(await page.text('#pictures svg > title')).toContain('a list of 12 entries')
      expect(await inView()).toBe(true)
      const longest = await step()
      await page.press('Home')
      await page.evaluate('scrollTo(0, document.documentElement.scrollHeight)')
      await go(longest)
      expect(await inView()).toBe(true)
    })
  }

  test('the list lengths are those of the current step, next to those of the end', async () => {
    const lengths = (): Promise<string[][]> =>
      page.evaluate(
        "[...document.querySelectorAll('#histogram tbody tr')].map((row) => [...row.cells].map((cell) => cell.textContent))",
      )
    await page.press('End')
    const end = await lengths()
    for (const [, now, last] of end) expect(now).toBe(last)
    await page.press('l')
    const longest = await lengths()
    expect(longest.at(-1)).toEqual(['12', '1', '0', '3'])
    expect(longest.map(([, , last]) => last)).toEqual(end.map(([, , last]) => last))
  })

  test('the curve is a step line', async () => {
    const path = await page.evaluate<string>("document.querySelector('#timeline .curve').getAttribute('d')")
    expect(path).toMatch(/^M[\d.]+ [\d.]+(V[\d.]+H[\d.]+)+$/)
  })

  test('the glossary opens and closes', async () => {
    await page.evaluate("document.querySelector('[data-glossary]').click()")
    expect(await page.text('#glossary')).toContain('stale entry')
    await page.evaluate("document.querySelector('#glossary button').click()")
    expect(await page.evaluate("document.getElementById('glossary').open")).toBe(false)
  })

  test('the map says how many entries a slot has, by keyboard, and finds its steps', async () => {
    await page.press('End')
    await page.evaluate('document.getElementById("map").focus()')
    await page.press('Home')
    await page.press('ArrowRight')
    await page.press('ArrowDown')
    const told = await page.text('#map-text')
    expect(told).toMatch(/^gfn 0x\w+: (empty now|\d+ entr(y|ies))$/)
    await page.press('Enter')
    expect(await page.evaluate('document.getElementById("search-text").value')).toBe(/0x\w+/.exec(told)![0])
    const width = await page.evaluate<number>('document.getElementById("map").clientWidth')
    await page.evaluate('document.getElementById("map").blur()')
    await page.press('+')
    await page.evaluate('new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))')
    expect(await page.evaluate<number>('document.getElementById("map").clientWidth')).toBeGreaterThan(width)
  })

  for (const scheme of ['light', 'dark'] as const) {
    test(`every text is readable in ${scheme}, and nothing overflows at any size`, async () => {
      for (const [width, height] of SIZES) {
        await page.look(width, height, scheme)
        await page.press('l')
        expect(await overflow(page)).toBeLessThanOrEqual(0)
      }
      expect(await weakTexts(page)).toEqual([])
    })
  }

  test('every control and picture has a name', async () => {
    expect(await nameless(page)).toEqual([])
  })

  test('a small recording that the model wrote says so', async () => {
    const lines: string[] = []
    const l1 = new Vm({ observer: recorder((line) => lines.push(line)) })
    l1.addMemslot({ baseGfn: 0, npages: 16 })
    const table = l1.setGuestTable(5, new GuestTable())
    for (const gpa of [0x10000, 0x20000]) {
      table.map({ gpa, to: 0x70000 })
      l1.fault({ lpid: 5, gpa, access: 'read' })
    }
    l1.unmap(7)
    const small = join(scratch, 'small.txt')
    writeFileSync(small, lines.join('\n'))
    await page.open(pathToFileURL(report(small, 'small.html').path).href)
    expect(await page.text('#about')).toMatch(/^A recording that the model wrote, compared with /)
    expect(await page.text('#of')).toBe('of 4')
    expect(await page.evaluate('document.body.innerText')).not.toContain('kernel')
    for (const width of [400, 1280, 1920]) {
      await page.look(width, 720, 'light')
      expect(await overflow(page)).toBeLessThanOrEqual(0)
    }
    expect(page.complaints).toEqual([])
  })

  test('a difference is marked, and one key goes to it', async () => {
    const lines = gunzipSync(readFileSync(recording)).toString().split('\n')
    const at = lines.findIndex((line, i) => i > 6000 && line.includes('rmap_insert_node'))
    lines[at] = lines[at]!.replace(
      /rmap=0x(\w+)(\w)000/,
      (_, digits, digit) => `rmap=0x${digits}${digit === '0' ? '1' : '0'}000`,
    )
    const file = join(scratch, 'damaged.txt')
    writeFileSync(file, lines.join('\n'))
    await page.open(pathToFileURL(report(file, 'damaged.html').path).href)
    expect(await page.text('#verdict')).toMatch(/^1 difference between model and kernel\.$/)
    expect(await page.text('#left-out')).toContain(`line ${(at + 1).toLocaleString('en-US')}, rmap_insert_node: `)
    await page.press('d')
    expect(await page.text('#what')).toMatch(/1 difference between model and kernel/)
    expect(await page.evaluate('document.getElementById("what").classList.contains("mark")')).toBe(true)
    expect(page.complaints).toEqual([])
  })

  test('a recording that was cut: the verdict is about the part that was read', async () => {
    const lines = gunzipSync(readFileSync(recording)).toString().split('\n')
    const file = join(scratch, 'cut.txt')
    writeFileSync(file, `${lines.slice(0, 3000).join('\n')}\n`)
    await page.open(pathToFileURL(report(file, 'cut.html').path).href)
    expect(await page.text('#verdict')).toBe('No differences in the part of the recording that was read.')
    expect(await page.text('#left-out')).toContain(
      'The recording was cut or filtered: 9,216 entries of its header are missing.',
    )
  })

  test('omitted steps are counted', async () => {
    await page.open(pathToFileURL(report(recording, 'short.html', '--from', '7000', '--steps', '50').path).href)
    expect(await page.text('#of')).toBe('of 50')
    expect(await page.text('#left-out')).toMatch(
      /Omitted: [\d,]+ steps before the first step here\..*Omitted: [\d,]+ steps after line 7,\d+, above the limit of a report\./,
    )
    expect(await page.text('#left-out')).toContain(
      'Omitted: the step at which a list was longest, line 10,371. A report with --from 10371 has it.',
    )
    expect(await page.evaluate('document.getElementById("longest").disabled')).toBe(true)
    await page.open(pathToFileURL(report(recording, 'longest.html', '--from', '10371', '--steps', '1').path).href)
    await page.press('l')
    expect(await page.text('#what')).toMatch(/^Line 10,371: insert .* \(11 entries compared\)$/)
    expect(await page.text('#pictures pre')).toContain('12 entries')
  })
})
