// Every network with weights of few bits is the same network with what those stand for as floats.
import { describe, expect, it } from 'vitest'
import { bertEncoder } from '../../src/models/bert/encoder.ts'
import { clipTextEncoder } from '../../src/models/clip/encoder.ts'
import { type Component, loadComponent, type NetworkClass } from '../../src/models/component.ts'
import { fluxRotary, encodeText as fluxText, fluxTransformer } from '../../src/models/flux/transformer.ts'
import { encodeText as hunyuanText } from '../../src/models/hunyuan_dit/text.ts'
import { hunyuanDiTTransformer } from '../../src/models/hunyuan_dit/transformer.ts'
import { encodeText as pixartText, pixartTransformer } from '../../src/models/pixart/transformer.ts'
import { encodeText as sd3Text, sd3Transformer } from '../../src/models/sd3/transformer.ts'
import { t5Encoder } from '../../src/models/t5/encoder.ts'
import { onOneDevice } from '../../src/runtime/execution.ts'
import type { Recorder } from '../../src/runtime/recorder.ts'
import type { Tensor } from '../../src/runtime/tensor.ts'
import { type WeightFormat, weightFormat } from '../../src/runtime/weights/weight_formats.ts'
import { dequantizedNetwork, randomNetwork } from '../support/dequantized.ts'
import { testRecorder } from '../support/device.ts'
import { random, relativeL2 } from '../support/numbers.ts'

type Forward<C extends NetworkClass> = (g: Recorder, network: Component<C>) => Promise<Tensor>

const TOKENS = 6
const CHANNELS = 4
const ids = [3, 1, 4, 1, 5, 9]
const made = new Map<string, Float32Array>()
/** The same random values for both networks of a test. */
const input = (g: Recorder, name: string, ...shape: number[]): Tensor => {
  const size = shape.reduce((a, b) => a * b)
  const key = `${name} ${size}`
  if (!made.has(key)) made.set(key, random(size))
  return g.upload(made.get(key)!, shape)
}

const config = {
  attention_head_dim: 16,
  num_attention_heads: 2,
  in_channels: CHANNELS,
  num_layers: 2,
  sample_size: 16,
  patch_size: 2,
}

