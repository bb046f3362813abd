import { describe, expect, it } from 'vitest'
import type { AutoencoderKLConfig } from '../../src/models/autoencoder_kl/config.ts'
import { decode } from '../../src/models/autoencoder_kl/decode.ts'
import { encode } from '../../src/models/autoencoder_kl/encode.ts'
import { posterior } from '../../src/models/autoencoder_kl/posterior.ts'
import { type Tiling, tiledDecode, tiledEncode } from '../../src/models/autoencoder_kl/tiled.ts'
import type { Recorder } from '../../src/runtime/recorder.ts'
import type { Tensor } from '../../src/runtime/tensor.ts'
import type { Weights } from '../../src/runtime/weights/weights.ts'
import { goldenComponent } from '../support/checkpoint.ts'
import { testRecorder } from '../support/device.ts'
import { loadGolden, loadGoldenJson } from '../support/golden_io.ts'
import { relativeL2 } from '../support/numbers.ts'

type Half = (g: Recorder, c: AutoencoderKLConfig, w: Weights, x: Tensor, tiling?: Tiling) => Promise<Tensor>
type Values = { data: Float32Array; shape: number[] }

/** One half of a golden case's autoencoder on an input of one of its files. */
async function run(golden: string, half: Half, x: Values, tiling?: Tiling): Promise<Values> {
  const { config, weights } = await goldenComponent('AutoencoderKL', golden)
  const g = await testRecorder()
  try {
    const y = await g.scope(() => half(g, config, weights, g.upload(x.data, x.shape), tiling))
    return { data: await g.read(y), shape: [...y.shape] }
  } finally {
    g.reset()
    weights.free()
  }
}

const halved = ([batch, channels, ...size]: number[]) => [batch, channels / 2, ...size]

/** The tiles of a golden run: vae_kl_4ch has those of its config, vae_kl_flux smaller ones, so that each has several. */
function tilingOf(golden: string, file: string): Tiling | undefined {
  const tiling = loadGoldenJson(golden).runs[file.slice('io_'.length)]?.tiling
  if (golden === 'vae_kl_4ch' || !tiling) return undefined
  return { tileLatentMinSize: tiling.tile_latent_min_size, tileOverlapFactor: tiling.tile_overlap_factor }
}

describe('AutoencoderKL', () => {
  it.each<[string, string, Half]>([
    ['vae_kl_4ch', 'io', decode],
    ['vae_kl_16ch', 'io', decode],
    ['vae_kl_flux', 'io', decode],
    ['vae_kl_4ch', 'io_tiled_decode', tiledDecode],
    ['vae_kl_flux', 'io_tiled_decode', tiledDecode],
  ])('decodes as diffusers does: %s/%s', async (golden, file, half) => {
    const io = loadGolden(golden, `${file}.safetensors`)
    const expected = io['output.sample']
    const { data, shape } = await run(golden, half, io['input.z'] as Values, tilingOf(golden, file))
    expect(shape).toEqual(expected.shape)
    expect(relativeL2(data, expected.data as Float32Array)).toBeLessThan(1e-5)
  })

  it.each<[string, string, Half]>([
    ['vae_kl_4ch', 'io_encode', encode],
    ['vae_kl_16ch', 'io_encode', encode],
    ['vae_kl_flux', 'io_encode', encode],
    ['vae_kl_4ch', 'io_tiled_encode', tiledEncode],
    ['vae_kl_flux', 'io_tiled_encode', tiledEncode],
  ])('encodes as diffusers does: %s/%s', async (golden, file, half) => {
    const io = loadGolden(golden, `${file}.safetensors`)
    const moments = await run(golden, half, io['input.x'] as Values, tilingOf(golden, file))
    expect(halved(moments.shape)).toEqual(io['output.mean'].shape)
    const { mean, logvar } = posterior(moments.data, moments.shape)
    expect(relativeL2(mean, io['output.mean'].data as Float32Array)).toBeLessThan(1e-5)
    expect(relativeL2(logvar, io['output.logvar'].data as Float32Array)).toBeLessThan(1e-5)
  })
})
