import type { Recorder } from '../recorder.ts'
import type { Tensor } from '../tensor.ts'
import { type Affine, type EpilogueOptions, recordMatmul } from './linear.ts'
import { convolvesOnMatrixUnits, recordMatrixConv2d } from './matrix_linear.ts'
import { type Product, recordStaged, stagedTile } from './staged.ts'

/** Rows at the upper and lower edges of a tensor that belong to neighbours: a part of a picture is computed with them. */
export interface Margin {
  readonly above: number
  readonly below: number
}

export interface ConvOptions extends EpilogueOptions {
  /** Default 1. */
  stride?: number
  /** Zeros before the first row and column; those after the last follow from the output's size. Default: same size. */
  pad?: number
  /** Reads x enlarged so many times by nearest neighbour. Default 1. */
  upsample?: 1 | 2
  /** Zeros after the last row and column, where they differ from `pad` (diffusers' Downsample2D pads 0 and 1). */
  padEnd?: number
  /** Rows of x that stand where zeros would be padded. */
  margin?: Margin
}

/** 2D convolution, channels last: x [batch, height, width, in], weight [out, window, window, in]. */
export function conv2d(g: Recorder, x: Tensor, { weight, bias }: Affine, options: ConvOptions = {}): Tensor {
  const [batch, height, width, channels] = x.shape
  const [out, window] = weight.shape
  const { stride = 1, upsample = 1, pad = (window - 1) / 2, padEnd = pad, margin, ...epilogue } = options
  const extent = (size: number) => Math.floor((size * upsample + pad + padEnd - window) / stride) + 1
  const [outHeight, outWidth] = [extent(height - (margin ? margin.above + margin.below : 0)), extent(width)]
  const rows = batch * outHeight * outWidth
  const shape = [batch, outHeight, outWidth, out]
  const fieldsOf = (vec: number) => [
    channels / vec,
    height,
    width,
    outHeight,
    outWidth,
    window,
    stride,
    pad,
    upsample - 1,
    (margin?.above ?? 0) * upsample,
  ]
  if (convolvesOnMatrixUnits(g.device.target, x, weight)) {
    return recordMatrixConv2d(g, x, { weight, bias }, shape, fieldsOf(8), epilogue)
  }
  const depth = window * window * channels
  const product: Product = { kind: 'window', shape, rows, depth, fields: fieldsOf(4), together: channels }
  const staged = stagedTile(g, product, out)
  if (staged) return recordStaged(g, x, { weight, bias }, product, staged, epilogue)
  const vec = channels % 4 === 0 ? 4 : 1
  const fields = [rows, out, depth / vec, ...fieldsOf(vec)]
  return recordMatmul(g, 'window', [x, weight], shape, rows, vec, fields, bias, epilogue)
}
