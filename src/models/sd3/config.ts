import { ConfigReader } from '../../runtime/config_reader.ts'
import { DitError } from '../../runtime/errors.ts'

/** What of SD3Transformer2DModel's config.json shapes the computation. */
export interface SD3Config {
  readonly heads: number
  readonly headDim: number
  /** heads · headDim. */
  readonly width: number
  readonly inChannels: number
  readonly outChannels: number
  readonly layers: number
  readonly patch: number
  /** Rows and columns of the stored position table, of which a picture takes the middle. */
  readonly positions: number
  /** Width of the joined text encoders' hidden states. */
  readonly captionChannels: number
  /** Width of their pooled text. */
  readonly pooledChannels: number
  /** RMS norm of queries and keys (SD3.5). */
  readonly qkNorm: boolean
  /** Blocks in which the image attends to itself as well (SD3.5-medium). */
  readonly dualAttention: ReadonlySet<number>
}

export function sd3Config(json: unknown): SD3Config {
  const read = new ConfigReader(json, 'SD3Transformer2DModel')
  const heads = read.integer('num_attention_heads', 18, 1, 1024)
  const headDim = read.integer('attention_head_dim', 64, 1, 512)
  const width = heads * headDim
  const qkNorm = read.choice('qk_norm', ['none', 'rms_norm'], 'none') === 'rms_norm'
  if (read.integer('caption_projection_dim', 1152, 1, 1 << 20) !== width || (qkNorm && headDim % 4 !== 0)) {
    throw new DitError(
      'unsupported',
      `SD3Transformer2DModel: caption_projection_dim differs from heads x head_dim = ${width}, or 4 does not divide heads of ${headDim} that are normed`,
      'Check config.json: published SD3 models have heads of 64 and caption_projection_dim = 64 x num_attention_heads.',
    )
  }
  const inChannels = read.integer('in_channels', 16, 1, 1024)
  const layers = read.integer('num_layers', 18, 1, 1024)
  return {
    heads,
    headDim,
    width,
    inChannels,
    outChannels: read.integer('out_channels', 16, 1, 1024),
    layers,
    patch: read.integer('patch_size', 2, 1, 64),
    positions: read.integer('pos_embed_max_size', 96, 1, 4096),
    captionChannels: read.integer('joint_attention_dim', 4096, 1, 1 << 20),
    pooledChannels: read.integer('pooled_projection_dim', 2048, 1, 1 << 20),
    qkNorm,
    dualAttention: new Set(read.integers('dual_attention_layers', [], 0, layers - 1)),
  }
}
