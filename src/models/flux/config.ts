import { ConfigReader } from '../../runtime/config_reader.ts'
import { DitError } from '../../runtime/errors.ts'

/** What of FluxTransformer2DModel's config.json shapes the computation. */
export interface FluxConfig {
  readonly heads: number
  readonly headDim: number
  /** heads · headDim. */
  readonly width: number
  /** Of packed latents: 2 x 2 values of each of the autoencoder's channels. */
  readonly inChannels: number
  /** Values that the network gives for a token. */
  readonly outChannels: number
  /** Blocks with weights of their own for text and image, and those behind them that share theirs. */
  readonly layers: number
  readonly singleLayers: number
  /** Width of T5's hidden states. */
  readonly captionChannels: number
  /** Width of CLIP's pooled text. */
  readonly pooledChannels: number
  /** FLUX.1-dev: the guidance scale is an input. */
  readonly guidanceEmbeds: boolean
  /** Values of a head that each axis of a position turns. */
  readonly ropeAxes: readonly number[]
}

export function fluxConfig(json: unknown): FluxConfig {
  const read = new ConfigReader(json, 'FluxTransformer2DModel')
  const heads = read.integer('num_attention_heads', 24, 1, 1024)
  const headDim = read.integer('attention_head_dim', 128, 4, 512)
  const ropeAxes = read.integers('axes_dims_rope', [16, 56, 56], 2, 512)
  const turned = ropeAxes.reduce((a, b) => a + b, 0)
  if (headDim % 4 !== 0 || turned !== headDim || ropeAxes.some((dim) => dim % 2 !== 0)) {
    throw new DitError(
      'unsupported',
      `FluxTransformer2DModel: heads of ${headDim} values with axes_dims_rope [${ropeAxes.join(', ')}], expected a multiple of 4 and even axes that add up to it`,
      'Check config.json: FLUX.1 has attention_head_dim 128 and axes_dims_rope [16, 56, 56].',
    )
  }
  const inChannels = read.integer('in_channels', 64, 1, 4096)
  const patch = read.integer('patch_size', 1, 1, 64)
  return {
    heads,
    headDim,
    width: heads * headDim,
    inChannels,
    outChannels: patch * patch * read.integer('out_channels', inChannels, 1, 4096),
    layers: read.integer('num_layers', 19, 0, 1024),
    singleLayers: read.integer('num_single_layers', 38, 0, 1024),
    captionChannels: read.integer('joint_attention_dim', 4096, 1, 1 << 20),
    pooledChannels: read.integer('pooled_projection_dim', 768, 1, 1 << 20),
    guidanceEmbeds: read.boolean('guidance_embeds', false),
    ropeAxes,
  }
}
