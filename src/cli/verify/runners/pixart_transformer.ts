import { pixartTransformer } from '../../../models/pixart/transformer.ts'
import { encodeCaptions } from '../../../pipelines/pixart_network.ts'
import { onOneDevice } from '../../../runtime/execution.ts'
import { unpatchify } from '../../../runtime/ops/index.ts'
import { calls } from './calls.ts'

export const pixartTransformer2DModel = calls('PixArtTransformer2DModel', {
  forward: (run) =>
    run.withNetwork('PixArtTransformer2DModel', async (network) => {
      const { config, weights } = network
      const floats = async (path: string) => {
        const { shape, data } = await run.tensor(path)
        return { shape, data: Float32Array.from(data) }
      }
      const latents = await floats('hidden_states')
      const captions = await floats('encoder_hidden_states')
      const mask = await run.tensor('encoder_attention_mask')
      const timesteps = await run.tensor('timestep')
      const conditions = config.additionalConditions && {
        resolution: (await floats('added_cond_kwargs.resolution')).data,
        aspectRatio: (await floats('added_cond_kwargs.aspect_ratio')).data,
      }
      const [, , height, width] = latents.shape
      const sample = await run.computeTensor(async (g) => {
        const text = await encodeCaptions(g, network, g.upload(captions.data, captions.shape), mask.data)
        const patches = await pixartTransformer(
          g,
          config,
          weights,
          {
            latents: g.upload(latents.data, latents.shape),
            timesteps: timesteps.data,
            text,
            conditions: conditions || undefined,
          },
          onOneDevice(config.layers, (height * width) / config.patch ** 2),
        )
        return unpatchify(g, patches, { patch: config.patch, channels: config.outChannels, height, width })
      })
      await run.compare('output.sample', sample)
    }),
})
