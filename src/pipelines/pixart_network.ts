import type { Component } from '../models/component.ts'
import { encodeText, type PixArtText, pixartTransformer } from '../models/pixart/transformer.ts'
import { onOneDevice } from '../runtime/execution.ts'
import { unpatchify } from '../runtime/ops/index.ts'
import type { Recorder } from '../runtime/recorder.ts'
import type { Tensor } from '../runtime/tensor.ts'
import type { DenoisingNetwork } from './denoise.ts'

type Transformer = Component<'PixArtTransformer2DModel'>

/** What padding adds to the scores of cross-attention (diffusers' pixart_transformer_2d.py). */
const PADDING_BIAS = -10_000

/**
 * The text as the transformer's blocks see it.
 *
 * @param captions T5's hidden states [batch, tokens, captionChannels]
 * @param mask 1 for text and 0 for padding, [batch, tokens]
 * @param blocks those that will run; all unless told otherwise
 */
export function encodeCaptions(
  g: Recorder,
  { weights, config }: Transformer,
  captions: Tensor,
  mask: ArrayLike<number>,
  blocks = { first: 0, end: config.layers },
): Promise<PixArtText> {
  const bias = Float32Array.from(mask, (text) => (text ? 0 : PADDING_BIAS))
  const uploaded = g.upload(bias, captions.shape.slice(0, 2), 'caption mask')
  return encodeText(g, weights, captions, uploaded, blocks)
}

/** What is drawn. */
export interface PixArtPictures {
  readonly text: PixArtText
  /** Entries of the text's batch: the pictures, once for each branch. */
  readonly batch: number
  /** Latents of the picture, and their channels: what the network gives beyond them (learned variances) falls away. */
  readonly latents: { readonly channels: number; readonly width: number }
  /** Pixels of a picture, for models that are told. */
  readonly size: { readonly height: number; readonly width: number }
  readonly guidance: number
}

/** The transformer for one batch of pictures. */
export function pixartNetwork(
  { config, weights }: Transformer,
  { text, batch, latents: { channels, width }, size, guidance }: PixArtPictures,
): DenoisingNetwork {
  const conditions = {
    resolution: Array(batch).fill([size.height, size.width]).flat(),
    aspectRatio: Array(batch).fill(size.height / size.width),
  }
  return {
    patch: config.patch,
    guidance,
    activations: (tokens) => [{ shape: [batch, tokens, config.width], dtype: 'f32' }],
    forward: async (g, { latents, activations, timestep }, execution) => [
      await pixartTransformer(
        g,
        config,
        weights,
        { latents, timesteps: Array(batch).fill(timestep), text, hidden: activations?.[0], conditions },
        execution,
      ),
    ],
    unpatchify: (g, patches, rows) =>
      unpatchify(g, patches, { patch: config.patch, channels, height: rows * config.patch, width }),
  }
}

export interface PredictionInputs extends Pick<PixArtPictures, 'text' | 'batch' | 'size'> {
  /** [pictures, channels, height, width]. */
  readonly latents: Tensor
  readonly timestep: number
  /** Channels to give out. */
  readonly channels: number
}

/** The network's output [batch, channels, height, width] before guidance, on one device. */
export async function predictPixArt(
  g: Recorder,
  transformer: Transformer,
  { latents, timestep, channels, ...pictures }: PredictionInputs,
): Promise<Tensor> {
  const { layers, patch } = transformer.config
  const [, , height, width] = latents.shape
  const network = pixartNetwork(transformer, { ...pictures, latents: { channels, width }, guidance: 1 })
  const execution = onOneDevice(layers, (height * width) / patch ** 2)
  const [patches] = await network.forward(g, { latents, timestep, step: 0 }, execution)
  return network.unpatchify(g, patches, height / patch)
}
