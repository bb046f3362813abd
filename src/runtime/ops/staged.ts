import { scalesAt } from '../../wgsl/quantized/format.ts'
import { stagedMatmul, stagedName } from '../../wgsl/staged/matmul.ts'
import { ACROSS, extentOf, type StagedTile, stagedStorage } from '../../wgsl/staged/shape.ts'
import { kernel, storedAs } from '../kernels.ts'
import type { Recorder } from '../recorder.ts'
import { floatType, type Tensor } from '../tensor.ts'
import { type Affine, type EpilogueOptions, epilogueOf, epilogueUniforms } from './epilogue.ts'

/** A matmul, or a convolution as one. */
export interface Product {
  readonly kind: 'matrix' | 'window'
  /** Of the result. */
  readonly shape: readonly number[]
  readonly rows: number
  /** Values of a row of both operands. */
  readonly depth: number
  /** The window's uniforms, channels counted in fours. */
  readonly fields?: readonly number[]
  /** Values that lie side by side in a row: all of a matrix's, the channels of a picture. */
  readonly together: number
}

/** Fewer outputs than this many workgroups' leave cores idle: smaller tiles make more of them. */
const WORKGROUPS = 64

/** The tile for a product on this device, or undefined where the plain kernel is for it. */
export function stagedTile(g: Recorder, { kind, rows, depth, together }: Product, out: number): StagedTile | undefined {
  const { target, gpu } = g.device
  if (target.software || depth % 4 !== 0 || rows < ACROSS || out < ACROSS) return undefined
  const { maxComputeWorkgroupStorageSize: storage, maxComputeInvocationsPerWorkgroup: threads } = gpu.limits
  if (threads < ACROSS ** 2) return undefined
  const count = (side: 4 | 8) => Math.ceil(rows / (side * ACROSS)) * Math.ceil(out / (side * ACROSS))
  const tiles: StagedTile[] =
    count(8) >= WORKGROUPS
      ? [
          { side: 8, depth: 16 },
          { side: 8, depth: 8 },
        ]
      : [{ side: 4, depth: 16 }]
  return tiles.find((tile) => stagedStorage(tile) <= storage && (kind === 'matrix' || together % tile.depth === 0))
}

export function recordStaged(
  g: Recorder,
  x: Tensor,
  { weight, bias }: Affine,
  { kind, shape, rows, depth, fields = [] }: Product,
  tile: StagedTile,
  options: EpilogueOptions = {},
): Tensor {
  const out = weight.dim(0)
  const stored = { a: floatType(x), b: weight.packed ?? floatType(weight), y: storedAs(g.device.target, options.as) }
  const parameters = { rows: kind, stored, tile, epilogue: epilogueOf(bias, options) }
  const scales = weight.packed ? [scalesAt(weight.packed, weight.size)] : []
  const y = g.create(shape, stored.y, kind === 'matrix' ? 'linear' : 'conv2d')
  const { multiply, gate, residual } = options
  g.record({
    kernel: kernel(stagedName(parameters), () => stagedMatmul(parameters)),
    inputs: [x, weight, bias, multiply, gate?.of, residual].filter((t) => t !== undefined),
    outputs: [y],
    uniforms: [rows, out, depth / 4, ...fields, ...scales, ...epilogueUniforms(rows, out, options), 0],
    groups: [Math.ceil(out / extentOf(tile)), Math.ceil(rows / extentOf(tile)), 1],
  })
  return y
}
