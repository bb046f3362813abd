import { describe, expect, it } from 'vitest'
import { recordFewRows } from '../../../src/runtime/ops/few_rows.ts'
import { linear } from '../../../src/runtime/ops/index.ts'
import { compute, hardwareDevice, testDevice } from '../../support/device.ts'
import { random, relativeL2 } from '../../support/numbers.ts'

type Epilogue = { act?: keyof typeof act; mul?: boolean; gate?: boolean; res?: boolean; bias?: boolean }

/** The same in float64 on the host. */
function reference(x: Float32Array, w: Float32Array, m: number, n: number, k: number): Float64Array {
  const y = new Float64Array(m * n)
  for (let i = 0; i < m; i++)
    for (let j = 0; j < n; j++) for (let d = 0; d < k; d++) y[i * n + j] += x[i * k + d] * w[j * k + d]
  return y
}

const act = {
  none: (x: number) => x,
  silu: (x: number) => x / (1 + Math.exp(-x)),
  relu: (x: number) => Math.max(0, x),
  gelu_tanh: (x: number) => 0.5 * x * (1 + Math.tanh(Math.sqrt(2 / Math.PI) * (x + 0.044715 * x ** 3))),
  quick_gelu: (x: number) => x / (1 + Math.exp(-1.702 * x)),
}

async function error(
  batch: number,
  rows: number,
  n: number,
  k: number,
  e: Epilogue = {},
  record = linear,
  device = testDevice(),
): Promise<number> {
  const m = batch * rows
  const [x, w, bias, mul] = [random(m * k), random(n * k), random(n), random(m * n)]
  const [gate, res] = [random(batch * 3 * n), random(rows * n)]
  const y = await compute(
    {
      x: { data: x, shape: [batch, rows, k] },
      w: { data: w, shape: [n, k] },
      bias: { data: bias, shape: [n] },
      mul: { data: mul, shape: [batch, rows, n] },
      gate: { data: gate, shape: [batch, 3 * n] },
      res: { data: res, shape: [rows, n] },
    },
    (g, t) =>
      record(
        g,
        t.x,
        { weight: t.w, bias: e.bias ? t.bias : undefined },
        {
          activation: e.act,
          multiply: e.mul ? t.mul : undefined,
          gate: e.gate ? { of: t.gate, offset: 2 * n } : undefined,
          residual: e.res ? t.res : undefined,
        },
      ),
    device,
  )
  const expected = reference(x, w, m, n, k).map((sum, at) => {
    const [row, column] = [Math.floor(at / n), at % n]
    let v = act[e.act ?? 'none'](sum + (e.bias ? bias[column] : 0))
    if (e.mul) v *= mul[at]
    if (e.gate) v *= gate[Math.floor(row / rows) * 3 * n + 2 * n + column]
    if (e.res) v += res[(row % rows) * n + column]
    return v
  })
  return relativeL2(y, expected)
}

describe('linear', () => {
  it.each([
    [1, 1, 1, 1],
    [1, 1, 5, 3],
    [2, 1, 64, 320],
    [1, 17, 33, 37],
    [2, 33, 65, 36],
    [1, 3, 4, 128],
    [1, 130, 3, 7],
    // Enough for large tiles, by vectors and one by one.
    [1, 97, 133, 236],
    [1, 97, 133, 237],
  ])('is x·wᵀ for batch %i, %i rows, %i columns, depth %i', async (batch, rows, n, k) => {
    expect(await error(batch, rows, n, k)).toBeLessThan(1e-6)
  })

  it.each<[string, Epilogue]>([
    ['bias', { bias: true }],
    ['SiLU', { bias: true, act: 'silu' }],
    ['GELU (tanh)', { bias: true, act: 'gelu_tanh' }],
    ['GELU (sigmoid)', { bias: true, act: 'quick_gelu' }],
    ['ReLU', { act: 'relu' }],
    ['a factor', { act: 'gelu_tanh', mul: true }],
    ['gate and residual', { bias: true, gate: true, res: true }],
    ['everything', { bias: true, act: 'silu', mul: true, gate: true, res: true }],
  ])('fuses %s', async (_, e) => {
    expect(await error(2, 19, 37, 40, e)).toBeLessThan(1e-6)
    expect(await error(2, 45, 150, 224, e)).toBeLessThan(1e-6) // large tiles
  })

  it.each([
    [1, 1, 37, 40],
    [2, 1, 64, 320],
    [1, 3, 5, 4],
    [2, 2, 130, 3072],
  ])('of few rows by threads that share out the depth: batch %i, %i rows, %i columns, depth %i', async (...sizes) => {
    expect(await error(...sizes, {}, recordFewRows)).toBeLessThan(1e-6)
    const everything = { bias: true, act: 'silu', mul: true, gate: true, res: true } as const
    expect(await error(...sizes, everything, recordFewRows)).toBeLessThan(1e-6)
  })

  it.each<[string, number, number, number, number, Epilogue]>([
    ['small tiles, cut at every edge', 2, 35, 70, 44, { bias: true, act: 'silu', mul: true, gate: true, res: true }],
    ['large tiles, cut at every edge', 1, 1000, 1030, 20, {}],
  ])('goes through workgroup memory on GPUs: %s', async (_, batch, rows, n, k, e) => {
    expect(await error(batch, rows, n, k, e, linear, hardwareDevice())).toBeLessThan(1e-6)
  })

  it('keeps GELU finite where tanh would overflow', async () => {
    const y = await compute(
      {
        x: { data: new Float32Array([1e4, -1e4, 60, -60]), shape: [4, 1] },
        w: { data: new Float32Array([1]), shape: [1, 1] },
      },
      (g, t) => linear(g, t.x, { weight: t.w }, { activation: 'gelu_tanh' }),
    )
    expect([...y].map((v) => v || 0)).toEqual([1e4, 0, 60, 0])
  })
})
