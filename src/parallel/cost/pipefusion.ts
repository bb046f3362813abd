import { lengthOf, type Part } from './part.ts'
import { type Bytes, bytesOf, total, type Workload } from './workload.ts'

/**
 * A stage hands the hidden states of its tokens to the next one, once for each piece of each step; the last stage hands
 * the new latents to the first, all rows in each step but the last. Neither grows with the number of blocks.
 */
export function pipefusionBytes(part: Part, workload: Workload): Bytes {
  const { mesh, dealt, batch, tail, at, passes } = part
  const { heads, headDim, grid, steps, latents, elementBytes } = workload
  if (mesh.degree('pipefusion') === 1) return {}
  if (tail) {
    const values = lengthOf(dealt) * latents.channels * latents.patch ** 2 * grid.rows * grid.columns
    return { 'stage.latents': (steps - 1) * bytesOf(values, elementBytes.stream) }
  }
  const sent = passes.map(
    ({ tokens, times }) => times * bytesOf(batch * tokens[at] * heads * headDim, elementBytes.stream),
  )
  return { 'stage.activations': total(sent) }
}
