import { cpSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { decode } from 'fast-png'
import type { Page } from 'playwright-core'
import type { UserConfig } from 'vite'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { modelFiles } from '../../../demo/model_files.ts'
import { demoConfig } from '../../../demo/vite.config.ts'
import { type Output, psnrOf } from '../../../src/cli/verify/compare.ts'
import { DiffusionPipeline } from '../../../src/index.ts'
import { withoutNode } from '../../../vite.browser.ts'
import { LAVAPIPE, NO_DRIVER, runDeno, WITHOUT_LAVAPIPE } from '../../support/deno.ts'
import { GOLDEN } from '../../support/golden_io.ts'
import { relativeL2 } from '../../support/numbers.ts'
import { startChromium } from './chromium.ts'
import { openPage, readPicture, readPreviews, TIMEOUT, watchCanvas } from './pages.ts'
import { buildSite, type Site } from './site.ts'

const path = (relative: string) => fileURLToPath(new URL(relative, import.meta.url))
const MODEL = path('../../../models/emoji-pixart')
const MAIN = new URL('../../../src/cli/main.ts', import.meta.url)

const chromium = await startChromium()
const browser = typeof chromium === 'string' ? undefined : chromium
afterAll(() => browser?.close())

const CALL = { prompt: 'red apple', seed: 7, steps: 2 }

/** What two ranks of a page tell. */
interface Together {
  readonly latents: number[]
  readonly sent: number[]
  readonly shared: boolean
}

/** 8-bit RGB, rows from the top. */
type Seen = { readonly width: number; readonly height: number; readonly data: ArrayLike<number> }

/** The same by the command line in Deno, in the tier that is the default on that machine. */
async function inDeno(machine: Record<string, string>, backend: string): Promise<Seen> {
  const folder = mkdtempSync(join(tmpdir(), 'webdit-same-'))
  try {
    const flags = ['--seed', String(CALL.seed), '--num_inference_steps', String(CALL.steps), '--backend', backend]
    const files = ['--model', MODEL, '--output_directory', folder]
    const { code, stdout, stderr } = await runDeno(machine, MAIN, [
      'generate',
      '--prompt',
      CALL.prompt,
      ...flags,
      ...files,
    ])
    if (code !== 0) throw new Error(stderr)
    const { width, height, data, channels } = decode(readFileSync(stdout.trim()))
    if (channels !== 3) throw new Error(`a PNG of ${channels} channels`)
    return { width, height, data }
  } finally {
    rmSync(folder, { recursive: true })
  }
}

describe.runIf(browser)('in Chromium', { timeout: TIMEOUT }, () => {
  /** The picture as the other runtimes draw it. */
  const elsewhere = new Map<string, Seen>()
  /** Those of a small picture in Node, on one device. */
  let latents: Float32Array
  beforeAll(async () => {
    const pipe = await DiffusionPipeline.fromPretrained(MODEL, { tier: 'f32' })
    const { images } = await pipe(CALL.prompt, { seed: CALL.seed, numInferenceSteps: CALL.steps })
    elsewhere.set('Node', images[0])
    const small = { height: 64, width: 64, seed: CALL.seed, numInferenceSteps: 4, outputType: 'latent' } as const
    latents = (await pipe(CALL.prompt, small)).latents.data
    pipe.dispose()
    elsewhere.set('Deno, Dawn', await inDeno(NO_DRIVER, 'dawn'))
    if (WITHOUT_LAVAPIPE) console.log('no lavapipe: without Deno’s own WebGPU, which would be in f16')
    else elsewhere.set('Deno, its own, f16', await inDeno(LAVAPIPE, 'navigator'))
  }, TIMEOUT)

  function expectSame({ width, height, data }: Seen): void {
    for (const [runtime, other] of elsewhere) {
      expect([runtime, width, height]).toEqual([runtime, other.width, other.height])
      expect(psnrOf(data, other.data, 255), runtime).toBeGreaterThan(45) // dB
    }
  }

  it('has the same picture from Node and Deno', () => {
    for (const picture of elsewhere.values()) expectSame(picture)
  })

  describe('the demo page', () => {
    let site: Site
    let notIsolated: string
    beforeAll(async () => {
      const config = (isolated: boolean) => demoConfig({ isolated, copyModel: false })
      site = await buildSite(config(true))
      notIsolated = await site.serve(config(false))
    })
    afterAll(() => site?.close())

    const open = (isolated: boolean, query = '', prepare: (page: Page) => Promise<unknown> = watchCanvas) =>
      openPage(browser!, (isolated ? site.address : notIsolated) + query, prepare)

    async function draw(page: Page, { prompt, seed, steps }: typeof CALL): Promise<void> {
      await page.getByLabel('Prompt').fill(prompt)
      await page.getByLabel('Steps').fill(String(steps))
      await page.getByLabel('Seed').fill(String(seed))
      await page.getByRole('button', { name: 'Draw' }).click()
    }

    const settled = (page: Page) => page.locator('#draw:enabled').waitFor()

    it('is built without a warning', () => expect(site.warnings).toEqual([]))

    async function expectPicture(page: Page): Promise<void> {
      await draw(page, CALL)
      await settled(page)
      expect(await page.locator('#error').isHidden()).toBe(true)
      expectSame(await readPicture(page))
      const previews = (await readPreviews(page)).slice(-CALL.steps)
      expect(previews.map(({ step, width, height }) => [step, width, height])).toEqual(
        [1, 2].map((step) => [step, 16, 16]),
      )
      // Each shows a later state than the one before.
      expect(new Set(previews.map(({ data }) => data.join())).size).toBe(CALL.steps)
      expect(await page.locator('#caption').textContent()).toMatch(/^seed 7 · [\d.]+ s · .*swiftshader/i)
    }

    it('says what is wrong with a value, and draws what Node draws, isolated from other origins', async () => {
      const { page, complaints } = await open(true)
      expect(await page.evaluate(() => self.crossOriginIsolated)).toBe(true)
      await page.locator('form').evaluate((form: HTMLFormElement) => {
        form.noValidate = true
      })
      await draw(page, { ...CALL, steps: 0 })
      await settled(page)
      expect(await page.locator('#error-message').textContent()).toMatch(/\b0\b/)
      await expectPicture(page)
      expect(complaints).toEqual([])
      await page.close()
    })

    it('stops when told to, and draws what Node draws, not isolated', async () => {
      const { page, complaints } = await open(false)
      expect(await page.evaluate(() => self.crossOriginIsolated)).toBe(false)
      const expectCancelled = async () => {
        await page.getByRole('button', { name: 'Cancel' }).click()
        await settled(page)
        expect(await page.locator('#status').textContent()).toBe('Cancelled.')
        expect(await page.locator('#error').isHidden()).toBe(true)
      }
      await draw(page, CALL)
      await page.getByText(/^Loading/).waitFor()
      await expectCancelled()
      expect(await readPreviews(page)).toEqual([])
      await draw(page, { ...CALL, steps: 100 })
      await page.locator('[data-preview]').waitFor()
      await expectCancelled()
      expect((await readPreviews(page)).length).toBeLessThan(10)
      await expectPicture(page)
      expect(complaints).toEqual([])
      await page.close()
    })

    it.each([
      ['absent', 'models/absent/model_index.json is no file', 'diffusers folder'],
      ['http://127.0.0.1:1/model', 'cannot reach http://127.0.0.1:1/model/model_index.json', 'Check the address'],
    ])('says what is wrong with a model: %s', async (model, message, hint) => {
      const { page } = await open(true, `?model=${model.startsWith('http') ? model : `models/${model}`}`)
      await draw(page, CALL)
      await settled(page)
      expect(await page.locator('#error-message').textContent()).toContain(message)
      expect(await page.locator('#error-hint').textContent()).toContain(hint)
      await page.close()
    })

    it('says what to do where there is no WebGPU', async () => {
      const { page } = await open(true, '', (page) =>
        page.addInitScript(() => Reflect.deleteProperty(Navigator.prototype, 'gpu')),
      )
      expect(await page.getByRole('alert').textContent()).toMatch(/has no WebGPU.*chrome:\/\/flags/s)
      await draw(page, CALL)
      await settled(page)
      expect(await page.getByRole('alert').textContent()).toMatch(/has no WebGPU.*chrome:\/\/flags/s)
      await page.close()
    })
  })

  // Needs dist/: `npm test` builds it.
  describe("a page of somebody's own, with the built package", () => {
    const app = mkdtempSync(join(tmpdir(), 'webdit-page-'))
    let site: Site
    let isolated: string
    beforeAll(async () => {
      cpSync(path('app'), app, { recursive: true })
      mkdirSync(join(app, 'node_modules'))
      symlinkSync(path('../../..'), join(app, 'node_modules/webdit'))
      const config = { root: app, plugins: [modelFiles({ copy: false })] }
      site = await buildSite(config)
      const headers = { 'Cross-Origin-Opener-Policy': 'same-origin', 'Cross-Origin-Embedder-Policy': 'require-corp' }
      isolated = await site.serve({ ...config, preview: { headers } })
    })
    afterAll(async () => {
      await site?.close()
      rmSync(app, { recursive: true, force: true })
    })

    it('needs no settings for its build', () => expect(site.warnings).toEqual([]))

    it('draws what Node draws in a worker, and loads a pipeline by itself', async () => {
      const { page, complaints } = await openPage(browser!, site.address)
      await page.waitForFunction('!!globalThis.drawInWorker')
      expectSame(await page.evaluate("drawInWorker('models/emoji-pixart')"))
      expect(await page.evaluate("loadInPage('models/emoji-pixart')")).toBe('PixArtSigmaPipeline')
      expect(complaints).toEqual([])
      await page.close()
    })

    it.each([
      ['that share memory', true],
      ['that hand buffers over, where the page is not isolated', false],
    ])('draws what Node draws in two workers %s', async (_, shared) => {
      const { page, complaints } = await openPage(browser!, shared ? isolated : site.address)
      await page.waitForFunction('!!globalThis.drawTogether')
      expect(await page.evaluate(() => self.crossOriginIsolated)).toBe(shared)
      const drawn = await page.evaluate<Together>("drawTogether('models/emoji-pixart')")
      expect(drawn.shared).toBe(shared)
      for (const bytes of drawn.sent) expect(bytes).toBeGreaterThan(0)
      expect(relativeL2(Float32Array.from(drawn.latents), latents)).toBeLessThan(2e-5)
      expect(complaints).toEqual([])
      await page.close()
    })

    it('hears of a worker that ends in the midst of a picture, by the rank that is silent', async () => {
      const { page } = await openPage(browser!, isolated)
      await page.waitForFunction('!!globalThis.loseRank')
      const lost = await page.evaluate<{ message: string }>("loseRank('models/emoji-pixart')")
      expect(lost.message).toMatch(
        /^rank 1 is stuck: rank 0 waits for its 'ulysses\.\w+', and it has given no sign of life/,
      )
      await page.close()
    })
  })

  describe('cases of diffusers, in a worker', () => {
    let site: Site | undefined
    afterEach(() => site?.close())

    /** What a worker of a page answers, which has the files in `publicDir`. */
    async function answerTo<T>(publicDir: string, question: string): Promise<T> {
      const config: UserConfig = {
        root: path('golden'),
        publicDir,
        worker: { format: 'es', plugins: () => [withoutNode()] },
        plugins: [withoutNode(), modelFiles({ copy: false })],
      }
      site = await buildSite(config)
      const { page, complaints } = await openPage(browser!, site.address)
      await page.waitForFunction('!!globalThis.verify')
      const answer = await page.evaluate<T>(question)
      expect(complaints).toEqual([])
      await page.close()
      return answer
    }

    it('computes a pipeline from its prompts to its pictures: pipeline_pixart_sigma', async () => {
      const folder = join(GOLDEN, 'pipeline_pixart_sigma')
      const outputs = await answerTo<Output[]>(folder, "verifyPipeline('pipeline_pixart_sigma', location.href)")
      expect(outputs.filter(({ ok }) => !ok)).toEqual([])
      const names = ['prompt_embeds', 'transformer_output_step0', 'step_latents[4]', 'latents', 'image']
      expect(outputs.map(({ name }) => name)).toEqual(expect.arrayContaining(names))
    })

    it('draws the same where blocks come from the host as they run: pipeline_hunyuan_rescaled', async () => {
      const folder = join(GOLDEN, 'pipeline_hunyuan_rescaled')
      const drawn = (offload: string) => `draw(location.href, '${offload}')`
      const both = `(async () => [await ${drawn('none')}, await ${drawn('blocks')}])()`
      const [expected, latents] = await answerTo<number[][]>(folder, both)
      expect(latents).toEqual(expected)
      expect(latents.length).toBeGreaterThan(0)
      expect(latents.every(Number.isFinite)).toBe(true)
    })

    // Half a minute each on two cores.
    const folder = join(MODEL, 'golden')
    const cases = readdirSync(folder).flatMap((file) => /^(.*)\.safetensors$/.exec(file)?.[1] ?? [])
    it.runIf(process.env.WEBDIT_ALL_CASES).each(cases)('computes the trained model: %s', async (name) => {
      const model = "new URL('models/emoji-pixart', location.href).href"
      const outputs = await answerTo<Output[]>(folder, `verify('${name}', location.href, ${model})`)
      expect(outputs.filter(({ ok }) => !ok)).toEqual([])
      expect(outputs.map((output) => output.name)).toEqual(
        expect.arrayContaining(['prompt_embeds', 'transformer_output_step_1', 'latents_step_20', 'image']),
      )
    })
  })
})
