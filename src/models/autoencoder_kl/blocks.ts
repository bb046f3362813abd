import { attention, conv2d, groupNorm, linear } from '../../runtime/ops/index.ts'
import type { Recorder } from '../../runtime/recorder.ts'
import type { Tensor } from '../../runtime/tensor.ts'
import type { Weights } from '../../runtime/weights/weights.ts'
import type { AutoencoderKLConfig } from './config.ts'

/** Added to variances in all of the autoencoder's norms (resnet_eps of diffusers' Encoder and Decoder). */
const EPS = 1e-6

/** ResnetBlock2D without a time embedding, of x [batch, height, width, channels]. */
export function resnet(g: Recorder, c: AutoencoderKLConfig, w: Weights, x: Tensor): Promise<Tensor> {
  return g.scope(() => {
    const hidden = conv2d(g, normSilu(g, c, w.norm('norm1'), x), w.affine('conv1'))
    const changesWidth = hidden.dim(-1) !== x.dim(-1)
    const residual = changesWidth ? conv2d(g, x, w.affine('conv_shortcut')) : x
    return conv2d(g, normSilu(g, c, w.norm('norm2'), hidden), w.affine('conv2'), { residual })
  })
}

/** UNetMidBlock2D: two resnets, with attention between them where the config has it. */
export async function midBlock(g: Recorder, c: AutoencoderKLConfig, w: Weights, x: Tensor): Promise<Tensor> {
  let y = await resnet(g, c, w.at('resnets').at(0), x)
  if (c.midAttention) y = await selfAttention(g, c, w.at('attentions').at(0), y)
  return resnet(g, c, w.at('resnets').at(1), y)
}

/** One head as wide as the channels, over all pixels. */
function selfAttention(g: Recorder, c: AutoencoderKLConfig, w: Weights, x: Tensor): Promise<Tensor> {
  return g.scope(() => {
    const normed = groupNorm(g, x, { groups: c.groups, eps: EPS, ...w.norm('group_norm'), as: 'operand' })
    const [q, k, v] = ['to_q', 'to_k', 'to_v'].map((part) => linear(g, normed, w.affine(part), { as: 'operand' }))
    return linear(g, attention(g, { q, k, v, heads: 1 }), w.affine('to_out.0'), { residual: x })
  })
}

/** conv_norm_out, SiLU, conv_out: the end of both halves. */
export const normedConvOut = (g: Recorder, c: AutoencoderKLConfig, w: Weights, x: Tensor): Tensor =>
  conv2d(g, normSilu(g, c, w.norm('conv_norm_out'), x), w.affine('conv_out'))

const normSilu = (g: Recorder, c: AutoencoderKLConfig, norm: { weight: Tensor; bias: Tensor }, x: Tensor): Tensor =>
  groupNorm(g, x, { groups: c.groups, eps: EPS, ...norm, silu: true, as: 'operand' })
