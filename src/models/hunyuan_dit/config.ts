import { ConfigReader } from '../../runtime/config_reader.ts'
import { DitError } from '../../runtime/errors.ts'

/** What of HunyuanDiT2DModel's config.json shapes the computation. */
export interface HunyuanDiTConfig {
  readonly heads: number
  readonly headDim: number
  /** heads · headDim. */
  readonly width: number
  readonly inChannels: number
  readonly outChannels: number
  readonly layers: number
  readonly patch: number
  /** Rows and columns of latents of the native picture. */
  readonly sampleSize: number
  /** Values of the feed-forward between its layers. */
  readonly neurons: number
  /** Width and tokens of BERT's states, and of T5's. */
  readonly captionChannels: number
  readonly textTokens: number
  readonly t5Channels: number
  readonly t5Tokens: number
  /** Width of the pooled text. */
  readonly pooledChannels: number
  /** Picture size and style as conditions (up to version 1.1). */
  readonly sizeAndStyle: boolean
}

/** Heads of the attention that pools T5's states. */
export const POOLER_HEADS = 8

export function hunyuanDiTConfig(json: unknown): HunyuanDiTConfig {
  const read = new ConfigReader(json, 'HunyuanDiT2DModel')
  read.choice('activation_fn', ['gelu-approximate'], 'gelu-approximate')
  read.choice('norm_type', ['layer_norm'], 'layer_norm')
  const heads = read.integer('num_attention_heads', 16, 1, 1024)
  const headDim = read.integer('attention_head_dim', 88, 4, 512)
  const width = heads * headDim
  const layers = read.integer('num_layers', 1, 1, 1024)
  const t5Channels = read.integer('cross_attention_dim_t5', 2048, 1, 1 << 20)
  const patch = read.integer('patch_size', 2, 1, 64)
  const unfit =
    read.integer('hidden_size', 1152, 1, 1 << 20) !== width
      ? `hidden_size differs from heads x head_dim = ${width}`
      : headDim % 4 !== 0
        ? `4 does not divide heads of ${headDim}, which rotary positions turn in two directions`
        : layers > 1 && layers % 2 === 1
          ? `${layers} layers, of which every early one but the last two must have its late one to skip to`
          : t5Channels % POOLER_HEADS !== 0
            ? `${POOLER_HEADS} pooling heads do not divide cross_attention_dim_t5 of ${t5Channels}`
            : undefined
  if (unfit) {
    throw new DitError(
      'unsupported',
      `HunyuanDiT2DModel: ${unfit}`,
      'Check config.json: published models have 40 layers of 16 heads x 88 and hidden_size 1408.',
    )
  }
  const inChannels = read.integer('in_channels', 4, 1, 1024)
  return {
    heads,
    headDim,
    width,
    inChannels,
    outChannels: read.boolean('learn_sigma', true) ? 2 * inChannels : inChannels,
    layers,
    patch,
    sampleSize: read.integer('sample_size', 32, 1, 65_536),
    neurons: Math.floor(width * read.number('mlp_ratio', 4, 1 / width)),
    captionChannels: read.integer('cross_attention_dim', 1024, 1, 1 << 20),
    textTokens: read.integer('text_len', 77, 1, 4096),
    t5Channels,
    t5Tokens: read.integer('text_len_t5', 256, 1, 4096),
    pooledChannels: read.integer('pooled_projection_dim', 1024, 1, 1 << 20),
    sizeAndStyle: read.boolean('use_style_cond_and_image_meta_size', true),
  }
}
