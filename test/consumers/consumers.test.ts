import { execFile } from 'node:child_process'
import { cpSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { createServer } from 'vite'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { psnrOf } from '../../src/cli/verify/compare.ts'
import { DiffusionPipeline, type DitImage } from '../../src/index.ts'
import { startChromium } from '../runtimes/browser/chromium.ts'
import { openPage } from '../runtimes/browser/pages.ts'
import { GOLDEN } from '../support/golden_io.ts'
import { packedApp } from '../support/packed_app.ts'
import { serveFolders } from './serve_folders.ts'

const run = promisify(execFile)
const here = fileURLToPath(new URL('./', import.meta.url))
const MODEL = join(GOLDEN, 'pipeline_pixart_sigma')
const PROMPT = 'a cat'
const CALL = { useResolutionBinning: false, height: 80, width: 80, numInferenceSteps: 1, seed: 7 }

/** What a page tells of its picture. */
interface Drawn extends Pick<DitImage, 'width' | 'height'> {
  readonly data: number[]
  readonly steps: number[]
  readonly refused: unknown
}

const chromium = await startChromium()
const browser = typeof chromium === 'string' ? undefined : chromium
afterAll(() => browser?.close())

describe.runIf(browser)('a page that a bundler makes of the package, as npm installs it', () => {
  const bundlers = ['vite', 'webpack', 'esbuild']
  const app = packedApp(bundlers)
  afterAll(() => app.remove())
  let server: Awaited<ReturnType<typeof serveFolders>>
  let expected: DitImage
  beforeAll(async () => {
    server = await serveFolders({ app: app.folder, model: MODEL })
    const pipe = await DiffusionPipeline.fromPretrained(MODEL, { tier: 'f32' })
    expected = (await pipe(PROMPT, CALL)).images[0]
    pipe.dispose()
  })
  afterAll(() => server?.close())

  it.each(bundlers)('%s: it builds without a warning, and draws in a worker what Node draws', async (name) => {
    const folder = join(app.folder, name)
    for (const from of ['index.html', 'main.js', `${name}/build.mjs`])
      cpSync(join(here, from), join(folder, from.replace(/.*\//, '')))
    const env = { ...process.env, NODE_ENV: 'production' }
    expect(await run(process.execPath, ['build.mjs'], { cwd: folder, env })).toEqual({ stdout: '', stderr: '' })
    // From a sub-path of a server, as many pages are served.
    await expectDrawing(`${server.address}/app/${name}/dist/index.html`)
  })

  it('vite, while it is developed: it draws in a worker what Node draws', async () => {
    for (const file of ['index.html', 'main.js']) cpSync(join(here, file), join(app.folder, file))
    const settings = { root: app.folder, configFile: false, logLevel: 'silent' } as const
    const dev = await createServer({ ...settings, server: { port: 0, host: '127.0.0.1' } })
    try {
      await dev.listen()
      await expectDrawing(dev.resolvedUrls!.local[0])
    } finally {
      await dev.close()
    }
  })

  async function expectDrawing(address: string): Promise<void> {
    const { page, complaints } = await openPage(browser!, address)
    await page.waitForFunction('!!globalThis.draw')
    const drawn = await page.evaluate<Drawn>(`draw('${server.address}/model', '${PROMPT}', ${JSON.stringify(CALL)})`)
    expect({ ...drawn, data: undefined, complaints }).toEqual({
      ...{ width: 80, height: 80, data: undefined, steps: [1], refused: 'bad-argument' },
      complaints: [],
    })
    expect(psnrOf(drawn.data, expected.data, 255)).toBeGreaterThan(45) // dB
    await page.close()
  }
})

describe.runIf(browser)('a page without a bundler', () => {
  const path = (relative: string) => fileURLToPath(new URL(`../../${relative}`, import.meta.url))
  let server: Awaited<ReturnType<typeof serveFolders>>
  /** The library as somebody else's server has it, which allows every page to import it. */
  let elsewhere: Awaited<ReturnType<typeof serveFolders>>
  beforeAll(async () => {
    const dist = path('dist')
    server = await serveFolders({ examples: path('examples'), dist, models: path('models'), model: MODEL })
    elsewhere = await serveFolders({ dist })
  })
  afterAll(async () => {
    await server?.close()
    await elsewhere?.close()
  })

  it('examples/embed.html draws a red apple', async () => {
    const { page, complaints } = await openPage(browser!, `${server.address}/examples/embed.html?steps=3`)
    await page.getByText('A red apple, drawn by').waitFor()
    const { size, middle } = await page.evaluate(async () => {
      const picture = document.querySelector('img')!
      await picture.decode()
      const { naturalWidth: size } = picture
      const canvas = new OffscreenCanvas(size, size).getContext('2d')!
      canvas.drawImage(picture, 0, 0)
      return { size, middle: [...canvas.getImageData(size / 2, size / 2, 1, 1).data] }
    })
    expect({ size, complaints }).toEqual({ size: 128, complaints: [] })
    const [red, green, blue] = middle
    expect(red).toBeGreaterThan(2 * Math.max(green, blue))
    await page.close()
  })

  it('imports the library from another server, the worker by a script of its own that imports it', async () => {
    const { page, complaints } = await openPage(browser!, `${server.address}/examples/commands.txt`)
    // As text: what Vitest makes of import() is not for a page.
    const steps = await page.evaluate<number[]>(`(async () => {
      const { startRank } = await import('${elsewhere.address}/dist/browser/standalone.js')
      const script = "import '${elsewhere.address}/dist/browser/pipelines/rank.js'"
      const worker = new URL(URL.createObjectURL(new Blob([script], { type: 'text/javascript' })))
      const rank = await startRank('${server.address}/model', { worker })
      const steps = []
      await rank.run('a cat', { ...${JSON.stringify(CALL)}, onStep: ({ step }) => steps.push(step) })
      await rank.close()
      return steps
    })()`)
    expect({ steps, complaints }).toEqual({ steps: [1], complaints: [] })
    await page.close()
  })
})
