import {
  type MatrixLinearParameters,
  matrixLinear,
  matrixLinearName,
  matrixLinearStorage,
} from '../../wgsl/matrix/linear.ts'
import type { MatrixTile } from '../../wgsl/matrix/shape.ts'
import type { KernelTarget } from '../kernel.ts'
import { kernel, storedAs } from '../kernels.ts'
import type { Recorder } from '../recorder.ts'
import type { Tensor } from '../tensor.ts'
import { type Affine, type EpilogueOptions, epilogueOf, epilogueUniforms } from './epilogue.ts'

/** Values of a 16-byte load of f16. */
const VEC = 8
/** Fewer rows leave most of a matrix unit idle. */
const FEWEST_ROWS = 17

/** Whether x [..., in] · weightᵀ is for matrix units: both are f16 there, and rows begin at whole loads. */
export const fitsMatrixUnits = (target: KernelTarget, x: Tensor, weight: Tensor): boolean =>
  target.tier === 'matrix' &&
  x.dtype === 'f16' &&
  weight.dtype === 'f16' &&
  x.dim(-1) % VEC === 0 &&
  x.size / x.dim(-1) >= FEWEST_ROWS

/** As `linear`. */
export function recordMatrixLinear(g: Recorder, x: Tensor, { weight, bias }: Affine, options: EpilogueOptions): Tensor {
  const depth = x.dim(-1)
  const [rows, out] = [x.size / depth, weight.dim(0)]
  const tile = chooseMatrixTile(rows, out, g.device.gpu.limits.maxComputeWorkgroupStorageSize)
  const parameters: MatrixLinearParameters = {
    y: storedAs(g.device.target, options.as),
    tile,
    epilogue: epilogueOf(bias, options),
  }
  const y = g.create([...x.shape.slice(0, -1), out], parameters.y, 'linear')
  const { multiply, gate, residual } = options
  g.record({
    kernel: kernel(matrixLinearName(parameters), () => matrixLinear(parameters)),
    inputs: [x, weight, bias, multiply, gate?.of, residual].filter((t) => t !== undefined),
    outputs: [y],
    uniforms: [rows, out, depth / VEC, ...epilogueUniforms(rows, out, options)],
    groups: [Math.ceil(out / tile.columns), Math.ceil(rows / tile.rows), 1],
  })
  return y
}

/** Workgroups below which a large card has cores without one. */
const FILLED = 96

/**
 * By measurement on an H100 (bench/RESULTS.md): the larger a tile, the fewer times operands are read; but each core wants one.
 */
export function chooseMatrixTile(rows: number, out: number, workgroupStorage: number): MatrixTile {
  const workgroups = (tile: MatrixTile) => Math.ceil(rows / tile.rows) * Math.ceil(out / tile.columns)
  const held = TILES.filter((tile) => matrixLinearStorage(tile) <= workgroupStorage)
  return held.find((tile) => workgroups(tile) >= FILLED) ?? TILES[TILES.length - 1]
}

const TILES: readonly MatrixTile[] = [
  { rows: 128, columns: 256, depth: 32, subgroupRows: 64, subgroupColumns: 64 },
  { rows: 128, columns: 128, depth: 32, subgroupRows: 32, subgroupColumns: 64 },
  { rows: 64, columns: 64, depth: 32, subgroupRows: 32, subgroupColumns: 32 },
]
