import { describe, expect, it } from 'vitest'
import { rescaleGuidance } from '../../../src/runtime/ops/index.ts'
import { compute, testRecorder } from '../../support/device.ts'
import { random, relativeL2 } from '../../support/numbers.ts'

/** As torch's std has it, around the mean and of one value less; the one less cancels in a ratio. */
function deviation(values: Float32Array): number {
  const mean = values.reduce((sum, v) => sum + v, 0) / values.length
  return Math.sqrt(values.reduce((sum, v) => sum + (v - mean) ** 2, 0) / (values.length - 1))
}

describe('rescaled guidance', () => {
  it.each([
    [1, 5, 0.7],
    [3, 4 * 13 * 9, 1],
    [2, 700, 0],
  ])('matches float64: %i pictures of %i values, by %f', async (pictures, size, by) => {
    const shape = [pictures, size]
    const x = random(pictures * size, 3).map((v) => v + 2)
    const prompted = random(pictures * size, 0.5)
    const y = await compute({ x: { data: x, shape }, prompted: { data: prompted, shape } }, (g, t) =>
      rescaleGuidance(g, t.x, t.prompted, by),
    )
    const of = (values: Float32Array, k: number) => deviation(values.subarray(k * size, (k + 1) * size))
    const expected = Array.from(x, (value, at) => {
      const k = Math.floor(at / size)
      return value * ((by * of(prompted, k)) / of(x, k) + 1 - by)
    })
    expect(relativeL2(y, expected)).toBeLessThan(2e-6)
  })

  it('refuses pictures of different shapes', async () => {
    const g = await testRecorder()
    const tensor = (...shape: number[]) => g.upload(random(shape.reduce((a, b) => a * b)), shape)
    expect(() => rescaleGuidance(g, tensor(2, 6), tensor(2, 5), 1)).toThrow(/\[2, 6\] rescaled by \[2, 5\]/)
    g.reset()
  })
})
