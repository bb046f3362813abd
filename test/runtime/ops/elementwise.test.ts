import { describe, expect, it } from 'vitest'
import { activate, add, combine, guide } from '../../../src/runtime/ops/index.ts'
import { compute } from '../../support/device.ts'
import { random, relativeL2 } from '../../support/numbers.ts'

describe('combine', () => {
  it.each([1, 2, 3, 4, 5])('sums %i tensors by their coefficients, repeating shorter ones', async (count) => {
    const sizes = [[2, 3, 7], [2, 3, 7], [3, 7], [7], [1]].slice(0, count)
    const inputs = sizes.map((shape) => ({ data: random(shape.reduce((a, b) => a * b)), shape }))
    const coefficients = random(count, 2)
    const y = await compute(Object.fromEntries(inputs.map((input, i) => [`x${i}`, input])), (g, t) =>
      combine(
        g,
        inputs.map((_, i) => [t[`x${i}`], coefficients[i]] as const),
      ),
    )
    const expected = Array.from(inputs[0].data, (_, at) =>
      inputs.reduce((sum, { data }, i) => sum + coefficients[i] * data[at % data.length], 0),
    )
    expect(relativeL2(y, expected)).toBeLessThan(1e-6)
  })

  it('reaches every element of an array of more workgroups than one dimension has', async () => {
    const count = 65_535 * 16 + 37 // software drivers get 16 threads a workgroup, GPUs 64
    const x = random(count)
    const y = await compute({ x: { data: x, shape: [count] } }, (g, t) => combine(g, [[t.x, 2]]))
    expect(y.length).toBe(count)
    expect(y.findIndex((v, i) => v !== 2 * x[i])).toBe(-1)
  })
})

describe('add', () => {
  it('repeats the shorter addend', async () => {
    const [a, b] = [random(15), random(5)]
    const y = await compute({ a: { data: a, shape: [3, 5] }, b: { data: b, shape: [5] } }, (g, t) => add(g, t.a, t.b))
    expect(
      relativeL2(
        y,
        Array.from(a, (v, i) => v + b[i % 5]),
      ),
    ).toBeLessThan(1e-6)
  })
})

describe('activate', () => {
  it.each([
    ['silu', (x: number) => x / (1 + Math.exp(-x))],
    ['relu', (x: number) => Math.max(0, x)],
    ['gelu_tanh', (x: number) => 0.5 * x * (1 + Math.tanh(Math.sqrt(2 / Math.PI) * (x + 0.044715 * x ** 3)))],
  ] as const)('computes %s', async (name, reference) => {
    const x = random(101, 6)
    const y = await compute({ x: { data: x, shape: [101] } }, (g, t) => activate(g, t.x, name))
    expect(relativeL2(y, Array.from(x, reference))).toBeLessThan(1e-6)
  })
})

describe('guide', () => {
  it('moves from the unconditional half by the scale', async () => {
    const x = random(4 * 21)
    const y = await compute({ x: { data: x, shape: [4, 3, 7] } }, (g, t) => guide(g, t.x, 4.5))
    const expected = Array.from({ length: 42 }, (_, i) => x[i] + 4.5 * (x[i + 42] - x[i]))
    expect(relativeL2(y, expected)).toBeLessThan(1e-6)
  })
})
