import type { Use } from '../../runtime/tensor.ts'
import { type Bytes, bytesOf, total, type Workload } from './workload.ts'

/** The last row of a rank, which a convolution of its neighbour reads. */
export interface Halo {
  /** Of one picture. */
  readonly values: number
  readonly use: Use
  /** False where a convolution reads the row below and not the one above. */
  readonly down: boolean
}

/** What of a convolutional network looks beyond a pixel, for pictures of one size. */
export interface RowsNetwork {
  readonly halos: readonly Halo[]
  /** Groups of each group norm. */
  readonly norms: readonly number[]
  /** Channels of the keys of each attention, which is over the latents. */
  readonly attentions: readonly number[]
}

/** Values, mean and squared deviation of each group, in f32. */
const MOMENTS_BYTES = 3 * 4

/**
 * Rows go to the neighbours above and below, moments of each norm, keys and values to all others.
 *
 * @param place of the rank, from the top down, and how many of them have rows
 * @param latents of a picture that this rank has
 */
export function rowsBytes(
  { halos, norms, attentions }: RowsNetwork,
  place: { readonly index: number; readonly count: number },
  { pictures, latents }: { readonly pictures: number; readonly latents: number },
  elementBytes: Workload['elementBytes'],
): Bytes {
  const others = place.count - 1
  const [above, below] = [place.index > 0 ? 1 : 0, place.index < others ? 1 : 0]
  const halo = halos.map(
    ({ values, use, down }) => (above + (down ? below : 0)) * bytesOf(pictures * values, elementBytes[use]),
  )
  const keys = attentions.map((channels) => 2 * bytesOf(pictures * latents * channels, elementBytes.operand))
  return {
    'vae.halo': total(halo),
    'vae.norm': others * pictures * total(norms) * MOMENTS_BYTES,
    'vae.attention': others * total(keys),
  }
}
