import { linear } from '../src/runtime/ops/index.ts'
import { naive } from './kernels/linear/1_naive.wgsl.ts'
import { workgroupTile } from './kernels/linear/2_workgroup_tile.wgsl.ts'
import { registers8x8 } from './kernels/linear/3_registers_8x8.wgsl.ts'
import { registers8x16 } from './kernels/linear/4_registers_8x16.wgsl.ts'
import { type Benchmark, type Contestant, type Row, race, random } from './race.ts'

/** y [m, n] = x [m, k] · w [n, k]ᵀ: the shapes that both orders of 256, 256, 1024 give, and the emoji model's own. */
const SIZES = [
  [256, 1024, 256],
  [256, 256, 1024],
  [128, 320, 320],
  [128, 1280, 320],
  [128, 320, 1280],
]

const shipped: Contestant = {
  name: 'linear (shipped)',
  halves: true,
  record: (g, { x, w }) => linear(g, x, { weight: w }),
}

export const linearBenchmark: Benchmark = async (device, options) => {
  const rows: Row[] = []
  for (const [m, n, k] of SIZES) {
    const [x, w] = [random(m * k), random(n * k)]
    const expected = new Float64Array(m * n)
    for (let i = 0; i < m; i++)
      for (let j = 0; j < n; j++) {
        let sum = 0
        for (let d = 0; d < k; d++) sum += x[i * k + d] * w[j * k + d]
        expected[i * n + j] = sum
      }
    // The whole ladder at the first size; elsewhere its foot and its top.
    const contestants =
      rows.length === 0 ? [naive, workgroupTile, registers8x8, registers8x16, shipped] : [naive, shipped]
    const inputs = { x: { data: x, shape: [m, k] }, w: { data: w, shape: [n, k] } }
    rows.push(
      ...(await race(
        device,
        { what: `linear M=${m} N=${n} K=${k}`, inputs, expected, flop: 2 * m * n * k, contestants },
        options,
      )),
    )
  }
  return rows
}
