import { Parameters } from '../../runtime/weights/parameters.ts'
import { timestepEmbedderParameters } from '../timestep_embedder.ts'
import type { PixArtConfig } from './config.ts'

/** Every weight of PixArtTransformer2DModel, by checkpoint key. */
export function pixartParameters(c: PixArtConfig): Parameters {
  const all = new Parameters()
  const embedder = (name: string, width: number) => timestepEmbedderParameters(all.at(name), width)
  all
    .of('head')
    .matrix('pos_embed.proj.weight', c.width, c.inChannels, c.patch, c.patch)
    .tensor('pos_embed.proj.bias', c.width)
  all
    .of('tail')
    .tensor('scale_shift_table', 2, c.width)
    .linear('proj_out', c.patch * c.patch * c.outChannels, c.width)
  all
    .linear('adaln_single.linear', 6 * c.width, c.width)
    .linear('caption_projection.linear_1', c.width, c.captionChannels)
    .linear('caption_projection.linear_2', c.width, c.width)
  embedder('adaln_single.emb.timestep_embedder', c.width)
  if (c.additionalConditions) {
    embedder('adaln_single.emb.resolution_embedder', c.width / 3)
    embedder('adaln_single.emb.aspect_ratio_embedder', c.width / 3)
  }
  // The neurons of the feed-forward are divided by fours, which kernels load at once.
  const neurons = c.width
  for (let i = 0; i < c.layers; i++) {
    const block = all.at('transformer_blocks').at(i).of(i).tensor('scale_shift_table', 6, c.width)
    for (const name of ['attn1', 'attn2']) {
      const attention = block.at(name)
      for (const part of ['to_q', 'to_k', 'to_v']) {
        attention.linear(part, c.width, c.width, c.attentionBias, { out: c.heads })
      }
      attention.linear('to_out.0', c.width, c.width, true, { input: c.heads })
    }
    block.linear('ff.net.0.proj', 4 * c.width, c.width, true, { out: neurons })
    block.linear('ff.net.2', c.width, 4 * c.width, true, { input: neurons })
  }
  return all
}
