import { channelsFirst, channelsLast, conv2d } from '../../runtime/ops/index.ts'
import type { Recorder } from '../../runtime/recorder.ts'
import type { Tensor } from '../../runtime/tensor.ts'
import type { Weights } from '../../runtime/weights/weights.ts'
import { midBlock, normedConvOut, resnet } from './blocks.ts'
import type { AutoencoderKLConfig } from './config.ts'

/**
 * AutoencoderKL.decode (diffusers autoencoder_kl.py, Decoder of vae.py). Inside, pictures are channels last.
 *
 * @param z [batch, latentChannels, height, width]: latents / scaling_factor + shift_factor
 * @returns [batch, outChannels, height · scale, width · scale], about -1 to 1
 */
export async function decode(g: Recorder, c: AutoencoderKLConfig, w: Weights, z: Tensor): Promise<Tensor> {
  const decoder = w.at('decoder')
  let x = await g.scope(() => {
    const latents = channelsLast(g, z)
    const input = c.postQuantConv ? conv2d(g, latents, w.affine('post_quant_conv')) : latents
    return conv2d(g, input, decoder.affine('conv_in'))
  })
  x = await midBlock(g, c, decoder.at('mid_block'), x)
  const levels = c.widths.length
  for (let level = 0; level < levels; level++) {
    const block = decoder.at('up_blocks').at(level)
    for (let i = 0; i <= c.layersPerBlock; i++) x = await resnet(g, c, block.at('resnets').at(i), x)
    if (level < levels - 1) {
      x = await g.scope(() => conv2d(g, x, block.at('upsamplers').at(0).affine('conv'), { upsample: 2 }))
    }
  }
  return g.scope(() => channelsFirst(g, normedConvOut(g, c, decoder, x)))
}
