import { describe, expect, it } from 'vitest'
import { encodeText, pixartTransformer } from '../../src/models/pixart/transformer.ts'
import { onOneDevice } from '../../src/runtime/execution.ts'
import { unpatchify } from '../../src/runtime/ops/index.ts'
import { goldenComponent } from '../support/checkpoint.ts'
import { testRecorder } from '../support/device.ts'
import { loadGolden } from '../support/golden_io.ts'
import { relativeL2 } from '../support/numbers.ts'

describe('PixArt transformer', () => {
  it.each(['transformer_pixart_sigma', 'transformer_pixart_alpha'])(
    'predicts what diffusers predicts: %s',
    async (golden) => {
      const { config, weights } = await goldenComponent('PixArtTransformer2DModel', golden)
      const io = loadGolden(golden)
      const g = await testRecorder()
      const floats = (name: string) => io[`input.${name}`]?.data as Float32Array
      const { shape } = io['input.hidden_states']
      const [, , height, width] = shape
      const captions = io['input.encoder_hidden_states']
      const mask = Float32Array.from(io['input.encoder_attention_mask'].data as BigInt64Array, (m) => (m ? 0 : -10_000))
      const sample = await g.scope(async () => {
        const text = await encodeText(
          g,
          weights,
          g.upload(floats('encoder_hidden_states'), captions.shape),
          g.upload(mask, captions.shape.slice(0, 2)),
          { first: 0, end: config.layers },
        )
        const patches = await pixartTransformer(
          g,
          config,
          weights,
          {
            latents: g.upload(floats('hidden_states'), shape),
            timesteps: Array.from(io['input.timestep'].data, Number),
            text,
            conditions: config.additionalConditions
              ? {
                  resolution: floats('added_cond_kwargs.resolution'),
                  aspectRatio: floats('added_cond_kwargs.aspect_ratio'),
                }
              : undefined,
          },
          onOneDevice(config.layers, (height * width) / config.patch ** 2),
        )
        return unpatchify(g, patches, { patch: config.patch, channels: config.outChannels, height, width })
      })
      const expected = io['output.sample']
      expect(sample.shape).toEqual(expected.shape)
      expect(relativeL2(await g.read(sample), expected.data as Float32Array)).toBeLessThan(1e-5)
      g.reset()
      weights.free()
    },
  )
})
