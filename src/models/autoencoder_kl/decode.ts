import { attention, channelsFirst, channelsLast, conv2d, groupNorm, linear } from '../../runtime/ops/index.ts'
import type { Recorder } from '../../runtime/recorder.ts'
import type { Tensor } from '../../runtime/tensor.ts'
import type { Weights } from '../../runtime/weights/weights.ts'
import type { AutoencoderKLConfig } from './config.ts'

/** Added to variances in all of the autoencoder's norms (resnet_eps of diffusers' Decoder). */
const EPS = 1e-6

/**
 * AutoencoderKL.decode (diffusers autoencoder_kl.py, vae.py). Inside, pictures are channels last.
 *
 * @param z [batch, latentChannels, height, width]: latents / scaling_factor + shift_factor
 * @returns [batch, outChannels, height · scale, width · scale], about -1 to 1
 */
export async function decode(g: Recorder, c: AutoencoderKLConfig, w: Weights, z: Tensor): Promise<Tensor> {
  const decoder = w.at('decoder')
  const mid = decoder.at('mid_block')
  let x = await g.scope(() => {
    const latents = channelsLast(g, z)
    const input = c.postQuantConv ? conv2d(g, latents, w.affine('post_quant_conv')) : latents
    return conv2d(g, input, decoder.affine('conv_in'))
  })
  x = await resnet(g, c, mid.at('resnets').at(0), x)
  if (c.midAttention) x = await selfAttention(g, c, mid.at('attentions').at(0), x)
  x = await resnet(g, c, mid.at('resnets').at(1), x)

  const levels = c.widths.length
  for (let level = 0; level < levels; level++) {
    const block = decoder.at('up_blocks').at(level)
    for (let i = 0; i <= c.layersPerBlock; i++) x = await resnet(g, c, block.at('resnets').at(i), x)
    if (level < levels - 1) {
      x = await g.scope(() => conv2d(g, x, block.at('upsamplers').at(0).affine('conv'), { upsample: 2 }))
    }
  }
  return g.scope(() => {
    const normed = groupNorm(g, x, { groups: c.groups, eps: EPS, ...decoder.norm('conv_norm_out'), silu: true })
    return channelsFirst(g, conv2d(g, normed, decoder.affine('conv_out')))
  })
}

/** ResnetBlock2D without a time embedding. */
function resnet(g: Recorder, c: AutoencoderKLConfig, w: Weights, x: Tensor): Promise<Tensor> {
  return g.scope(() => {
    const norm = (name: string, input: Tensor) =>
      groupNorm(g, input, { groups: c.groups, eps: EPS, ...w.norm(name), silu: true })
    const hidden = conv2d(g, norm('norm1', x), w.affine('conv1'))
    const changesWidth = hidden.dim(-1) !== x.dim(-1)
    const residual = changesWidth ? conv2d(g, x, w.affine('conv_shortcut')) : x
    return conv2d(g, norm('norm2', hidden), w.affine('conv2'), { residual })
  })
}

/** The middle block's attention: one head as wide as the channels, over all pixels. */
function selfAttention(g: Recorder, c: AutoencoderKLConfig, w: Weights, x: Tensor): Promise<Tensor> {
  return g.scope(() => {
    const normed = groupNorm(g, x, { groups: c.groups, eps: EPS, ...w.norm('group_norm') })
    const [q, k, v] = ['to_q', 'to_k', 'to_v'].map((part) => linear(g, normed, w.affine(part)))
    return linear(g, attention(g, { q, k, v, heads: 1 }), w.affine('to_out.0'), { residual: x })
  })
}
