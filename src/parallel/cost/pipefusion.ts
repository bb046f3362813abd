import { lengthOf, type Part } from './part.ts'
import { skipsAcross } from './work.ts'
import { type Bytes, bytesOf, total, type Workload } from './workload.ts'

/**
 * A stage hands the hidden states of its tokens to the next one, once for each piece of each step, with the results of
 * earlier blocks that later stages still take (long skips); text that goes through the blocks goes with the first piece. The
 * last stage hands the new latents to the first, all rows in each step but the last. Neither grows with the number of blocks.
 */
export function pipefusionBytes(part: Part, workload: Workload): Bytes {
  const { mesh, dealt, batch, stage, tail, at, passes } = part
  const { blocks, heads, headDim, textTokens = 0, grid, steps, latents, elementBytes } = workload
  if (mesh.degree('pipefusion') === 1) return {}
  if (tail) {
    const values = lengthOf(dealt) * latents.channels * latents.patch ** 2 * grid.rows * grid.columns
    return { 'stage.latents': (steps - 1) * bytesOf(values, elementBytes.stream) }
  }
  const states = (tokens: number) => bytesOf(batch * tokens * heads * headDim, elementBytes.stream)
  const results = 1 + skipsAcross(blocks, stage.end)
  const sent = passes.map(
    ({ tokens, times, first }) => times * (results * states(tokens[at]) + (first ? states(textTokens) : 0)),
  )
  return { 'stage.activations': total(sent) }
}
