import * as code from '../../wgsl/layout.ts'
import { flatGroups } from '../../wgsl/text.ts'
import { flatWorkgroup, kernel } from '../kernels.ts'
import type { Recorder } from '../recorder.ts'
import { floatType, type Tensor } from '../tensor.ts'
import type { UniformValue } from '../uniforms.ts'

function move(
  g: Recorder,
  name: string,
  text: (workgroup: number) => string,
  inputs: Tensor[],
  shape: number[],
  uniforms: UniformValue[],
  dtype: 'f32' | 'f16' = 'f32',
): Tensor {
  const workgroup = flatWorkgroup(g.device.target)
  const y = g.create(shape, dtype, name)
  g.record({
    kernel: kernel(`${name}.w${workgroup}`, () => text(workgroup)),
    inputs,
    outputs: [y],
    uniforms: [y.size, ...uniforms],
    groups: flatGroups(y.size, workgroup),
  })
  return y
}

export interface PatchifyOptions {
  patch: number
  /** Rows of the result; more than x's pictures repeat them. */
  batch: number
  /** Tokens [first, end) of the picture, row by row. */
  first: number
  end: number
}

/** x [pictures, channels, height, width] → [batch, tokens, channels · patch²]. */
export const patchify = (g: Recorder, x: Tensor, { patch, batch, first, end }: PatchifyOptions): Tensor => {
  const [pictures, channels, height, width] = x.shape
  const shape = [batch, end - first, channels * patch * patch]
  return move(g, 'patchify', code.patchify, [x], shape, [pictures, channels, height, width, patch, end - first, first])
}

export interface UnpatchifyOptions {
  patch: number
  /** Channels of the result; further ones of x fall away. */
  channels: number
  height: number
  width: number
  /** The values of a token go channel by channel, as `patchify` has them (FLUX), not pixel by pixel. */
  channelsFirst?: boolean
}

/** x [batch, tokens, patch² · sourceChannels] of a whole picture → [batch, channels, height, width]. */
export const unpatchify = (
  g: Recorder,
  x: Tensor,
  { patch, channels, height, width, channelsFirst = false }: UnpatchifyOptions,
): Tensor =>
  move(
    g,
    channelsFirst ? 'unpatchify.channelsFirst' : 'unpatchify',
    (workgroup) => code.unpatchify(workgroup, channelsFirst),
    [x],
    [x.dim(0), channels, height, width],
    [channels, x.dim(-1) / (patch * patch), height, width, patch],
  )

/** x [batch, channels, height, width] → [batch, height, width, channels]. */
export const channelsLast = (g: Recorder, x: Tensor): Tensor => {
  const [batch, channels, height, width] = x.shape
  return move(g, 'transpose', code.transpose, [x], [batch, height, width, channels], [channels, height * width])
}

/** x [batch, height, width, channels] → [batch, channels, height, width]. */
export const channelsFirst = (g: Recorder, x: Tensor): Tensor => {
  const [batch, height, width, channels] = x.shape
  return move(g, 'transpose', code.transpose, [x], [batch, channels, height, width], [height * width, channels])
}

/** x [rows, columns] → [columns, rows], of the same type. */
export const transposed = (g: Recorder, x: Tensor): Tensor => {
  const [rows, columns] = x.shape
  const stored = floatType(x)
  const text = (workgroup: number) => code.transpose(workgroup, stored)
  return move(g, stored === 'f32' ? 'transpose' : 'transpose.f16', text, [x], [columns, rows], [rows, columns], stored)
}

/** a and b cut into `rows` rows each, joined row by row: [rows, columns of a + columns of b]. */
export const concat = (g: Recorder, a: Tensor, b: Tensor, rows: number): Tensor =>
  move(g, 'concat', code.concat, [a, b], [rows, (a.size + b.size) / rows], [a.size / rows, b.size / rows])

/** Rows of a table: table [rows, ...], ids [...] of u32 → [...ids, ...]. */
export const gather = (g: Recorder, table: Tensor, ids: Tensor): Tensor =>
  move(
    g,
    `gather.${floatType(table)}`,
    (w) => code.gather(floatType(table), w),
    [table, ids],
    [...ids.shape, ...table.shape.slice(1)],
    [table.size / table.dim(0)],
  )

/** T5's bias [heads, queries, keys] of table [buckets, heads]; buckets of the distances 1 − queries … keys − 1. */
export const relativeBias = (g: Recorder, table: Tensor, buckets: Tensor, queries: number, keys: number): Tensor =>
  move(
    g,
    'relativeBias',
    code.relativeBias,
    [table, buckets],
    [table.dim(1), queries, keys],
    [queries, keys, table.dim(1)],
  )
