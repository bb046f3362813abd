import { type Chunk, layerNorm } from '../../runtime/ops/index.ts'
import type { Recorder } from '../../runtime/recorder.ts'
import type { Tensor, Use } from '../../runtime/tensor.ts'

/** Which chunk of a modulation, each as wide as the network, is the shift and which the scale. */
export interface Chunks {
  readonly shift: number
  readonly scale: number
}

/** adaLN: layer norm of x [batch, tokens, width], scaled and shifted by chunks of `of` [batch, chunks · width]. */
export const modulated = (g: Recorder, x: Tensor, of: Tensor, { shift, scale }: Chunks, as: Use = 'operand'): Tensor =>
  layerNorm(g, x, { eps: 1e-6, modulation: { of, shift: shift * x.dim(-1), scale: scale * x.dim(-1) }, as })

/** The chunk that gates what is added to x. */
export const gateOf = (x: Tensor, of: Tensor, chunk: number): Chunk => ({ of, offset: chunk * x.dim(-1) })
