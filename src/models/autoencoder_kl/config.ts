import { ConfigReader } from '../../runtime/config_reader.ts'

/** What of AutoencoderKL's config.json shapes the computation. */
export interface AutoencoderKLConfig {
  readonly inChannels: number
  readonly outChannels: number
  readonly latentChannels: number
  /** Channels of each level, from the picture down to the latents. */
  readonly widths: readonly number[]
  readonly layersPerBlock: number
  readonly groups: number
  readonly scalingFactor: number
  readonly shiftFactor: number
  readonly midAttention: boolean
  readonly quantConv: boolean
  readonly postQuantConv: boolean
  /** Pixels of a picture's side for each latent: 2^(levels - 1). */
  readonly scale: number
  /** Pixels of a tile's side (sample_size). */
  readonly sampleSize: number
}

/** Each halves the sides of a picture; published autoencoders have four. */
const MOST_LEVELS = 16

export function autoencoderKLConfig(json: unknown): AutoencoderKLConfig {
  const read = new ConfigReader(json, 'AutoencoderKL')
  const { down_block_types, up_block_types, sample_size } = json as Record<string, unknown>
  const widths = read.optionalNumbers('block_out_channels') ?? [64]
  if (widths.length > MOST_LEVELS) throw read.bad('block_out_channels', `at most ${MOST_LEVELS} levels`)
  read.choice('act_fn', ['silu'], 'silu')
  const allAre = (types: unknown, name: string) =>
    Array.isArray(types) && types.length === widths.length && types.every((type) => type === name)
  if (!allAre(down_block_types ?? ['DownEncoderBlock2D'], 'DownEncoderBlock2D')) {
    throw read.bad('down_block_types', `${widths.length} times DownEncoderBlock2D`)
  }
  if (!allAre(up_block_types ?? ['UpDecoderBlock2D'], 'UpDecoderBlock2D')) {
    throw read.bad('up_block_types', `${widths.length} times UpDecoderBlock2D`)
  }
  const groups = read.integer('norm_num_groups', 32, 1, 1024)
  if (widths.some((width) => !Number.isInteger(width) || width < 1 || width % groups !== 0)) {
    throw read.bad('block_out_channels', `whole numbers that norm_num_groups = ${groups} divides`)
  }
  // Height and width, in some configs: diffusers makes tiles from the first.
  const sampleSize = Array.isArray(sample_size)
    ? new ConfigReader({ sample_size: sample_size[0] }, 'AutoencoderKL')
    : read
  return {
    inChannels: read.integer('in_channels', 3, 1, 64),
    outChannels: read.integer('out_channels', 3, 1, 64),
    latentChannels: read.integer('latent_channels', 4, 1, 1024),
    widths,
    layersPerBlock: read.integer('layers_per_block', 1, 1, 64),
    groups,
    scalingFactor: read.number('scaling_factor', 0.18215, 1e-12),
    shiftFactor: read.number('shift_factor', 0),
    midAttention: read.boolean('mid_block_add_attention', true),
    quantConv: read.boolean('use_quant_conv', true),
    postQuantConv: read.boolean('use_post_quant_conv', true),
    scale: 2 ** (widths.length - 1),
    sampleSize: sampleSize.integer('sample_size', 32, 1, 65_536),
  }
}
