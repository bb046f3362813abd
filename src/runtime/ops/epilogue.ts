import type { Activation } from '../../wgsl/activations.ts'
import type { Epilogue } from '../../wgsl/tile/epilogue.ts'
import type { Tensor, Use } from '../tensor.ts'

/** `columns` values of each batch row of `of`, from `offset` on: one of adaLN's shifts, scales or gates. */
export interface Chunk {
  /** [batch, anything]. */
  readonly of: Tensor
  readonly offset: number
}

/** What follows the sums: activation(x·wᵀ + bias) · multiply · gate + residual. */
export interface EpilogueOptions {
  activation?: Activation
  /** Of the output's shape. */
  multiply?: Tensor
  gate?: Chunk
  /** Of the output's shape, or of its last rows' (position embeddings: the same for every picture). */
  residual?: Tensor
  /** What the result is for. Default 'stream'. */
  as?: Use
}

/** Weight [out, in] and bias [out] of a linear layer; [out, window, window, in] of a convolution. */
export interface Affine {
  readonly weight: Tensor
  readonly bias?: Tensor
}

export const epilogueOf = (
  bias: Tensor | undefined,
  { activation = 'none', multiply, gate, residual }: EpilogueOptions,
): Epilogue => ({
  bias: bias !== undefined,
  activation,
  multiply: multiply !== undefined,
  gate: gate !== undefined,
  residual: residual !== undefined,
})

/** The values of EPILOGUE_FIELDS for so many rows and columns of output. */
export const epilogueUniforms = (rows: number, out: number, { gate, residual }: EpilogueOptions): number[] => [
  gate ? rows / gate.of.dim(0) : 1,
  gate?.offset ?? 0,
  gate ? gate.of.size / gate.of.dim(0) : 0,
  residual ? residual.size / out : 1,
]
