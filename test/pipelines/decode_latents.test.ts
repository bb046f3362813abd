import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { type Component, loadComponent } from '../../src/models/component.ts'
import { checkDecoding, decodeLatents } from '../../src/pipelines/decode_latents.ts'
import { DiffusionPipeline } from '../../src/pipelines/diffusion_pipeline.ts'
import { DitImage } from '../../src/pipelines/image/image.ts'
import { Recorder } from '../../src/runtime/recorder.ts'
import { openFolder } from '../../src/runtime/weights/folder_source.node.ts'
import { goldenComponent } from '../support/checkpoint.ts'
import { testDevice } from '../support/device.ts'
import { GOLDEN, loadGolden } from '../support/golden_io.ts'
import { relativeL2 } from '../support/numbers.ts'

let g: Recorder
beforeAll(async () => {
  g = new Recorder(await testDevice())
})
afterEach(() => {
  g.reset()
  g.device.arena.budget = Number.POSITIVE_INFINITY
  g.device.arena.trim()
})

/** The most that the arena holds while `body` is rehearsed: all of its buffers are made, nothing runs. */
async function peak(body: () => Promise<unknown>): Promise<number> {
  const { arena } = g.device
  arena.trim()
  arena.peak = arena.reserved
  await g.rehearse(body)
  return arena.peak
}

describe('tiling', () => {
  let emoji: Component<'AutoencoderKL'>
  beforeAll(async () => {
    const folder = await openFolder(fileURLToPath(new URL('../../models/emoji-pixart', import.meta.url)))
    emoji = await loadComponent(g.device, 'AutoencoderKL', folder, 'vae', { parts: ['decode'] })
    await folder.close()
  })
  afterAll(() => emoji.weights.free())

  it('is what diffusers does with enable_tiling', async () => {
    const vae = await goldenComponent('AutoencoderKL', 'vae_kl_4ch')
    const io = loadGolden('vae_kl_4ch', 'io_tiled_decode.safetensors')
    const z = io['input.z']
    const { scalingFactor } = vae.config
    const latents = Float32Array.from(z.data as Float32Array, (v) => v * scalingFactor)
    const picture = await g.scope(() => decodeLatents(g, vae, g.upload(latents, z.shape), true))
    expect(relativeL2(await g.read(picture), io['output.sample'].data as Float32Array)).toBeLessThan(1e-5)
    vae.weights.free()
  })

  it('takes the memory of a tile and the picture, not that of the whole', { timeout: 60_000 }, async () => {
    const latents = (side: number) => g.placeholder([1, 8, side, side])
    const tile = await peak(() => decodeLatents(g, emoji, latents(16)))
    const whole = await peak(() => decodeLatents(g, emoji, latents(64)))
    const tiled = await peak(() => decodeLatents(g, emoji, latents(64), true))
    expect(whole).toBeGreaterThan(12 * tile)
    // 512 x 512 pixels of 3 channels, and a row of 6 tiles of 128 x 128 as decoded and as blended, each in a buffer that
    // may be twice as large: the arena gives what is free.
    const pictures = (512 * 512 + 2 * 2 * 6 * 128 * 128) * 3 * 4
    expect(tiled).toBeLessThan(tile + pictures)
    expect(tiled).toBeLessThan(whole / 5)

    g.device.arena.trim()
    g.device.arena.budget = tiled
    await g.rehearse(() => decodeLatents(g, emoji, latents(64), true))
    await expect(g.rehearse(() => decodeLatents(g, emoji, latents(64)))).rejects.toMatchObject({
      kind: 'out-of-memory',
    })
  })

  it('allows pictures whose whole no buffer holds', () => {
    const { arena } = g.device
    const check = (tiling: boolean) => checkDecoding(arena, emoji.config, 8192, 8192, tiling)
    expect(() => check(false)).toThrow(
      /^height 8192 and width 8192: the autoencoder without enable_tiling needs a buffer of 16.0 GiB/,
    )
    expect(() => check(true)).not.toThrow()
    // 65,536 x 65,536 pixels of 3 channels are more than the buffers of any device.
    expect(() => checkDecoding(arena, emoji.config, 65_536, 65_536, true)).toThrow(
      /^height 65536 and width 65536: the autoencoder needs a buffer of 48.0 GiB/,
    )
  })
})

it('a pipeline decodes in tiles where it is told to', { timeout: 60_000 }, async () => {
  const pipe = await DiffusionPipeline.fromPretrained(join(GOLDEN, 'pipeline_pixart_sigma'), { device: g.device })
  const call = { height: 96, width: 80, useResolutionBinning: false, numInferenceSteps: 1, seed: 5 }
  const { images, latents } = await pipe('a', { ...call, enableTiling: true })
  const expected = async (tiling: boolean) => {
    const { vae } = pipe.components
    const picture = await g.scope(() => decodeLatents(g, vae, g.upload(latents.data, latents.shape), tiling))
    return DitImage.fromFloat((await g.read(picture)) as Float32Array<ArrayBuffer>, 96, 80).data
  }
  expect(images[0].data).toEqual(await expected(true))
  expect(images[0].data).not.toEqual(await expected(false))
  pipe.dispose()
})
