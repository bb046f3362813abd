import * as code from '../../wgsl/blend.ts'
import { flatGroups } from '../../wgsl/text.ts'
import { flatWorkgroup, kernel } from '../kernels.ts'
import type { Recorder } from '../recorder.ts'
import type { Tensor } from '../tensor.ts'

/** A place in a picture: pixels from its top and from its left. */
export interface Corner {
  readonly top: number
  readonly left: number
}

/** The part of x [batch, channels, height, width] at `corner`, of that size or what there is: [batch, channels, …, …]. */
export function crop(g: Recorder, x: Tensor, { top, left }: Corner, height: number, width: number): Tensor {
  const [batch, channels, xHeight, xWidth] = x.shape
  const [rows, columns] = [Math.min(height, xHeight - top), Math.min(width, xWidth - left)]
  const y = g.create([batch, channels, rows, columns], 'f32', 'crop')
  record(g, 'crop', code.crop, [x], y, y.size, [rows, columns, xHeight, xWidth, top, left])
  return y
}

export interface BlendOptions {
  /** The tile above and the one on the left, where there is one; blended themselves. */
  above?: Tensor
  left?: Tensor
  /** Rows and columns that overlap, at most. */
  extent: number
}

/** blend_v, then blend_h of diffusers' AutoencoderKL: tile [batch, channels, height, width], faded in over its neighbours. */
export function blend(g: Recorder, tile: Tensor, { above, left, extent }: BlendOptions): Tensor {
  const [, , height, width] = tile.shape
  const rows = above ? Math.min(above.dim(2), height, extent) : 0
  const columns = left ? Math.min(left.dim(3), width, extent) : 0
  const y = g.create(tile.shape, 'f32', 'blend')
  const sizes = [height, width, above?.dim(2) ?? 0, left?.dim(3) ?? 0, rows, columns]
  record(g, 'blend', code.blend, [tile, above ?? tile, left ?? tile], y, y.size, sizes)
  return y
}

/** Writes the first rows and columns of `tile` into `picture` [batch, channels, height, width] at `corner`. */
export function paste(
  g: Recorder,
  picture: Tensor,
  tile: Tensor,
  { top, left }: Corner,
  rows: number,
  columns: number,
): void {
  const [batch, channels, tileHeight, tileWidth] = tile.shape
  const [, , height, width] = picture.shape
  const count = batch * channels * rows * columns
  record(g, 'paste', code.paste, [tile], picture, count, [
    rows,
    columns,
    tileHeight,
    tileWidth,
    height,
    width,
    top,
    left,
  ])
}

function record(
  g: Recorder,
  name: string,
  text: (workgroup: number) => string,
  inputs: Tensor[],
  y: Tensor,
  count: number,
  sizes: number[],
): void {
  const workgroup = flatWorkgroup(g.device.target)
  g.record({
    kernel: kernel(`${name}.w${workgroup}`, () => text(workgroup)),
    inputs,
    outputs: [y],
    keepsRest: count < y.size,
    uniforms: [count, ...sizes],
    groups: flatGroups(count, workgroup),
  })
}
