import { Parameters } from '../../runtime/weights/parameters.ts'
import { outputParameters } from '../mmdit/output.ts'
import { FREQUENCIES, timestepEmbedderParameters } from '../timestep_embedder.ts'
import { SIZES } from './conditions.ts'
import type { HunyuanDiTConfig } from './config.ts'
import { takesSkip } from './skips.ts'

/** Every weight of HunyuanDiT2DModel, by checkpoint key. */
export function hunyuanDiTParameters(c: HunyuanDiTConfig): Parameters {
  const all = new Parameters()
  all
    .of('head')
    .matrix('pos_embed.proj.weight', c.width, c.inChannels, c.patch, c.patch)
    .tensor('pos_embed.proj.bias', c.width)
  all
    .linear('text_embedder.linear_1', 4 * c.t5Channels, c.t5Channels)
    .linear('text_embedder.linear_2', c.captionChannels, 4 * c.t5Channels)
    .tensor('text_embedding_padding', c.textTokens + c.t5Tokens, c.captionChannels)
  conditionParameters(all.at('time_extra_emb'), c)
  for (let i = 0; i < c.layers; i++) blockParameters(all.at('blocks').at(i).of(i), c, i)
  outputParameters(all, c.width, c.patch * c.patch * c.outChannels)
  return all
}

function conditionParameters(of: Parameters, c: HunyuanDiTConfig): void {
  timestepEmbedderParameters(of.at('timestep_embedder'), c.width)
  const pooler = of.at('pooler').tensor('positional_embedding', c.t5Tokens + 1, c.t5Channels)
  for (const part of ['k_proj', 'q_proj', 'v_proj']) pooler.linear(part, c.t5Channels, c.t5Channels)
  pooler.linear('c_proj', c.pooledChannels, c.t5Channels)
  if (c.sizeAndStyle) of.tensor('style_embedder.weight', 1, c.width)
  const extra = c.pooledChannels + (c.sizeAndStyle ? SIZES * FREQUENCIES + c.width : 0)
  of.linear('extra_embedder.linear_1', 4 * c.width, extra).linear('extra_embedder.linear_2', c.width, 4 * c.width)
}

function blockParameters(block: Parameters, c: HunyuanDiTConfig, i: number): void {
  block.norm('norm1.norm', c.width).linear('norm1.linear', c.width, c.width)
  for (const [name, input] of [
    ['attn1', c.width],
    ['attn2', c.captionChannels],
  ] as const) {
    const attention = block.at(name)
    attention.linear('to_q', c.width, c.width, true, { out: c.heads })
    for (const part of ['to_k', 'to_v']) attention.linear(part, c.width, input, true, { out: c.heads })
    attention.linear('to_out.0', c.width, c.width, true, { input: c.heads })
    for (const norm of ['norm_q', 'norm_k']) attention.norm(norm, c.headDim)
  }
  block.norm('norm2', c.width).norm('norm3', c.width)
  // Neurons are divided by fours, which kernels load at once, where there are so many.
  const neurons = c.neurons % 4 === 0 ? c.neurons / 4 : c.neurons
  block.linear('ff.net.0.proj', c.neurons, c.width, true, { out: neurons })
  block.linear('ff.net.2', c.width, c.neurons, true, { input: neurons })
  if (takesSkip(c.layers, i) === undefined) return
  block.norm('skip_norm', 2 * c.width).linear('skip_linear', c.width, 2 * c.width)
}
