import {
  type MatrixLinearParameters,
  matrixLinear,
  matrixLinearName,
  matrixLinearStorage,
} from '../../wgsl/matrix/linear.ts'
import type { MatrixTile } from '../../wgsl/matrix/shape.ts'
import { scalesAt } from '../../wgsl/quantized/format.ts'
import type { KernelTarget } from '../kernel.ts'
import { kernel, storedAs } from '../kernels.ts'
import type { Recorder } from '../recorder.ts'
import type { Tensor } from '../tensor.ts'
import { type Affine, type EpilogueOptions, epilogueOf, epilogueUniforms } from './epilogue.ts'

/** Values of a 16-byte load of f16. */
const VEC = 8
/** Fewer rows leave most of a matrix unit idle. */
const FEWEST_ROWS = 17

/**
 * Whether x [..., in] · weightᵀ is for matrix units: both are f16 there, or the weight has few bits, and rows of all of them
 * begin at whole loads.
 */
export const fitsMatrixUnits = (target: KernelTarget, x: Tensor, weight: Tensor): boolean =>
  target.tier === 'matrix' &&
  x.dtype === 'f16' &&
  (weight.dtype === 'f16' || weight.packed !== undefined) &&
  x.dim(-1) % VEC === 0 &&
  weight.dim(0) % 4 === 0 &&
  x.size / x.dim(-1) >= FEWEST_ROWS

/** As `linear`. */
export function recordMatrixLinear(g: Recorder, x: Tensor, affine: Affine, options: EpilogueOptions): Tensor {
  const depth = x.dim(-1)
  const [rows, out] = [x.size / depth, affine.weight.dim(0)]
  const tile = chooseMatrixTile(rows, out, g.device.gpu.limits.maxComputeWorkgroupStorageSize)
  return recordOnMatrixUnits(
    g,
    x,
    affine,
    { rows: 'matrix', shape: [...x.shape.slice(0, -1), out], depth, tile },
    options,
  )
}

/**
 * Whether a convolution is for matrix units: of a picture in f16, whose channels fill the depth of a tile, by a weight in f16.
 */
export const convolvesOnMatrixUnits = (target: KernelTarget, x: Tensor, weight: Tensor): boolean =>
  target.tier === 'matrix' &&
  x.dtype === 'f16' &&
  weight.dtype === 'f16' &&
  x.dim(-1) % SMALL.depth === 0 &&
  weight.dim(0) % 4 === 0

/** As `conv2d`. @param fields of the window, channels counted in eights */
export function recordMatrixConv2d(
  g: Recorder,
  x: Tensor,
  affine: Affine,
  shape: readonly number[],
  fields: readonly number[],
  options: EpilogueOptions,
): Tensor {
  const rows = shape.slice(0, -1).reduce((a, b) => a * b)
  const storage = g.device.gpu.limits.maxComputeWorkgroupStorageSize
  const deep = chooseMatrixTile(rows, affine.weight.dim(0), storage)
  const tile = x.dim(-1) % deep.depth === 0 ? deep : matrixLinearStorage(WIDE) <= storage ? WIDE : SMALL
  const depth = affine.weight.size / affine.weight.dim(0)
  return recordOnMatrixUnits(g, x, affine, { rows: 'window', shape, depth, tile, fields }, options)
}

interface Product {
  readonly rows: 'matrix' | 'window'
  /** Of the result. */
  readonly shape: readonly number[]
  readonly depth: number
  readonly tile: MatrixTile
  readonly fields?: readonly number[]
}

function recordOnMatrixUnits(
  g: Recorder,
  x: Tensor,
  { weight, bias }: Affine,
  { rows: kind, shape, depth, tile, fields = [] }: Product,
  options: EpilogueOptions,
): Tensor {
  const out = weight.dim(0)
  const rows = shape.slice(0, -1).reduce((a, b) => a * b, 1)
  const parameters: MatrixLinearParameters = {
    rows: kind,
    y: storedAs(g.device.target, options.as),
    weight: weight.packed ?? 'f16',
    tile,
    epilogue: epilogueOf(bias, options),
    ragged: depth % tile.depth !== 0,
  }
  const y = g.create(shape, parameters.y, kind === 'matrix' ? 'linear' : 'conv2d')
  const { multiply, gate, residual } = options
  const scales = weight.packed ? [scalesAt(weight.packed, weight.size)] : []
  g.record({
    kernel: kernel(matrixLinearName(parameters), () => matrixLinear(parameters)),
    inputs: [x, weight, bias, multiply, gate?.of, residual].filter((t) => t !== undefined),
    outputs: [y],
    uniforms: [rows, out, depth / VEC, ...fields, ...epilogueUniforms(rows, out, options), 0, ...scales],
    groups: [Math.ceil(out / tile.columns), Math.ceil(rows / tile.rows), 1],
  })
  return y
}

/**
 * By measurement on an H100 (bench/RESULTS.md), whose driver has 48 KiB of workgroup memory for all workgroups of a core: two
 * of the first tile where there are enough for all cores, one of the second with twice its depth where there are not, and
 * small ones where few cores would have any.
 */
export function chooseMatrixTile(rows: number, out: number, workgroupStorage: number): MatrixTile {
  const workgroups = Math.ceil(rows / DEEP.rows) * Math.ceil(out / DEEP.columns)
  const wanted = workgroups >= 200 ? [WIDE, SMALL] : workgroups >= 48 ? [DEEP, WIDE, SMALL] : [SMALL]
  return wanted.find((tile) => matrixLinearStorage(tile) <= workgroupStorage) ?? SMALL
}

const WIDE: MatrixTile = { rows: 128, columns: 128, depth: 32, subgroupRows: 64, subgroupColumns: 64 }
const DEEP: MatrixTile = { ...WIDE, depth: 64 }
const SMALL: MatrixTile = { rows: 64, columns: 64, depth: 32, subgroupRows: 32, subgroupColumns: 32 }

/** For benchmarks and tests. */
export const MATRIX_TILES: readonly MatrixTile[] = [WIDE, DEEP, SMALL]
