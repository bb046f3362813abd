import { describe, expect, it } from 'vitest'
import { attention, attentionWithLse } from '../../../src/runtime/ops/index.ts'
import { recordWideAttention } from '../../../src/runtime/ops/wide_attention.ts'
import { compute, testRecorder } from '../../support/device.ts'
import { random, relativeL2 } from '../../support/numbers.ts'

interface Case {
  batch?: number
  heads: number
  queries: number
  keys: number
  dim: number
  bias?: boolean
  mask?: boolean
}

/** Softmax attention in float64, token-major as the op has it, and the log-sum-exp. */
function reference(
  c: Required<Case>,
  q: Float32Array,
  k: Float32Array,
  v: Float32Array,
  b: Float32Array,
  m: Float32Array,
) {
  const width = c.heads * c.dim
  const out = new Float64Array(c.batch * c.queries * width)
  const lse = new Float64Array(c.batch * c.heads * c.queries)
  for (let n = 0; n < c.batch; n++)
    for (let h = 0; h < c.heads; h++)
      for (let i = 0; i < c.queries; i++) {
        const qAt = (n * c.queries + i) * width + h * c.dim
        const scores = Array.from({ length: c.keys }, (_, j) => {
          const kAt = (n * c.keys + j) * width + h * c.dim
          let s = 0
          for (let d = 0; d < c.dim; d++) s += q[qAt + d] * k[kAt + d]
          s /= Math.sqrt(c.dim)
          if (c.bias) s += b[(h * c.queries + i) * c.keys + j]
          return c.mask ? s + m[n * c.keys + j] : s
        })
        const top = Math.max(...scores)
        const weights = scores.map((s) => Math.exp(s - top))
        const sum = weights.reduce((x, y) => x + y, 0)
        lse[(n * c.heads + h) * c.queries + i] = top + Math.log(sum)
        for (let d = 0; d < c.dim; d++)
          for (let j = 0; j < c.keys; j++)
            out[qAt + d] += (weights[j] / sum) * v[(n * c.keys + j) * width + h * c.dim + d]
      }
  return { out, lse }
}

async function errors(given: Case, record = attentionWithLse): Promise<{ out: number; lse: number }> {
  const c = { batch: 2, bias: false, mask: false, ...given }
  const width = c.heads * c.dim
  const [q, k, v] = [c.queries, c.keys, c.keys].map((n) => random(c.batch * n * width, 2))
  const bias = random(c.heads * c.queries * c.keys, 3)
  const mask = Float32Array.from({ length: c.batch * c.keys }, (_, i) =>
    i % c.keys > 0 && Math.random() < 0.5 ? -10000 : 0,
  )
  const g = await testRecorder()
  const { out, lse } = record(g, {
    q: g.upload(q, [c.batch, c.queries, width]),
    k: g.upload(k, [c.batch, c.keys, width]),
    v: g.upload(v, [c.batch, c.keys, width]),
    heads: c.heads,
    bias: c.bias ? g.upload(bias, [c.heads, c.queries, c.keys]) : undefined,
    mask: c.mask ? g.upload(mask, [c.batch, c.keys]) : undefined,
  })
  const expected = reference(c, q, k, v, bias, mask)
  const result = { out: relativeL2(await g.read(out), expected.out), lse: relativeL2(await g.read(lse), expected.lse) }
  g.reset()
  return result
}

describe('attention', () => {
  it.each<Case>([
    { heads: 1, queries: 1, keys: 1, dim: 32 },
    { heads: 3, queries: 7, keys: 5, dim: 32 },
    { heads: 2, queries: 33, keys: 65, dim: 72 },
    { heads: 2, queries: 19, keys: 23, dim: 88, mask: true },
    { heads: 2, queries: 18, keys: 31, dim: 16, bias: true },
    { heads: 2, queries: 17, keys: 18, dim: 128, bias: true, mask: true },
    { heads: 1, queries: 5, keys: 6, dim: 160 },
    { heads: 1, queries: 6, keys: 9, dim: 200 },
    { heads: 1, queries: 9, keys: 10, dim: 512 },
    { heads: 2, queries: 4, keys: 9, dim: 6 },
  ])('matches float64 softmax: %o', async (c) => {
    const { out, lse } = await errors(c)
    expect(out).toBeLessThan(2e-6)
    expect(lse).toBeLessThan(2e-6)
  })

  it.each([
    ['all queries at once', { heads: 1, queries: 70, keys: 44, dim: 168 }, undefined],
    ['some at a time', { heads: 1, queries: 70, keys: 45, dim: 170, batch: 3 }, 4 * 45 * 32],
    ['one at a time', { heads: 1, queries: 9, keys: 21, dim: 512 }, 1],
  ] as const)('of one wide head by matmuls matches it: %s', async (_, c, scoreBytes) => {
    const { out, lse } = await errors(c, (g, inputs) =>
      recordWideAttention(g, { ...inputs, scale: c.dim ** -0.5 }, { batch: 2, ...c }, scoreBytes),
    )
    expect(out).toBeLessThan(2e-6)
    expect(lse).toBeLessThan(2e-6)
  })

  it('gives keys past the end no weight where -inf masks all but one', async () => {
    const mask = new Float32Array([-Infinity, -Infinity, -Infinity, -Infinity, 0])
    const v = random(5 * 4)
    const y = await compute(
      {
        q: { data: random(4), shape: [1, 1, 4] },
        k: { data: random(20), shape: [1, 5, 4] },
        v: { data: v, shape: [1, 5, 4] },
        mask: { data: mask, shape: [1, 5] },
      },
      (g, t) => attention(g, { q: t.q, k: t.k, v: t.v, heads: 1, mask: t.mask }),
    )
    expect(relativeL2(y, v.slice(16))).toBeLessThan(1e-6)
  })
})
