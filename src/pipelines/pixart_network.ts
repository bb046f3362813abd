import type { Component } from '../models/component.ts'
import { encodeText, type PixArtText, pixartTransformer } from '../models/pixart/transformer.ts'
import { onOneDevice } from '../runtime/execution.ts'
import { unpatchify } from '../runtime/ops/index.ts'
import type { Recorder } from '../runtime/recorder.ts'
import type { Tensor } from '../runtime/tensor.ts'

type Transformer = Component<'PixArtTransformer2DModel'>

/** What padding adds to the scores of cross-attention (diffusers' pixart_transformer_2d.py). */
const PADDING_BIAS = -10_000

/**
 * The text as the transformer's blocks see it.
 *
 * @param captions T5's hidden states [batch, tokens, captionChannels]
 * @param mask 1 for text and 0 for padding, [batch, tokens]
 */
export function encodeCaptions(
  g: Recorder,
  { weights, config }: Transformer,
  captions: Tensor,
  mask: ArrayLike<number>,
): Promise<PixArtText> {
  const bias = Float32Array.from(mask, (text) => (text ? 0 : PADDING_BIAS))
  const uploaded = g.upload(bias, captions.shape.slice(0, 2), 'caption mask')
  return encodeText(g, weights, captions, uploaded, { first: 0, end: config.layers })
}

export interface PredictionInputs {
  /** [pictures, channels, height, width]. */
  readonly latents: Tensor
  readonly timestep: number
  readonly text: PixArtText
  /** Entries of the text's batch: the pictures, or twice as many with guidance. */
  readonly batch: number
  /** Channels to give out: the latents' leave learned variances out, which no scheduler wants. */
  readonly channels: number
  /** Pixels of a picture, for models that are told. */
  readonly size: { readonly height: number; readonly width: number }
}

/** The network's output [batch, channels, height, width] before guidance. */
export async function predictPixArt(
  g: Recorder,
  { config, weights }: Transformer,
  { latents, timestep, text, batch, channels, size }: PredictionInputs,
): Promise<Tensor> {
  const [, , height, width] = latents.shape
  const patches = await pixartTransformer(
    g,
    config,
    weights,
    {
      latents,
      timesteps: Array(batch).fill(timestep),
      text,
      conditions: {
        resolution: Array(batch).fill([size.height, size.width]).flat(),
        aspectRatio: Array(batch).fill(size.height / size.width),
      },
    },
    onOneDevice(config.layers, (height * width) / config.patch ** 2),
  )
  return unpatchify(g, patches, { patch: config.patch, channels, height, width })
}
