import { copyRows } from '../runtime/ops/index.ts'
import type { Recorder } from '../runtime/recorder.ts'
import type { Tensor } from '../runtime/tensor.ts'

/** One token's row of each text: x [batch, tokens, width] at `positions`, one for each → [batch, width]. */
export function rowOfEach(g: Recorder, x: Tensor, positions: readonly number[]): Tensor {
  const [batch, tokens, width] = x.shape
  const y = g.create([batch, width], x.dtype, 'row of each')
  positions.forEach((at, i) => {
    copyRows(g, x, { stride: 0, offset: (i * tokens + at) * width }, y, { stride: 0, offset: i * width }, 1, width)
  })
  return y
}
