import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { recordFewRows } from '../../../src/runtime/ops/few_rows.ts'
import { linear } from '../../../src/runtime/ops/index.ts'
import { recordStaged } from '../../../src/runtime/ops/staged.ts'
import type { Recorder } from '../../../src/runtime/recorder.ts'
import { type WeightFormat, weightFormat } from '../../../src/runtime/weights/weight_formats.ts'
import type { Weights } from '../../../src/runtime/weights/weights.ts'
import { testRecorder } from '../../support/device.ts'
import { random, relativeL2 } from '../../support/numbers.ts'
import { packedWeight, quantized } from '../../support/quantized.ts'

const [OUT, WIDTH] = [37, 192]

/** x · wᵀ in float64. */
function product(x: Float32Array, w: Float32Array, rows: number): Float64Array {
  const y = new Float64Array(rows * OUT)
  for (let i = 0; i < rows; i++)
    for (let j = 0; j < OUT; j++) for (let d = 0; d < WIDTH; d++) y[i * OUT + j] += x[i * WIDTH + d] * w[j * WIDTH + d]
  return y
}

/** As `linear` does it on GPUs. */
const linearThroughWorkgroupMemory: typeof linear = (g, x, affine, options) => {
  const [depth, out] = [x.dim(-1), affine.weight.dim(0)]
  const shape = [...x.shape.slice(0, -1), out]
  const product = { kind: 'matrix', shape, rows: x.size / depth, depth, together: depth } as const
  return recordStaged(g, x, affine, product, { side: 4, depth: 16 }, options)
}

describe.each(['int4_sym_g32', 'int4_asym_g64', 'int8_sym_g64', 'int8_asym_g32'])('linear of %s', (name) => {
  const format = weightFormat(name) as WeightFormat
  const values = random(OUT * WIDTH)
  const { values: dequantized } = quantized(values, format)
  let g: Recorder
  let weights: Weights
  beforeAll(async () => {
    g = await testRecorder()
    weights = await packedWeight(g.device, values, [OUT, WIDTH], format)
  })
  afterAll(() => weights.free())

  it.each([
    ['tiles', 10, linear],
    ['threads that share out the depth', 3, recordFewRows],
    ['tiles in workgroup memory', 10, linearThroughWorkgroupMemory],
  ] as const)('is that of what its numbers stand for, by %s, and fuses what follows', async (_, rows, record) => {
    const batch = 2
    const [x, bias, gate] = [random(batch * rows * WIDTH), random(OUT), random(batch * 2 * OUT)]
    const residual = random(batch * rows * OUT)
    const affine = { ...weights.affine('w'), bias: g.upload(bias, [OUT]) }
    const y = record(g, g.upload(x, [batch, rows, WIDTH]), affine, {
      activation: 'relu',
      gate: { of: g.upload(gate, [batch, 2 * OUT]), offset: OUT },
      residual: g.upload(residual, [batch, rows, OUT]),
    })
    const expected = product(x, dequantized, batch * rows).map((sum, at) => {
      const [row, column] = [Math.floor(at / OUT), at % OUT]
      const factor = gate[Math.floor(row / rows) * 2 * OUT + OUT + column]
      return Math.max(0, sum + bias[column]) * factor + residual[at]
    })
    expect(relativeL2(await g.read(y), expected)).toBeLessThan(1e-6)
    g.reset()
  })
})
