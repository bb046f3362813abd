import { expect, it } from 'vitest'
import { onOneDevice } from '../../src/runtime/execution.ts'
import { testRecorder } from '../support/device.ts'
import { random, relativeL2 } from '../support/numbers.ts'

const PARTS = ['q', 'k', 'v'] as const

/** softmax(q·kᵀ / √dim)·v in float64; [batch, tokens, heads · dim]. */
function reference(q: Float32Array, k: Float32Array, v: Float32Array, batch: number, heads: number, dim: number) {
  const width = heads * dim
  const tokens = q.length / batch / width
  const out = new Float64Array(q.length)
  for (let b = 0; b < batch; b++)
    for (let h = 0; h < heads; h++)
      for (let i = 0; i < tokens; i++) {
        const at = (token: number, d: number) => (b * tokens + token) * width + h * dim + d
        const weights = Array.from({ length: tokens }, (_, j) => {
          let score = 0
          for (let d = 0; d < dim; d++) score += q[at(i, d)] * k[at(j, d)]
          return Math.exp(score / Math.sqrt(dim))
        })
        const sum = weights.reduce((a, c) => a + c, 0)
        for (let d = 0; d < dim; d++)
          out[at(i, d)] = weights.reduce((total, weight, j) => total + (weight / sum) * v[at(j, d)], 0)
      }
  return out
}

it.each([true, false])('text and image attend as one sequence on one device; text first: %s', async (textFirst) => {
  const [batch, images, texts, heads, dim] = [2, 6, 3, 2, 8]
  const width = heads * dim
  const g = await testRecorder()
  const make = (tokens: number) => PARTS.map(() => random(batch * tokens * width, 2))
  const [image, text] = [make(images), make(texts)]
  const upload = (values: Float32Array<ArrayBuffer>[], tokens: number) => {
    const [q, k, v] = values.map((data) => g.upload(data, [batch, tokens, width]))
    return { q, k, v }
  }
  const inputs = { ...upload(image, images), heads, text: upload(text, texts), textFirst }
  const got = await onOneDevice(1, images).attend(g, 'site', inputs)
  expect(got.image.shape).toEqual([batch, images, width])
  expect(got.text?.shape).toEqual([batch, texts, width])

  const cut = (data: ArrayLike<number>, entry: number, tokens: number) =>
    Array.from(data).slice(entry * tokens * width, (entry + 1) * tokens * width)
  const [q, k, v] = PARTS.map((_, part) => {
    const entries = [0, 1].map((entry) => {
      const [i, t] = [cut(image[part], entry, images), cut(text[part], entry, texts)]
      return textFirst ? [...t, ...i] : [...i, ...t]
    })
    return Float32Array.from(entries.flat())
  })
  const expected = reference(q, k, v, batch, heads, dim)
  const take = (first: number, tokens: number) =>
    [0, 1].flatMap((entry) => cut(expected, entry, images + texts).slice(first * width, (first + tokens) * width))
  expect(relativeL2(await g.read(got.image), take(textFirst ? texts : 0, images))).toBeLessThan(2e-6)
  expect(relativeL2(await g.read(got.text!), take(textFirst ? 0 : images, texts))).toBeLessThan(2e-6)
  g.reset()
})
