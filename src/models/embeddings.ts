/**
 * Sinusoidal embeddings, computed on the host: they are a few values a step, and the sine of WGSL is only exact to
 * 2^-11 within [-π, π], while timesteps reach 1,000. Rounded to float32 where torch rounds.
 */
const f32 = Math.fround

export interface TimestepEmbeddingOptions {
  /** Cosines first. */
  flipSinToCos: boolean
  downscaleFreqShift: number
  maxPeriod?: number
}

/** [timesteps, dim] (diffusers get_timestep_embedding). */
export function timestepEmbedding(
  timesteps: ArrayLike<number>,
  dim: number,
  { flipSinToCos, downscaleFreqShift, maxPeriod = 10_000 }: TimestepEmbeddingOptions,
): Float32Array<ArrayBuffer> {
  const half = Math.floor(dim / 2)
  const out = new Float32Array(timesteps.length * dim) // an odd dim's last value stays 0
  for (let k = 0; k < half; k++) {
    const frequency = f32(Math.exp(f32(f32(f32(-Math.log(maxPeriod)) * k) / (half - downscaleFreqShift))))
    for (let i = 0; i < timesteps.length; i++) {
      const angle = f32(f32(timesteps[i]) * frequency)
      out[i * dim + k + (flipSinToCos ? half : 0)] = Math.sin(angle)
      out[i * dim + k + (flipSinToCos ? 0 : half)] = Math.cos(angle)
    }
  }
  return out
}

export interface SinCosGrid {
  rows: number
  columns: number
  /** Rows (and columns) that the positions of a trained picture span. */
  baseSize: number
  interpolationScale: number
}

/** [rows · columns, dim] (diffusers get_2d_sincos_pos_embed): the first half for the column, the second for the row. */
export function sinCosPositions2d(dim: number, grid: SinCosGrid): Float32Array<ArrayBuffer> {
  const { rows, columns, baseSize, interpolationScale } = grid
  const quarter = dim / 4
  /** [count, dim / 2]: every row has the same columns, so sines are computed for one of them. */
  const along = (count: number) => {
    const axis = new Float32Array(count * 2 * quarter)
    for (let i = 0; i < count; i++) {
      const position = f32(f32(i / f32(count / baseSize)) / f32(interpolationScale))
      for (let k = 0; k < quarter; k++) {
        const angle = position / 10_000 ** (k / quarter)
        axis[i * 2 * quarter + k] = Math.sin(angle)
        axis[(i * 2 + 1) * quarter + k] = Math.cos(angle)
      }
    }
    return axis
  }
  const [ofColumns, ofRows] = [along(columns), along(rows)]
  const half = (axis: Float32Array, i: number) => axis.subarray(i * 2 * quarter, (i + 1) * 2 * quarter)
  const out = new Float32Array(rows * columns * dim)
  for (let row = 0; row < rows; row++) {
    for (let column = 0; column < columns; column++) {
      const at = (row * columns + column) * dim
      out.set(half(ofColumns, column), at)
      out.set(half(ofRows, row), at + dim / 2)
    }
  }
  return out
}
