import type { Execution } from '../../runtime/execution.ts'
import { join, linear } from '../../runtime/ops/index.ts'
import type { Recorder } from '../../runtime/recorder.ts'
import type { Tensor } from '../../runtime/tensor.ts'
import type { Weights } from '../../runtime/weights/weights.ts'
import type { States } from '../mmdit/block.ts'
import { gateOf, modulated } from '../mmdit/modulation.ts'
import { projections, TO } from '../mmdit/projections.ts'
import type { SequenceRotary } from '../rotary.ts'
import type { FluxConfig } from './config.ts'

export interface SingleBlock extends Pick<FluxConfig, 'headDim'> {
  /** The block's key, which names its attention. */
  readonly key: string
  readonly rotary: SequenceRotary
  /** No block follows: nobody will want the text. */
  readonly last: boolean
}

/**
 * FluxSingleTransformerBlock: attention and feed-forward side by side, with the same weights for text and image. Diffusers
 * joins both into one sequence; here they stay apart, since ranks share the image's tokens and not the text's.
 */
export async function singleBlock(
  g: Recorder,
  { key, headDim, rotary, last }: SingleBlock,
  w: Weights,
  { image, text }: Required<States>,
  conditions: Tensor, // [batch, width]
  execution: Execution,
): Promise<States> {
  const table = linear(g, conditions, w.affine('norm.linear')) // [batch, 3 · width]
  const enter = (x: Tensor, places: SequenceRotary['text'], first: number) => {
    const normed = modulated(g, x, table, { shift: 0, scale: 1 })
    return { normed, ...projections(g, w.at('attn'), normed, TO, { qkNorm: true, rotary: { ...places, first } }) }
  }
  const { normed, q, k, v } = enter(image, rotary.image, execution.tokens.first)
  const { normed: normedText, ...textParts } = enter(text, rotary.text, 0)
  const heads = q.dim(-1) / headDim // of this rank
  const attended = await execution.attend(g, `${key}.attn`, { q, k, v, heads, text: textParts, textFirst: true })

  const leave = (x: Tensor, normed: Tensor, attention: Tensor) => {
    const mlp = linear(g, normed, w.affine('proj_mlp'), { activation: 'gelu_tanh', as: 'operand' })
    const joined = join(g, [attention, mlp], -1) // [batch, tokens, 5 · width]
    const out = { gate: gateOf(x, table, 2), residual: execution.once(x) }
    return execution.reduce(g, linear(g, joined, w.affine('proj_out'), out))
  }
  const out = await leave(image, normed, attended.image)
  return last ? { image: out } : { image: out, text: await leave(text, normedText, attended.text!) }
}
