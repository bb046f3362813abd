import { DitError } from '../../runtime/errors.ts'
import { channelsFirst, channelsLast } from '../../runtime/ops/index.ts'
import type { Recorder } from '../../runtime/recorder.ts'
import { type RowsExecution, wholePicture } from '../../runtime/rows_execution.ts'
import type { Tensor } from '../../runtime/tensor.ts'
import type { Weights } from '../../runtime/weights/weights.ts'
import { midBlock, normedConvOut, resnet } from './blocks.ts'
import type { AutoencoderKLConfig } from './config.ts'

/**
 * AutoencoderKL.encode (diffusers autoencoder_kl.py, Encoder of vae.py), up to the distribution that `posterior` makes of
 * the result. Inside, pictures are channels last.
 *
 * @param x [batch, inChannels, height, width], -1 to 1; sides that `scale` does not divide lose their last pixels
 * @returns moments [batch, 2 · latentChannels, ⌊height / scale⌋, ⌊width / scale⌋]: means, then logarithms of variances
 * @throws DitError 'bad-argument' for a picture too small to have a latent
 */
export async function encode(g: Recorder, c: AutoencoderKLConfig, w: Weights, x: Tensor): Promise<Tensor> {
  checkPicture(c, x)
  return encodeRows(g, c, w, x, wholePicture)
}

/**
 * The rows of the moments that follow from the rows of x, where other devices have the rest. The first row of x is one
 * that `scale` divides.
 */
export async function encodeRows(
  g: Recorder,
  c: AutoencoderKLConfig,
  w: Weights,
  x: Tensor,
  rows: RowsExecution,
): Promise<Tensor> {
  const encoder = w.at('encoder')
  let y = await g.scope(() => rows.conv2d(g, channelsLast(g, x), encoder.affine('conv_in')))
  const levels = c.widths.length
  for (let level = 0; level < levels; level++) {
    const block = encoder.at('down_blocks').at(level)
    for (let i = 0; i < c.layersPerBlock; i++) y = await resnet(g, c, block.at('resnets').at(i), y, rows)
    if (level < levels - 1) {
      // Downsample2D pads after the last row and column only.
      const halving = { stride: 2, pad: 0, padEnd: 1, spent: true }
      y = await g.scope(() => rows.conv2d(g, y, block.at('downsamplers').at(0).affine('conv'), halving))
    }
  }
  y = await midBlock(g, c, encoder.at('mid_block'), y, rows)
  return g.scope(async () => {
    const out = await normedConvOut(g, c, encoder, y, rows)
    return channelsFirst(g, c.quantConv ? await rows.conv2d(g, out, w.affine('quant_conv')) : out)
  })
}

/** @throws DitError 'bad-argument' for a picture too small to have a latent */
export function checkPicture({ scale }: AutoencoderKLConfig, x: Tensor): void {
  const [, , height, width] = x.shape
  if (height >= scale && width >= scale) return
  throw new DitError(
    'bad-argument',
    `a picture of ${height} x ${width} pixels is too small for the autoencoder, expected at least ${scale} x ${scale}`,
  )
}
