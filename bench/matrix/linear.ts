import { chooseMatrixTile, MATRIX_TILES } from '../../src/runtime/ops/matrix_linear.ts'
import { matrixLinear, matrixLinearStorage } from '../../src/wgsl/matrix/linear.ts'
import { type MatrixTile, matrixTileName } from '../../src/wgsl/matrix/shape.ts'
import { normalHalves, numberOf } from './halves.ts'
import { bytesOf, empty, filled, runOf, type Timing, uniforms } from './timing.ts'

/** Rows, columns, depth: FLUX.1's, PixArt's, and few rows, of texts. */
const SHAPES = [
  [4608, 12_288, 3072],
  [4608, 3072, 12_288],
  [4608, 3072, 3072],
  [8192, 1152, 1152],
  [8192, 4608, 1152],
  [8192, 1152, 4608],
  [512, 3072, 3072],
  [300, 4096, 4096],
] as const

const PLAIN = { bias: false, activation: 'none', multiply: false, gate: false, residual: false } as const

/** TFLOP/s of every tile, and the error of the one that is shipped for the shape, against sums in float64. */
export async function linears(gpu: GPUDevice, timing: Timing): Promise<void> {
  const storage = gpu.limits.maxComputeWorkgroupStorageSize
  const tiles = MATRIX_TILES.filter((tile) => matrixLinearStorage(tile) <= storage)
  console.log(
    `\nlinear, TFLOP/s, sums f32${' '.repeat(8)}${tiles.map((tile) => matrixTileName(tile).padStart(18)).join('')}`,
  )
  for (const [m, n, k] of SHAPES) {
    const [a, b] = [normalHalves(m * k), normalHalves(n * k)]
    const y = empty(gpu, 4 * m * n)
    const buffers = [uniforms(gpu, [m, n, k / 8, 1, 0, 0, 1, 0]), filled(gpu, a), filled(gpu, b), y]
    const shipped = chooseMatrixTile(m, n, storage)
    let error = 0
    const cells: string[] = []
    for (const tile of tiles) {
      const run = await runOf(gpu, code(tile), buffers, [Math.ceil(n / tile.columns), Math.ceil(m / tile.rows), 1])
      const ms = await timing.milliseconds(run)
      cells.push(`${(tile === shipped ? '*' : '') + ((2 * m * n * k) / ms / 1e9).toFixed(0)}`.padStart(18))
      if (tile === shipped) error = await errorOf(gpu, { m, n, k, a, b, y })
    }
    console.log(`${`${m} x ${n} x ${k}`.padEnd(32)}${cells.join('')}   error ${error.toExponential(1)}`)
    for (const buffer of buffers) buffer.destroy()
  }
}

const code = (tile: MatrixTile): string =>
  matrixLinear({ rows: 'matrix', y: 'f32', weight: 'f16', tile, epilogue: PLAIN, ragged: false })

/** Relative, of some rows. */
async function errorOf(
  gpu: GPUDevice,
  { m, n, k, a, b, y }: { m: number; n: number; k: number; a: Uint16Array; b: Uint16Array; y: GPUBuffer },
): Promise<number> {
  let [difference, size] = [0, 0]
  for (const i of [0, m >> 1, m - 1]) {
    const row = new Float32Array(await bytesOf(gpu, y, 4 * i * n, 4 * n))
    for (let j = 0; j < n; j += 97) {
      let sum = 0
      for (let d = 0; d < k; d++) sum += numberOf(a[i * k + d]) * numberOf(b[j * k + d])
      difference += (row[j] - sum) ** 2
      size += sum ** 2
    }
  }
  return Math.sqrt(difference / size)
}
