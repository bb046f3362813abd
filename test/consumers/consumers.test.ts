import { execFile } from 'node:child_process'
import { cpSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
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
const CALL = { useResolutionBinning: false, height: 80, width: 80, numInferenceSteps: 2, seed: 7 }

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
    const { page, complaints } = await openPage(browser!, `${server.address}/app/${name}/dist/index.html`)
    await page.waitForFunction('!!globalThis.draw')
    const drawn = await page.evaluate<Drawn>(`draw('${server.address}/model', '${PROMPT}', ${JSON.stringify(CALL)})`)
    expect({ ...drawn, data: undefined, complaints }).toEqual({
      ...{ width: 80, height: 80, data: undefined, steps: [1, 2], refused: 'bad-argument' },
      complaints: [],
    })
    expect(psnrOf(drawn.data, expected.data, 255)).toBeGreaterThan(45) // dB
    expect(readdirSync(join(folder, 'dist'))).toContain('index.html')
    await page.close()
  })
})
