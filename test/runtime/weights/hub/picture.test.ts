import { existsSync, mkdirSync, readdirSync, symlinkSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { describe, expect, it, onTestFinished, vi } from 'vitest'
import { DiffusionPipeline } from '../../../../src/pipelines/diffusion_pipeline.ts'
import { planMemory } from '../../../../src/pipelines/memory_plan/plan.ts'
import { openModel, webAddress } from '../../../../src/pipelines/open_model.ts'
import { testDevice } from '../../../support/device.ts'
import { GOLDEN } from '../../../support/golden_io.ts'
import { noise, useCache } from './hub_cache.ts'
import { COMMIT, filesIn, ID, startHub } from './hub_server.ts'

const FOLDER = join(GOLDEN, 'pipeline_sd3')

/** The fixture on a hub, with what repositories have besides. */
async function modelOnHub() {
  const other = { 'README.md': '# SD3', 'sd3.safetensors': noise(1000), 'transformer/flax_model.msgpack': noise(1000) }
  const others = Object.entries(other).map(([path, content]) => [path, Buffer.from(content as string)] as const)
  const server = await startHub(new Map([...filesIn(FOLDER), ...others]))
  return { server, cache: useCache(server.endpoint, { HF_HUB_DISABLE_PROGRESS_BARS: '1' }) }
}

describe('a pipeline of the hub', () => {
  it('draws what its folder draws, and fetches what it needs alone', async () => {
    const { server, cache } = await modelOnHub()
    const latents: number[][] = []
    for (const model of [FOLDER, ID]) {
      const pipe = await DiffusionPipeline.fromPretrained(model, { device: await testDevice() })
      const options = { height: 64, width: 64, numInferenceSteps: 1, seed: 1, outputType: 'latent' } as const
      latents.push([...(await pipe('a cat', options)).latents.data])
      pipe.dispose()
    }
    expect(latents[1]).toEqual(latents[0])
    const snapshot = join(cache, 'snapshots', COMMIT)
    expect(readdirSync(snapshot).sort()).toEqual(
      [
        ...['model_index.json', 'scheduler', 'text_encoder', 'text_encoder_2', 'text_encoder_3'],
        ...['tokenizer', 'tokenizer_2', 'tokenizer_3', 'transformer', 'vae'],
      ].sort(),
    )
    expect(readdirSync(join(snapshot, 'transformer')).sort()).toEqual([
      'config.json',
      'diffusion_pytorch_model.safetensors',
    ])
    expect(readdirSync(join(snapshot, 'tokenizer_3'))).not.toContain('spiece.model')
    expect(server.requests.filter((line) => line.includes('/revision/'))).toHaveLength(1)
  })

  it('is planned without its weights', async () => {
    const { cache } = await modelOnHub()
    const call = { height: 64, width: 64, numInferenceSteps: 1 }
    const plan = await planMemory(ID, 'a cat', { call })
    expect(plan).toEqual(await planMemory(FOLDER, 'a cat', { call }))
    const files = readdirSync(join(cache, 'snapshots', COMMIT), { recursive: true }) as string[]
    expect(files.filter((file) => file.endsWith('.safetensors'))).toEqual([])
  })

  it('is the same commit for ranks, whatever the branch is meanwhile', async () => {
    const { server } = await modelOnHub()
    await (await openModel(ID)).close()
    expect(webAddress(ID)).toBe(`${ID}@${COMMIT}`)
    expect(webAddress(`${ID}@main`)).toBeUndefined()
    server.commit = COMMIT.replace('0', 'f')
    await (await openModel(ID)).close()
    expect(webAddress(ID)).toBe(`${ID}@${server.commit}`)
  })

  it('is never asked for where a folder has that name', async () => {
    const { server, cache } = await modelOnHub()
    const here = process.cwd()
    const folder = join(cache, 'here')
    mkdirSync(join(folder, dirname(ID)), { recursive: true })
    symlinkSync(FOLDER, join(folder, ID))
    process.chdir(folder)
    onTestFinished(() => process.chdir(here))
    const source = await openModel(ID)
    expect(await source.exists('model_index.json')).toBe(true)
    await source.close()
    expect(webAddress(ID)).toBeUndefined()
    expect(server.requests).toEqual([])
    vi.stubEnv('HF_HUB_OFFLINE', '1')
    await (await openModel(ID)).close()
    expect(existsSync(join(cache, 'snapshots'))).toBe(false)
  })
})
