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
    ['quick_gelu', (x: number) => x / (1 + Math.exp(-1.702 * x))],
    ['tanh', Math.tanh],
  ] as const)('computes %s', async (name, reference) => {
    const x = random(101, 6)
    const y = await compute({ x: { data: x, shape: [101] } }, (g, t) => activate(g, t.x, name))
    expect(relativeL2(y, Array.from(x, reference))).toBeLessThan(1e-6)
  })
})

describe('exact GELU', () => {
  // x · Φ(x) of torch.nn.functional.gelu in float64.
  const GELU = [
    [0.0, 0.0],
    [9.999999974752427e-7, 5.000003976798997e-7],
    [0.10000000149011612, 0.0539827845912596],
    [-0.10000000149011612, -0.04601721689885652],
    [0.5, 0.34573123063700656],
    [-0.5, -0.15426876936299344],
    [1.0, 0.841344746068543],
    [-1.0, -0.15865525393145702],
    [1.5, 1.399789198096713],
    [-1.5, -0.10021080190328704],
    [2.0, 1.9544997361036416],
    [-2.25, -0.02750506347385051],
    [3.0, 2.99595030590511],
    [-3.0, -0.00404969409489031],
    [4.0, 3.9998733150326675],
    [-4.0, -0.00012668496733247991],
    [5.0, 4.999998566742141],
    [-5.5, -1.0444259362918373e-7],
  ]

  it('is right to seven digits wherever it is not lost in rounding', async () => {
    const x = Float32Array.from(GELU, ([at]) => at)
    const y = await compute({ x: { data: x, shape: [x.length] } }, (g, t) => activate(g, t.x, 'gelu'))
    for (const [i, [at, value]] of GELU.entries()) {
      // exp's own error grows with its argument.
      expect([at, Math.abs(y[i] - value) <= Math.abs(value) * 1e-6 * (1 + at * at)]).toEqual([at, true])
    }
  })

  it('is x far out, and 0 on the other side', async () => {
    const x = new Float32Array([1e4, -1e4, 3e38, -3e38, 60, -60])
    const y = await compute({ x: { data: x, shape: [6] } }, (g, t) => activate(g, t.x, 'gelu'))
    expect([...y].map((v) => v || 0)).toEqual([1e4, 0, Math.fround(3e38), 0, 60, 0])
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
