import { matmul, matmulName } from '../../wgsl/matmul.ts'
import { scalesAt } from '../../wgsl/quantized/format.ts'
import type { TileShape } from '../../wgsl/tile/shape.ts'
import { DitError } from '../errors.ts'
import type { KernelTarget } from '../kernel.ts'
import { kernel, storedAs } from '../kernels.ts'
import type { Recorder } from '../recorder.ts'
import { floatType, shapeText, type Tensor } from '../tensor.ts'
import { type Affine, type EpilogueOptions, epilogueOf, epilogueUniforms } from './epilogue.ts'
import { fitsFewRows, recordFewRows } from './few_rows.ts'
import { fitsMatrixUnits, recordMatrixLinear } from './matrix_linear.ts'
import { type Product, recordStaged, stagedTile } from './staged.ts'

export type { Affine, Chunk, EpilogueOptions } from './epilogue.ts'

/** y [..., out] = x [..., in] · weightᵀ, with the epilogue fused. */
export function linear(g: Recorder, x: Tensor, { weight, bias }: Affine, options: EpilogueOptions = {}): Tensor {
  const depth = x.dim(-1)
  const out = weight.dim(0)
  if (weight.size !== out * depth) {
    throw new DitError('validation', `linear of x ${shapeText(x.shape)} with weight ${shapeText(weight.shape)}`)
  }
  if (fitsMatrixUnits(g.device.target, x, weight)) return recordMatrixLinear(g, x, { weight, bias }, options)
  if (fitsFewRows(g.device.target, x, weight)) return recordFewRows(g, x, { weight, bias }, options)
  const shape = [...x.shape.slice(0, -1), out]
  const rows = x.size / depth
  const product: Product = { kind: 'matrix', shape, rows, depth, together: depth }
  const staged = stagedTile(g, product, out)
  if (staged) return recordStaged(g, x, { weight, bias }, product, staged, options)
  if (weight.packed) {
    const scales = scalesAt(weight.packed, weight.size)
    return recordMatmul(g, 'matrix', [x, weight], shape, rows, 4, [rows, out, depth / 4, scales], bias, options)
  }
  const vec = depth % 4 === 0 ? 4 : 1
  return recordMatmul(g, 'matrix', [x, weight], shape, rows, vec, [rows, out, depth / vec], bias, options)
}

/** Records a matmul of either kind; `fields` are the loader's uniforms: rows, columns, depth, … */
export function recordMatmul(
  g: Recorder,
  rowsKind: 'matrix' | 'window',
  operands: readonly [Tensor, Tensor],
  shape: readonly number[],
  rows: number,
  vec: 1 | 4,
  fields: readonly number[],
  bias: Tensor | undefined,
  options: EpilogueOptions,
): Tensor {
  const { multiply, gate, residual, as } = options
  const out = shape[shape.length - 1]
  const epilogue = epilogueOf(bias, options)
  const few = rows * out * fields[2] * vec < FEW[rowsKind]
  const tile = chooseTile(g.device.target, rows, out, few)
  const result = storedAs(g.device.target, as)
  const stored = { a: floatType(operands[0]), b: operands[1].packed ?? floatType(operands[1]), y: result }
  const parameters = { rows: rowsKind, stored, tile, vec, epilogue } as const
  const y = g.create(shape, result, rowsKind === 'matrix' ? 'linear' : 'conv2d')
  const extras = [bias, multiply, gate?.of, residual].filter((t) => t !== undefined)
  g.record({
    kernel: kernel(matmulName(parameters), () => matmul(parameters)),
    inputs: [...operands, ...extras],
    outputs: [y],
    uniforms: [...fields, ...epilogueUniforms(rows, out, options)],
    groups: [Math.ceil(out / (tile.lx * tile.tn)), Math.ceil(rows / (tile.ly * tile.tm)), 1],
  })
  return y
}

/**
 * Multiply-adds that are too few to be worth a large tile where a CPU compiles: it takes half a second to compile and is
 * half as fast again to run, which a layer of every step makes up for sooner than a convolution, of which there is one a picture.
 */
const FEW = { matrix: 3e6, window: 1e8 }

/**
 * Tiles by measurement (bench/kernels/linear). A CPU wants many outputs a thread, since a load costs as much as twenty
 * products there; on GPUs 64 threads of 8 x 8 keep enough workgroups in flight. Short or narrow outputs get smaller
 * tiles, so that no thread computes rows that nobody wants.
 *
 * @param few so few products that a CPU takes longer to compile a large tile than it saves
 */
export function chooseTile(target: KernelTarget, rows: number, columns: number, few = false): TileShape {
  const quads = target.software && target.quads
  const [tm, tn, lx, ly] = quads
    ? few
      ? [8, 4, 4, 1]
      : [32, 8, 4, 1]
    : target.software
      ? few
        ? [4, 8, 4, 2]
        : [8, 16, 4, 2]
      : [8, 8, 8, 8]
  const fitted = (most: number, size: number) => {
    let tile = 1
    while (tile < most && tile < size) tile *= 2
    return tile
  }
  const rowsATile = fitted(tm, rows)
  return {
    tm: rowsATile,
    tn: fitted(tn, Math.ceil(columns / lx)),
    lx,
    ly: fitted(ly, Math.ceil(rows / rowsATile)),
    rolled: target.software,
    quads,
  }
}
