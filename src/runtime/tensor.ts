import { packedBytes, type WeightFormat } from '../wgsl/quantized/format.ts'
import { DitError } from './errors.ts'

/** Element types that tensors on the device can have. */
export type DType = 'f32' | 'f16' | 'u32'

export const BYTES_PER_ELEMENT: Record<DType, number> = { f32: 4, f16: 2, u32: 4 }

/**
 * What a tensor is for. Operands of matmuls are f16 where the tier has it; what is added up over a network (the residual
 * stream), statistics and whatever f16 could not hold stays f32 in every tier.
 */
export type Use = 'operand' | 'stream'

/** Where a tensor's bytes are: `undefined` until the recorder places it, and again after it is freed. */
export interface Placement {
  readonly buffer: GPUBuffer
  /** Bytes of the whole buffer. */
  readonly bytes: number
  /** Where in it the tensor begins, in bytes: a multiple of 256. Default: at its start. */
  readonly offset?: number
}

/**
 * A dense row-major array on one device. It is a handle: recorded ops give tensors at once, bytes come to be
 * when the recording is flushed.
 */
export class Tensor {
  readonly shape: readonly number[]
  readonly dtype: DType
  /** Set by the recorder and by the weight loader. */
  placement: Placement | undefined
  /** Weights and uploads that outlive scopes; never given back to the arena by liveness. */
  persistent = false
  /** True once no later op may use it: its bytes return to the arena after its last recorded use. */
  released = false
  /** How often dispatches use it that are recorded and have no buffers yet. Kept by the recorder. */
  uses = 0
  readonly label: string
  /** A weight of few bits: numbers and scales in words of u32, of the values that `shape` tells. */
  readonly packed: WeightFormat | undefined

  constructor(shape: readonly number[], dtype: DType = 'f32', label = '', packed?: WeightFormat) {
    this.shape = shape
    this.dtype = packed ? 'u32' : dtype
    this.label = label
    this.packed = packed
  }

  get size(): number {
    return this.shape.reduce((a, b) => a * b, 1)
  }

  /** Bytes of the binding, which WebGPU wants in words of four. */
  get bytes(): number {
    if (this.packed) return packedBytes(this.packed, this.size)
    return Math.ceil((this.size * BYTES_PER_ELEMENT[this.dtype]) / 4) * 4
  }

  /** Extent of dimension `axis`; negative counts from the end. */
  dim(axis: number): number {
    return this.shape[axis < 0 ? this.shape.length + axis : axis]
  }
}

/** A weight seen under another shape: the same bytes, for as long as the weight has them. */
export function reshapedWeight(weight: Tensor, shape: readonly number[]): Tensor {
  const seen = new Tensor(shape, weight.dtype, weight.label, weight.packed)
  if (!weight.persistent || seen.size !== weight.size) {
    throw new DitError('validation', `${weight.label || 'a tensor'} ${shapeText(weight.shape)} as ${shapeText(shape)}`)
  }
  seen.placement = weight.placement
  seen.persistent = true
  return seen
}

/** The type of a tensor of numbers; token ids have none. */
export function floatType({ dtype, label, packed }: Tensor): 'f32' | 'f16' {
  if (packed)
    throw new DitError('validation', `${label || 'a tensor'} has ${packed.bits} bits a value: linear alone reads it`)
  if (dtype === 'u32') throw new DitError('validation', `${label || 'a tensor'} holds whole numbers, expected floats`)
  return dtype
}

/** The shape as people write it: `[2, 64, 320]`. */
export const shapeText = (shape: readonly number[]): string => `[${shape.join(', ')}]`
