import { Parameters } from '../../runtime/weights/parameters.ts'
import { outputParameters } from '../mmdit/output.ts'
import { jointBlockParameters, timeTextParameters } from '../mmdit/parameters.ts'
import type { FluxConfig } from './config.ts'

/** Every weight of FluxTransformer2DModel, by checkpoint key. Single blocks are counted on from the double ones. */
export function fluxParameters(c: FluxConfig): Parameters {
  const all = new Parameters()
  all.of('head').linear('x_embedder', c.width, c.inChannels).linear('context_embedder', c.width, c.captionChannels)
  timeTextParameters(all.at('time_text_embed'), c.width, c.pooledChannels, c.guidanceEmbeds)
  for (let i = 0; i < c.layers; i++) {
    const block = all.at('transformer_blocks').at(i).of(i)
    jointBlockParameters(block, { ...c, qkNorm: true, dual: false, contextPreOnly: false })
  }
  for (let i = 0; i < c.singleLayers; i++) {
    singleBlockParameters(
      all
        .at('single_transformer_blocks')
        .at(i)
        .of(c.layers + i),
      c,
    )
  }
  outputParameters(all, c.width, c.outChannels)
  return all
}

function singleBlockParameters(block: Parameters, { width, heads, headDim }: FluxConfig): void {
  block.linear('norm.linear', 3 * width, width)
  const attn = block.at('attn')
  for (const part of ['to_q', 'to_k', 'to_v']) attn.linear(part, width, width, true, { out: heads })
  attn.tensor('norm_q.weight', headDim).tensor('norm_k.weight', headDim)
  // Neurons are divided by fours, which kernels load at once.
  block.linear('proj_mlp', 4 * width, width, true, { out: width })
  const input = [
    { size: width, units: heads },
    { size: 4 * width, units: width },
  ] as const
  block.linear('proj_out', width, 5 * width, true, { input })
}
