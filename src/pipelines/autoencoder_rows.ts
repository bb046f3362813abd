import type { AutoencoderKLConfig } from '../models/autoencoder_kl/config.ts'
import type { Halo, RowsNetwork } from '../parallel/cost/rows.ts'
import type { Decoder } from '../parallel/cost/vae.ts'

/** What AutoencoderKL's decoder exchanges between ranks that share a picture's rows. @param columns of latents */
export function decoderRows(c: AutoencoderKLConfig, columns: number): Decoder {
  const widths = c.widths.toReversed()
  const deepest = widths[0]
  const halos = [halo(c.latentChannels * columns, 'stream'), ...midHalos(deepest * columns)]
  for (const [level, channels] of widths.entries()) {
    const wide = columns * 2 ** level
    halos.push(...resnetHalos(widths[level - 1] ?? deepest, channels, wide, c.layersPerBlock + 1))
    if (level < widths.length - 1) halos.push(halo(channels * wide, 'stream'))
  }
  halos.push(halo(c.widths[0] * columns * c.scale, 'operand'))
  return { ...normsAndAttention(c, c.layersPerBlock + 1), halos, channels: c.outChannels, scale: c.scale }
}

/** The same of its encoder. @param columns of pixels */
export function encoderRows(c: AutoencoderKLConfig, columns: number): RowsNetwork {
  const deepest = c.widths[c.widths.length - 1]
  const halos = [halo(c.inChannels * columns, 'stream')]
  for (const [level, channels] of c.widths.entries()) {
    const wide = Math.floor(columns / 2 ** level)
    halos.push(...resnetHalos(c.widths[level - 1] ?? c.widths[0], channels, wide, c.layersPerBlock))
    // Where it halves a picture a convolution pads below and not above.
    if (level < c.widths.length - 1) halos.push({ ...halo(channels * wide, 'stream'), down: false })
  }
  const narrow = Math.floor(columns / c.scale)
  halos.push(...midHalos(deepest * narrow), halo(deepest * narrow, 'operand'))
  return { ...normsAndAttention(c, c.layersPerBlock), halos }
}

const halo = (values: number, use: Halo['use']): Halo => ({ values, use, down: true })

/** Two convolutions a resnet, both behind a norm. */
const resnetHalos = (input: number, channels: number, columns: number, resnets: number): Halo[] =>
  Array.from({ length: resnets }, (_, i) => [i === 0 ? input : channels, channels])
    .flat()
    .map((width) => halo(width * columns, 'operand'))

/** Two resnets. */
const midHalos = (values: number): Halo[] => Array<Halo>(4).fill(halo(values, 'operand'))

/** Two norms a resnet, one before the last convolution, one of the attention. */
function normsAndAttention(c: AutoencoderKLConfig, resnets: number): Pick<RowsNetwork, 'norms' | 'attentions'> {
  const norms = 2 * (resnets * c.widths.length + 2) + 1 + (c.midAttention ? 1 : 0)
  return { norms: Array(norms).fill(c.groups), attentions: c.midAttention ? [c.widths[c.widths.length - 1]] : [] }
}
