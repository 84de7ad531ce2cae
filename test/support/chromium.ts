/** A headless Chromium for the tests of pages, controlled through its DevTools protocol over a pipe: no dependency, no port. */
import { spawn, type ChildProcess } from 'node:child_process'
import { accessSync, constants, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { delimiter, join } from 'node:path'
import type { Readable, Writable } from 'node:stream'
import { afterAll, beforeAll, describe } from 'vitest'

/** The path of Chromium: $CHROMIUM, or the first in the PATH; undefined if there is none. */
const chromiumPath: string | undefined =
  process.env.CHROMIUM ||
  ['chromium', 'chromium-browser', 'google-chrome']
    .flatMap((name) => (process.env.PATH ?? '').split(delimiter).map((folder) => join(folder, name)))
    .find((path) => {
      try {
        accessSync(path, constants.X_OK)
        return true
      } catch {
        return false
      }
    })

const FLAGS = [
  '--headless',
  '--no-sandbox',
  '--disable-gpu',
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
  '--hide-scrollbars',
  '--remote-debugging-pipe',
]

type Params = Record<string, unknown>

/** A page in the browser. */
export class Page {
  /** The exceptions and console errors of the page. */
  readonly complaints: string[] = []
  /** The addresses that it requested, without its own and data: URLs. */
  readonly requests: string[] = []

  readonly #browser: Chromium
  readonly #session: string

  constructor(browser: Chromium, session: string) {
    this.#browser = browser
    this.#session = session
    browser.onEvent = (method, params) => {
      if (method === 'Runtime.exceptionThrown' || method === 'Log.entryAdded')
        this.complaints.push(JSON.stringify(params))
      if (method === 'Network.requestWillBeSent') {
        const { url } = params.request as { url: string }
        if (!/^(data:|file:\/\/.*\.html)/.test(url)) this.requests.push(url)
      }
    }
  }

  send(method: string, params: Params = {}): Promise<Params> {
    return this.#browser.send(method, params, this.#session)
  }

  /** Opens an address and waits until the page is loaded. */
  async open(url: string): Promise<void> {
    for (const domain of ['Page', 'Runtime', 'Log', 'Network', 'Accessibility']) await this.send(`${domain}.enable`)
    const loaded = this.#browser.event('Page.loadEventFired')
    await this.send('Page.navigate', { url })
    await loaded
  }

  /** Evaluates an expression in the page, and awaits a promise. */
  async evaluate<T>(expression: string): Promise<T> {
    const { result, exceptionDetails } = await this.send('Runtime.evaluate', {
      expression,
      returnByValue: true,
      awaitPromise: true,
    })
    if (exceptionDetails !== undefined) throw new Error(JSON.stringify(exceptionDetails))
    return (result as { value: T }).value
  }

  /** The text of an element. */
  text(selector: string): Promise<string> {
    return this.evaluate(`document.querySelector(${JSON.stringify(selector)}).textContent`)
  }

  /** Presses a key: a character, or a name such as `ArrowRight`. */
  async press(key: string): Promise<void> {
    const text = key.length === 1 ? { text: key } : key === 'Enter' ? { text: '\r' } : {}
    await this.send('Input.dispatchKeyEvent', { type: 'keyDown', key, ...text })
    await this.send('Input.dispatchKeyEvent', { type: 'keyUp', key })
  }

  /** Sets the size of the page, and light or dark. */
  async look(width: number, height: number, scheme: 'light' | 'dark'): Promise<void> {
    await this.send('Emulation.setDeviceMetricsOverride', { width, height, deviceScaleFactor: 1, mobile: false })
    await this.send('Emulation.setEmulatedMedia', { features: [{ name: 'prefers-color-scheme', value: scheme }] })
    await this.evaluate('new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))')
  }
}

export class Chromium {
  onEvent: (method: string, params: Params) => void = () => {}

  readonly #process: ChildProcess
  readonly #to: Writable
  readonly #profile = mkdtempSync(join(tmpdir(), 'nested-rmap-chromium-'))
  readonly #answers = new Map<number, { resolve: (result: Params) => void; reject: (error: Error) => void }>()
  readonly #events = new Map<string, () => void>()
  #next = 0

  constructor(path: string) {
    this.#process = spawn(path, [...FLAGS, `--user-data-dir=${this.#profile}`], {
      stdio: ['ignore', 'ignore', 'ignore', 'pipe', 'pipe'],
    })
    this.#to = this.#process.stdio[3] as Writable
    let rest = ''
    const from = this.#process.stdio[4] as Readable
    from.setEncoding('utf8').on('data', (chunk: string) => {
      const messages = (rest + chunk).split('\0')
      rest = messages.pop()!
      for (const message of messages) this.#onMessage(JSON.parse(message))
    })
    this.#process.on('exit', () => {
      for (const { reject } of this.#answers.values()) reject(new Error('Chromium has ended'))
    })
  }

  async page(): Promise<Page> {
    const { targetId } = await this.send('Target.createTarget', { url: 'about:blank' })
    const { sessionId } = await this.send('Target.attachToTarget', { targetId, flatten: true })
    return new Page(this, sessionId as string)
  }

  send(method: string, params: Params, sessionId?: string): Promise<Params> {
    const id = ++this.#next
    this.#to.write(`${JSON.stringify({ id, method, params, sessionId })}\0`)
    return new Promise((resolve, reject) => this.#answers.set(id, { resolve, reject }))
  }

  /** Waits for the next event of a kind. */
  event(method: string): Promise<void> {
    return new Promise((resolve) => this.#events.set(method, resolve))
  }

  async close(): Promise<void> {
    const ended = new Promise((resolve) => this.#process.once('exit', resolve))
    this.#process.kill()
    await ended
    try {
      rmSync(this.#profile, { recursive: true, force: true, maxRetries: 20 })
    } catch {
      // Processes of the browser that end later may still write into this temporary folder.
    }
  }

  #onMessage({
    id,
    result,
    error,
    method,
    params,
  }: {
    id?: number
    result?: Params
    error?: { message: string }
    method?: string
    params?: Params
  }): void {
    if (id !== undefined) {
      const answer = this.#answers.get(id)
      this.#answers.delete(id)
      if (error === undefined) answer?.resolve(result!)
      else answer?.reject(new Error(error.message))
    } else if (method !== undefined) {
      this.onEvent(method, params!)
      this.#events.get(method)?.()
    }
  }
}

/**
 * Tests of pages in one browser. Where there is no Chromium they are skipped, and their name says why.
 *
 * @param define the tests; `newPage` opens a page, once a test or a hook runs
 */
export function describeInChromium(define: (newPage: () => Promise<Page>) => void): void {
  const missing = chromiumPath === undefined
  describe.skipIf(missing)(`in Chromium${missing ? ' (none found: set CHROMIUM)' : ''}`, () => {
    let browser: Chromium | undefined
    beforeAll(() => {
      browser = new Chromium(chromiumPath!)
    })
    afterAll(() => browser?.close())
    define(() => browser!.page())
  })
}
