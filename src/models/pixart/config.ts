import { ConfigReader } from '../../runtime/config_reader.ts'
import { DitError } from '../../runtime/errors.ts'

/** What of PixArtTransformer2DModel's config.json shapes the computation. */
export interface PixArtConfig {
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
  readonly interpolationScale: number
  readonly captionChannels: number
  readonly attentionBias: boolean
  readonly normEps: number
  /** Resolution and aspect ratio as conditions (PixArt-α at 1024). */
  readonly additionalConditions: boolean
}

export function pixartConfig(json: unknown): PixArtConfig {
  const read = new ConfigReader(json, 'PixArtTransformer2DModel')
  read.choice('norm_type', ['ada_norm_single'], 'ada_norm_single')
  read.choice('activation_fn', ['gelu-approximate'], 'gelu-approximate')
  read.choice('attention_type', ['default'], 'default')
  read.unsupported('norm_elementwise_affine', 'PixArt checkpoints have no affine norms')
  const heads = read.integer('num_attention_heads', 16, 1, 1024)
  const headDim = read.integer('attention_head_dim', 72, 1, 512)
  const width = heads * headDim
  if (read.integer('cross_attention_dim', 1152, 1, 1 << 20) !== width || width % 4 !== 0) {
    throw new DitError(
      'unsupported',
      `PixArtTransformer2DModel: cross_attention_dim differs from heads x head_dim = ${width}, or 4 does not divide it`,
      'Check config.json: published PixArt models have 16 heads x 72 and cross_attention_dim 1152.',
    )
  }
  const inChannels = read.integer('in_channels', 4, 1, 1024)
  const sampleSize = read.integer('sample_size', 128, 1, 65_536)
  return {
    heads,
    headDim,
    width,
    inChannels,
    outChannels: read.integer('out_channels', inChannels, 1, 2048),
    layers: read.integer('num_layers', 28, 1, 1024),
    patch: read.integer('patch_size', 2, 1, 64),
    sampleSize,
    interpolationScale: read.number('interpolation_scale', Math.max(Math.floor(sampleSize / 64), 1), 1e-6),
    captionChannels: read.integer('caption_channels', 4096, 1, 1 << 20),
    attentionBias: read.boolean('attention_bias', true),
    normEps: read.number('norm_eps', 1e-6, 0),
    // As diffusers: unset, it follows from the sample size.
    additionalConditions: read.boolean('use_additional_conditions', sampleSize === 128),
  }
}
