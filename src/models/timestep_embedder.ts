import { linear } from '../runtime/ops/index.ts'
import type { Recorder } from '../runtime/recorder.ts'
import type { Tensor } from '../runtime/tensor.ts'
import type { Parameters } from '../runtime/weights/parameters.ts'
import type { Weights } from '../runtime/weights/weights.ts'
import { timestepEmbedding } from './embeddings.ts'

/** Frequencies of an embedded number: diffusers' Timesteps(256). */
export const FREQUENCIES = 256

/** The weights of diffusers' TimestepEmbedding. */
export const timestepEmbedderParameters = (of: Parameters, width: number): Parameters =>
  of.linear('linear_1', width, FREQUENCIES).linear('linear_2', width, width)

/** Frequencies → linear → SiLU → linear (diffusers TimestepEmbedding), with an addend: [values, width]. */
export function embedTimesteps(g: Recorder, w: Weights, values: ArrayLike<number>, residual?: Tensor): Tensor {
  const frequencies = timestepEmbedding(values, FREQUENCIES, { flipSinToCos: true, downscaleFreqShift: 0 })
  const x = g.upload(frequencies, [values.length, FREQUENCIES], 'frequencies')
  const hidden = linear(g, x, w.affine('linear_1'), { activation: 'silu' })
  return linear(g, hidden, w.affine('linear_2'), { residual })
}