const networks = {
  FluxTransformer2DModel: [
    {
      ...config,
      patch_size: 1,
      num_layers: 1,
      num_single_layers: 1,
      joint_attention_dim: 20,
      pooled_projection_dim: 12,
      axes_dims_rope: [4, 6, 6],
    },
    async (g, { config: c, weights: w }) => {
      const positions = Float32Array.from({ length: 3 * TOKENS }, (_, i) => i % 5)
      const inputs = {
        latents: input(g, 'latents', 1, TOKENS, CHANNELS),
        textHidden: fluxText(g, w, input(g, 'text', 1, TOKENS, 20)),
        rotary: fluxRotary(g, c, positions, positions),
        timesteps: [0.7],
        pooled: input(g, 'pooled', 1, 12),
      }
      return (await fluxTransformer(g, c, w, inputs, onOneDevice(2, TOKENS))).image
    },
  ] as [object, Forward<'FluxTransformer2DModel'>],
  SD3Transformer2DModel: [
    {
      ...config,
      out_channels: CHANNELS,
      caption_projection_dim: 32,
      joint_attention_dim: 20,
      pooled_projection_dim: 12,
      pos_embed_max_size: 9,
    },
    async (g, { config: c, weights: w }) => {
      const inputs = {
        latents: input(g, 'latents', 1, CHANNELS, 4, 6),
        textHidden: sd3Text(g, w, input(g, 'text', 1, TOKENS, 20)),
        timesteps: [300],
        pooled: input(g, 'pooled', 1, 12),
      }
      return (await sd3Transformer(g, c, w, inputs, onOneDevice(2, 6))).image
    },
  ] as [object, Forward<'SD3Transformer2DModel'>],
  PixArtTransformer2DModel: [
    { ...config, out_channels: 8, cross_attention_dim: 32, caption_channels: 24, use_additional_conditions: false },
    async (g, { config: c, weights: w }) => {
      const mask = g.upload(new Float32Array(TOKENS), [1, TOKENS])
      const text = await pixartText(g, w, input(g, 'text', 1, TOKENS, 24), mask, { first: 0, end: 2 })
      const inputs = { latents: input(g, 'latents', 1, CHANNELS, 4, 6), timesteps: [300], text }
      return pixartTransformer(g, c, w, inputs, onOneDevice(2, 6))
    },
  ] as [object, Forward<'PixArtTransformer2DModel'>],
  HunyuanDiT2DModel: [
    // Four blocks, so that late ones take what early ones made.
    {
      ...config,
      num_layers: 4,
      hidden_size: 32,
      mlp_ratio: 4,
      cross_attention_dim: 32,
      cross_attention_dim_t5: 16,
      pooled_projection_dim: 12,
      text_len: 2,
      text_len_t5: 4,
      learn_sigma: false,
      norm_type: 'layer_norm',
      activation_fn: 'gelu-approximate',
      use_style_cond_and_image_meta_size: false,
    },
    async (g, { config: c, weights: w }) => {
      const captions = {
        bert: input(g, 'bert', 1, 2, 32),
        t5: input(g, 't5', 1, 4, 16),
        mask: [1, 0, 1, 1, 1, 0],
        conditions: undefined,
      }
      const text = await hunyuanText(g, c, w, captions, { first: 0, end: 4 })
      const inputs = { latents: input(g, 'latents', 1, CHANNELS, 4, 6), timesteps: [300], text, rotary: undefined }
      const [patches] = await hunyuanDiTTransformer(g, c, w, inputs, onOneDevice(4, 6))
      return patches
    },
  ] as [object, Forward<'HunyuanDiT2DModel'>],
  T5EncoderModel: [
    { vocab_size: 32, d_model: 32, num_heads: 2, d_kv: 16, d_ff: 64, num_layers: 1 },
    (g, { config: c, weights: w }) => t5Encoder(g, c, w, ids, 1),
  ] as [object, Forward<'T5EncoderModel'>],
  CLIPTextModel: [
    {
      vocab_size: 32,
      hidden_size: 32,
      num_attention_heads: 2,
      intermediate_size: 64,
      num_hidden_layers: 1,
      max_position_embeddings: 9,
      eos_token_id: 9,
      hidden_act: 'quick_gelu',
    },
    async (g, { config: c, weights: w }) => (await clipTextEncoder(g, c, w, ids, 1)).last,
  ] as [object, Forward<'CLIPTextModel'>],
  BertModel: [
    {
      vocab_size: 32,
      hidden_size: 32,
      num_attention_heads: 2,
      intermediate_size: 64,
      num_hidden_layers: 1,
      max_position_embeddings: 9,
      type_vocab_size: 2,
      hidden_act: 'gelu',
    },
    (g, { config: c, weights: w }) => bertEncoder(g, c, w, { ids, batch: 1 }),
  ] as [object, Forward<'BertModel'>],
} as { [C in NetworkClass]?: [Record<string, unknown>, Forward<C>] }

describe.each(Object.entries(networks))('%s', (name, [json, forward]) => {
  const className = name as NetworkClass
  const run = forward as Forward<NetworkClass>

  // All kinds are tested with linear itself.
  it.each([name.length % 2 ? 'int4_asym_g32' : 'int8_sym_g32'])(
    'of %s computes what its numbers stand for',
    async (formatted) => {
      const format = weightFormat(formatted) as WeightFormat
      const source = randomNetwork(className, json)
      const g = await testRecorder()
      const compute = async (from: typeof source, options = {}) => {
        const network = await loadComponent(g.device, className, from, '', options)
        const values = await g.read(await g.scope(() => run(g, network)))
        g.reset()
        const { bytes } = network.weights
        network.weights.free()
        return { values, bytes }
      }
      const few = await compute(source, { format })
      const floats = await compute(await dequantizedNetwork(source, className, format))
      expect(relativeL2(few.values, floats.values)).toBeLessThan(1e-5)
      expect(few.bytes).toBeLessThan(0.8 * floats.bytes)
    },
  )
})
