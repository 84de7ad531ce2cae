/** The report in a real browser, as the command writes it. Skipped, with a word, where there is no Chromium. */
import { spawnSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'
import { gunzipSync } from 'node:zlib'
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest'
import { Chromium, chromiumPath, type Page } from '../support/chromium'

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

vi.setConfig({ testTimeout: 60_000 }) // programs are started
afterAll(() => rmSync(scratch, { recursive: true, maxRetries: 5 }))

test('the command writes one file that needs no other', () => {
  const { code, err, out, path } = report(recording, 'whole.html')
  expect({ code, err }).toEqual({ code: 0, err: '' })
  expect(out).toMatch(/^.*whole\.html: 1\d\d KiB, no difference\n$/)
  const html = readFileSync(path, 'utf8')
  expect(html).not.toMatch(/<(link|script|img)[^>]*(href|src)="(?!data:)/)
  expect(html).not.toMatch(/https?:\/\/(?!www\.w3\.org\/2000\/svg)/)
})

test('wrong usage and a place that cannot be written are one line and exit code 2', () => {
  const run = (...args: string[]): unknown => {
    const { status, stdout, stderr } = spawnSync(process.execPath, [join(root, 'dist/cli.js'), 'report', ...args], {
      encoding: 'utf8',
    })
    return [status, stdout, stderr]
  }
  expect(run()).toEqual([2, '', 'nested-rmap report: expected one RECORDING: see nested-rmap report --help\n'])
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

describe.skipIf(chromiumPath === undefined)(
  `in Chromium${chromiumPath === undefined ? ' (none found: set CHROMIUM)' : ''}`,
  () => {
    let browser: Chromium
    let page: Page

    beforeAll(async () => {
      browser = new Chromium(chromiumPath!)
      page = await browser.page()
      await page.open(pathToFileURL(report(recording, "a report's <page>.html").path).href)
    }, 60_000)
    afterAll(() => browser?.close())

    const step = async (): Promise<number> => Number(await page.evaluate('document.getElementById("step").value'))
    const go = (to: number): Promise<unknown> =>
      page.evaluate(
        `new Promise((done) => { addEventListener('hashchange', done, { once: true }); location.hash = 'step=${to}' })`,
      )

    test('it opens from disk, complains of nothing and asks for nothing', async () => {
      expect(await page.text('#title')).toBe('A.txt.gz')
      expect(await page.text('#verdict')).toBe('No difference: word for word, the model kept what the kernel kept.')
      expect(await page.text('#totals')).toContain('longest list12, first at line 10,371')
      expect(await page.text('#longest')).toBe('Longest list (12)')
      expect(await step()).toBe(5) // the first insert
      expect(page.complaints).toEqual([])
      expect(page.requests).toEqual([])
    })

    test('the moment when a list first reached its greatest length is one key away', async () => {
      await page.press('l')
      expect(await page.text('#what')).toMatch(
        /^Line 10,371: insert LPID \d+ {2}gpa 0x\w+ into gfn 0x\w+: a node at the head of the list \(11 entries compared\)$/,
      )
      const pictures = await page.evaluate<string[]>(
        '[...document.querySelectorAll("#pictures pre")].map((pre) => pre.textContent)',
      )
      expect(pictures.map((text) => text.match(/\d+ entries/)?.[0])).toEqual(['11 entries', '12 entries'])
      expect(pictures[1]).toMatch(/newest, new$/m)
      expect(await page.evaluate('location.hash')).toBe(`#step=${await step()}`)
    })

    test('the arrows, pages, Home and End step through', async () => {
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

    test('a gfn and an LPID are found, forward and back', async () => {
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
      expect(await page.text('#found')).toBe('A number, in hex (0x...) or decimal.')
    })

    test('a removal shows the lists that go, the fate of each entry, and the leaves cleared', async () => {
      await page.evaluate(
        'document.getElementById("search-kind").value = "gfn", document.getElementById("search-text").value = "0x2fa6"',
      )
      await page.press('End')
      await page.press('p')
      while (!(await page.text('#what')).includes('the host takes away')) await page.press('p')
      const [, entries, cleared] = (await page.text('#what')).match(
        /: (\d+) entr(?:y|ies) of 1 slot, (\d+) shadow (?:leaf|leaves) cleared, \d+ stale$/,
      )!
      const before = await page.text('#pictures pre')
      expect(before.match(/leaf cleared/g)?.length ?? 0).toBe(Number(cleared))
      expect(before.match(/stale: /g)?.length ?? 0).toBe(Number(entries) - Number(cleared))
      expect(
        await page.evaluate('document.querySelectorAll("#pictures tbody tr, #pictures table > tr:has(td)").length'),
      ).toBe(Number(cleared))
      expect(await page.evaluate('document.querySelectorAll("#pictures pre")[1].textContent')).toMatch(
        /\] {2}no entry$/,
      )
    })

    test('the map tells what a slot holds, by keyboard, and finds its steps', async () => {
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
      test(`every text can be read in ${scheme}, at every size nothing runs out of the page`, async () => {
        for (const [width, height] of [
          [320, 640],
          [800, 600],
          [1600, 1000],
        ] as const) {
          await page.look(width, height, scheme)
          await page.press('l')
          expect(await page.evaluate<number>('document.documentElement.scrollWidth')).toBeLessThanOrEqual(width)
        }
        const weak = await page.evaluate<string[]>(`(() => {
        const parse = (text) => text.match(/[\\d.]+/g).map(Number)
        const light = ([r, g, b]) => [r, g, b].map((v) => (v /= 255) <= 0.03928 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4)
          .reduce((sum, v, i) => sum + v * [0.2126, 0.7152, 0.0722][i], 0)
        const back = (element) => {
          for (; element; element = element.parentElement) {
            const colour = parse(getComputedStyle(element).backgroundColor)
            if (colour[3] !== 0) return colour
          }
          return [255, 255, 255]
        }
        return [...document.querySelectorAll('body *')].filter((element) => element.checkVisibility() && !element.disabled &&
          [...element.childNodes].some((node) => node.nodeType === 3 && node.data.trim() !== '')).flatMap((element) => {
          const style = getComputedStyle(element)
          const [one, other] = [light(parse(element.namespaceURI.endsWith('svg') ? style.fill : style.color)), light(back(element))].sort((a, b) => b - a)
          const contrast = (one + 0.05) / (other + 0.05)
          return contrast < 4.5 ? [element.tagName + ' ' + element.textContent.slice(0, 30) + ' ' + contrast.toFixed(2)] : []
        })
      })()`)
        expect(weak).toEqual([])
      })
    }

    test('every control and picture has a name', async () => {
      const { nodes } = await page.send('Accessibility.getFullAXTree')
      const roles = ['button', 'textbox', 'slider', 'spinbutton', 'combobox', 'img', 'image', 'searchbox']
      const nameless = (nodes as { ignored: boolean; role?: { value: string }; name?: { value: string } }[]).filter(
        ({ ignored, role, name }) => !ignored && roles.includes(role?.value ?? '') && !name?.value,
      )
      expect(nameless).toEqual([])
    })

    test('a difference is marked and one key away', async () => {
      const lines = gunzipSync(readFileSync(recording)).toString().split('\n')
      const at = lines.findIndex((line, i) => i > 6000 && line.includes('rmap_insert_node'))
      lines[at] = lines[at]!.replace(
        /rmap=0x(\w+)(\w)000/,
        (_, digits, digit) => `rmap=0x${digits}${digit === '0' ? '1' : '0'}000`,
      )
      const file = join(scratch, 'damaged.txt')
      writeFileSync(file, lines.join('\n'))
      await page.open(pathToFileURL(report(file, 'damaged.html').path).href)
      expect(await page.text('#verdict')).toMatch(/^1 difference between model and kernel$/)
      expect(await page.text('#left-out')).toContain(`line ${(at + 1).toLocaleString('en-US')}, rmap_insert_node: `)
      await page.press('d')
      expect(await page.text('#what')).toMatch(/1 difference between model and kernel/)
      expect(await page.evaluate('document.getElementById("what").classList.contains("mark")')).toBe(true)
      expect(page.complaints).toEqual([])
    })

    test('what is left out is said', async () => {
      await page.open(pathToFileURL(report(recording, 'short.html', '--from', '7000', '--steps', '50').path).href)
      expect(await page.text('#of')).toBe('of 50')
      expect(await page.text('#left-out')).toMatch(
        /Left out: [\d,]+ steps before the first one here\..*Left out: [\d,]+ steps after line 7,\d+: there is a limit\./,
      )
      expect(await page.text('#left-out')).toContain(
        'The moment of the longest list, line 10,371, is not among the steps: a report with --from 10371 has it.',
      )
      expect(await page.evaluate('document.getElementById("longest").disabled')).toBe(true)
      await page.open(pathToFileURL(report(recording, 'longest.html', '--from', '10371', '--steps', '1').path).href)
      await page.press('l')
      expect(await page.text('#what')).toMatch(/^Line 10,371: insert .* \(11 entries compared\)$/)
      expect(await page.text('#pictures pre')).toContain('11 entries')
    })
  },
)
