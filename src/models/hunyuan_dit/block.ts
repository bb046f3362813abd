import type { Execution } from '../../runtime/execution.ts'
import { attention, join, layerNorm, linear, qkNorm, type Rotary } from '../../runtime/ops/index.ts'
import type { Recorder } from '../../runtime/recorder.ts'
import type { Tensor, Use } from '../../runtime/tensor.ts'
import type { Weights } from '../../runtime/weights/weights.ts'

const EPS = 1e-6

export interface BlockInputs {
  /** [batch, tokens of this rank, width]. */
  readonly x: Tensor
  /** The result of an early block, of x's shape, for a late one. */
  readonly skip: Tensor | undefined
  /** Of the step, [batch, width]. */
  readonly conditions: Tensor
  /** Of the text, [batch, text tokens, width of this rank's heads]. */
  readonly keys: Tensor
  readonly values: Tensor
  /** Of the whole picture; without it nothing is turned. */
  readonly rotary: Rotary | undefined
}

/** HunyuanDiTBlock: self-attention, cross-attention, feed-forward, each behind a norm and added to the stream. */
export async function hunyuanDiTBlock(
  g: Recorder,
  key: string,
  headDim: number,
  w: Weights,
  { skip, conditions, keys, values, rotary, ...inputs }: BlockInputs,
  execution: Execution,
): Promise<Tensor> {
  const entering = skip ? withSkip(g, w, inputs.x, skip) : inputs.x
  const turn = rotary && { ...rotary, first: execution.tokens.first }
  const normed = (of: Weights, part: 'q' | 'k', x: Tensor) => {
    const projected = linear(g, x, of.affine(`to_${part}`)) // f32 until it is normed
    return qkNorm(g, projected, { eps: EPS, ...of.norm(`norm_${part}`), rotary: turn, as: 'operand' })
  }

  const a = attentionInput(g, w, entering, conditions, 'operand')
  const attn1 = w.at('attn1')
  const [q, k] = [normed(attn1, 'q', a), normed(attn1, 'k', a)]
  const v = linear(g, a, attn1.affine('to_v'), { as: 'operand' })
  const heads = q.dim(-1) / headDim // of this rank
  const { image } = await execution.attend(g, `${key}.attn1`, { q, k, v, heads })
  let x = await execution.reduce(g, linear(g, image, attn1.affine('to_out.0'), { residual: execution.once(entering) }))

  const attn2 = w.at('attn2')
  const b = layerNorm(g, x, { eps: EPS, ...w.norm('norm2'), as: 'operand' })
  // diffusers turns these queries as well, though the text's keys have no place in the picture.
  const cross = attention(g, { q: normed(attn2, 'q', b), k: keys, v: values, heads })
  x = await execution.reduce(g, linear(g, cross, attn2.affine('to_out.0'), { residual: execution.once(x) }))

  const m = layerNorm(g, x, { eps: EPS, ...w.norm('norm3'), as: 'operand' })
  const up = linear(g, m, w.affine('ff.net.0.proj'), { activation: 'gelu_tanh', as: 'operand' })
  return execution.reduce(g, linear(g, up, w.affine('ff.net.2'), { residual: execution.once(x) }))
}

/** What self-attention is given of x. */
export function attentionInput(g: Recorder, w: Weights, x: Tensor, conditions: Tensor, as: Use): Tensor {
  const shift = linear(g, conditions, w.affine('norm1.linear')) // [batch, width]
  return layerNorm(g, x, { eps: EPS, ...w.norm('norm1.norm'), modulation: { of: shift, shift: 0 }, as })
}

function withSkip(g: Recorder, w: Weights, x: Tensor, skip: Tensor): Tensor {
  const both = layerNorm(g, join(g, [x, skip], 2), { eps: EPS, ...w.norm('skip_norm'), as: 'operand' })
  return linear(g, both, w.affine('skip_linear'))
}
