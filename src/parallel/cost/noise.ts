import { lengthOf, type Part } from './part.ts'
import { type Bytes, bytesOf, total, type Workload } from './workload.ts'

/**
 * Predictions, which the ranks of the last stage exchange: each gives its branch to the other one's (CFG), and then the
 * guided values of its tokens to all ranks of its sequence group; where it is wanted, the prediction with the prompt goes along.
 */
export function noiseBytes(part: Part, { outputs, guided, alsoPrompted, elementBytes: { stream } }: Workload): Bytes {
  const { mesh, dealt, batch, tail, at, passes } = part
  if (!tail) return {}
  const branches = mesh.degree('cfg')
  const members = mesh.degree('ulysses') * mesh.degree('ring')
  const gathered = lengthOf(dealt) * (guided && alsoPrompted ? 2 : 1)
  const sent = (entries: number) =>
    total(passes.map(({ tokens, times }) => times * bytesOf(entries * tokens[at] * outputs, stream)))
  return { 'cfg.noise': (branches - 1) * sent(batch), 'sp.noise': (members - 1) * sent(gathered) }
}
