import { crewGroup } from '../crew/ranks.ts'
import { leaderOf } from '../crew/stages.ts'
import { rowShares } from '../vae/row_shares.ts'
import { lengthOf, type Part } from './part.ts'
import { type RowsNetwork, rowsBytes } from './rows.ts'
import { type Bytes, bytesOf, type Workload } from './workload.ts'

/** Latents → pixels. */
export interface Decoder extends RowsNetwork {
  readonly channels: number
  /** Rows and columns of pixels for each latent. */
  readonly scale: number
}

/**
 * Pictures are decoded one by one: a crew's leader tells the latents to those that decode with it, these exchange what
 * their rows need of each other, and the leader gets the pixels.
 */
export function vaeBytes(part: Part, { grid, latents, decoder, elementBytes }: Workload): Bytes {
  const crew = crewGroup(part).ranks
  const size = part.config.vaeParallelSize
  const after = (rank: number) => (rank - leaderOf(part) + crew.length) % crew.length
  const index = after(part.mesh.rank)
  if (!decoder || size === 1 || index >= size) return {}
  const [rows, columns] = [grid.rows * latents.patch, grid.columns * latents.patch]
  const speeds = Array.from({ length: size }, (_, k) => part.speeds[crew.find((rank) => after(rank) === k)!] ?? 1)
  const shares = rowShares(rows, speeds).map(lengthOf)
  const told = index === 0 ? (size - 1) * bytesOf(latents.channels * rows * columns, elementBytes.stream) : 0
  const pixels = decoder.channels * shares[index] * columns * decoder.scale ** 2
  const own = shares[index] > 0 ? busyBytes() : {}
  const one = { ...own, 'vae.latents': told, 'vae.rows': index === 0 ? 0 : bytesOf(pixels, elementBytes.stream) }
  return Object.fromEntries(Object.entries(one).map(([tag, bytes]) => [tag, lengthOf(part.dealt) * bytes]))

  /** Ranks without rows have no part in computing. */
  function busyBytes(): Bytes {
    const place = {
      index: shares.slice(0, index).filter((share) => share > 0).length,
      count: shares.filter((share) => share > 0).length,
    }
    return rowsBytes(decoder!, place, { pictures: 1, latents: shares[index] * columns }, elementBytes)
  }
}
