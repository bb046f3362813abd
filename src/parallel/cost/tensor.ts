import type { Part } from './part.ts'
import type { Bytes, Workload } from './workload.ts'

/** Sums are in f32 in every tier. */
const F32 = 4

/**
 * Each sum of V values is made in slices, one a member, as even as whole values allow: a member gives the others their
 * slices, V − S values, and then its own sum of S to each of them. With N even slices of p · hs values both are
 * (N − 1) / N · p · hs for each sum. Text that goes through the blocks has sums of its own, in each pass.
 */
export function tensorBytes(part: Part, { heads, headDim, textTokens = 0 }: Workload): Bytes {
  const { mesh, batch, work, at, passes } = part
  const members = mesh.degree('tensor')
  if (members === 1) return {}
  const bytes = { 'tensor.sum': 0, 'tensor.sum.sum': 0 }
  for (const { tokens, times } of passes) {
    for (const [count, sums] of [
      [tokens[at], work.sums.image],
      [textTokens, work.sums.text],
    ]) {
      const values = batch * count * heads * headDim
      const slice = Math.floor(values / members) + (mesh.at('tensor') < values % members ? 1 : 0)
      bytes['tensor.sum'] += times * sums * F32 * (values - slice)
      bytes['tensor.sum.sum'] += times * sums * F32 * (members - 1) * slice
    }
  }
  return bytes
}
