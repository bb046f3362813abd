import { COLUMNS, fewRows, fewRowsName, valuesOf16Bytes } from '../../wgsl/few_rows.ts'
import { scalesAt } from '../../wgsl/quantized/format.ts'
import type { KernelTarget } from '../kernel.ts'
import { kernel, storedAs } from '../kernels.ts'
import type { Recorder } from '../recorder.ts'
import { floatType, type Tensor } from '../tensor.ts'
import { type Affine, type EpilogueOptions, epilogueOf, epilogueUniforms } from './epilogue.ts'

/** A thread has as many sums. With more rows of a weight that is not packed, products take longer than reading it. */
const MOST_ROWS = { packed: 16, plain: 4 }

/** Whether x [..., in] · weightᵀ is bound by reading the weight, on hardware that shares out its depth well. */
export const fitsFewRows = (target: KernelTarget, x: Tensor, weight: Tensor): boolean =>
  !target.software &&
  x.dim(-1) % valuesOf16Bytes(weight.packed ?? floatType(weight)) === 0 &&
  x.size / x.dim(-1) <= MOST_ROWS[weight.packed ? 'packed' : 'plain']

/** As `linear`. */
export function recordFewRows(g: Recorder, x: Tensor, { weight, bias }: Affine, options: EpilogueOptions = {}): Tensor {
  const depth = x.dim(-1)
  const [rows, out] = [x.size / depth, weight.dim(0)]
  const parameters = {
    stored: { a: floatType(x), y: storedAs(g.device.target, options.as) },
    weight: weight.packed ?? floatType(weight),
    rows: 2 ** Math.ceil(Math.log2(rows)),
    epilogue: epilogueOf(bias, options),
  }
  const y = g.create([...x.shape.slice(0, -1), out], parameters.stored.y, 'linear')
  const scales = weight.packed ? scalesAt(weight.packed, weight.size) : 0
  const { multiply, gate, residual } = options
  g.record({
    kernel: kernel(fewRowsName(parameters), () => fewRows(parameters)),
    inputs: [x, weight, bias, multiply, gate?.of, residual].filter((t) => t !== undefined),
    outputs: [y],
    uniforms: [rows, out, depth / 4, scales, ...epilogueUniforms(rows, out, options), 0],
    groups: [Math.ceil(out / COLUMNS), 1, 1],
  })
  return y
}
