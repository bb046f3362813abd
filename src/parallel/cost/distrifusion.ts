import type { Part } from './part.ts'
import { sitesOf } from './work.ts'
import { type Bytes, bytesOf, total, type Workload } from './workload.ts'

/**
 * Keys and values of a rank's tokens go to all others in each step: to be attended to at once while it is warm-up, later
 * in the step after, so that nobody wants those of the last one. Among N even shares of p tokens of hidden width hs:
 * 2 · (N − 1) / N · p · hs for each attention. Everybody has the text.
 */
export function distrifusionBytes(part: Part, { headDim, steps, elementBytes: { operand } }: Workload): Bytes {
  const { mesh, config, batch, work, heads, at, passes, warmup } = part
  const members = mesh.degree('ulysses') * mesh.degree('ring')
  if (!config.distrifusion || members === 1) return {}
  const unwanted = warmup < steps ? 1 : 0
  const sendingSteps = total(passes.map(({ times }) => times)) - unwanted
  const message = 2 * bytesOf(batch * passes[0].tokens[at] * heads * headDim, operand)
  return { 'distri.kv': sitesOf(work) * sendingSteps * (members - 1) * message }
}
