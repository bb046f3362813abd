import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { modelFiles } from '../../../demo/model_files.ts'
import { psnrOf } from '../../../src/cli/verify/compare.ts'
import { withoutNode } from '../../../vite.browser.ts'
import { LAVAPIPE, NO_DRIVER, runDeno, WITHOUT_LAVAPIPE } from '../../support/deno.ts'
import { startChromium } from '../browser/chromium.ts'
import { openPage, TIMEOUT } from '../browser/pages.ts'
import { buildSite } from '../browser/site.ts'
import { runSuite, type SuiteResult } from './suite.ts'

const MODEL = fileURLToPath(new URL('../../../models/emoji-pixart', import.meta.url))

/** Ranks on one device; those in processes are test/parallel/processes and test/runtimes/node. */
const inNode = (): Promise<SuiteResult> => runSuite(MODEL, 'one device')

async function inDeno(machine: Record<string, string>): Promise<SuiteResult> {
  const { code, stdout, stderr } = await runDeno(machine, new URL('deno_program.ts', import.meta.url), [MODEL])
  if (code !== 0) throw new Error(stderr)
  return JSON.parse(stdout.trim().split('\n').at(-1)!)
}

const chromium = await startChromium()
const browser = typeof chromium === 'string' ? undefined : chromium
afterAll(() => browser?.close())

async function inChromium(): Promise<SuiteResult> {
  const site = await buildSite({
    root: fileURLToPath(new URL('./', import.meta.url)),
    worker: { format: 'es', plugins: () => [withoutNode()] },
    plugins: [withoutNode(), modelFiles({ copy: false })],
    build: { reportCompressedSize: false },
    preview: {
      headers: { 'Cross-Origin-Opener-Policy': 'same-origin', 'Cross-Origin-Embedder-Policy': 'require-corp' },
    },
  })
  try {
    const { page } = await openPage(browser!, site.address)
    await page.waitForFunction('!!globalThis.runSuite')
    return await page.evaluate<SuiteResult>("runSuite('models/emoji-pixart')")
  } finally {
    await site.close()
  }
}

/** Deno's own WebGPU on lavapipe, where that is there; else Dawn. */
const RUNTIMES: Readonly<Record<string, (() => Promise<SuiteResult>) | undefined>> = {
  node: inNode,
  deno: () => inDeno(WITHOUT_LAVAPIPE ? NO_DRIVER : LAVAPIPE),
  browser: browser && inChromium,
}

const found = new Map<string, SuiteResult>()

describe.each(Object.entries(RUNTIMES))('the suite in %s', { timeout: TIMEOUT }, (runtime, run) => {
  let result: SuiteResult
  beforeAll(async () => {
    if (run) found.set(runtime, (result = await run()))
  }, TIMEOUT)

  it.runIf(run)('opens a device', () => {
    expect(result).toMatchObject({ runtime, tier: 'f32', device: expect.stringMatching(/./) })
  })

  it.runIf(run)('computes kernels at odd sizes', () => {
    expect(result.kernels.length).toBeGreaterThan(15)
    // NaN, which JSON writes as null, is over as well.
    expect(result.kernels.filter(({ error, limit }) => !(error !== null && error <= limit))).toEqual([])
  })

  it.runIf(run)('draws', () => {
    const { width, height, data } = result.picture
    expect([width, height, data.length]).toEqual([64, 64, 64 * 64 * 3])
    expect(new Set(data).size).toBeGreaterThan(64)
  })

  it.runIf(run)('stops when told to', () => expect(result.cancelled).toEqual({ steps: 2, kind: 'aborted' }))

  it.runIf(run)('ends a run with the loss of its device, and says so to the next', () => {
    expect(result.lost).toEqual({ steps: 2, kind: 'device-lost', again: 'device-lost' })
  })

  it.runIf(run)('draws on four ranks what one device draws', () => {
    expect(result.mesh.distance).toBeLessThan(2e-5)
    for (const tags of result.mesh.sent) {
      expect(tags).toEqual(expect.arrayContaining(['cfg.noise', 'ulysses.qkv', 'ulysses.out']))
    }
  })
})

it('the same seed draws the same picture in all of them', () => {
  const all = [...found]
  expect(all.length).toBeGreaterThan(1)
  for (const [a, { picture }] of all) {
    for (const [b, other] of all) {
      if (a < b) expect(psnrOf(picture.data, other.picture.data, 255), `${a}, ${b}`).toBeGreaterThan(45) // dB
    }
  }
})
