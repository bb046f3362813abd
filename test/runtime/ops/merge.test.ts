import { afterEach, beforeAll, describe, expect, it } from 'vitest'
import {
  attention,
  attentionWithLse,
  mergeAttention,
  narrow,
  type PartialAttention,
} from '../../../src/runtime/ops/index.ts'
import type { Recorder } from '../../../src/runtime/recorder.ts'
import { testRecorder } from '../../support/device.ts'
import { loadGolden, loadGoldenJson } from '../../support/golden_io.ts'
import { random, relativeL2 } from '../../support/numbers.ts'

let g: Recorder
beforeAll(async () => {
  g = await testRecorder()
})
afterEach(() => g.reset())

interface Size {
  readonly batch: number
  readonly heads: number
  readonly queries: number
  readonly dim: number
}

const valuesOf = ({ batch, heads, queries, dim }: Size) => batch * heads * queries * dim

const upload = ({ batch, heads, queries, dim }: Size, out: Float32Array, lse: Float32Array): PartialAttention => ({
  out: g.upload(out, [batch, queries, heads * dim]),
  lse: g.upload(lse, [batch, heads, queries]),
})

/** In float64: Σ exp(lse − lse of all) · out. */
function expected(size: Size, parts: readonly { out: ArrayLike<number>; lse: ArrayLike<number> }[]) {
  const { batch, heads, queries, dim } = size
  const out = new Float64Array(valuesOf(size))
  const lse = new Float64Array(batch * heads * queries)
  for (let row = 0; row < lse.length; row++) {
    const [n, h, query] = [Math.floor(row / queries / heads), Math.floor(row / queries) % heads, row % queries]
    const top = Math.max(...parts.map((part) => part.lse[row]))
    const weights = parts.map((part) => (top === -Infinity ? 0 : Math.exp(part.lse[row] - top)))
    const sum = weights.reduce((a, b) => a + b, 0)
    lse[row] = sum === 0 ? -Infinity : top + Math.log(sum)
    const at = ((n * queries + query) * heads + h) * dim
    for (let d = at; d < at + dim; d++) {
      parts.forEach((part, k) => {
        if (weights[k] > 0) out[d] += (weights[k] / sum) * part.out[d]
      })
    }
  }
  return { out, lse }
}

function norm(values: ArrayLike<number>): number {
  let sum = 0
  for (let i = 0; i < values.length; i++) sum += values[i] ** 2
  return Math.sqrt(sum)
}

/** The distance from what was expected, beside the greatest of that and of what it was made from. */
const errorBeside = (actual: ArrayLike<number>, wanted: ArrayLike<number>, ...made: ArrayLike<number>[]): number =>
  norm(Array.from(actual, (value, i) => value - wanted[i])) / Math.max(...[wanted, ...made].map(norm))

