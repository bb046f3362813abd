import { ConfigReader } from '../../runtime/config_reader.ts'
import { Parameters } from '../../runtime/weights/parameters.ts'

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
  readonly postQuantConv: boolean
  /** Pixels of a picture's side for each latent: 2^(levels - 1). */
  readonly scale: number
}

export function autoencoderKLConfig(json: unknown): AutoencoderKLConfig {
  const read = new ConfigReader(json, 'AutoencoderKL')
  const widths = read.optionalNumbers('block_out_channels') ?? [64]
  const types = (json as { up_block_types?: unknown }).up_block_types ?? ['UpDecoderBlock2D']
  read.choice('act_fn', ['silu'], 'silu')
  if (!Array.isArray(types) || types.length !== widths.length || types.some((t) => t !== 'UpDecoderBlock2D')) {
    throw read.bad('up_block_types', `${widths.length} times UpDecoderBlock2D`)
  }
  const groups = read.integer('norm_num_groups', 32, 1, 1024)
  if (widths.some((width) => !Number.isInteger(width) || width < 1 || width % groups !== 0)) {
    throw read.bad('block_out_channels', `whole numbers that norm_num_groups = ${groups} divides`)
  }
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
    postQuantConv: read.boolean('use_post_quant_conv', true),
    scale: 2 ** (widths.length - 1),
  }
}

/** The weights of the decoding half of AutoencoderKL, by checkpoint key. */
export function decoderParameters(c: AutoencoderKLConfig): Parameters {
  const all = new Parameters()
  if (c.postQuantConv) all.conv('post_quant_conv', c.latentChannels, c.latentChannels, 1)
  const decoder = all.at('decoder')
  const deepest = c.widths[c.widths.length - 1]
  decoder.conv('conv_in', deepest, c.latentChannels, 3)
  for (const i of [0, 1]) resnet(decoder.at('mid_block').at('resnets').at(i), deepest, deepest)
  if (c.midAttention) {
    const attention = decoder.at('mid_block').at('attentions').at(0).norm('group_norm', deepest)
    for (const part of ['to_q', 'to_k', 'to_v', 'to_out.0']) attention.linear(part, deepest, deepest)
  }
  let input = deepest
  const levels = [...c.widths].reverse()
  levels.forEach((width, level) => {
    const block = decoder.at('up_blocks').at(level)
    for (let i = 0; i <= c.layersPerBlock; i++) resnet(block.at('resnets').at(i), i === 0 ? input : width, width)
    if (level < levels.length - 1) block.at('upsamplers').at(0).conv('conv', width, width, 3)
    input = width
  })
  decoder.norm('conv_norm_out', c.widths[0]).conv('conv_out', c.outChannels, c.widths[0], 3)
  return all
}

/** What a checkpoint holds for encoding. */
export const ENCODER_WEIGHTS = [/^encoder\./, /^quant_conv\./]

function resnet(at: Parameters, input: number, width: number): void {
  at.norm('norm1', input).conv('conv1', width, input, 3).norm('norm2', width).conv('conv2', width, width, 3)
  if (input !== width) at.conv('conv_shortcut', width, input, 1)
}
