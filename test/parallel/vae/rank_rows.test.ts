import { describe, expect, it } from 'vitest'
import { RankRows } from '../../../src/parallel/vae/rank_rows.ts'
import type { Recorder } from '../../../src/runtime/recorder.ts'
import { evenShares } from '../../../src/runtime/shares.ts'
import type { Tensor } from '../../../src/runtime/tensor.ts'
import { random, relativeL2 } from '../../support/numbers.ts'
import { onRanks } from '../../support/ranks.ts'

/** What `body` gives on each rank, of which rank k holds `rows[k]` of a picture [1, rows, 3, channels]. */
function onRows(
  rows: readonly Float32Array[],
  channels: number,
  body: (over: RankRows, g: Recorder, x: Tensor) => Promise<Tensor>,
): Promise<Float32Array[]> {
  const heights = rows.map(({ length }) => length / 3 / channels)
  let end = 0
  const shares = heights.map((height) => ({ first: end, end: (end += height) }))
  const ranks = rows.map((_, k) => k)
  return onRanks(rows.length, async ({ g, fabric, index }) => {
    const x = g.upload(rows[index], [1, heights[index], 3, channels])
    return g.read(await body(new RankRows(fabric, { ranks, index }, shares), g, x))
  })
}

describe('group norm over ranks', () => {
  it('has the statistics of the whole picture, bit for bit the same on all, also far from zero', async () => {
    const [channels, groups, eps] = [6, 2, 1e-6]
    const common = random(3 * channels).map((v) => v + 1000)
    const parts = [2, 4, 1, 3, 2].map((height) =>
      Float32Array.from([...common, ...random((height - 1) * 3 * channels, height).map((v) => v + 1000)]),
    )
    const [weight, bias] = [random(channels), random(channels)]
    const results = await onRows(parts, channels, (over, g, x) =>
      over.groupNorm(g, x, { groups, eps, weight: g.upload(weight, [channels]), bias: g.upload(bias, [channels]) }),
    )
    for (const result of results) {
      expect(result.slice(0, common.length)).toEqual(results[0].slice(0, common.length))
    }
    const all = parts.flatMap((part) => [...part])
    const groupOf = (at: number) => Math.floor((at % channels) / (channels / groups))
    const of = [0, 1].map((group) => {
      const values = all.filter((_, at) => groupOf(at) === group)
      const mean = values.reduce((a, b) => a + b, 0) / values.length
      const variance = values.reduce((a, b) => a + (b - mean) ** 2, 0) / values.length
      return { mean, factor: 1 / Math.sqrt(variance + eps) }
    })
    const expected = all.map((v, at) => {
      const { mean, factor } = of[groupOf(at)]
      return (v - mean) * factor * weight[at % channels] + bias[at % channels]
    })
    // The mean itself rounds at 1000 · 2^-24, and deviations are about 1.
    const error = relativeL2(
      results.flatMap((result) => [...result]),
      expected,
    )
    expect(error).toBeLessThan(3e-4)
  })
})

describe('attention over ranks', () => {
  it('is of the rows of the latents: others are refused', async () => {
    const shares = evenShares(4, 2, 'rows')
    const run = onRanks(2, async ({ g, fabric, index }) => {
      const x = g.upload(random(4 * 2 * 8), [1, 4, 2, 8])
      await new RankRows(fabric, { ranks: [0, 1], index }, shares).attend(g, { q: x, k: x, v: x, heads: 1 })
    })
    await expect(run).rejects.toMatchObject({
      kind: 'validation',
      message: 'attention of 4 rows, expected the 2 of the latents',
    })
  })
})
