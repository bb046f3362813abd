import { describe, expect, it } from 'vitest'
import { fillRandom } from '../../../src/runtime/weights/fill_random.ts'
import { testRecorder } from '../../support/device.ts'

const made = async (name: string, shape: number[]) => {
  const g = await testRecorder()
  const tensor = g.allocate(shape, 'f32', name)
  await fillRandom(g.device, tensor, name, shape)
  const values = await g.read(tensor)
  g.reset()
  return values
}

const mean = (values: Float32Array) => values.reduce((sum, v) => sum + v, 0) / values.length
const deviation = (values: Float32Array) => {
  const m = mean(values)
  return Math.sqrt(values.reduce((sum, v) => sum + (v - m) ** 2, 0) / values.length)
}

describe('random weights', () => {
  it('keep the scale of what a matrix multiplies', async () => {
    const values = await made('linear.weight', [64, 48])
    expect(mean(values)).toBeCloseTo(0, 2)
    expect(deviation(values)).toBeCloseTo(1 / Math.sqrt(48), 2)
    expect(new Set(values).size).toBeGreaterThan(3000)
  })

  it('are near 1 for norms and near 0 for biases', async () => {
    expect(mean(await made('norm.weight', [512]))).toBeCloseTo(1, 2)
    expect(mean(await made('norm.bias', [512]))).toBeCloseTo(0, 2)
  })

  it('are the same each time, and others for another weight', async () => {
    const first = await made('a.weight', [8, 16])
    expect(await made('a.weight', [8, 16])).toEqual(first)
    expect(await made('b.weight', [8, 16])).not.toEqual(first)
  })
})
