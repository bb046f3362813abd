import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { autoencoderKLConfig } from '../../src/models/autoencoder_kl/config.ts'
import { decode } from '../../src/models/autoencoder_kl/decode.ts'
import { encode } from '../../src/models/autoencoder_kl/encode.ts'
import { posterior } from '../../src/models/autoencoder_kl/posterior.ts'
import { defaultTiling, exceedsTile, tiledDecode, tiledEncode } from '../../src/models/autoencoder_kl/tiled.ts'
import type { Component } from '../../src/models/component.ts'
import { Recorder } from '../../src/runtime/recorder.ts'
import { Tensor } from '../../src/runtime/tensor.ts'
import { goldenComponent } from '../support/checkpoint.ts'
import { testDevice } from '../support/device.ts'
import { random, relativeL2 } from '../support/numbers.ts'

let vae: Component<'AutoencoderKL'>
let g: Recorder
beforeAll(async () => {
  vae = await goldenComponent('AutoencoderKL', 'vae_kl_4ch')
  // With an arena of its own, whatever other files have left in that of the device.
  g = new Recorder((await testDevice()).sibling())
}, 60_000)
afterEach(() => {
  g.reset()
  g.device.arena.trim()
  expect(g.device.arena.reserved).toBe(0)
})
afterAll(() => {
  g.device.close()
  vae.weights.free()
})

type Half = typeof tiledDecode

async function run(half: Half, data: Float32Array, shape: number[], ...tiling: [Parameters<Half>[4]?]) {
  const y = await g.scope(() => half(g, vae.config, vae.weights, g.upload(data, shape), ...tiling))
  return { shape: [...y.shape], data: await g.read(y) }
}

describe('odd sizes and batches', () => {
  it.each<[string, Half, number[], number[]]>([
    ['encode', encode, [3, 43, 59], [8, 5, 7]],
    ['tiledEncode', tiledEncode, [3, 70, 43], [8, 8, 5]],
    ['tiledDecode', tiledDecode, [4, 9, 5], [3, 72, 40]],
  ])('%s gives each picture of a batch what it gives it alone', async (_, half, one, result) => {
    const size = one.reduce((a, b) => a * b)
    const x = random(2 * size)
    const both = await run(half, x, [2, ...one])
    expect(both.shape).toEqual([2, ...result])
    for (const i of [0, 1]) {
      const alone = await run(half, x.subarray(i * size, (i + 1) * size), [1, ...one])
      const part = both.data.subarray(i * alone.data.length, (i + 1) * alone.data.length)
      expect(relativeL2(part, alone.data)).toBeLessThan(1e-6)
    }
  })

  it.each([encode, tiledEncode])('a picture too small for a latent is refused', async (half) => {
    await expect(run(half, random(3 * 7 * 64), [1, 3, 7, 64])).rejects.toMatchObject({
      kind: 'bad-argument',
      message: 'a picture of 7 x 64 pixels is too small for the autoencoder, expected at least 8 x 8',
    })
  })
})

describe('tiles', () => {
  const z = random(4 * 6 * 7)

  it('a tile as large as all is the whole', async () => {
    const whole = await run(decode, z, [1, 4, 6, 7])
    const tiled = await run(tiledDecode, z, [1, 4, 6, 7], { tileLatentMinSize: 12, tileOverlapFactor: 0.25 })
    expect(tiled).toEqual(whole)
  })

  it.each([
    ['whose overlap is no whole number of latents', 5, 0.25],
    ['that do not overlap', 3, 0],
    ['of one latent', 1, 0.25],
  ])('tiles %s give a picture of the right size', async (_, tileLatentMinSize, tileOverlapFactor) => {
    const tiled = await run(tiledDecode, z, [1, 4, 6, 7], { tileLatentMinSize, tileOverlapFactor })
    expect(tiled.shape).toEqual([1, 3, 48, 56])
    // No pixel is left out: the test device fills outputs with NaN.
    expect(tiled.data.every(Number.isFinite)).toBe(true)
  })

  it('their size follows from the config as in diffusers, and so does when they are needed', () => {
    const of = (json: object) => defaultTiling(autoencoderKLConfig({ ...FOUR_LEVELS, ...json })).tileLatentMinSize
    expect(of({ sample_size: 1024 })).toBe(128)
    expect(of({ sample_size: [512, 1024] })).toBe(64)
    expect(of({})).toBe(4)
    const exceeds = (height: number, width: number) => exceedsTile(new Tensor([1, 4, height, width]), 8)
    expect([exceeds(8, 8), exceeds(9, 8), exceeds(2, 9)]).toEqual([false, true, true])
    expect(() => of({ sample_size: [0] })).toThrow(/sample_size is 0, expected an integer from 1/)
  })

  it('a rehearsal takes the memory of the run, and leaves no more behind', async () => {
    const peak = async (body: () => Promise<unknown>) => {
      const { arena } = g.device
      arena.trim()
      arena.peak = arena.reserved
      await body()
      return arena.peak
    }
    const tiling = { tileLatentMinSize: 4, tileOverlapFactor: 0.25 }
    const { config, weights } = vae
    const rehearsed = await peak(() =>
      g.rehearse(() => tiledDecode(g, config, weights, g.placeholder([1, 4, 6, 7]), tiling)),
    )
    const taken = await peak(() =>
      g.scope(async () => {
        await tiledDecode(g, config, weights, g.upload(z, [1, 4, 6, 7]), tiling)
      }),
    )
    expect(rehearsed).toBe(taken)
  })
})

const FOUR_LEVELS = {
  block_out_channels: [32, 32, 32, 32],
  down_block_types: Array(4).fill('DownEncoderBlock2D'),
  up_block_types: Array(4).fill('UpDecoderBlock2D'),
}

describe('posterior', () => {
  // Two pictures of two channels and one pixel: means 1 and 2, then 3 and 4.
  const moments = Float32Array.of(1, 2, 0, 2, 3, 4, -40, 50)

  it('splits the moments of every picture, and holds the variance', () => {
    const { mean, logvar, mode } = posterior(moments, [2, 4, 1, 1])
    expect([...mean]).toEqual([1, 2, 3, 4])
    expect([...logvar]).toEqual([0, 2, -30, 20])
    expect(mode()).toEqual(mean)
  })

  it('samples with the noise given', () => {
    const sample = posterior(moments, [2, 4, 1, 1]).sample(Float32Array.of(1, -1, 2, 0.5))
    const expected = [1 + 1, 2 - Math.exp(1), 3 + 2 * Math.exp(-15), 4 + 0.5 * Math.exp(10)]
    sample.forEach((value, i) => {
      expect(value).toBe(Math.fround(expected[i]))
    })
  })
})
