import { decode } from '../../../models/autoencoder_kl/decode.ts'
import { calls } from './calls.ts'

export const autoencoderKL = calls('AutoencoderKL', {
  decode: (run) =>
    run.withNetwork('AutoencoderKL', async ({ config, weights }) => {
      const { shape, data } = await run.tensor('z')
      const sample = await run.computeTensor((g) =>
        decode(g, config, weights, g.upload(Float32Array.from(data), shape)),
      )
      // The decoder puts out -1 to 1: a range of 2.
      await run.compare('output.sample', sample, { range: 2 })
    }),
})
