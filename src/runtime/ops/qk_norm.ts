import { qkNorm as code, type QkNormParameters, qkNormName } from '../../wgsl/qk_norm.ts'
import { flatGroups } from '../../wgsl/text.ts'
import { DitError } from '../errors.ts'
import { flatWorkgroup, kernel, storedAs } from '../kernels.ts'
import type { Recorder } from '../recorder.ts'
import { floatType, shapeText, type Tensor, type Use } from '../tensor.ts'

/** Rotary positions of tokens: [places, dim] each, a frequency twice for the pair of values that it turns. */
export interface Rotary {
  readonly cos: Tensor
  readonly sin: Tensor
}

export interface QkNormOptions {
  /** Added to the mean square, or to the variance. */
  eps: number
  /** [dim], the same for all heads; a multiple of 4. */
  weight: Tensor
  /** [dim]: layer norm, where there is one. */
  bias?: Tensor
  /** Turns what was normed; token 0 of x has row `first` of the tables. */
  rotary?: Rotary & { readonly first: number }
  /** What the result is for. Default 'stream'. */
  as?: Use
}

/**
 * RMS norm of each head of x [batch, tokens, heads · dim], or layer norm, then rotary positions.
 *
 * @throws DitError 'validation' where heads or positions do not fit
 */
export function qkNorm(g: Recorder, x: Tensor, { eps, weight, bias, rotary, as }: QkNormOptions): Tensor {
  const [dim, width] = [weight.size, x.dim(-1)]
  const tokens = x.size / x.dim(0) / width
  if (dim % 4 !== 0 || width % dim !== 0) {
    throw new DitError(
      'validation',
      `QK norm of ${shapeText(x.shape)} with a weight of ${dim}, expected a multiple of 4`,
    )
  }
  for (const table of rotary ? [rotary.cos, rotary.sin] : []) {
    if (table.dim(-1) === dim && table.size >= (rotary!.first + tokens) * dim) continue
    throw new DitError(
      'validation',
      `positions ${shapeText(table.shape)} from row ${rotary!.first} on for ${tokens} tokens with heads of ${dim}`,
    )
  }
  const parameters: QkNormParameters = {
    kind: bias ? 'layer' : 'rms',
    workgroup: flatWorkgroup(g.device.target),
    stored: { x: floatType(x), y: storedAs(g.device.target, as) },
    rotary: rotary !== undefined,
  }
  const y = g.create(x.shape, parameters.stored.y, 'QK norm')
  const count = x.size / dim
  g.record({
    kernel: kernel(qkNormName(parameters), () => code(parameters)),
    inputs: [x, weight, ...(bias ? [bias] : []), ...(rotary ? [rotary.cos, rotary.sin] : [])],
    outputs: [y],
    uniforms: [count, dim / 4, width / dim, tokens, rotary?.first ?? 0, { f32: eps }],
    groups: flatGroups(count, parameters.workgroup),
  })
  return y
}
