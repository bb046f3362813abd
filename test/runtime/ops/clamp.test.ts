import { expect, it } from 'vitest'
import { clamp } from '../../../src/runtime/ops/index.ts'
import { compute } from '../../support/device.ts'
import { random } from '../../support/numbers.ts'

it.each([1, 17, 1000])('clamp of %i values cuts off what is beyond the limit, and nothing else', async (size) => {
  const x = random(size, 3)
  x[0] = -7
  const limit = Math.fround(1.3)
  const y = await compute({ x: { data: x, shape: [size] } }, (g, t) => clamp(g, t.x, limit))
  expect([...y]).toEqual([...x].map((value) => Math.min(Math.max(value, -limit), limit)))
})
