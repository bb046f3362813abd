import { type NormParameters, norm as normCode, normName } from '../../wgsl/norm.ts'
import { FLAT_WIDTH } from '../../wgsl/text.ts'
import { kernel, rowWorkgroup, storedAs } from '../kernels.ts'
import type { Recorder } from '../recorder.ts'
import { floatType, type Tensor, type Use } from '../tensor.ts'

export interface NormOptions {
  /** Added to the variance. */
  eps: number
  /** [columns]. */
  weight?: Tensor
  bias?: Tensor
  /** adaLN: y · (1 + scale) + shift, both read from `of` [batch, anything] at these offsets; without a scale, y + shift. */
  modulation?: { of: Tensor; shift: number; scale?: number }
  /** What the result is for. Default 'stream'. */
  as?: Use
}

/** Layer norm over the last dimension, with modulation fused. */
export const layerNorm = (g: Recorder, x: Tensor, options: NormOptions): Tensor => recordNorm(g, 'layer', x, options)

/** RMS norm over the last dimension: no mean, no bias (T5LayerNorm). */
export const rmsNorm = (g: Recorder, x: Tensor, options: NormOptions): Tensor => recordNorm(g, 'rms', x, options)

function recordNorm(g: Recorder, kind: 'layer' | 'rms', x: Tensor, options: NormOptions): Tensor {
  const { eps, weight, bias, modulation } = options
  const columns = x.dim(-1)
  const rows = x.size / columns
  const parameters: NormParameters = {
    kind,
    workgroup: rowWorkgroup(g.device.target),
    stored: { x: floatType(x), y: storedAs(g.device.target, options.as) },
    weight: weight !== undefined,
    bias: bias !== undefined,
    modulation: modulation && (modulation.scale === undefined ? 'shift' : 'shift and scale'),
  }
  const y = g.create(x.shape, parameters.stored.y, `${kind} norm`)
  g.record({
    kernel: kernel(normName(parameters), () => normCode(parameters)),
    inputs: [x, weight, bias, modulation?.of].filter((t) => t !== undefined),
    outputs: [y],
    uniforms: [
      columns,
      rows,
      modulation ? rows / modulation.of.dim(0) : 1,
      modulation?.shift ?? 0,
      modulation?.scale ?? 0,
      modulation ? modulation.of.size / modulation.of.dim(0) : 0,
      { f32: eps },
    ],
    groups: [Math.min(rows, FLAT_WIDTH), Math.ceil(rows / FLAT_WIDTH), 1],
  })
  return y
}
