import type { Execution } from '../../runtime/execution.ts'
import { linear } from '../../runtime/ops/index.ts'
import type { Recorder } from '../../runtime/recorder.ts'
import type { Tensor } from '../../runtime/tensor.ts'
import type { Weights } from '../../runtime/weights/weights.ts'
import type { SequenceRotary } from '../rotary.ts'
import { gateOf, modulated } from './modulation.ts'
import type { JointBlockShape } from './parameters.ts'
import { ADDED, projections, TO } from './projections.ts'

/** What goes from block to block, f32. */
export interface States {
  /** [batch, tokens of this rank, width]. */
  readonly image: Tensor
  /** [batch, text tokens, width]; none behind a block that is `contextPreOnly`. */
  readonly text?: Tensor
}

/** Gives back what a block made, once the next has used it: where ranks wait for each other, scopes end too late for that. */
export function releaseStates(g: Recorder, { image, text }: States): void {
  g.release(image)
  g.release(text)
}

/** States as blocks hand them on. */
export const listed = ({ image, text }: States): Tensor[] => (text ? [image, text] : [image])

export interface JointBlock extends Pick<JointBlockShape, 'headDim' | 'qkNorm' | 'dual' | 'contextPreOnly'> {
  /** The block's key, which names its attention. */
  readonly key: string
  /** Text stands before the image (FLUX) or behind it (SD3). */
  readonly textFirst: boolean
  readonly rotary?: SequenceRotary
}

/** A block of MMDiT (Esser et al. 2024): weights of their own for text and image, attention over both. */
export async function jointBlock(
  g: Recorder,
  { key, textFirst, headDim, qkNorm, dual, contextPreOnly, rotary }: JointBlock,
  w: Weights,
  { image, text }: Required<States>,
  conditions: Tensor, // [batch, width]
  execution: Execution,
): Promise<States> {
  const table = linear(g, conditions, w.affine('norm1.linear')) // [batch, 6 · width], 9 with dual attention
  const textTable = linear(g, conditions, w.affine('norm1_context.linear')) // [batch, 6 · width], 2 of the last block
  const attn = w.at('attn')
  const own = { qkNorm, rotary: rotary && { ...rotary.image, first: execution.tokens.first } }
  const { q, k, v } = projections(g, attn, modulated(g, image, table, { shift: 0, scale: 1 }), TO, own)
  const heads = q.dim(-1) / headDim // of this rank
  const texts = modulated(g, text, textTable, contextPreOnly ? { shift: 1, scale: 0 } : { shift: 0, scale: 1 })
  const textOwn = { qkNorm, rotary: rotary && { ...rotary.text, first: 0 } }
  const attended = await execution.attend(g, `${key}.attn`, {
    q,
    k,
    v,
    heads,
    text: projections(g, attn, texts, ADDED, textOwn),
    textFirst,
  })
  // The gate is a factor, so that sums over ranks can be gated one by one; bias and residual are added by one of them.
  const out = { gate: gateOf(image, table, 2), residual: execution.once(image) }
  let x = await execution.reduce(g, linear(g, attended.image, attn.affine('to_out.0'), out))

  if (dual) {
    const attn2 = w.at('attn2')
    const self = projections(g, attn2, modulated(g, image, table, { shift: 6, scale: 7 }), TO, { qkNorm })
    const again = await execution.attend(g, `${key}.attn2`, { ...self, heads })
    const out2 = { gate: gateOf(x, table, 8), residual: execution.once(x) }
    x = await execution.reduce(g, linear(g, again.image, attn2.affine('to_out.0'), out2))
  }
  x = await feedForward(g, w.at('ff'), x, table, execution)
  if (contextPreOnly) return { image: x }

  const textOut = { gate: gateOf(text, textTable, 2), residual: execution.once(text) }
  const y = await execution.reduce(g, linear(g, attended.text!, attn.affine('to_add_out'), textOut))
  return { image: x, text: await feedForward(g, w.at('ff_context'), y, textTable, execution) }
}

/** What the attention of a block with these weights is given of the image, f32. */
export const attentionInput = (g: Recorder, w: Weights, image: Tensor, conditions: Tensor): Tensor =>
  modulated(g, image, linear(g, conditions, w.affine('norm1.linear')), { shift: 0, scale: 1 }, 'stream')

/** The second half of a block, the same for text and image: x [batch, tokens, width]. */
function feedForward(g: Recorder, w: Weights, x: Tensor, table: Tensor, execution: Execution): Promise<Tensor> {
  const m = modulated(g, x, table, { shift: 3, scale: 4 })
  const up = linear(g, m, w.affine('net.0.proj'), { activation: 'gelu_tanh', as: 'operand' })
  const down = { gate: gateOf(x, table, 5), residual: execution.once(x) }
  return execution.reduce(g, linear(g, up, w.affine('net.2'), down))
}
