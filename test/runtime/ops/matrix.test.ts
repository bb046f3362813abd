import { afterAll, describe, expect, it } from 'vitest'
import { Device } from '../../../src/runtime/device.ts'
import { attentionWithLse, type ConvOptions, conv2d, linear } from '../../../src/runtime/ops/index.ts'
import { chooseMatrixTile } from '../../../src/runtime/ops/matrix_linear.ts'
import { openPlatform } from '../../../src/runtime/platform/platform.ts'
import { Recorder } from '../../../src/runtime/recorder.ts'
import { type WeightFormat, weightFormat } from '../../../src/runtime/weights/weight_formats.ts'
import { randomHalves } from '../../support/half.ts'
import { random, relativeL2 } from '../../support/numbers.ts'
import { packedWeight, quantized } from '../../support/quantized.ts'

const device = await Device.open(await openPlatform(), { checked: true, poison: true })
afterAll(() => device.close())
if (device.tier !== 'matrix') console.log('no matrix units here: their kernels are not computed')

/** Rounded to f16 once, beside sums in f32. */
const HALF = 5e-4

describe.runIf(device.tier === 'matrix')('matrix units', () => {
  const g = new Recorder(device)
  const halves = (shape: number[], amplitude = 1) => {
    const { values, bits } = randomHalves(
      shape.reduce((a, b) => a * b),
      amplitude,
    )
    return { values, tensor: g.upload(bits, shape) }
  }

  it.each([
    [17, 16, 8],
    [77, 200, 88],
    [130, 1000, 320],
    [300, 4096, 1152],
  ])('linear matches float64: %i rows, %i columns, depth %i', async (m, n, k) => {
    const [x, w] = [halves([m, k]), halves([n, k])]
    const [bias, residual] = [random(n), random(m * n)]
    const gate = random(3 * n)
    const y = linear(
      g,
      x.tensor,
      { weight: w.tensor, bias: g.upload(bias, [n]) },
      {
        activation: 'silu',
        gate: { of: g.upload(gate, [1, 3 * n]), offset: n },
        residual: g.upload(residual, [m, n]),
      },
    )
    const expected = new Float64Array(m * n)
    for (let i = 0; i < m; i++)
      for (let j = 0; j < n; j++) {
        let sum = bias[j]
        for (let d = 0; d < k; d++) sum += x.values[i * k + d] * w.values[j * k + d]
        expected[i * n + j] = (sum / (1 + Math.exp(-sum))) * gate[n + j] + residual[i * n + j]
      }
    expect(relativeL2(await g.read(y), expected)).toBeLessThan(2e-6)
    g.reset()
  })

  it.each(['int4_asym_g64', 'int4_sym_g32', 'int8_asym_g64', 'int8_sym_g32'])(
    'linear with weights of %s is that of what they stand for, rounded to f16 once',
    async (name) => {
      const format = weightFormat(name) as WeightFormat
      for (const [m, n, k] of [
        [20, 100, 192],
        [300, 1000, 320],
      ]) {
        const w = random(n * k)
        const weights = await packedWeight(device, w, [n, k], format)
        const { values } = quantized(w, format)
        const x = halves([m, k])
        const expected = new Float64Array(m * n)
        for (let i = 0; i < m; i++)
          for (let j = 0; j < n; j++)
            for (let d = 0; d < k; d++) expected[i * n + j] += x.values[i * k + d] * values[j * k + d]
        expect(relativeL2(await g.read(linear(g, x.tensor, weights.affine('w'))), expected)).toBeLessThan(HALF)
        weights.free()
        g.reset()
      }
    },
  )

  it.each([
    [2, [9, 33], [32, 256], {}],
    [1, [17, 12], [96, 64], { upsample: 2 }],
    [1, [31, 30], [128, 132], { stride: 2, pad: 0, padEnd: 1 }],
    [1, [22, 16], [64, 40], { margin: { above: 1, below: 1 } }],
  ] as [number, [number, number], [number, number], ConvOptions][])(
    'conv2d matches float64: batch %i, %o pixels, %o channels, %o',
    async (batch, [height, width], [channels, out], options) => {
      const [x, w] = [halves([batch, height, width, channels]), halves([out, 3, 3, channels])]
      const { stride = 1, upsample = 1, pad = 1, padEnd = pad, margin } = options
      const bias = random(out)
      const y = conv2d(g, x.tensor, { weight: w.tensor, bias: g.upload(bias, [out]) }, options)
      const above = margin ? upsample : 0
      const [inner, wide] = [height - (margin ? 2 : 0), width].map(
        (size) => Math.floor((size * upsample + pad + padEnd - 3) / stride) + 1,
      )
      const got = await g.read(y)
      expect(got.length).toBe(batch * inner * wide * out)
      const expected = Float64Array.from(got, (_, at) => {
        const [c, column, row, b] = [
          at % out,
          Math.floor(at / out) % wide,
          Math.floor(at / out / wide) % inner,
          Math.floor(at / out / wide / inner),
        ]
        let sum = bias[c]
        for (let i = 0; i < 3; i++)
          for (let j = 0; j < 3; j++) {
            const [top, left] = [row * stride - pad + i + above, column * stride - pad + j]
            if (top < 0 || left < 0 || top >= height * upsample || left >= width * upsample) continue
            const from = ((b * height + Math.floor(top / upsample)) * width + Math.floor(left / upsample)) * channels
            for (let q = 0; q < channels; q++)
              sum += x.values[from + q] * w.values[((c * 3 + i) * 3 + j) * channels + q]
          }
        return sum
      })
      expect(relativeL2(got, expected)).toBeLessThan(1e-5)
      g.reset()
    },
  )

  it.each([
    [1, 1, 64, 64, 64, false],
    [2, 3, 77, 200, 72, true],
    [1, 2, 130, 333, 88, false],
    [1, 2, 65, 70, 128, true],
    [1, 1, 20, 500, 32, true],
    [1, 1, 40, 150, 160, false],
  ])('attention matches float64: batch %i, %i heads, %i queries, %i keys of %i, mask %s', async (...sizes) => {
    const [batch, heads, queries, keys, dim, masked] = sizes
    const width = heads * dim
    // Scores that raise the reference of exponents now and then.
    const [q, k, v] = [
      halves([batch, queries, width], 4),
      halves([batch, keys, width], 4),
      halves([batch, keys, width]),
    ]
    const mask = Float32Array.from({ length: batch * keys }, (_, i) => (masked && i % 3 === 1 ? -10_000 : 0))
    const { out, lse } = attentionWithLse(g, {
      q: q.tensor,
      k: k.tensor,
      v: v.tensor,
      heads,
      mask: masked ? g.upload(mask, [batch, keys]) : undefined,
    })
    const expected = new Float64Array(batch * queries * width)
    const logs: number[] = []
    for (let b = 0; b < batch; b++)
      for (let h = 0; h < heads; h++)
        for (let i = 0; i < queries; i++) {
          const scores = Array.from({ length: keys }, (_, j) => {
            let sum = 0
            for (let d = 0; d < dim; d++)
              sum += q.values[(b * queries + i) * width + h * dim + d] * k.values[(b * keys + j) * width + h * dim + d]
            return sum * dim ** -0.5 + mask[b * keys + j]
          })
          const most = Math.max(...scores)
          const weights = scores.map((s) => Math.exp(s - most))
          const total = weights.reduce((a, s) => a + s)
          logs.push(most + Math.log(total))
          for (let d = 0; d < dim; d++) {
            let sum = 0
            for (let j = 0; j < keys; j++) sum += (weights[j] / total) * v.values[(b * keys + j) * width + h * dim + d]
            expected[(b * queries + i) * width + h * dim + d] = sum
          }
        }
    expect(relativeL2(await g.read(out), expected)).toBeLessThan(HALF)
    expect(relativeL2(await g.read(lse), logs)).toBeLessThan(1e-5)
    g.reset()
  })
})

describe('tiles for matrix units', () => {
  it.each([
    [4608, 12_288, 49_152, '128x128x32'],
    [512, 3072, 49_152, '128x128x64'],
    [77, 768, 49_152, '64x64x32'],
    [512, 3072, 40_000, '128x128x32'],
    [4608, 12_288, 16_384, '64x64x32'],
  ])('are as large as there is work and memory for: %i rows, %i columns, %i bytes', (rows, columns, bytes, name) => {
    const tile = chooseMatrixTile(rows, columns, bytes)
    expect(`${tile.rows}x${tile.columns}x${tile.depth}`).toBe(name)
  })
})
