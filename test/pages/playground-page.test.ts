/** The playground that the command writes, in a real browser. Skipped with a message if there is no Chromium. */
import { spawnSync } from 'node:child_process'
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'
import { afterAll, beforeAll, expect, test, vi } from 'vitest'
import { INVARIANTS } from '../../src/index'
import { History } from '../../src/pages/playground/history'
import { decodeSequence, encodeSequence, type Op } from '../../src/pages/playground/ops'
import { PRESETS } from '../../src/pages/playground/presets'
import { describeInChromium, type Page } from '../support/chromium'
import { SIZES, nameless, overflow, weakTexts } from '../support/page-checks'

const root = fileURLToPath(new URL('../..', import.meta.url))
const scratch = mkdtempSync(join(tmpdir(), 'nested-rmap-playground-'))
const file = join(scratch, 'play.html')

function command(...args: string[]): { code: number | null; out: string; err: string } {
  const { status, stdout, stderr } = spawnSync(process.execPath, [join(root, 'dist/cli.js'), 'playground', ...args], {
    encoding: 'utf8',
    cwd: scratch,
  })
  return { code: status, out: stdout, err: stderr }
}

vi.setConfig({ testTimeout: 120_000 }) // the tests start programs
afterAll(() => rmSync(scratch, { recursive: true, maxRetries: 5 }))

