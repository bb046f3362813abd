import { Parameters } from '../../runtime/weights/parameters.ts'
import type { PixArtConfig } from './config.ts'

/** Timestep frequencies: diffusers' Timesteps(256). */
export const FREQUENCIES = 256

/** Every weight of PixArtTransformer2DModel, by checkpoint key. */
export function pixartParameters(c: PixArtConfig): Parameters {
  const all = new Parameters()
  const embedder = (name: string, width: number) =>
    all.at(name).linear('linear_1', width, FREQUENCIES).linear('linear_2', width, width)
  all
    .matrix('pos_embed.proj.weight', c.width, c.inChannels, c.patch, c.patch)
    .tensor('pos_embed.proj.bias', c.width)
    .tensor('scale_shift_table', 2, c.width)
    .linear('adaln_single.linear', 6 * c.width, c.width)
    .linear('caption_projection.linear_1', c.width, c.captionChannels)
    .linear('caption_projection.linear_2', c.width, c.width)
    .linear('proj_out', c.patch * c.patch * c.outChannels, c.width)
  embedder('adaln_single.emb.timestep_embedder', c.width)
  if (c.additionalConditions) {
    embedder('adaln_single.emb.resolution_embedder', c.width / 3)
    embedder('adaln_single.emb.aspect_ratio_embedder', c.width / 3)
  }
  for (let i = 0; i < c.layers; i++) {
    const block = all.at('transformer_blocks').at(i).tensor('scale_shift_table', 6, c.width)
    for (const attention of ['attn1', 'attn2']) {
      for (const part of ['to_q', 'to_k', 'to_v']) block.at(attention).linear(part, c.width, c.width, c.attentionBias)
      block.at(attention).linear('to_out.0', c.width, c.width)
    }
    block.linear('ff.net.0.proj', 4 * c.width, c.width).linear('ff.net.2', c.width, 4 * c.width)
  }
  return all
}
