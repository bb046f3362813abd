import { Parameters } from '../../runtime/weights/parameters.ts'
import { outputParameters } from '../mmdit/output.ts'
import { type JointBlockShape, jointBlockParameters, timeTextParameters } from '../mmdit/parameters.ts'
import type { SD3Config } from './config.ts'

/** What block i of SD3 is like. */
export const blockShape = (c: SD3Config, i: number): JointBlockShape => ({
  heads: c.heads,
  headDim: c.headDim,
  qkNorm: c.qkNorm,
  dual: c.dualAttention.has(i),
  contextPreOnly: i === c.layers - 1,
})

/** Every weight of SD3Transformer2DModel, by checkpoint key. */
export function sd3Parameters(c: SD3Config): Parameters {
  const all = new Parameters()
  all
    .of('head')
    .matrix('pos_embed.proj.weight', c.width, c.inChannels, c.patch, c.patch)
    .tensor('pos_embed.proj.bias', c.width)
    // No parameter to diffusers, and yet part of checkpoints, which need not hold what a formula would give.
    .matrix('pos_embed.pos_embed', 1, c.positions ** 2, c.width)
    .linear('context_embedder', c.width, c.captionChannels)
  timeTextParameters(all.at('time_text_embed'), c.width, c.pooledChannels, false)
  for (let i = 0; i < c.layers; i++) {
    jointBlockParameters(all.at('transformer_blocks').at(i).of(i), blockShape(c, i))
  }
  outputParameters(all, c.width, c.patch * c.patch * c.outChannels)
  return all
}