test('the command writes one file that refers to no other', () => {
  const { code, out, err } = command('-o', file)
  expect({ code, err }).toEqual({ code: 0, err: '' })
  expect(out).toMatch(/play\.html: \d+ KiB\n$/)
  const html = readFileSync(file, 'utf8')
  expect(html).not.toMatch(/<(link|script|img)[^>]*(href|src)="(?!data:)/)
  expect(html).not.toMatch(/https?:\/\/(?!www\.w3\.org\/2000\/svg)/)
  expect(html).toBe(readFileSync(join(root, 'dist/playground.html'), 'utf8'))
  expect(command('-o', '-').out).toBe(html)
  expect(command().out).toMatch(/^playground\.html: /)
  expect(existsSync(join(scratch, 'playground.html'))).toBe(true)
})

test('wrong usage and a file that cannot be written give one line and exit code 2', () => {
  expect(command('x')).toEqual({
    code: 2,
    out: '',
    err: 'nested-rmap playground: expected no argument, got "x": see nested-rmap playground --help\n',
  })
  expect(command('-o', 'no/such/folder.html')).toMatchObject({
    code: 2,
    err: expect.stringMatching(/^nested-rmap: no\/such\/folder\.html: cannot be written: /),
  })
})

describeInChromium((newPage) => {
  let page: Page

  beforeAll(async () => {
    command('-o', file)
    page = await newPage()
    await page.open(pathToFileURL(file).href)
    await page.send('Browser.setDownloadBehavior', { behavior: 'allow', downloadPath: scratch })
  }, 120_000)

  const click = (id: string): Promise<unknown> =>
    page.evaluate(`(() => {
        const button = document.getElementById(${JSON.stringify(id)})
        if (button.disabled) throw new Error('${id} is disabled')
        button.click()
      })()`)
  const set = (id: string, value: string | boolean): Promise<unknown> =>
    page.evaluate(`(() => {
        const field = document.getElementById(${JSON.stringify(id)})
        field[typeof ${JSON.stringify(value)} === 'boolean' ? 'checked' : 'value'] = ${JSON.stringify(value)}
        field.dispatchEvent(new Event('input', { bubbles: true }))
        field.dispatchEvent(new Event('change', { bubbles: true }))
      })()`)
  /** The sequence in the page's address. It is run again here: the page must show the same. */
  const play = async (): Promise<History> =>
    History.of(decodeSequence((await page.evaluate<string>('location.hash')).slice(1)))
  const slots = (): Promise<string[]> =>
    page.evaluate("[...document.querySelectorAll('#pictures svg > desc')].map((desc) => desc.textContent)")
  const fill = async (operands: Partial<Record<'lpid' | 'gpa' | 'gfn', string>>): Promise<void> => {
    for (const [id, value] of Object.entries(operands)) await set(id, value)
  }
  const quiet = (): void => {
    expect(page.complaints).toEqual([])
    expect(page.requests).toEqual([])
  }

  test('it opens from disk with the three forms of an rmap slot', async () => {
    expect(await slots()).toEqual([
      'gfn 0x0: the word is 0, no entry.',
      expect.stringMatching(/^gfn 0x1, newest first: LPID 1 /),
      expect.stringMatching(/^gfn 0x2, newest first: LPID 3 .*LPID 2 .*LPID 1 /),
    ])
    quiet()
  })

  for (const { id, title, sequence, prepared } of PRESETS) {
    test(`preset: ${title}: each step shows the model's outcome`, async () => {
      await set('preset', id)
      expect(await page.text('#position')).toBe(`step ${prepared} of ${sequence.ops.length}`)
      await click('first')
      for (let step = 1; step <= sequence.ops.length; step++) {
        await click('redo')
        const history = await play()
        expect(history.position).toBe(step)
        const broken = new Set(history.view.broken.map(({ invariant }) => invariant))
        expect(await page.evaluate("document.querySelectorAll('#invariant-list > li > .sr').length")).toBe(
          Object.keys(INVARIANTS).length,
        )
        expect(
          await page.evaluate(
            "[...document.querySelectorAll('#invariant-list > li')].filter((li) => li.querySelector('.sr').textContent.includes('broken')).length",
          ),
        ).toBe(broken.size)
        const drawn = await page.evaluate<string[]>(
          "[...document.querySelectorAll('#pictures figure:not(:has(figcaption))')].map((figure) => figure.dataset.gfn)",
        )
        expect(drawn).toEqual(expect.arrayContaining(history.view.slots.map(({ gfn }) => `0x${gfn!.toString(16)}`)))
      }
      expect(await page.evaluate("document.getElementById('redo').disabled")).toBe(true)
      quiet()
    })
  }

  test('the preset on stale entries, backwards and forwards', async () => {
    await set('preset', 'stale-tlbie')
    await click('last')
    expect(await page.text('#explanation h2')).toBe('The host takes gfn 0x7 away')
    expect(await page.text('#explanation .outcome')).toBe('1 cleared, 2 stale')
    expect((await slots())[0]).toMatch(/stale: maps another page.*stale: no shadow leaf.*leaf cleared/)
    await page.press('ArrowLeft')
    expect((await slots())[0]).toMatch(/stale: maps another page.*stale: no shadow leaf/)
    const before = (await play()).machine.save()
    await page.press('ArrowRight')
    await page.press('ArrowLeft')
    expect((await play()).machine.save()).toEqual(before)
    await page.press('Home')
    expect(await page.text('#position')).toBe('step 0 of 13')
    await page.press('End')
    expect(await page.text('#position')).toBe('step 13 of 13')
    quiet()
  })

  test('every button runs its operation', async () => {
    await click('clear')
    const did = async (id: string, op: Op, outcome?: string | RegExp): Promise<void> => {
      await click(id)
      expect(await page.text('#refused')).toBe('')
      expect((await play()).steps.at(-1)!.op).toEqual(op)
      if (outcome !== undefined) expect(await page.text('#explanation .outcome')).toMatch(outcome)
    }
    await fill({ lpid: '5', gpa: '0x10000', gfn: '0x7' })
    const [lpid, gpa, gfn] = [5, 0x10000, 7]
    await did('op-add', { kind: 'guest', lpid }, 'added')
    await did('op-map', { kind: 'map', lpid, gpa, to: 0x70000, shift: 16, allow: 7 }, 'mapped by L1')
    await did('op-read', { kind: 'fault', lpid, gpa, access: 'read' }, 'mapped (made), insert: empty')
    await did('op-execute', { kind: 'fault', lpid, gpa, access: 'execute' }, 'present')
    await set('allow-w', false)
    await set('allow-x', false)
    await did('op-protect', { kind: 'protect', lpid, gpa, allow: 4 }, 'protected')
    await did('op-tlbie-page', { kind: 'tlbie-page', lpid, gpa, shift: 16 }, '1 leaf cleared')
    await did('op-write', { kind: 'fault', lpid, gpa, access: 'write' }, 'forward-to-l1 (not-allowed)')
    await did('op-begin-read', { kind: 'begin-fault', lpid, gpa, access: 'read' }, 'pending')
    await did('op-begin-unmap', { kind: 'begin-unmap', gfn }, '0 cleared, 1 stale')
    await did('op-commit-fault-1', { kind: 'commit-fault', n: 1 }, 'retry (mmu-seq)')
    await did('op-end-unmap-1', { kind: 'end-unmap', n: 1 }, 'ended')
    await did('op-begin-write', { kind: 'begin-fault', lpid, gpa, access: 'write' }, 'forward-to-l1')
    await did('op-age', { kind: 'age', gfn }, 'not referenced')
    await did('op-log', { kind: 'log', on: true }, 'logging')
    await did('op-harvest', { kind: 'harvest' }, '0 dirty pages')
    await did('op-log', { kind: 'log', on: false }, 'not logging')
    await did('op-unmap', { kind: 'unmap', gfn }, 'no host leaf')
    await did('op-unmap-guest', { kind: 'unmap-guest', lpid, gpa }, 'unmapped by L1')
    await did('op-tlbie', { kind: 'tlbie', lpid, ric: 0 }, '0 leaves cleared')
    await did('op-drop', { kind: 'drop', lpid }, 'dropped')
    const all = await page.evaluate<string[]>("[...document.querySelectorAll('[id^=op-]')].map(({ id }) => id)")
    expect(all.length).toBe(17)
    quiet()
  })

  test('an operation that is not possible shows why, and changes nothing', async () => {
    await click('clear')
    await fill({ lpid: '5', gpa: '0x10000' })
    const before = await page.evaluate('location.hash')
    await click('op-map')
    expect(await page.text('#refused')).toBe('LPID 5 has no guest table: add the nested guest first')
    await fill({ gpa: '0x1000g' })
    await click('op-read')
    expect(await page.text('#refused')).toBe('nested gpa: expected a number, in hex (0x...) or decimal, got "0x1000g"')
    expect(await page.evaluate('location.hash')).toBe(before)
  })

  test('undo and redo give the same state, and a new step drops the undone steps', async () => {
    await set('preset', 'three-forms')
    await click('last')
    const hash = await page.evaluate('location.hash')
    for (let i = 0; i < 3; i++)
      await page.evaluate(
        "document.dispatchEvent(new KeyboardEvent('keydown', { key: 'z', ctrlKey: true, bubbles: true }))",
      )
    expect(await page.text('#position')).toBe('step 8 of 11')
    for (let i = 0; i < 3; i++)
      await page.evaluate(
        "document.dispatchEvent(new KeyboardEvent('keydown', { key: 'y', ctrlKey: true, bubbles: true }))",
      )
    expect(await page.evaluate('location.hash')).toBe(hash)
    await click('undo')
    await fill({ gfn: '0x1' })
    await click('op-unmap')
    expect(await page.text('#position')).toBe('step 11 of 11')
    expect(await page.evaluate("document.getElementById('preset').value")).toBe('')
  })

  test('a change of the settings runs the same operations again', async () => {
    await set('preset', 'large-page')
    await set('placement', 'faulting')
    expect((await play()).settings.placement).toBe('faulting')
    await click('last')
    await set('page-shift', '12')
    const history = await play()
    expect(history.settings.pageShift).toBe(12)
    expect(await page.evaluate("document.querySelectorAll('#steps li').length")).toBe(history.steps.length)
    await set('host-pages', 'base')
    await set('lpid-zero', true)
    expect((await play()).settings).toEqual({
      pageShift: 12,
      placement: 'faulting',
      hostPages: 'base',
      allowLpidZero: true,
    })
    quiet()
  })

  test('an address opens at its step; a damaged address shows an error', async () => {
    const go = (hash: string): Promise<unknown> =>
      page.evaluate(
        `new Promise((done) => { addEventListener('hashchange', () => setTimeout(done), { once: true }); location.hash = ${JSON.stringify(hash)} })`,
      )
    const { sequence } = PRESETS[2]!
    await go(encodeSequence({ ...sequence, position: 9 }))
    expect(await page.text('#position')).toBe('step 9 of 13')
    expect(await page.evaluate("document.getElementById('preset').value")).toBe(PRESETS[2]!.id)
    await go('16.head.base/nonsense')
    expect(await page.text('#refused')).toBe(
      'The address does not contain a valid sequence: "nonsense" is not an operation.',
    )
    await go('%')
    expect(await page.text('#refused')).toContain('The address does not contain a valid sequence')
    quiet()
  })

  test('a click on a gfn or a table row sets the operands', async () => {
    await set('preset', 'stale-tlbie')
    await page.evaluate('document.querySelector(\'#grid button[data-gfn="9"]\').click()')
    expect(await page.evaluate("document.getElementById('gfn').value")).toBe('0x9')
    expect(await page.text('#gfn-text')).toMatch(/^gfn 0x9, gpa 0x90000: /)
    await page.evaluate('document.querySelector(\'#grid button[data-gfn="9"]\').focus()')
    await page.press('ArrowRight')
    await page.press('Enter')
    expect(await page.evaluate("document.getElementById('gfn').value")).toBe('0xa')
    await page.evaluate("document.querySelectorAll('#tables tbody button')[1].click()")
    expect(await page.evaluate("document.getElementById('gpa').value")).toBe('0x20000')
    await page.evaluate("document.querySelectorAll('#steps button')[2].click()")
    expect(await page.text('#position')).toBe('step 3 of 13')
  })

  test('the picture is saved as SVG and PNG, the sequence as TypeScript', async () => {
    await set('preset', 'stale-tlbie')
    await click('last')
    await click('svg')
    await click('png')
    await click('code')
    const program = await page.evaluate<string>("document.getElementById('program-text').value")
    expect(program).toContain("import { GuestTable, Vm } from 'nested-rmap'")
    expect(program).toContain('vm.unmap(0x7)')
    await click('program-save')
    await page.evaluate("document.getElementById('program').close()")
    const saved = ['stale-tlbie-step-13.png', 'stale-tlbie-step-13.svg', 'stale-tlbie-step-13.ts']
    await vi.waitFor(
      () =>
        expect(
          readdirSync(scratch)
            .filter((name) => name.startsWith('stale'))
            .sort(),
        ).toEqual(saved),
      {
        timeout: 20_000,
      },
    )
    const svg = readFileSync(join(scratch, saved[1]!), 'utf8')
    expect(svg).toMatch(/^<svg xmlns="http:\/\/www\.w3\.org\/2000\/svg".*<title>The host takes gfn 0x7 away<\/title>/)
    expect(svg).toContain('stale: no shadow leaf')
    expect([...readFileSync(join(scratch, saved[0]!)).subarray(0, 8)]).toEqual([0x89, 0x50, 0x4e, 0x47, 13, 10, 26, 10])
    expect(readFileSync(join(scratch, saved[2]!), 'utf8')).toBe(program)
    await click('share')
    await vi.waitFor(async () => expect(await page.text('#said')).toMatch(/^Address (could not be )?copied/))
    quiet()
  })

  test('the glossary opens and closes', async () => {
    await page.evaluate("document.querySelector('[data-glossary]').click()")
    expect(await page.evaluate("document.getElementById('glossary').open")).toBe(true)
    expect(await page.text('#glossary')).toContain('stale entry')
    await page.evaluate("document.querySelector('#glossary button').click()")
    expect(await page.evaluate("document.getElementById('glossary').open")).toBe(false)
  })

  for (const scheme of ['light', 'dark'] as const) {
    test(`every text is readable in ${scheme}, and nothing overflows at any size`, async () => {
      for (const id of ['stale-tlbie', 'lpid-zero', 'large-page']) {
        await set('preset', id)
        await click('last')
        for (const [width, height] of SIZES) {
          await page.look(width, height, scheme)
          expect(await overflow(page)).toBeLessThanOrEqual(0)
        }
        expect(await weakTexts(page)).toEqual([])
      }
    })
  }

  test('every control and picture has a name', async () => {
    expect(await nameless(page)).toEqual([])
  })
})
