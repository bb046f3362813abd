import { attention } from '../src/runtime/ops/index.ts'
import { naive } from './kernels/attention/1_naive.wgsl.ts'
import { type Benchmark, type Contestant, type Row, race, random } from './race.ts'

/** The emoji model's self-attention, and one of a longer sequence with wider heads. */
const SIZES = [
  { batch: 2, heads: 10, queries: 64, keys: 64, dim: 32 },
  { batch: 1, heads: 4, queries: 256, keys: 256, dim: 64 },
]

export const attentionBenchmark: Benchmark = async (device, options) => {
  const rows: Row[] = []
  for (const size of SIZES) {
    const { batch, heads, queries, keys, dim } = size
    const width = heads * dim
    const [q, k, v] = [queries, keys, keys].map((tokens) => random(batch * tokens * width))
    const shipped: Contestant = {
      name: 'attention (shipped)',
      halves: true,
      record: (g, t) => attention(g, { ...qkv(t), heads }),
    }
    const found = await race(
      device,
      {
        what: `attention batch ${batch}, heads ${heads}, ${queries} queries x ${keys} keys x ${dim}`,
        inputs: {
          q: { data: q, shape: [batch, queries, width] },
          k: { data: k, shape: [batch, keys, width] },
          v: { data: v, shape: [batch, keys, width] },
        },
        expected: onHost(size, q, k, v),
        flop: 4 * batch * heads * queries * keys * dim,
        contestants: [naive(heads), shipped],
      },
      options,
    )
    rows.push(...found)
  }
  return rows
}

const qkv = ({ q, k, v }: Parameters<Contestant['record']>[1]) => ({ q, k, v })

function onHost(size: (typeof SIZES)[number], q: Float32Array, k: Float32Array, v: Float32Array): Float64Array {
  const { batch, heads, queries, keys, dim } = size
  const width = heads * dim
  const out = new Float64Array(batch * queries * width)
  for (let n = 0; n < batch; n++)
    for (let h = 0; h < heads; h++)
      for (let i = 0; i < queries; i++) {
        const at = (n * queries + i) * width + h * dim
        const keyAt = (j: number) => (n * keys + j) * width + h * dim
        const weights = Array.from({ length: keys }, (_, j) => {
          let score = 0
          for (let d = 0; d < dim; d++) score += q[at + d] * k[keyAt(j) + d]
          return Math.exp(score / Math.sqrt(dim))
        })
        const sum = weights.reduce((a, b) => a + b, 0)
        for (let j = 0; j < keys; j++) for (let d = 0; d < dim; d++) out[at + d] += (weights[j] / sum) * v[keyAt(j) + d]
      }
  return out
}
