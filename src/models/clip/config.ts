import { ConfigReader } from '../../runtime/config_reader.ts'
import { DitError } from '../../runtime/errors.ts'

/** What of a CLIP text encoder's config.json shapes the computation. */
export interface ClipTextConfig {
  readonly vocabulary: number
  readonly width: number
  readonly heads: number
  readonly hidden: number
  readonly layers: number
  /** Tokens at most: there is no position for more. */
  readonly positions: number
  readonly activation: 'gelu' | 'gelu_tanh' | 'quick_gelu'
  readonly eps: number
  /** Of the projected embedding. */
  readonly projection: number
  /** Ends a text; its place is what is pooled. */
  readonly eos: number
}

/** Names of transformers' activations. */
const ACTIVATIONS = {
  quick_gelu: 'quick_gelu',
  gelu: 'gelu',
  gelu_new: 'gelu_tanh',
  gelu_pytorch_tanh: 'gelu_tanh',
} as const

export function clipTextConfig(json: unknown): ClipTextConfig {
  const read = new ConfigReader(json, 'CLIPTextModel')
  const names = Object.keys(ACTIVATIONS) as (keyof typeof ACTIVATIONS)[]
  const width = read.integer('hidden_size', 512, 4, 1 << 16)
  const heads = read.integer('num_attention_heads', 8, 1, 1024)
  if (width % heads !== 0) {
    throw new DitError('bad-argument', `CLIPTextModel: hidden_size ${width} is no multiple of ${heads} attention heads`)
  }
  const vocabulary = read.integer('vocab_size', 49_408, 1, 1 << 22)
  return {
    vocabulary,
    width,
    heads,
    hidden: read.integer('intermediate_size', 2048, 1, 1 << 20),
    layers: read.integer('num_hidden_layers', 12, 1, 1024),
    positions: read.integer('max_position_embeddings', 77, 1, 1 << 16),
    activation: ACTIVATIONS[read.choice('hidden_act', names, 'quick_gelu')],
    eps: read.number('layer_norm_eps', 1e-5, 0),
    projection: read.integer('projection_dim', 512, 1, 1 << 16),
    eos: read.integer('eos_token_id', 49_407, 0, 1 << 22),
  }
}
