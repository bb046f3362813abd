import { flatGroups } from '../../wgsl/text.ts'
import { copyRows as code, copyRowsName } from '../../wgsl/window.ts'
import { DitError } from '../errors.ts'
import { flatWorkgroup, kernel } from '../kernels.ts'
import type { Recorder } from '../recorder.ts'
import { floatType, shapeText, type Tensor } from '../tensor.ts'

/** Elements between the starts of rows, and before the first. */
export interface Rows {
  readonly stride: number
  readonly offset: number
}

/** Copies `rows` rows of `columns` elements of x into y, whose other elements stay. */
export function copyRows(g: Recorder, x: Tensor, from: Rows, y: Tensor, to: Rows, rows: number, columns: number): void {
  if (x.dtype !== y.dtype) throw new DitError('validation', `copy of ${x.dtype} into ${y.dtype}`)
  const count = rows * columns
  if (count === 0) return
  const numbers = [columns, from.stride, from.offset, to.stride, to.offset]
  const vec = numbers.every((n) => n % 4 === 0) ? 4 : 1
  const workgroup = flatWorkgroup(g.device.target)
  const stored = floatType(x)
  g.record({
    kernel: kernel(copyRowsName(stored, vec, workgroup), () => code(stored, vec, workgroup)),
    inputs: [x],
    outputs: [y],
    keepsRest: count < y.size,
    uniforms: [count / vec, ...numbers.map((n) => n / vec)],
    groups: flatGroups(count / vec, workgroup),
  })
}

/** Elements [first, end) of x along an axis; negative axes count from the end. */
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

/** Writes x into y from `first` on along an axis; their other axes are alike. */
export function place(g: Recorder, y: Tensor, axis: number, first: number, x: Tensor): void {
  const { at, outer, inner } = around(y, axis)
  const columns = x.shape[at] * inner
  if (x.size !== outer * columns || first < 0 || first + x.shape[at] > y.shape[at]) {
    throw new DitError('validation', `${shapeText(x.shape)} at ${first} along axis ${axis} of ${shapeText(y.shape)}`)
  }
  const to = { stride: y.shape[at] * inner, offset: first * inner }
  copyRows(g, x, { stride: columns, offset: 0 }, y, to, outer, columns)
}

/** Tensors joined along an axis. */
export function join(g: Recorder, tensors: readonly Tensor[], axis: number): Tensor {
  if (tensors.length === 1) return tensors[0]
  const { at } = around(tensors[0], axis)
  const lengths = tensors.map((tensor) => tensor.shape[at])
  const shape = tensors[0].shape.with(
    at,
    lengths.reduce((a, b) => a + b, 0),
  )
  const y = g.create(shape, tensors[0].dtype, 'join')
  let first = 0
  for (const [k, tensor] of tensors.entries()) {
    place(g, y, at, first, tensor)
    first += lengths[k]
  }
  return y
}

function around(x: Tensor, axis: number): { at: number; outer: number; inner: number } {
  const at = axis < 0 ? axis + x.shape.length : axis
  const product = (sizes: readonly number[]) => sizes.reduce((a, b) => a * b, 1)
  return { at, outer: product(x.shape.slice(0, at)), inner: product(x.shape.slice(at + 1)) }
}
