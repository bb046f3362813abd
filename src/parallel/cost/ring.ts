import type { Part } from './part.ts'
import { sitesOf } from './work.ts'
import { type Bytes, bytesOf, total, type Workload } from './workload.ts'

/**
 * Fresh keys and values go round: a rank sends on those of all members but the next, who had them first. Those that are
 * kept for later steps each member gives to all others. Among N even shares of p tokens of hidden width hs both are
 * 2 · (N − 1) / N · p · hs for each attention, divided by the Ulysses degree where there is one. Everybody has the text.
 */
export function ringBytes(part: Part, { headDim, elementBytes: { operand } }: Workload): Bytes {
  const { mesh, config, batch, work, ulyssesHeads, passes, keeps } = part
  const members = mesh.degree('ring')
  if (config.distrifusion || members === 1) return {}
  const own = mesh.at('ring')
  const size = mesh.degree('ulysses')
  const heads = ulyssesHeads[mesh.at('ulysses')]
  let bytes = 0
  for (const { tokens, times } of passes) {
    const kv = Array.from({ length: members }, (_, r) => {
      const count = total(tokens.slice(r * size, (r + 1) * size))
      return 2 * bytesOf(batch * count * heads * headDim, operand)
    })
    const sent = keeps ? (members - 1) * kv[own] : total(kv) - kv[(own + 1) % members]
    bytes += sitesOf(work) * times * sent
  }
  return { [keeps ? 'ring.gather' : 'ring.kv']: bytes }
}
