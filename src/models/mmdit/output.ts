import { linear } from '../../runtime/ops/index.ts'
import type { Recorder } from '../../runtime/recorder.ts'
import type { Tensor } from '../../runtime/tensor.ts'
import type { Parameters } from '../../runtime/weights/parameters.ts'
import type { Weights } from '../../runtime/weights/weights.ts'
import { modulated } from './modulation.ts'

/** The weights behind the last block. */
export const outputParameters = (all: Parameters, width: number, columns: number): Parameters =>
  all
    .of('tail')
    .linear('norm_out.linear', 2 * width, width)
    .linear('proj_out', columns, width)

/** AdaLayerNormContinuous and the projection: hidden states [batch, tokens, width] → patches [batch, tokens, columns]. */
export function projectOut(g: Recorder, w: Weights, image: Tensor, conditions: Tensor): Tensor {
  const table = linear(g, conditions, w.affine('norm_out.linear')) // [batch, 2 · width]
  return linear(g, modulated(g, image, table, { shift: 1, scale: 0 }), w.affine('proj_out'))
}
