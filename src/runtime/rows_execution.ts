import {
  type Affine,
  type AttentionInputs,
  attention,
  type ConvOptions,
  conv2d,
  type GroupNormOptions,
  groupNorm,
} from './ops/index.ts'
import type { Recorder } from './recorder.ts'
import type { Tensor } from './tensor.ts'

export interface RowsConvOptions extends Omit<ConvOptions, 'margin'> {
  /** What x goes through before. */
  readonly norm?: GroupNormOptions
  /** x is not used again: its bytes go back as soon as they can. */
  readonly spent?: boolean
}

/** One head or several, without bias and mask. */
export type RowsAttention = Omit<AttentionInputs, 'bias' | 'mask'>

/**
 * How a convolutional network is carried out: the seam between it and what splits a picture's rows over devices. The
 * network asks it for what looks beyond a pixel. Tensors are [batch, rows, width, channels] with the rows that this rank
 * holds. `wholePicture` answers below; src/parallel answers over a group of ranks.
 */
export interface RowsExecution {
  /** The rows of the convolution of the WHOLE picture that follow from the rows of x. */
  conv2d(g: Recorder, x: Tensor, affine: Affine, options?: RowsConvOptions): Promise<Tensor>
  /** Group norm with the statistics of the WHOLE picture. */
  groupNorm(g: Recorder, x: Tensor, options: GroupNormOptions): Promise<Tensor>
  /** Attention of the pixels of these rows over those of the WHOLE picture; rows are those of the latents. */
  attend(g: Recorder, inputs: RowsAttention): Promise<Tensor>
}

/** One device, which holds all rows: nothing to wait for. */
export const wholePicture: RowsExecution = {
  conv2d: async (g, x, affine, { norm, spent, ...options } = {}) => {
    const y = conv2d(g, norm ? groupNorm(g, x, norm) : x, affine, options)
    if (spent) g.release(x)
    return y
  },
  groupNorm: async (g, x, options) => groupNorm(g, x, options),
  attend: async (g, inputs) => attention(g, inputs),
}
