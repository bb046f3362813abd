import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { fileURLToPath } from 'node:url'
import { build, type Rolldown } from 'vite'
import { afterAll, describe, expect, it } from 'vitest'
import { withoutNode } from '../../../vite.browser.ts'
import type { openCards } from './cards_page.ts'
import { startChromium } from './chromium.ts'

const chromium = await startChromium()
const browser = typeof chromium === 'string' ? undefined : chromium
afterAll(() => browser?.close())

async function builtPage(): Promise<string> {
  const result = await build({
    configFile: false,
    logLevel: 'error',
    plugins: [withoutNode()],
    build: {
      write: false,
      target: 'esnext',
      rolldownOptions: { input: fileURLToPath(new URL('cards_page.ts', import.meta.url)), output: { format: 'iife' } },
    },
  })
  const [{ code }] = (result as Rolldown.RolldownOutput).output
  return `<!doctype html><script>${code}</script>`
}

describe.runIf(browser)('the cards of a page', () => {
  it('are those that power preferences tell apart, each of which opens', async () => {
    const html = await builtPage()
    const server = createServer((_, answer) => answer.setHeader('content-type', 'text/html').end(html))
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    const page = await browser!.newPage()
    await page.goto(`http://127.0.0.1:${(server.address() as AddressInfo).port}/`)
    const { cards, names } = await page.evaluate<Awaited<ReturnType<typeof openCards>>>('openCards()')
    server.close()
    expect(cards.length).toBeGreaterThan(0)
    expect(names).toEqual(cards.map(({ name }) => name))
    for (const { select, how } of cards) {
      expect(select.backend).toBe('navigator')
      expect(how).toBe(cards.length > 1 ? 'power-preference' : 'only')
    }
  })
})
