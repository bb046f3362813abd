import { type Share, sharesOf } from '../../runtime/shares.ts'
import { type Ranks, speedsAlong } from './ranks.ts'

/** The pictures of this rank's crew, of all that are drawn: data parallelism. Empty where there are fewer than crews. */
export function dealt(ranks: Ranks, pictures: number): Share {
  const { mesh } = ranks
  const speeds = speedsAlong(ranks, 'data').slice(0, pictures)
  const shares = sharesOf(pictures, speeds, 'pictures')
  return shares[mesh.at('data')] ?? { first: pictures, end: pictures }
}
