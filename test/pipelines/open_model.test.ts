import { createReadStream, existsSync, mkdtempSync, rmSync } from 'node:fs'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest'
import { DiffusionPipeline } from '../../src/pipelines/diffusion_pipeline.ts'
import { openModel, webAddress } from '../../src/pipelines/open_model.ts'
import { testDevice } from '../support/device.ts'
import { GOLDEN } from '../support/golden_io.ts'

const FOLDER = `${GOLDEN}pipeline_pixart_sigma`

describe('a model by its name', () => {
  // A server without ranges: the plainest there is.
  const server = createServer((request, response) => {
    const file = join(FOLDER, new URL(request.url!, 'http://x').pathname)
    if (existsSync(file)) createReadStream(file).pipe(response)
    else response.writeHead(404).end()
  })
  let address: string
  beforeAll(async () => {
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    address = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  })
  afterAll(() => server.close())

  it('is an address, or a folder', async () => {
    expect(webAddress('https://host/model')).toBe('https://host/model')
    expect(webAddress('models/emoji-pixart')).toBeUndefined()
    const folder = await openModel(FOLDER)
    expect(await folder.exists('model_index.json')).toBe(true)
    await folder.close()
    expect((await openModel(address)).name).toBe(address)
  })

  it('loads over the web what it loads from the folder, and says that the server makes it slow', async () => {
    const warn = vi.spyOn(console, 'warn').mockReturnValue()
    const options = { useResolutionBinning: false, height: 80, width: 80, numInferenceSteps: 1, seed: 1 } as const
    const results: number[][] = []
    for (const model of [FOLDER, address]) {
      const pipe = await DiffusionPipeline.fromPretrained(model, { device: await testDevice() })
      const { latents } = await pipe('a cat', { ...options, outputType: 'latent' })
      results.push([...latents.data])
      pipe.dispose()
    }
    expect(results[1]).toEqual(results[0])
    expect(warn.mock.calls).toEqual([[expect.stringContaining('no byte ranges')]])
    warn.mockRestore()
  })

  it('is refused in words where it is no model', async () => {
    const hint = expect.stringContaining('diffusers folder')
    const load = async (model: string) => DiffusionPipeline.fromPretrained(model, { device: await testDevice() })
    await expect(load(`${address}/vae`)).rejects.toMatchObject({ kind: 'not-found', hint })
    const empty = mkdtempSync(join(tmpdir(), 'webdit-empty-'))
    await expect(load(empty)).rejects.toMatchObject({ kind: 'not-found', hint })
    rmSync(empty, { recursive: true })
  })

  it('is given up when the signal fires', async () => {
    const load = DiffusionPipeline.fromPretrained(address, { device: await testDevice(), signal: AbortSignal.abort() })
    await expect(load).rejects.toMatchObject({ kind: 'aborted' })
  })
})
