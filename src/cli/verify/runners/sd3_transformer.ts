import { encodeText, sd3Transformer } from '../../../models/sd3/transformer.ts'
import { onOneDevice } from '../../../runtime/execution.ts'
import { unpatchify } from '../../../runtime/ops/index.ts'
import { calls } from './calls.ts'

export const sd3Transformer2DModel = calls('SD3Transformer2DModel', {
  forward: (run) =>
    run.withNetwork('SD3Transformer2DModel', async ({ config, weights }) => {
      const latents = await run.floats('hidden_states')
      const captions = await run.floats('encoder_hidden_states')
      const pooled = await run.floats('pooled_projections')
      const timesteps = await run.tensor('timestep')
      const { patch, outChannels, layers } = config
      const [, , height, width] = latents.shape
      const sample = await run.computeTensor(async (g) => {
        const { image } = await sd3Transformer(
          g,
          config,
          weights,
          {
            latents: g.upload(latents.data, latents.shape),
            textHidden: encodeText(g, weights, g.upload(captions.data, captions.shape)),
            timesteps: timesteps.data,
            pooled: g.upload(pooled.data, pooled.shape),
            skipLayers: run.argument('skip_layers') as number[] | undefined,
          },
          onOneDevice(layers, (height * width) / patch ** 2),
        )
        return unpatchify(g, image, { patch, channels: outChannels, height, width })
      })
      await run.compare('output.sample', sample)
    }),
})
