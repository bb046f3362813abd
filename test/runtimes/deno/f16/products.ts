// Linear, convolution and attention with f16 operands, against the same sums in float64.
import type { Device } from '../../../../src/runtime/device.ts'
import { attentionWithLse, conv2d, linear } from '../../../../src/runtime/ops/index.ts'
import { compared, Inputs, type Result } from './check.ts'

const gelu = (x: number) => 0.5 * x * (1 + Math.tanh(Math.sqrt(2 / Math.PI) * (x + 0.044715 * x ** 3)))

export async function* products(device: Device): AsyncGenerator<Result> {
  const types = device.tier === 'f32' ? (['f32'] as const) : (['f32', 'f16'] as const)
  for (const [rows, out, depth] of [
    [1, 5, 3],
    [1, 64, 320],
    [33, 65, 36],
    [130, 3, 7],
    [77, 130, 128],
  ])
    for (const a of types)
      for (const as of ['stream', 'operand'] as const) yield linearOf(device, rows, out, depth, a, as)
  for (const [size, channels, out, window, upsample] of [
    [[7, 5], 3, 6, 3, 1],
    [[6, 9], 8, 33, 3, 1],
    [[5, 4], 16, 7, 1, 1],
    [[4, 3], 8, 5, 3, 2],
  ] as [number[], number, number, number, 1 | 2][])
    for (const a of types) yield convOf(device, size, channels, out, window, upsample, a)
  for (const [heads, queries, keys, dim] of [
    [1, 1, 1, 32],
    [2, 33, 65, 72],
    [2, 18, 31, 6],
    [1, 5, 17, 512],
  ])
    yield* attentionOf(device, heads, queries, keys, dim)
}

async function linearOf(
  device: Device,
  rows: number,
  out: number,
  depth: number,
  a: 'f32' | 'f16',
  as: 'stream' | 'operand',
): Promise<Result> {
  const inputs = new Inputs(device)
  const [x, w] = [inputs.of(a, [rows, depth]), inputs.of('f16', [out, depth])]
  const [bias, residual] = [inputs.of('f32', [out]), inputs.of('f32', [rows, out])]
  const y = linear(
    inputs.g,
    x.tensor,
    { weight: w.tensor, bias: bias.tensor },
    { activation: 'gelu_tanh', residual: residual.tensor, as },
  )
  const expected = Float64Array.from({ length: rows * out }, (_, at) => {
    const [i, j] = [Math.floor(at / out), at % out]
    let sum = bias.values[j]
    for (let d = 0; d < depth; d++) sum += x.values[i * depth + d] * w.values[j * depth + d]
    return gelu(sum) + residual.values[at]
  })
  return compared(`linear ${rows}x${out}x${depth} ${a} ${as}`, inputs.g, y, expected, as === 'operand' ? 'f16' : 'f32')
}

async function convOf(
  device: Device,
  [height, width]: number[],
  channels: number,
  out: number,
  window: number,
  upsample: 1 | 2,
  a: 'f32' | 'f16',
): Promise<Result> {
  const inputs = new Inputs(device)
  const x = inputs.of(a, [2, height, width, channels])
  const w = inputs.of('f16', [out, window, window, channels])
  const bias = inputs.of('f32', [out])
  const y = conv2d(inputs.g, x.tensor, { weight: w.tensor, bias: bias.tensor }, { upsample })
  const [tall, wide, pad] = [height * upsample, width * upsample, (window - 1) / 2]
  const expected = Float64Array.from({ length: 2 * tall * wide * out }, (_, at) => {
    const [o, column, row] = [at % out, Math.floor(at / out) % wide, Math.floor(at / out / wide) % tall]
    const picture = Math.floor(at / out / wide / tall)
    let sum = bias.values[o]
    for (let ky = 0; ky < window; ky++)
      for (let kx = 0; kx < window; kx++) {
        const [r, c] = [row + ky - pad, column + kx - pad]
        if (r < 0 || c < 0 || r >= tall || c >= wide) continue
        const pixel = (picture * height + Math.floor(r / upsample)) * width + Math.floor(c / upsample)
        const tap = (o * window + ky) * window + kx
        for (let k = 0; k < channels; k++) sum += x.values[pixel * channels + k] * w.values[tap * channels + k]
      }
    return sum
  })
  return compared(`conv2d ${height}x${width}x${channels}, window ${window}, ${a}`, inputs.g, y, expected, 'f32')
}

async function* attentionOf(
  device: Device,
  heads: number,
  queries: number,
  keys: number,
  dim: number,
): AsyncGenerator<Result> {
  const inputs = new Inputs(device)
  const width = heads * dim
  const [q, k, v] = [queries, keys, keys].map((n) => inputs.of('f16', [2, n, width], 2))
  const mask = inputs.of('f32', [2, keys], 4)
  const { out, lse } = attentionWithLse(inputs.g, {
    q: q.tensor,
    k: k.tensor,
    v: v.tensor,
    heads,
    mask: mask.tensor,
  })
  const expected = new Float64Array(2 * queries * width)
  const logs = new Float64Array(2 * heads * queries)
  for (let n = 0; n < 2; n++)
    for (let h = 0; h < heads; h++)
      for (let i = 0; i < queries; i++) {
        const at = (n * queries + i) * width + h * dim
        const scores = Array.from({ length: keys }, (_, j) => {
          let s = 0
          for (let d = 0; d < dim; d++) s += q.values[at + d] * k.values[(n * keys + j) * width + h * dim + d]
          return s / Math.sqrt(dim) + mask.values[n * keys + j]
        })
        const top = Math.max(...scores)
        const sum = scores.reduce((total, s) => total + Math.exp(s - top), 0)
        logs[(n * heads + h) * queries + i] = top + Math.log(sum)
        for (let d = 0; d < dim; d++)
          for (let j = 0; j < keys; j++)
            expected[at + d] += (Math.exp(scores[j] - top) / sum) * v.values[(n * keys + j) * width + h * dim + d]
      }
  const name = `attention ${heads} heads, ${queries}x${keys}x${dim}`
  yield compared(name, inputs.g, out, expected, 'f16')
  yield compared(`${name}, log-sum-exp`, inputs.g, lse, logs, 'f32')
}
