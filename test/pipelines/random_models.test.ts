import { existsSync, readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { describe, expect, it } from 'vitest'
import { loadTokenizer } from '../../src/models/tokenizers/load_tokenizer.ts'
import { DiffusionPipeline } from '../../src/pipelines/diffusion_pipeline.ts'
import { modelFacts } from '../../src/pipelines/model_facts.ts'
import { openModel } from '../../src/pipelines/open_model.ts'
import { RANDOM_MODELS, type RandomModel } from '../../src/pipelines/random_models/models.ts'
import { randomSource, randomSourceOf } from '../../src/pipelines/random_models/random_source.ts'
import { readSafetensorsHeader } from '../../src/runtime/weights/safetensors.ts'
import { testDevice } from '../support/device.ts'

const MANIFESTS = fileURLToPath(new URL('../../../shared/golden/manifests/', import.meta.url))
const TRANSFORMERS: [name: string, manifest: string][] = [
  ['flux.1-dev', 'flux1-dev'],
  ['flux.1-schnell', 'flux1-schnell'],
  ['sd3-medium', 'sd3-medium'],
  ['sd3.5-medium', 'sd35-medium'],
  ['sd3.5-large', 'sd35-large'],
  ['hunyuandit', 'hunyuandit-v1.2'],
  ['pixart-sigma', 'pixart-sigma-1024'],
]
const FILE = 'transformer/diffusion_pytorch_model.safetensors'

describe('models with random weights', () => {
  it.each(TRANSFORMERS.filter(([, manifest]) => existsSync(`${MANIFESTS}${manifest}.json`)))(
    'have the names and shapes of the published ones: %s',
    async (name, manifest) => {
      const { parameters } = JSON.parse(readFileSync(`${MANIFESTS}${manifest}.json`, 'utf8'))
      const { tensors } = await readSafetensorsHeader(await randomSource(name), FILE)
      const shapes = Object.fromEntries([...tensors].map(([key, { shape }]) => [key, shape]))
      // Tables that diffusers computes are no parameters to it.
      for (const key of Object.keys(shapes)) if (!(key in parameters)) expect(key).toBe('pos_embed.pos_embed')
      expect(shapes).toMatchObject(parameters)
    },
  )

  it.each(Object.keys(RANDOM_MODELS))('can be asked for what they are by their name alone: %s', async (name) => {
    const source = await openModel(`random:${name}`)
    expect((await modelFacts(source)).className).toBe(RANDOM_MODELS[name].className)
    for (const folder of Object.keys(RANDOM_MODELS[name].tokenizers)) {
      const tokenizer = await loadTokenizer(source, folder)
      const { inputIds, attentionMask } = tokenizer.encode(['a cat'], { maxLength: 12, padding: 'max_length' })
      const { begin, end } = RANDOM_MODELS[name].tokenizers[folder]
      const tokens = 'a cat'.length + (begin ? 2 : 1)
      expect(inputIds).toHaveLength(12)
      expect(inputIds[tokens - 1]).toBe(end[1])
      expect(attentionMask.reduce((a, b) => a + b)).toBe(tokens)
    }
  })

  it('are listed where a name is unknown', async () => {
    await expect(openModel('random:flux')).rejects.toThrow(/no model "flux" with random weights/)
  })

  it('draw something that is finite, the same each time', async () => {
    const source = await randomSourceOf(SMALL, 'small')
    const drawn = async () => {
      const pipe = await DiffusionPipeline.fromPretrained(source, { device: await testDevice() })
      const { latents } = await pipe('a cat', {
        height: 32,
        width: 48,
        numInferenceSteps: 2,
        seed: 1,
        outputType: 'latent',
      })
      pipe.dispose()
      return latents.data
    }
    const first = await drawn()
    expect(first.every((value) => Number.isFinite(value))).toBe(true)
    const deviation = Math.sqrt(first.reduce((sum, value) => sum + value * value, 0) / first.length)
    expect(deviation).toBeGreaterThan(0.1)
    expect(deviation).toBeLessThan(10)
    expect(await drawn()).toEqual(first)
  })
})

/** FLUX with everything small. */
const dev = RANDOM_MODELS['flux.1-dev']
const smaller = (folder: string, own: Record<string, unknown>) => {
  const [network, config] = dev.networks[folder]
  return [network, { ...config, ...own }] as const
}
const SMALL: RandomModel = {
  ...dev,
  networks: {
    text_encoder: smaller('text_encoder', {
      hidden_size: 32,
      intermediate_size: 64,
      num_hidden_layers: 1,
      num_attention_heads: 2,
    }),
    text_encoder_2: smaller('text_encoder_2', { d_model: 32, d_kv: 8, d_ff: 64, num_layers: 1, num_heads: 4 }),
    transformer: smaller('transformer', {
      num_layers: 1,
      num_single_layers: 1,
      num_attention_heads: 2,
      attention_head_dim: 32,
      axes_dims_rope: [8, 12, 12],
      joint_attention_dim: 32,
      pooled_projection_dim: 32,
    }),
    vae: smaller('vae', { block_out_channels: [32, 32, 32, 32], layers_per_block: 1 }),
  },
}
