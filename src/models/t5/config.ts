import { ConfigReader } from '../../runtime/config_reader.ts'
import { Parameters } from '../../runtime/weights/parameters.ts'

/** What of T5EncoderModel's config.json shapes the computation. */
export interface T5Config {
  readonly vocabulary: number
  readonly width: number
  readonly heads: number
  readonly headDim: number
  readonly hidden: number
  readonly layers: number
  readonly buckets: number
  readonly maxDistance: number
  readonly eps: number
}

export function t5Config(json: unknown): T5Config {
  const read = new ConfigReader(json, 'T5EncoderModel')
  // T5 v1.1, the only kind that diffusion pipelines use; the first T5 has an ungated ReLU.
  read.choice('feed_forward_proj', ['gated-gelu'], 'gated-gelu')
  const buckets = read.integer('relative_attention_num_buckets', 32, 4, 1 << 16)
  return {
    vocabulary: read.integer('vocab_size', 32_128, 1, 1 << 22),
    width: read.integer('d_model', 512, 4, 1 << 16),
    heads: read.integer('num_heads', 8, 1, 1024),
    headDim: read.integer('d_kv', 64, 1, 512),
    hidden: read.integer('d_ff', 2048, 1, 1 << 20),
    layers: read.integer('num_layers', 6, 1, 1024),
    buckets,
    // A quarter of the buckets is for distances of their own; greater ones share the rest up to this one.
    maxDistance: read.integer('relative_attention_max_distance', 128, Math.floor(buckets / 4) + 1, 1 << 20),
    eps: read.number('layer_norm_epsilon', 1e-6, 0),
  }
}

/** Every weight of T5EncoderModel, by checkpoint key. */
export function t5Parameters(c: T5Config): Parameters {
  const all = new Parameters()
  all.matrix('shared.weight', c.vocabulary, c.width).tensor('encoder.final_layer_norm.weight', c.width)
  const inner = c.heads * c.headDim
  // All blocks use the first one's.
  const first = all.at('encoder').at('block').at(0).at('layer').at(0).at('SelfAttention')
  first.tensor('relative_attention_bias.weight', c.buckets, c.heads)
  for (let i = 0; i < c.layers; i++) {
    const [attention, feedForward] = [0, 1].map((k) => all.at('encoder').at('block').at(i).of(i).at('layer').at(k))
    const self = attention.tensor('layer_norm.weight', c.width).at('SelfAttention')
    for (const part of ['q', 'k', 'v']) self.linear(part, inner, c.width, false)
    self.linear('o', c.width, inner, false)
    const dense = feedForward.tensor('layer_norm.weight', c.width).at('DenseReluDense')
    dense.linear('wi_0', c.hidden, c.width, false).linear('wi_1', c.hidden, c.width, false)
    dense.linear('wo', c.width, c.hidden, false)
  }
  return all
}

/** A copy of shared.weight that some checkpoints hold under the encoder's name; the decoder in files of llama.cpp. */
export const T5_IGNORED = [/^encoder\.embed_tokens\.weight$/, /^dec\./, /^output\.weight$/]
