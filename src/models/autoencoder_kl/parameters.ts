import { Parameters } from '../../runtime/weights/parameters.ts'
import type { AutoencoderKLConfig } from './config.ts'

/** The weights of AutoencoderKL, by checkpoint key. */
export function autoencoderKLParameters(c: AutoencoderKLConfig): Parameters {
  const all = new Parameters()
  encoder(all.at('encoder'), c)
  if (c.quantConv) all.conv('quant_conv', 2 * c.latentChannels, 2 * c.latentChannels, 1)
  if (c.postQuantConv) all.conv('post_quant_conv', c.latentChannels, c.latentChannels, 1)
  decoder(all.at('decoder'), c)
  return all
}

/** The keys that either half needs: most pictures are only decoded. */
export const AUTOENCODER_KL_PARTS = {
  encode: /^(encoder|quant_conv)\./,
  decode: /^(decoder|post_quant_conv)\./,
}

function encoder(at: Parameters, c: AutoencoderKLConfig): void {
  const deepest = c.widths[c.widths.length - 1]
  at.conv('conv_in', c.widths[0], c.inChannels, 3)
  let input = c.widths[0]
  c.widths.forEach((width, level) => {
    const block = at.at('down_blocks').at(level)
    for (let i = 0; i < c.layersPerBlock; i++) resnet(block.at('resnets').at(i), i === 0 ? input : width, width)
    if (level < c.widths.length - 1) block.at('downsamplers').at(0).conv('conv', width, width, 3)
    input = width
  })
  midBlock(at.at('mid_block'), c, deepest)
  at.norm('conv_norm_out', deepest).conv('conv_out', 2 * c.latentChannels, deepest, 3)
}

function decoder(at: Parameters, c: AutoencoderKLConfig): void {
  const deepest = c.widths[c.widths.length - 1]
  at.conv('conv_in', deepest, c.latentChannels, 3)
  midBlock(at.at('mid_block'), c, deepest)
  let input = deepest
  const levels = [...c.widths].reverse()
  levels.forEach((width, level) => {
    const block = at.at('up_blocks').at(level)
    for (let i = 0; i <= c.layersPerBlock; i++) resnet(block.at('resnets').at(i), i === 0 ? input : width, width)
    if (level < levels.length - 1) block.at('upsamplers').at(0).conv('conv', width, width, 3)
    input = width
  })
  at.norm('conv_norm_out', c.widths[0]).conv('conv_out', c.outChannels, c.widths[0], 3)
}

function midBlock(at: Parameters, c: AutoencoderKLConfig, width: number): void {
  for (const i of [0, 1]) resnet(at.at('resnets').at(i), width, width)
  if (!c.midAttention) return
  const attention = at.at('attentions').at(0).norm('group_norm', width)
  for (const part of ['to_q', 'to_k', 'to_v', 'to_out.0']) attention.linear(part, width, width)
}

function resnet(at: Parameters, input: number, width: number): void {
  at.norm('norm1', input).conv('conv1', width, input, 3).norm('norm2', width).conv('conv2', width, width, 3)
  if (input !== width) at.conv('conv_shortcut', width, input, 1)
}
