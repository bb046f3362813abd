import { COLUMNS, fewRows, fewRowsName } from '../../wgsl/quantized/few_rows.ts'
import { scalesAt } from '../../wgsl/quantized/format.ts'
import type { KernelTarget } from '../kernel.ts'
import { kernel, storedAs } from '../kernels.ts'
import type { Recorder } from '../recorder.ts'
import { floatType, type Tensor } from '../tensor.ts'
import { type Affine, type EpilogueOptions, epilogueOf, epilogueUniforms } from './epilogue.ts'

/** A thread has as many sums. */
const MOST_ROWS = 16

/** Whether x [..., in] · weightᵀ is bound by reading a weight of few bits, on hardware that shares out its depth well. */
export const fitsFewRows = (target: KernelTarget, x: Tensor, weight: Tensor): boolean =>
  weight.packed !== undefined && !target.software && x.size / x.dim(-1) <= MOST_ROWS

/** As `linear`. */
export function recordFewRows(g: Recorder, x: Tensor, { weight, bias }: Affine, options: EpilogueOptions): Tensor {
  const depth = x.dim(-1)
  const [rows, out] = [x.size / depth, weight.dim(0)]
  const parameters = {
    stored: { a: floatType(x), y: storedAs(g.device.target, options.as) },
    weight: weight.packed!,
    rows: 2 ** Math.ceil(Math.log2(rows)),
    epilogue: epilogueOf(bias, options),
  }
  const y = g.create([...x.shape.slice(0, -1), out], parameters.stored.y, 'linear')
  const { multiply, gate, residual } = options
  g.record({
    kernel: kernel(fewRowsName(parameters), () => fewRows(parameters)),
    inputs: [x, weight, bias, multiply, gate?.of, residual].filter((t) => t !== undefined),
    outputs: [y],
    uniforms: [rows, out, depth / 4, scalesAt(weight.packed!, weight.size), ...epilogueUniforms(rows, out, options), 0],
    groups: [Math.ceil(out / COLUMNS), 1, 1],
  })
  return y
}
