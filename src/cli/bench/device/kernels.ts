import { attention, conv2d, layerNorm, linear, operand } from '../../../runtime/ops/index.ts'
import { BYTES_PER_ELEMENT, type Tensor } from '../../../runtime/tensor.ts'
import type { Row } from './row.ts'
import { SampledError, spread } from './sampled_error.ts'
import { randomOperand, type Stopwatch, secondsOf } from './stopwatch.ts'

const bytesOf = (...tensors: readonly Tensor[]): number =>
  tensors.reduce((sum, { size, dtype }) => sum + size * BYTES_PER_ELEMENT[dtype], 0)

/** x [rows, depth] · weightᵀ, both operands of the tier, sums and result f32. */
export async function linearRow(watch: Stopwatch, rows: number, columns: number, depth: number): Promise<Row> {
  const { g } = watch
  const x = operand(g, randomOperand(g, [rows, depth]))
  const weight = operand(g, randomOperand(g, [columns, depth]))
  const seconds = await secondsOf(watch, () => linear(g, x, { weight }))
  const [y, a, b] = [linear(g, x, { weight }), await g.read(x), await g.read(weight)]
  const values = await g.read(y)
  const error = new SampledError()
  for (const i of spread(rows, 37))
    for (const j of spread(columns, 29)) {
      let sum = 0
      for (let k = 0; k < depth; k++) sum += a[i * depth + k] * b[j * depth + k]
      error.add(values[i * columns + j], sum)
    }
  const measured = { seconds, flop: 2 * rows * columns * depth, bytes: bytesOf(x, weight, y), error: error.value }
  g.reset()
  return { name: 'linear', shape: `${rows} x ${depth} → ${columns}`, ...measured }
}

/** Self-attention of so many heads and tokens. */
export async function attentionRow(watch: Stopwatch, heads: number, tokens: number, dim: number): Promise<Row> {
  const { g } = watch
  const width = heads * dim
  const [q, k, v] = [2, 2, 1].map((scale) => operand(g, randomOperand(g, [1, tokens, width], scale)))
  const seconds = await secondsOf(watch, () => attention(g, { q, k, v, heads }))
  const y = attention(g, { q, k, v, heads })
  const [values, ...operands] = [await g.read(y), await g.read(q), await g.read(k), await g.read(v)]
  const error = new SampledError()
  for (const i of spread(tokens, 5)) {
    const head = i % heads
    attended(operands, i, head * dim, tokens, width, dim).forEach((value, d) => {
      error.add(values[i * width + head * dim + d], value)
    })
  }
  const measured = { seconds, flop: 4 * heads * tokens * tokens * dim, bytes: bytesOf(q, k, v, y), error: error.value }
  g.reset()
  return { name: 'attention', shape: `${heads} x ${tokens} x ${dim}`, ...measured }
}

/** A query's values of a head that begins at column `at`, in float64. */
function attended([q, k, v]: Float32Array[], query: number, at: number, tokens: number, width: number, dim: number) {
  const scores = Array.from({ length: tokens }, (_, key) => {
    let score = 0
    for (let d = 0; d < dim; d++) score += q[query * width + at + d] * k[key * width + at + d]
    return score / Math.sqrt(dim)
  })
  const top = Math.max(...scores)
  const weights = scores.map((score) => Math.exp(score - top))
  const sum = weights.reduce((a, b) => a + b, 0)
  return Array.from({ length: dim }, (_, d) => weights.reduce((s, w, key) => s + w * v[key * width + at + d], 0) / sum)
}

/** A 3 x 3 convolution that keeps the size of a square picture, channels last. */
export async function convRow(watch: Stopwatch, side: number, channels: number): Promise<Row> {
  const { g } = watch
  const x = operand(g, randomOperand(g, [1, side, side, channels]))
  const weight = operand(g, randomOperand(g, [channels, 3, 3, channels]))
  const seconds = await secondsOf(watch, () => conv2d(g, x, { weight }))
  const y = conv2d(g, x, { weight })
  const [values, a, b] = [await g.read(y), await g.read(x), await g.read(weight)]
  const error = new SampledError()
  for (const i of spread(side * side, 37))
    for (const j of spread(channels, 5)) {
      let sum = 0
      for (let t = 0; t < 9; t++) {
        const [row, column] = [Math.floor(i / side) + Math.floor(t / 3) - 1, (i % side) + (t % 3) - 1]
        if (row < 0 || row >= side || column < 0 || column >= side) continue
        const [from, by] = [(row * side + column) * channels, (j * 9 + t) * channels]
        for (let c = 0; c < channels; c++) sum += a[from + c] * b[by + c]
      }
      error.add(values[i * channels + j], sum)
    }
  const flop = 2 * 9 * side * side * channels * channels
  const measured = { seconds, flop, bytes: bytesOf(x, weight, y), error: error.value }
  g.reset()
  return { name: 'conv2d 3 x 3', shape: `${side} x ${side} x ${channels}`, ...measured }
}

/** adaLN: the norm of the float32 stream, modulated, as an operand. */
export async function normRow(watch: Stopwatch, rows: number, columns: number): Promise<Row> {
  const { g } = watch
  const x = randomOperand(g, [1, rows, columns])
  const of = randomOperand(g, [1, 2 * columns])
  const norm = () => layerNorm(g, x, { eps: 1e-6, modulation: { of, shift: 0, scale: columns }, as: 'operand' })
  const seconds = await secondsOf(watch, norm)
  const y = norm()
  const [values, a, m] = [await g.read(y), await g.read(x), await g.read(of)]
  const error = new SampledError()
  for (const i of spread(rows, 37)) {
    const row = Array.from(a.subarray(i * columns, (i + 1) * columns))
    const mean = row.reduce((s, value) => s + value, 0) / columns
    const variance = row.reduce((s, value) => s + (value - mean) ** 2, 0) / columns
    row.forEach((value, c) => {
      const normed = (value - mean) / Math.sqrt(variance + 1e-6)
      error.add(values[i * columns + c], normed * (1 + m[columns + c]) + m[c])
    })
  }
  const measured = { seconds, flop: 8 * rows * columns, bytes: bytesOf(x, of, y), error: error.value }
  g.reset()
  return { name: 'layer norm, modulated', shape: `${rows} x ${columns}`, ...measured }
}