describe('merged attention', () => {
  it.each<Size>([
    { batch: 1, heads: 1, queries: 1, dim: 1 },
    { batch: 2, heads: 3, queries: 7, dim: 5 },
    { batch: 2, heads: 5, queries: 13, dim: 16 },
    // beyond 65,535 workgroups, four values and one value a thread
    { batch: 1, heads: 1, queries: 16_400, dim: 256 },
    { batch: 1, heads: 1, queries: 33_000, dim: 33 },
  ])('of random parts is that of the host: %o', async (size) => {
    const part = () => ({ out: random(valuesOf(size)), lse: random(valuesOf(size) / size.dim, 3) })
    const [a, b] = [part(), part()]
    const merged = mergeAttention(g, upload(size, a.out, a.lse), upload(size, b.out, b.lse))
    const { out, lse } = expected(size, [a, b])
    // Sums that cancel have the error of what was summed.
    expect(errorBeside(await g.read(merged.out), out, a.out, b.out)).toBeLessThan(3e-7)
    expect(errorBeside(await g.read(merged.lse), lse, a.lse, b.lse)).toBeLessThan(3e-7)
    expect(merged.out.dtype).toBe('f32')
  })

  it('holds for parts that weigh nothing, however far apart they are', async () => {
    const lses = [
      [-Infinity, 2],
      [2, -Infinity],
      [-1e4, 90],
      [5000, -5000],
      [88.5, -88.5],
      [0, 120],
      [1e30, -1e30],
      [3, 3],
    ]
    const size = { batch: 1, heads: 1, queries: lses.length, dim: 6 }
    const part = (k: number) => ({ out: random(valuesOf(size)), lse: Float32Array.from(lses, (pair) => pair[k]) })
    const [a, b] = [part(0), part(1)]
    // Nobody computed the part of a query that saw no keys.
    a.out.fill(Number.NaN, 0, 6)
    b.out.fill(Number.NaN, 6, 12)
    const merged = mergeAttention(g, upload(size, a.out, a.lse), upload(size, b.out, b.lse))
    const { out, lse } = expected(size, [a, b])
    const values = await g.read(merged.out)
    expect(relativeL2(values, out)).toBeLessThan(1e-7)
    expect(values.subarray(0, 6)).toEqual(b.out.subarray(0, 6))
    expect(values.subarray(6, 12)).toEqual(a.out.subarray(6, 12))
    expect(await g.read(merged.lse)).toEqual(Float32Array.from(lse))
  })

  it('of two parts without keys stays a part without keys, to which others can be added', async () => {
    const size = { batch: 1, heads: 2, queries: 3, dim: 4 }
    const nothing = () => upload(size, new Float32Array(24), new Float32Array(6).fill(-Infinity))
    const none = mergeAttention(g, nothing(), nothing())
    const [out, lse] = [random(24), random(6)]
    const all = mergeAttention(g, none, upload(size, out, lse))
    expect(await g.read(none.lse)).toEqual(new Float32Array(6).fill(-Infinity))
    expect(await g.read(none.out)).toEqual(new Float32Array(24))
    expect(await g.read(all.out)).toEqual(out)
    expect(await g.read(all.lse)).toEqual(lse)
  })

  it('refuses parts of different queries', () => {
    const part = (queries: number) =>
      upload({ batch: 1, heads: 2, queries, dim: 4 }, random(queries * 8), random(queries * 2))
    expect(() => mergeAttention(g, part(3), part(4))).toThrow(/\[1, 3, 8\] with lse \[1, 2, 3\] and \[1, 4, 8\]/)
  })
})

describe('attention in parts', () => {
  it.each([
    [{ batch: 2, heads: 3, queries: 9, dim: 8 }, 23, [0, 1, 9, 23]],
    [{ batch: 1, heads: 2, queries: 17, dim: 7 }, 16, [0, 4, 8, 12, 16]],
  ] as const)('equals attention over all keys: %o, %d keys', async (size, keys, bounds) => {
    const { batch, heads, queries, dim } = size
    const width = heads * dim
    const q = g.upload(random(batch * queries * width, 3), [batch, queries, width])
    const [k, v] = [1, 2].map(() => g.upload(random(batch * keys * width, 3), [batch, keys, width]))
    const parts = bounds.slice(1).map((end, i) => {
      const share = (x: typeof k) => narrow(g, x, 1, bounds[i], end)
      return attentionWithLse(g, { q, k: share(k), v: share(v), heads })
    })
    const merged = parts.slice(1).reduce<PartialAttention>((sum, part) => mergeAttention(g, sum, part), parts[0])
    const whole = attentionWithLse(g, { q, k, v, heads })
    expect(relativeL2(await g.read(merged.out), await g.read(attention(g, { q, k, v, heads })))).toBeLessThan(1e-6)
    expect(relativeL2(await g.read(merged.lse), await g.read(whole.lse))).toBeLessThan(1e-6)
  })
})

describe('the oracle', () => {
  const { runs, tolerance } = loadGoldenJson('attention_ring')
  it.each(Object.keys(runs))('agrees with every merge of %s', async (name) => {
    const io = loadGolden('attention_ring', runs[name].io)
    const [chunks, batch, heads, queries, dim] = io['output.chunk_out'].shape
    // One head, so that heads first and tokens first are the same.
    expect(heads).toBe(1)
    const size = { batch, heads, queries, dim }
    const [values, rows] = [valuesOf(size), batch * heads * queries]
    const cut = (x: string, k: number, n: number) => (io[x].data as Float32Array).subarray(k * n, (k + 1) * n)
    const chunk = (k: number) => upload(size, cut('output.chunk_out', k, values), cut('output.chunk_lse', k, rows))
    let running = chunk(0)
    for (let k = 1; k < chunks; k++) {
      running = mergeAttention(g, running, chunk(k))
      const last = k === chunks - 1
      const [out, lse] = [last ? 'output.out' : 'inter.running_out', last ? 'output.lse' : 'inter.running_lse']
      const at = last ? 0 : k - 1
      expect(relativeL2(await g.read(running.out), cut(out, at, values))).toBeLessThan(tolerance.suggested / 100)
      expect(relativeL2(await g.read(running.lse), cut(lse, at, rows))).toBeLessThan(tolerance.suggested / 100)
    }
  })
})
