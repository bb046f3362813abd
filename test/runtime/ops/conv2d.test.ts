import { describe, expect, it } from 'vitest'
import { type ConvOptions, conv2d } from '../../../src/runtime/ops/index.ts'
import { compute, hardwareDevice, testDevice } from '../../support/device.ts'
import { random, relativeL2 } from '../../support/numbers.ts'

interface Case {
  batch?: number
  size: [height: number, width: number]
  channels: [input: number, out: number]
  window: number
  options?: Pick<ConvOptions, 'stride' | 'pad' | 'padEnd' | 'upsample'>
  residual?: boolean
}

/** Convolution in float64 over an input that is enlarged and padded for real. */
function reference(c: Case, x: Float32Array, w: Float32Array, bias: Float32Array) {
  const { batch = 1, size, channels, window, options = {} } = c
  const { stride = 1, upsample = 1, pad = (window - 1) / 2, padEnd = pad } = options
  const [input, out] = channels
  const [height, width] = size.map((s) => s * upsample)
  const [outHeight, outWidth] = [height, width].map((s) => Math.floor((s + pad + padEnd - window) / stride) + 1)
  const y = new Float64Array(batch * outHeight * outWidth * out)
  let at = 0
  for (let n = 0; n < batch; n++)
    for (let i = 0; i < outHeight; i++)
      for (let j = 0; j < outWidth; j++)
        for (let o = 0; o < out; o++, at++) {
          y[at] = bias[o]
          for (let ky = 0; ky < window; ky++)
            for (let kx = 0; kx < window; kx++) {
              const [row, column] = [i * stride + ky - pad, j * stride + kx - pad]
              if (row < 0 || column < 0 || row >= height || column >= width) continue
              const [r, s] = [row, column].map((v) => Math.floor(v / upsample))
              const pixel = ((n * size[0] + r) * size[1] + s) * input
              const tap = ((o * window + ky) * window + kx) * input
              for (let k = 0; k < input; k++) y[at] += x[pixel + k] * w[tap + k]
            }
        }
  return { y, shape: [batch, outHeight, outWidth, out] }
}

/** The error of a case, and whether the shape is right. */
async function error(c: Case, device = testDevice()): Promise<number> {
  const { batch = 1, size, channels, window, options = {} } = c
  const [input, out] = channels
  const [x, w, bias] = [random(batch * size[0] * size[1] * input), random(out * window * window * input), random(out)]
  const expected = reference(c, x, w, bias)
  const residual = random(expected.y.length)
  let shape: readonly number[] = []
  const y = await compute(
    {
      x: { data: x, shape: [batch, ...size, input] },
      w: { data: w, shape: [out, window, window, input] },
      bias: { data: bias, shape: [out] },
      residual: { data: residual, shape: expected.shape },
    },
    (g, t) => {
      const result = conv2d(
        g,
        t.x,
        { weight: t.w, bias: t.bias },
        { ...options, residual: c.residual ? t.residual : undefined },
      )
      shape = result.shape
      return result
    },
    device,
  )
  expect(shape).toEqual(expected.shape)
  return relativeL2(
    y,
    expected.y.map((v, i) => v + (c.residual ? residual[i] : 0)),
  )
}

describe('conv2d', () => {
  it.each<Case>([
    { size: [5, 7], channels: [8, 5], window: 1 },
    { size: [1, 1], channels: [8, 3], window: 3 },
    { batch: 2, size: [7, 5], channels: [3, 6], window: 3 },
    { batch: 2, size: [6, 9], channels: [8, 33], window: 3, residual: true },
    { batch: 2, size: [9, 6], channels: [12, 3], window: 3 },
    { size: [8, 11], channels: [8, 6], window: 3, options: { stride: 2 } },
    { size: [8, 6], channels: [4, 6], window: 3, options: { stride: 2, pad: 0, padEnd: 1 } },
    { size: [7, 5], channels: [3, 4], window: 3, options: { pad: 2, padEnd: 0 } },
    { batch: 2, size: [3, 5], channels: [8, 9], window: 3, options: { upsample: 2 } },
    { size: [5, 3], channels: [3, 4], window: 3, options: { upsample: 2 }, residual: true },
    { size: [4, 4], channels: [8, 5], window: 1, options: { stride: 2 } },
    // Enough for a large tile.
    { size: [66, 70], channels: [40, 65], window: 3, residual: true },
  ])('matches float64: %o', async (c) => {
    expect(await error(c)).toBeLessThan(1e-6)
  })

  it.each<Case>([
    { batch: 2, size: [9, 6], channels: [32, 19], window: 3, residual: true },
    {
      batch: 2,
      size: [8, 11],
      channels: [32, 19],
      window: 3,
      options: { stride: 2, pad: 0, padEnd: 1 },
      residual: true,
    },
    { size: [5, 7], channels: [32, 19], window: 3, options: { upsample: 2 }, residual: true },
  ])('goes through workgroup memory on GPUs: %o', async (c) => {
    expect(await error(c, hardwareDevice())).toBeLessThan(1e-6)
  })
})
