import { DitError } from '../../runtime/errors.ts'
import { activate, add, attention, gather, join, linear, narrow } from '../../runtime/ops/index.ts'
import type { Recorder } from '../../runtime/recorder.ts'
import type { Tensor } from '../../runtime/tensor.ts'
import type { Weights } from '../../runtime/weights/weights.ts'
import { timestepEmbedding } from '../embeddings.ts'
import { rowOfEach } from '../row_of_each.ts'
import { embedTimesteps, FREQUENCIES } from '../timestep_embedder.ts'
import { type HunyuanDiTConfig, POOLER_HEADS } from './config.ts'

/** Numbers of a picture's size conditions. */
export const SIZES = 6

/** What versions up to 1.1 are told of each picture, of each batch entry. */
export interface SizeAndStyle {
  /** Height and width of the original, height and width drawn, top and left of the crop: [batch, 6]. */
  readonly sizes: ArrayLike<number>
  /** Whole numbers below the styles that the model has, which is one. Default: 0. */
  readonly styles?: ArrayLike<number>
}

/**
 * What every step adds to the embedded timestep: pooled text, size and style, which do not change in a run.
 *
 * @param w at `time_extra_emb`
 * @param t5 T5's states, padding and all, [batch, tokens, t5Channels]
 * @returns [batch, width]
 * @throws DitError 'bad-argument' for models that need a size and are given none
 */
export function extraConditions(
  g: Recorder,
  c: HunyuanDiTConfig,
  w: Weights,
  t5: Tensor,
  conditions: SizeAndStyle | undefined,
): Tensor {
  const batch = t5.dim(0)
  const parts = [pooled(g, w.at('pooler'), t5)]
  if (c.sizeAndStyle) {
    if (!conditions) throw new DitError('bad-argument', 'this HunyuanDiT model needs a picture size as a condition')
    const { sizes, styles = new Uint32Array(batch) } = conditions
    const frequencies = timestepEmbedding(sizes, FREQUENCIES, { flipSinToCos: true, downscaleFreqShift: 0 })
    parts.push(g.upload(frequencies, [batch, SIZES * FREQUENCIES], 'sizes'))
    parts.push(gather(g, w.tensor('style_embedder.weight'), g.upload(Uint32Array.from(styles), [batch], 'styles')))
  }
  const extra = w.at('extra_embedder')
  const hidden = linear(g, join(g, parts, 1), extra.affine('linear_1'), { activation: 'silu' })
  return linear(g, hidden, extra.affine('linear_2'))
}

/** Timestep and `extra`, behind the SiLU that all modulations begin with: [batch, width]. */
export const stepConditions = (g: Recorder, w: Weights, timesteps: ArrayLike<number>, extra: Tensor): Tensor =>
  activate(g, embedTimesteps(g, w.at('timestep_embedder'), timesteps, extra), 'silu')

/** HunyuanDiTAttentionPool: T5's mean attends to all states and itself. [batch, pooledChannels] */
function pooled(g: Recorder, w: Weights, t5: Tensor): Tensor {
  const [batch, , width] = t5.shape
  // Attention whose scores are all alike is a mean.
  const none = g.upload(new Float32Array(batch * width), [batch, 1, width], 'no query')
  const mean = attention(g, { q: none, k: t5, v: t5, heads: POOLER_HEADS })
  const states = add(g, join(g, [mean, t5], 1), w.tensor('positional_embedding')) // [batch, tokens + 1, width]
  const [k, v] = ['k_proj', 'v_proj'].map((part) => linear(g, states, w.affine(part)))
  const q = linear(g, narrow(g, states, 1, 0, 1), w.affine('q_proj'))
  const read = attention(g, { q, k, v, heads: POOLER_HEADS }) // [batch, 1, width]
  return linear(g, rowOfEach(g, read, Array(batch).fill(0)), w.affine('c_proj'))
}
