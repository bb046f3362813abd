import { type Share, sharesOf } from '../../runtime/shares.ts'

/**
 * Rows of latents for each rank, from the top down, in proportion to the ranks' weights. Where there are fewer rows than
 * ranks, those of the greatest weight get one each and the others have nothing to do: their shares are empty.
 */
export function rowShares(rows: number, weights: readonly number[]): Share[] {
  const busy = weights
    .map((weight, rank) => ({ weight, rank }))
    .sort((a, b) => b.weight - a.weight || a.rank - b.rank)
    .slice(0, rows)
    .map(({ rank }) => rank)
    .sort((a, b) => a - b)
  const shares = sharesOf(
    rows,
    busy.map((rank) => weights[rank]),
    'rows',
  )
  let end = 0
  return weights.map((_, rank) => {
    const at = busy.indexOf(rank)
    if (at >= 0) end = shares[at].end
    return at >= 0 ? shares[at] : { first: end, end }
  })
}

/**
 * The shares of a picture with `scale` rows of pixels for each row of latents. The last rank has those that are left over,
 * where a picture to be encoded has more of them.
 */
export function pixelShares(shares: readonly Share[], scale: number, pixels: number): Share[] {
  const rows = shares[shares.length - 1].end
  return shares.map(({ first, end }) => {
    const last = end === rows ? pixels : end * scale
    return first === end ? { first: last, end: last } : { first: first * scale, end: last }
  })
}
