import { expect, it } from 'vitest'
import { relativeChange } from '../../../src/caches/agreement.ts'
import { changeSums } from '../../../src/runtime/ops/index.ts'
import { compute, testRecorder } from '../../support/device.ts'
import { random } from '../../support/numbers.ts'

it.each([1, 63, 4097, 100_003])('tells how far %i values are from what they were', async (count) => {
  const [x, before] = [random(count, 1), random(count, 3)]
  const shape = [count]
  const sums = await compute({ x: { data: x, shape }, before: { data: before, shape } }, (g, t) =>
    changeSums(g, t.x, t.before),
  )
  let [change, all] = [0, 0]
  for (const [i, value] of before.entries()) {
    change += Math.abs(x[i] - value)
    all += Math.abs(value)
  }
  expect(relativeChange(sums) / (change / all)).toBeCloseTo(1, 6)
})

it('refuses what has another shape', async () => {
  const g = await testRecorder()
  const of = (shape: number[]) => g.upload(new Float32Array(6), shape)
  expect(() => changeSums(g, of([2, 3]), of([3, 2]))).toThrow(expect.objectContaining({ kind: 'validation' }))
})
