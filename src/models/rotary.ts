import type { Rotary } from '../runtime/ops/index.ts'
import type { Recorder } from '../runtime/recorder.ts'

/**
 * Tables of rotary position embeddings (Su et al. 2021), computed on the host. Each frequency stands twice, for the pair
 * of values that it turns: diffusers' get_1d_rotary_pos_embed with repeat_interleave_real.
 */
const f32 = Math.fround

/** cos and sin, [tokens, dim] each. */
export interface RotaryTables {
  readonly cos: Float32Array<ArrayBuffer>
  readonly sin: Float32Array<ArrayBuffer>
}

/** Positions of a sequence of text and image on the device: of all image tokens, whichever of them a rank holds. */
export interface SequenceRotary {
  readonly image: Rotary
  readonly text: Rotary
}

export function uploadRotary(g: Recorder, { cos, sin }: RotaryTables, dim: number): Rotary {
  const shape = [cos.length / dim, dim]
  return { cos: g.upload(cos, shape, 'rotary cos'), sin: g.upload(sin, shape, 'rotary sin') }
}

/** What one axis of the positions turns. */
interface RotaryAxis {
  readonly positions: ArrayLike<number>
  /** Values of a head for this axis, an even number. */
  readonly dim: number
}

/** One axis after the other: [tokens, sum of the axes' dims]. */
function rotary(axes: readonly RotaryAxis[], theta: number, round: (value: number) => number): RotaryTables {
  const tokens = axes[0].positions.length
  const dim = axes.reduce((sum, axis) => sum + axis.dim, 0)
  const [cos, sin] = [new Float32Array(tokens * dim), new Float32Array(tokens * dim)]
  let column = 0
  for (const { positions, dim: width } of axes) {
    for (let k = 0; k < width; k += 2, column += 2) {
      const frequency = round(1 / round(theta ** round(k / width)))
      for (let i = 0; i < tokens; i++) {
        const angle = round(positions[i] * frequency)
        const at = i * dim + column
        cos[at] = cos[at + 1] = Math.cos(angle)
        sin[at] = sin[at + 1] = Math.sin(angle)
      }
    }
  }
  return { cos, sin }
}

/** FluxPosEmbed: `ids` [tokens, axes] are positions on each axis, `dims` how many values of a head each axis turns. */
export function rotaryOfIds(ids: ArrayLike<number>, dims: readonly number[], theta = 10_000): RotaryTables {
  const tokens = ids.length / dims.length
  const axes = dims.map((dim, axis) => ({
    dim,
    positions: Float32Array.from({ length: tokens }, (_, i) => ids[i * dims.length + axis]),
  }))
  return rotary(axes, theta, (value) => value) // diffusers counts in float64 here
}

/** Top left and bottom right of the region of the trained grid that a grid covers. */
export type CropRegion = readonly [start: readonly [number, number], stop: readonly [number, number]]

/**
 * get_2d_rotary_pos_embed of a picture's rows and columns: the first half of `dim` for the column, the second for the
 * row, both spread over `region`.
 *
 * @returns tables of [rows · columns, dim]
 */
export function rotary2d(dim: number, [start, stop]: CropRegion, rows: number, columns: number): RotaryTables {
  const place = (axis: 0 | 1, index: number, count: number) =>
    f32(start[axis] + f32(((stop[axis] * (count - 1)) / count - start[axis]) / Math.max(count - 1, 1)) * index)
  const tokens = rows * columns
  const across = Float32Array.from({ length: tokens }, (_, i) => place(1, i % columns, columns))
  const down = Float32Array.from({ length: tokens }, (_, i) => place(0, Math.floor(i / columns), rows))
  const halves = [across, down].map((positions) => ({ positions, dim: dim / 2 }))
  return rotary(halves, 10_000, f32)
}

/** get_resize_crop_region_for_grid: where a grid lies, centred, in a trained one of `base` rows and columns. */
export function cropRegion(rows: number, columns: number, base: number): CropRegion {
  const tall = rows > columns
  const height = tall ? base : halfEven((base / columns) * rows)
  const width = tall ? halfEven((base / rows) * columns) : base
  const [top, left] = [halfEven((base - height) / 2), halfEven((base - width) / 2)]
  return [
    [top, left],
    [top + height, left + width],
  ]
}

/** Python's round. */
function halfEven(value: number): number {
  const floor = Math.floor(value)
  if (value - floor !== 0.5) return Math.round(value)
  return floor % 2 === 0 ? floor : floor + 1
}
