import { channelsFirst, channelsLast } from '../../runtime/ops/index.ts'
import type { Recorder } from '../../runtime/recorder.ts'
import { type RowsExecution, wholePicture } from '../../runtime/rows_execution.ts'
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
export const decode = (g: Recorder, c: AutoencoderKLConfig, w: Weights, z: Tensor): Promise<Tensor> =>
  decodeRows(g, c, w, z, wholePicture)

/** The rows of the picture that follow from the rows of z, where other devices have the rest. */
export async function decodeRows(
  g: Recorder,
  c: AutoencoderKLConfig,
  w: Weights,
  z: Tensor,
  rows: RowsExecution,
): Promise<Tensor> {
  const decoder = w.at('decoder')
  let x = await g.scope(async () => {
    const latents = channelsLast(g, z)
    const input = c.postQuantConv ? await rows.conv2d(g, latents, w.affine('post_quant_conv')) : latents
    return rows.conv2d(g, input, decoder.affine('conv_in'))
  })
  x = await midBlock(g, c, decoder.at('mid_block'), x, rows)
  const levels = c.widths.length
  for (let level = 0; level < levels; level++) {
    const block = decoder.at('up_blocks').at(level)
    for (let i = 0; i <= c.layersPerBlock; i++) x = await resnet(g, c, block.at('resnets').at(i), x, rows)
    if (level < levels - 1) {
      const doubling = { upsample: 2, spent: true } as const
      x = await g.scope(() => rows.conv2d(g, x, block.at('upsamplers').at(0).affine('conv'), doubling))
    }
  }
  return g.scope(async () => channelsFirst(g, await normedConvOut(g, c, decoder, x, rows)))
}
