import { describe, expect, it } from 'vitest'
import { attentionWithLse } from '../../../src/runtime/ops/index.ts'
import type { Recorder } from '../../../src/runtime/recorder.ts'
import type { Tensor } from '../../../src/runtime/tensor.ts'
import { testRecorder } from '../../support/device.ts'
import { type GoldenTensor, loadGolden, loadGoldenJson } from '../../support/golden_io.ts'
import { relativeL2 } from '../../support/numbers.ts'

interface HashedInput {
  seed: number
  shape: [batch: number, heads: number, sequence: number, dim: number]
  amp: number
  first8: number[]
}

interface Run {
  io: string
  attention: {
    inputs: Record<'q' | 'k' | 'v', HashedInput>
    scale: number
    mask: string
    kv_chunk_bounds?: number[]
  }
}

/** Values of the integer hash that meta.json describes, in its order [batch, heads, sequence, dim]. */
function hashed({ seed, shape, amp }: HashedInput): Float32Array {
  return Float32Array.from({ length: shape.reduce((a, b) => a * b) }, (_, i) => {
    let x = (Math.imul(i, 0x9e3779b1) + Math.imul(seed, 0x85ebca77)) >>> 0
    x = Math.imul(x ^ (x >>> 16), 0x85ebca6b) >>> 0
    x = Math.imul(x ^ (x >>> 13), 0xc2b2ae35) >>> 0
    x = (x ^ (x >>> 16)) >>> 0
    return ((x >>> 8) / 2 ** 23 - 1) * amp
  })
}

/** [batch, heads, tokens, dim] to [batch, tokens, heads · dim] for tokens [first, end). */
function tokenMajor({ shape }: HashedInput, values: Float32Array, first = 0, end = shape[2]): Float32Array {
  const [batch, heads, tokens, dim] = shape
  const y = new Float32Array(batch * (end - first) * heads * dim)
  let at = 0
  for (let n = 0; n < batch; n++)
    for (let t = first; t < end; t++)
      for (let h = 0; h < heads; h++)
        for (let d = 0; d < dim; d++) y[at++] = values[((n * heads + h) * tokens + t) * dim + d]
  return y
}

/** The op on keys [first, end): out [batch, heads, queries, dim] and lse [batch, heads, queries], as the cases have them. */
async function attend(run: Run, io: Record<string, GoldenTensor>, first: number, end: number) {
  const { inputs, scale, mask } = run.attention
  const [batch, heads, queries, dim] = inputs.q.shape
  const keys = end - first
  const g = await testRecorder()
  const upload = (i: HashedInput, from: number, to: number): Tensor =>
    g.upload(tokenMajor(i, hashed(i), from, to), [batch, to - from, heads * dim])
  const { out, lse } = attentionWithLse(g, {
    q: upload(inputs.q, 0, queries),
    k: upload(inputs.k, first, end),
    v: upload(inputs.v, first, end),
    heads,
    scale,
    bias: mask.startsWith('causal') ? causal(g, queries, keys) : undefined,
    mask:
      io['input.key_mask'] && keyMask(g, io['input.key_mask'], first, end, mask.includes('-10000') ? -1e4 : -Infinity),
  })
  const values = await g.read(out)
  const rows = await g.read(lse)
  g.reset()
  // back to heads first: the same exchange with tokens and heads swapped
  const exchanged = { shape: [batch, queries, heads, dim] } as unknown as HashedInput
  return { out: tokenMajor(exchanged, values), lse: rows }
}

const causal = (g: Recorder, queries: number, keys: number): Tensor =>
  g.upload(
    Float32Array.from({ length: queries * keys }, (_, i) => (i % keys <= Math.floor(i / keys) ? 0 : -Infinity)),
    [1, queries, keys],
  )

function keyMask(g: Recorder, stored: GoldenTensor, first: number, end: number, masked: number): Tensor {
  const [batch, keys] = stored.shape
  const visible = stored.data as Uint8Array
  const values = Float32Array.from({ length: batch * (end - first) }, (_, i) => {
    const [n, key] = [Math.floor(i / (end - first)), first + (i % (end - first))]
    return visible[n * keys + key] ? 0 : masked
  })
  return g.upload(values, [batch, end - first])
}

const runsOf = (name: string): { runs: [string, Run][]; tolerance: number } => {
  const meta = loadGoldenJson(name)
  return { runs: Object.entries<Run>(meta.runs), tolerance: meta.tolerance.suggested }
}

const numbers = (tensor: GoldenTensor): Float32Array => tensor.data as Float32Array

describe.each(['attention_self', 'attention_cross'])('%s', (name) => {
  const { runs, tolerance } = runsOf(name)
  it.each(runs)('%s', async (_, run) => {
    const { inputs } = run.attention
    for (const input of Object.values(inputs)) expect([...hashed(input).slice(0, 8)]).toEqual(input.first8)
    const io = loadGolden(name, run.io)
    const { out, lse } = await attend(run, io, 0, inputs.k.shape[2])
    expect(relativeL2(out, numbers(io['output.out']))).toBeLessThan(tolerance)
    expect(relativeL2(lse, numbers(io['output.lse']))).toBeLessThan(tolerance)
  })
})

describe('attention_ring', () => {
  const { runs, tolerance } = runsOf('attention_ring')
  it.each(runs)('%s', async (_, run) => {
    const io = loadGolden('attention_ring', run.io)
    const bounds = run.attention.kv_chunk_bounds!
    const dim = run.attention.inputs.q.shape[3]
    const rows = io['output.lse'].data.length
    const total = new Float64Array(rows)
    const merged = new Float64Array(rows * dim)
    for (let c = 0; c + 1 < bounds.length; c++) {
      const { out, lse } = await attend(run, io, bounds[c], bounds[c + 1])
      expect(relativeL2(out, numbers(io['output.chunk_out']).slice(c * rows * dim, (c + 1) * rows * dim))).toBeLessThan(
        tolerance,
      )
      expect(relativeL2(lse, numbers(io['output.chunk_lse']).slice(c * rows, (c + 1) * rows))).toBeLessThan(tolerance)
      for (let r = 0; r < rows; r++) {
        const weight = Math.exp(lse[r])
        total[r] += weight
        for (let d = 0; d < dim; d++) merged[r * dim + d] += weight * out[r * dim + d]
      }
    }
    const result = merged.map((v, i) => v / total[Math.floor(i / dim)])
    expect(relativeL2(result, numbers(io['output.out']))).toBeLessThan(tolerance)
    expect(relativeL2(total.map(Math.log), numbers(io['output.lse']))).toBeLessThan(tolerance)
  })
})
