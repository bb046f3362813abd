import { type Share, sharesOf } from '../../runtime/shares.ts'
import { type Ranks, speedsAlong } from './ranks.ts'

/** The pictures of this rank's crew, of all that are drawn: data parallelism. Empty where there are fewer than crews. */
export const dealt = (ranks: Ranks, pictures: number): Share => dealtOf(ranks, { first: 0, end: pictures })

/** Likewise where only some of them are drawn. */
export function dealtOf(ranks: Ranks, { first, end }: Share): Share {
  const { mesh } = ranks
  const pictures = end - first
  const speeds = speedsAlong(ranks, 'data').slice(0, pictures)
  const own = sharesOf(pictures, speeds, 'pictures')[mesh.at('data')] ?? { first: pictures, end: pictures }
  return { first: first + own.first, end: first + own.end }
}
