import { describe, expect, it } from 'vitest'
import { qkNorm } from '../../../src/runtime/ops/index.ts'
import { compute, testRecorder } from '../../support/device.ts'
import { random, relativeL2 } from '../../support/numbers.ts'

const EPS = 1e-6

describe('QK norm', () => {
  it.each([
    ['RMS', 1, 1, 1, 4, undefined],
    ['RMS', 2, 3, 5, 12, undefined],
    ['RMS', 1, 7, 2, 16, 0],
    ['RMS', 2, 5, 3, 8, 4],
    ['layer', 2, 3, 5, 12, undefined],
    ['layer', 2, 5, 3, 88, 4],
  ] as const)(
    'matches float64: %s norm, batch %i, %i tokens, %i heads of %i, positions from %s',
    async (kind, batch, tokens, heads, dim, first) => {
      const x = random(batch * tokens * heads * dim, 3)
      const [weight, bias] = [random(dim), random(dim)]
      const places = (first ?? 0) + tokens + 1
      const [cos, sin] = [random(places * dim), random(places * dim)]
      const y = await compute(
        {
          x: { data: x, shape: [batch, tokens, heads * dim] },
          weight: { data: weight, shape: [dim] },
          bias: { data: bias, shape: [dim] },
          cos: { data: cos, shape: [places, dim] },
          sin: { data: sin, shape: [places, dim] },
        },
        (g, t) => {
          const rotary = first === undefined ? undefined : { cos: t.cos, sin: t.sin, first }
          return qkNorm(g, t.x, { eps: EPS, weight: t.weight, bias: kind === 'layer' ? t.bias : undefined, rotary })
        },
      )
      const normed = Array.from(x, (value, at) => {
        const head = x.subarray(at - (at % dim), at - (at % dim) + dim)
        const mean = kind === 'layer' ? head.reduce((sum, v) => sum + v, 0) / dim : 0
        const square = head.reduce((sum, v) => sum + (v - mean) ** 2, 0) / dim
        return ((value - mean) / Math.sqrt(square + EPS)) * weight[at % dim] + (kind === 'layer' ? bias[at % dim] : 0)
      })
      const expected = normed.map((value, at) => {
        if (first === undefined) return value
        const place = (first + (Math.floor(at / (heads * dim)) % tokens)) * dim + (at % dim)
        // A pair is turned as one complex number.
        const turned = at % 2 === 0 ? -normed[at + 1] : normed[at - 1]
        return value * cos[place] + turned * sin[place]
      })
      expect(relativeL2(y, expected)).toBeLessThan(2e-6)
    },
  )

  it('refuses heads and positions that do not fit', async () => {
    const g = await testRecorder()
    const tensor = (...shape: number[]) => g.upload(random(shape.reduce((a, b) => a * b)), shape)
    const x = tensor(1, 3, 24)
    expect(() => qkNorm(g, x, { eps: EPS, weight: tensor(6) })).toThrow(/multiple of 4/)
    expect(() => qkNorm(g, x, { eps: EPS, weight: tensor(16) })).toThrow(/\[1, 3, 24\]/)
    const rotary = { cos: tensor(4, 8), sin: tensor(4, 8), first: 2 }
    expect(() => qkNorm(g, x, { eps: EPS, weight: tensor(8), rotary })).toThrow(/positions \[4, 8\]/)
    g.reset()
  })
})
