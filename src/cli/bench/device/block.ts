import { attention, layerNorm, linear, operand } from '../../../runtime/ops/index.ts'
import type { Tensor } from '../../../runtime/tensor.ts'
import type { Row } from './row.ts'
import { randomOperand, type Stopwatch, secondsOf } from './stopwatch.ts'

export interface BlockShape {
  readonly tokens: number
  readonly width: number
  readonly heads: number
}

/**
 * The block of a diffusion transformer (Peebles and Xie 2023, adaLN-Zero): attention and a feed-forward four times as wide, each
 * behind a modulated norm and added to the float32 stream through a gate. Weights are random.
 */
export async function blockRow(watch: Stopwatch, { tokens, width, heads }: BlockShape): Promise<Row> {
  const { g, device } = watch
  const weight = (out: number, depth: number): Tensor => operand(g, randomOperand(g, [out, depth], depth ** -0.5))
  const affine = (out: number, depth: number) => ({ weight: weight(out, depth), bias: randomOperand(g, [out], 0.1) })
  const [toQ, toK, toV, toOut] = [0, 1, 2, 3].map(() => affine(width, width))
  const [up, down] = [affine(4 * width, width), affine(width, 4 * width)]
  const table = affine(6 * width, width)
  const conditions = randomOperand(g, [1, width])
  const x = randomOperand(g, [1, tokens, width])

  const block = () => {
    const of = linear(g, conditions, table)
    const chunk = (k: number) => ({ of, offset: k * width })
    const normed = (stream: Tensor, first: number) =>
      layerNorm(g, stream, {
        eps: 1e-6,
        modulation: { of, shift: first * width, scale: (first + 1) * width },
        as: 'operand',
      })
    const a = normed(x, 0)
    const [q, k, v] = [toQ, toK, toV].map((part) => linear(g, a, part, { as: 'operand' }))
    const attended = attention(g, { q, k, v, heads })
    const stream = linear(g, attended, toOut, { gate: chunk(2), residual: x })
    const hidden = linear(g, normed(stream, 3), up, { activation: 'gelu_tanh', as: 'operand' })
    return linear(g, hidden, down, { gate: chunk(5), residual: stream })
  }
  const seconds = await secondsOf(watch, block)
  const linears = 2 * (4 + 8) * tokens * width * width + 2 * 6 * width * width
  const size = device.tier === 'f32' ? 4 : 2
  const bytes = (12 + 6) * width * width * size + 2 * 4 * tokens * width
  g.reset()
  const shape = `${tokens} x ${width}, ${heads} heads`
  return { name: 'DiT block', shape, seconds, flop: linears + 4 * tokens * tokens * width, bytes }
}
