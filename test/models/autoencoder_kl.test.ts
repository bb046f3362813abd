import { describe, expect, it } from 'vitest'
import { decode } from '../../src/models/autoencoder_kl/decode.ts'
import { goldenComponent } from '../support/checkpoint.ts'
import { testRecorder } from '../support/device.ts'
import { loadGolden } from '../support/golden_io.ts'
import { relativeL2 } from '../support/numbers.ts'

describe('AutoencoderKL', () => {
  it.each(['vae_kl_4ch', 'vae_kl_16ch', 'vae_kl_flux'])('decodes as diffusers does: %s', async (golden) => {
    const { config, weights } = await goldenComponent('AutoencoderKL', golden)
    const io = loadGolden(golden)
    const g = await testRecorder()
    const z = io['input.z']
    const sample = await g.scope(() => decode(g, config, weights, g.upload(z.data as Float32Array, z.shape)))
    const expected = io['output.sample']
    expect(sample.shape).toEqual(expected.shape)
    expect(relativeL2(await g.read(sample), expected.data as Float32Array)).toBeLessThan(1e-5)
    g.reset()
    weights.free()
  })
})
