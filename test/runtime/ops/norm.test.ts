import { describe, expect, it } from 'vitest'
import { groupNorm, layerNorm, rmsNorm } from '../../../src/runtime/ops/index.ts'
import { compute } from '../../support/device.ts'
import { random, relativeL2 } from '../../support/numbers.ts'

const EPS = 1e-6

/** Mean and 1/deviation of some values in float64. */
function statistics(values: number[], eps: number, centred = true) {
  const mean = centred ? values.reduce((a, b) => a + b, 0) / values.length : 0
  const variance = values.reduce((a, b) => a + (b - mean) ** 2, 0) / values.length
  return { mean, factor: 1 / Math.sqrt(variance + eps) }
}

describe.each(['layer', 'rms'] as const)('%s norm', (kind) => {
  const norm = kind === 'layer' ? layerNorm : rmsNorm

  it.each([
    [1, 1, 1, {}],
    [1, 3, 5, { weight: true }],
    [2, 7, 37, { weight: true, bias: true }],
    [2, 5, 64, { modulation: true }],
    [2, 3, 12, { weight: true, bias: true, shift: true }],
    [3, 4, 30, { weight: true, bias: true, modulation: true }],
  ] as const)('matches float64: batch %i, %i rows, %i columns, %o', async (batch, rows, columns, parts) => {
    const has = { weight: false, bias: false, modulation: false, shift: false, ...parts }
    const x = random(batch * rows * columns, 3)
    const [weight, bias] = [random(columns), random(columns)]
    // as adaLN has them: six chunks to a picture, of which shift is the fourth and scale the second
    const modulation = random(batch * 6 * columns)
    const y = await compute(
      {
        x: { data: x, shape: [batch, rows, columns] },
        weight: { data: weight, shape: [columns] },
        bias: { data: bias, shape: [columns] },
        modulation: { data: modulation, shape: [batch, 6 * columns] },
      },
      (g, t) =>
        norm(g, t.x, {
          eps: EPS,
          weight: has.weight ? t.weight : undefined,
          bias: has.bias ? t.bias : undefined,
          modulation: has.modulation
            ? { of: t.modulation, shift: 3 * columns, scale: columns }
            : has.shift
              ? { of: t.modulation, shift: 3 * columns }
              : undefined,
        }),
    )
    const expected = Array.from(x, (value, at) => {
      const [row, column] = [Math.floor(at / columns), at % columns]
      const { mean, factor } = statistics([...x.slice(row * columns, (row + 1) * columns)], EPS, kind === 'layer')
      let v = (value - mean) * factor
      if (has.weight) v *= weight[column]
      if (has.bias) v += bias[column]
      const chunk = Math.floor(row / rows) * 6 * columns
      if (has.modulation) v *= 1 + modulation[chunk + columns + column]
      if (has.modulation || has.shift) v += modulation[chunk + 3 * columns + column]
      return v
    })
    // one column: its layer norm is 0, and so is the length that the error would be measured by
    if (expected.every((v) => v === 0)) expect([...y]).toEqual(expected)
    else expect(relativeL2(y, expected)).toBeLessThan(2e-6)
  })
})

describe('layer norm', () => {
  it('sums the variance around the mean: a mean of 1000 costs only the rounding of the input', async () => {
    const columns = 96
    // Multiples of 1/64, so that 1000 + value is exact in float32.
    const x = Float32Array.from({ length: 3 * columns }, () => 1000 + Math.round(Math.random() * 64) / 64)
    const y = await compute({ x: { data: x, shape: [3, columns] } }, (g, t) => layerNorm(g, t.x, { eps: EPS }))
    const expected = Array.from(x, (v, at) => {
      const row = Math.floor(at / columns) * columns
      const { mean, factor } = statistics([...x.slice(row, row + columns)], EPS)
      return (v - mean) * factor
    })
    // The mean itself rounds at 1000 · 2^-24; E[x²] - E[x]² would be off by several per cent.
    expect(relativeL2(y, expected)).toBeLessThan(1e-3)
  })

  it('covers more rows than a dispatch has workgroups in one dimension', async () => {
    const rows = 65_535 + 3
    const x = random(rows * 2)
    const y = await compute({ x: { data: x, shape: [rows, 2] } }, (g, t) => rmsNorm(g, t.x, { eps: EPS }))
    const expected = x.map((v, at) => {
      const row = at - (at % 2)
      return v / Math.sqrt((x[row] ** 2 + x[row + 1] ** 2) / 2 + EPS)
    })
    expect(relativeL2(y, expected)).toBeLessThan(2e-6)
  })
})

describe('group norm', () => {
  it.each([
    [1, [1, 2], 8, 2, false],
    [2, [4, 6], 8, 2, true, 4],
    [1, [16, 2], 6, 3, false, 2],
    [2, [3, 5], 6, 3, true],
    [1, [7, 3], 8, 2, false],
    [2, [5, 5], 32, 8, true],
    [1, [3, 3], 5, 1, true],
  ] as const)('matches float64: batch %i, %o pixels, %i channels in %i groups, silu %s, in %s parts', async (...c) => {
    const [batch, size, channels, groups, silu, parts] = c
    const pixels = size[0] * size[1]
    const x = random(batch * pixels * channels, 2).map((v) => v + 5)
    const [weight, bias] = [random(channels), random(channels)]
    const y = await compute(
      {
        x: { data: x, shape: [batch, ...size, channels] },
        weight: { data: weight, shape: [channels] },
        bias: { data: bias, shape: [channels] },
      },
      (g, t) => groupNorm(g, t.x, { groups, eps: EPS, weight: t.weight, bias: t.bias, silu }, parts),
    )
    const perGroup = channels / groups
    const groupOf = (at: number) =>
      Math.floor(at / (pixels * channels)) * groups + Math.floor((at % channels) / perGroup)
    const members = Array.from({ length: batch * groups }, (): number[] => [])
    x.forEach((v, at) => {
      members[groupOf(at)].push(v)
    })
    const of = members.map((values) => statistics(values, EPS))
    const expected = Array.from(x, (value, at) => {
      const { mean, factor } = of[groupOf(at)]
      const v = (value - mean) * factor * weight[at % channels] + bias[at % channels]
      return silu ? v / (1 + Math.exp(-v)) : v
    })
    expect(relativeL2(y, expected)).toBeLessThan(1e-5)
  })

  it('takes the mean off before it multiplies: a mean of 1000 costs nothing', async () => {
    // Pairs around 1000 of multiples of 1/64: sums and mean are exact in float32.
    const x = Float32Array.from(
      Array.from({ length: 48 }, () => Math.ceil(Math.random() * 64) / 64).flatMap((d) => [1000 + d, 1000 - d]),
    )
    const [weight, bias] = [random(4), random(4)]
    const inputs = {
      x: { data: x, shape: [1, 24, 4] },
      weight: { data: weight, shape: [4] },
      bias: { data: bias, shape: [4] },
    }
    const y = await compute(inputs, (g, t) =>
      groupNorm(g, t.x, { groups: 1, eps: EPS, weight: t.weight, bias: t.bias }),
    )
    const { mean, factor } = statistics([...x], EPS)
    const expected = Array.from(x, (v, at) => (v - mean) * factor * weight[at % 4] + bias[at % 4])
    expect(relativeL2(y, expected)).toBeLessThan(1e-6)
  })
})
