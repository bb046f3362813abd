import { encodeText, fluxRotary, fluxTransformer } from '../../../models/flux/transformer.ts'
import { onOneDevice } from '../../../runtime/execution.ts'
import { calls } from './calls.ts'

export const fluxTransformer2DModel = calls('FluxTransformer2DModel', {
  forward: (run) =>
    run.withNetwork('FluxTransformer2DModel', async ({ config, weights }) => {
      const latents = await run.floats('hidden_states')
      const captions = await run.floats('encoder_hidden_states')
      const pooled = await run.floats('pooled_projections')
      const timesteps = await run.tensor('timestep')
      const guidance = run.argument('guidance') ? (await run.tensor('guidance')).data : undefined
      const [imageIds, textIds] = [await run.tensor('img_ids'), await run.tensor('txt_ids')]
      const sample = await run.computeTensor(async (g) => {
        const { image } = await fluxTransformer(
          g,
          config,
          weights,
          {
            latents: g.upload(latents.data, latents.shape),
            textHidden: encodeText(g, weights, g.upload(captions.data, captions.shape)),
            rotary: fluxRotary(g, config, imageIds.data, textIds.data),
            timesteps: timesteps.data,
            guidance,
            pooled: g.upload(pooled.data, pooled.shape),
          },
          onOneDevice(config.layers + config.singleLayers, latents.shape[1]),
        )
        return image
      })
      await run.compare('output.sample', sample)
    }),
})
