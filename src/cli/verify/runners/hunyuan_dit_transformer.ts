import { encodeText } from '../../../models/hunyuan_dit/text.ts'
import { hunyuanDiTTransformer } from '../../../models/hunyuan_dit/transformer.ts'
import { onOneDevice } from '../../../runtime/execution.ts'
import { unpatchify } from '../../../runtime/ops/index.ts'
import { calls } from './calls.ts'

export const hunyuanDiT2DModel = calls('HunyuanDiT2DModel', {
  forward: (run) =>
    run.withNetwork('HunyuanDiT2DModel', async ({ config, weights }) => {
      const latents = await run.floats('hidden_states')
      const [bert, t5] = [await run.floats('encoder_hidden_states'), await run.floats('encoder_hidden_states_t5')]
      const masks = [await run.tensor('text_embedding_mask'), await run.tensor('text_embedding_mask_t5')]
      const timesteps = await run.tensor('timestep')
      const given = run.argument('image_rotary_emb.0') !== undefined
      const rotary = given && [await run.floats('image_rotary_emb.0'), await run.floats('image_rotary_emb.1')]
      const conditions = config.sizeAndStyle && {
        sizes: (await run.floats('image_meta_size')).data,
        styles: Uint32Array.from((await run.tensor('style')).data, Number),
      }
      const [batch, , height, width] = latents.shape
      const maskOf = (entry: number) =>
        masks.flatMap(({ shape, data }) =>
          Array.from({ length: shape[1] }, (_, token) => Number(data[entry * shape[1] + token])),
        )
      const mask = Array.from({ length: batch }, (_, entry) => maskOf(entry)).flat()
      const { patch, layers, outChannels } = config
      const sample = await run.computeTensor(async (g) => {
        const upload = (of: typeof bert) => g.upload(of.data, of.shape)
        const captions = { bert: upload(bert), t5: upload(t5), mask, conditions: conditions || undefined }
        const text = await encodeText(g, config, weights, captions, { first: 0, end: layers })
        const inputs = {
          latents: upload(latents),
          timesteps: timesteps.data,
          text,
          rotary: rotary ? { cos: upload(rotary[0]), sin: upload(rotary[1]) } : undefined,
        }
        const execution = onOneDevice(layers, (height * width) / patch ** 2)
        const [patches] = await hunyuanDiTTransformer(g, config, weights, inputs, execution)
        return unpatchify(g, patches, { patch, channels: outChannels, height, width })
      })
      await run.compare('output.sample', sample)
    }),
})
