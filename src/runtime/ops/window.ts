import { flatGroups } from '../../wgsl/text.ts'
import { type CopyBytes, copyRows as code, copyRowsName } from '../../wgsl/window.ts'
import { DitError } from '../errors.ts'
import { flatWorkgroup, kernel } from '../kernels.ts'
import type { Recorder } from '../recorder.ts'
import { BYTES_PER_ELEMENT, type DType, shapeText, type Tensor } from '../tensor.ts'

/** Elements between the starts of rows, and before the first. */
export interface Rows {
  readonly stride: number
  readonly offset: number
}

/**
 * Copies `rows` rows of `columns` elements of x into y, bit for bit; what else y holds stays. Both are of one type, which
 * may be u32 as well.
 *
 * @throws DitError 'validation' where the types differ, or rows do not lie within x and y
 */
export function copyRows(g: Recorder, x: Tensor, from: Rows, y: Tensor, to: Rows, rows: number, columns: number): void {
  if (x.dtype !== y.dtype) throw new DitError('validation', `copy of ${x.dtype} into ${y.dtype}, expected one type`)
  const count = rows * columns
  if (count === 0) return
  for (const [tensor, { stride, offset }] of [[x, from] as const, [y, to] as const]) {
    if (offset >= 0 && offset + (rows - 1) * stride + columns <= tensor.size) continue
    throw new DitError(
      'validation',
      `${rows} rows of ${columns}, ${stride} apart from ${offset} on, in ${shapeText(tensor.shape)}`,
    )
  }
  // Strides do not matter to a single row.
  const strides = rows > 1 ? [from.stride, to.stride] : [0, 0]
  const bytes = unitOf(x.dtype, [columns, from.offset, to.offset, ...strides])
  const unit = bytes / BYTES_PER_ELEMENT[x.dtype]
  const workgroup = flatWorkgroup(g.device.target)
  g.record({
    kernel: kernel(copyRowsName(bytes, workgroup), () => code(bytes, workgroup)),
    inputs: [x],
    outputs: [y],
    keepsRest: count < y.size,
    uniforms: [count, columns, strides[0], from.offset, strides[1], to.offset].map((n) => n / unit),
    groups: flatGroups(count / unit, workgroup),
  })
}

/** The most bytes that all these numbers of elements are a multiple of. */
function unitOf(dtype: DType, numbers: readonly number[]): CopyBytes {
  const size = BYTES_PER_ELEMENT[dtype]
  return ([16, 8, 4, 2] as const).find((bytes) => numbers.every((n) => (n * size) % bytes === 0))!
}

/**
 * Elements [first, end) of x along an axis; negative axes count from the end.
 *
 * @throws DitError 'validation' where x has no such elements
 */
export function narrow(g: Recorder, x: Tensor, axis: number, first: number, end: number): Tensor {
  const { at, outer, inner } = around(x, axis)
  if (first < 0 || end > x.shape[at] || first > end) {
    throw new DitError('validation', `elements ${first} to ${end} along axis ${axis} of ${shapeText(x.shape)}`)
  }
  const y = g.create(x.shape.with(at, end - first), x.dtype, 'narrow')
  const columns = (end - first) * inner
  const from = { stride: x.shape[at] * inner, offset: first * inner }
  copyRows(g, x, from, y, { stride: columns, offset: 0 }, outer, columns)
  return y
}

/**
 * Writes x into y from `first` on along an axis; what else y holds stays.
 *
 * @throws DitError 'validation' where x does not fit there, or other axes differ
 */
export function place(g: Recorder, y: Tensor, axis: number, first: number, x: Tensor): void {
  const { at, outer, inner } = around(y, axis)
  const end = first + x.shape[at]
  const alike = shapeText(x.shape) === shapeText(y.shape.with(at, x.shape[at]))
  if (!alike || first < 0 || end > y.shape[at]) {
    throw new DitError('validation', `${shapeText(x.shape)} at ${first} along axis ${axis} of ${shapeText(y.shape)}`)
  }
  const columns = x.shape[at] * inner
  const to = { stride: y.shape[at] * inner, offset: first * inner }
  copyRows(g, x, { stride: columns, offset: 0 }, y, to, outer, columns)
}

/** Tensors joined along an axis, one alone as it is. @throws DitError 'validation' where other axes differ */
export function join(g: Recorder, tensors: readonly Tensor[], axis: number): Tensor {
  if (tensors.length === 1) return tensors[0]
  const { at } = around(tensors[0], axis)
  const total = tensors.reduce((sum, tensor) => sum + tensor.shape[at], 0)
  const y = g.create(tensors[0].shape.with(at, total), tensors[0].dtype, 'join')
  let first = 0
  for (const tensor of tensors) {
    place(g, y, at, first, tensor)
    first += tensor.shape[at]
  }
  return y
}

function around(x: Tensor, axis: number): { at: number; outer: number; inner: number } {
  const at = axis < 0 ? axis + x.shape.length : axis
  if (!(at in x.shape)) throw new DitError('validation', `axis ${axis} of ${shapeText(x.shape)}`)
  const product = (sizes: readonly number[]) => sizes.reduce((a, b) => a * b, 1)
  return { at, outer: product(x.shape.slice(0, at)), inner: product(x.shape.slice(at + 1)) }
}
