import type { AutoencoderKLConfig } from '../models/autoencoder_kl/config.ts'
import { decodeRows } from '../models/autoencoder_kl/decode.ts'
import { checkPicture, encodeRows } from '../models/autoencoder_kl/encode.ts'
import type { Fabric } from '../parallel/fabric/fabric.ts'
import type { Group } from '../parallel/mesh/mesh.ts'
import { gatherRows } from '../parallel/vae/gather_rows.ts'
import { RankRows } from '../parallel/vae/rank_rows.ts'
import { pixelShares, rowShares } from '../parallel/vae/row_shares.ts'
import { narrow } from '../runtime/ops/index.ts'
import type { Recorder } from '../runtime/recorder.ts'
import type { RowsExecution } from '../runtime/rows_execution.ts'
import type { Share } from '../runtime/shares.ts'
import type { Tensor } from '../runtime/tensor.ts'
import type { Weights } from '../runtime/weights/weights.ts'

/** The ranks that share an autoencoder's pictures, each with all of its weights. */
export interface VaeRanks {
  readonly fabric: Fabric
  readonly group: Group
  /** Relative speed of each member, in the group's order. Default: all alike. */
  readonly speeds?: readonly number[]
}

/** What one rank has of a result [pictures, channels, height, width]. */
export interface RankPart {
  /** [pictures, channels, rows, width]; none where there are fewer rows of latents than ranks, and none for this one. */
  readonly rows?: Tensor
  /** Rows of each member of the group. */
  readonly shares: readonly Share[]
  /** Of the whole. */
  readonly shape: readonly number[]
}

/**
 * As `decode`, with the rows of the latents split over ranks: a rank computes its part of the picture, in its part of the
 * memory. All ranks of the group call it with the same latents.
 *
 * @param z [pictures, latentChannels, height, width]: latents / scaling_factor + shift_factor
 */
export async function parallelDecode(
  g: Recorder,
  c: AutoencoderKLConfig,
  w: Weights,
  z: Tensor,
  ranks: VaeRanks,
): Promise<RankPart> {
  const [pictures, , height, width] = z.shape
  const latents = rowShares(height, speedsOf(ranks))
  const rows = await onShare(g, z, latents, latents, ranks, (part, over) => decodeRows(g, c, w, part, over))
  const shape = [pictures, c.outChannels, height * c.scale, width * c.scale]
  return { rows, shares: pixelShares(latents, c.scale, height * c.scale), shape }
}

/**
 * As `encode`, with the rows of the picture split over ranks. All ranks of the group call it with the same picture.
 *
 * @param x [pictures, inChannels, height, width], -1 to 1
 * @returns the rank's part of the moments [pictures, 2 · latentChannels, ⌊height / scale⌋, ⌊width / scale⌋]
 * @throws DitError 'bad-argument' for a picture too small to have a latent
 */
export async function parallelEncode(
  g: Recorder,
  c: AutoencoderKLConfig,
  w: Weights,
  x: Tensor,
  ranks: VaeRanks,
): Promise<RankPart> {
  checkPicture(c, x)
  const [pictures, , height, width] = x.shape
  const shape = [pictures, 2 * c.latentChannels, Math.floor(height / c.scale), Math.floor(width / c.scale)]
  const shares = rowShares(shape[2], speedsOf(ranks))
  const pixels = pixelShares(shares, c.scale, height)
  const rows = await onShare(g, x, pixels, shares, ranks, (part, over) => encodeRows(g, c, w, part, over))
  return { rows, shares, shape }
}

/** The whole of `parallelDecode` or `parallelEncode`, on that member of the group; nothing on the others. */
export function deliver(
  g: Recorder,
  { rows, shares, shape }: RankPart,
  { fabric, group }: VaeRanks,
  root: number,
): Promise<Tensor | undefined> {
  return gatherRows(g, fabric, group, root, shares, rows, shape)
}

/** `parallelDecode`, delivered to one member of the group. */
export const parallelDecodeTo = (
  root: number,
  g: Recorder,
  c: AutoencoderKLConfig,
  w: Weights,
  z: Tensor,
  ranks: VaeRanks,
): Promise<Tensor | undefined> => g.scope(async () => deliver(g, await parallelDecode(g, c, w, z, ranks), ranks, root))

/** `parallelEncode`, delivered to one member of the group. */
export const parallelEncodeTo = (
  root: number,
  g: Recorder,
  c: AutoencoderKLConfig,
  w: Weights,
  x: Tensor,
  ranks: VaeRanks,
): Promise<Tensor | undefined> => g.scope(async () => deliver(g, await parallelEncode(g, c, w, x, ranks), ranks, root))

const speedsOf = ({ group, speeds }: VaeRanks): readonly number[] => speeds ?? Array(group.ranks.length).fill(1)

/** @param own rows of x of each member, @param latents the same in rows of latents */
async function onShare(
  g: Recorder,
  x: Tensor,
  own: readonly Share[],
  latents: readonly Share[],
  { fabric, group: { ranks, index } }: VaeRanks,
  run: (part: Tensor, over: RowsExecution) => Promise<Tensor>,
): Promise<Tensor | undefined> {
  const busy = ranks.map((_, k) => k).filter((k) => latents[k].end > latents[k].first)
  if (!busy.includes(index)) return undefined
  const group = { ranks: busy.map((k) => ranks[k]), index: busy.indexOf(index) }
  const shares = busy.map((k) => latents[k])
  return g.scope(() => run(narrow(g, x, 2, own[index].first, own[index].end), new RankRows(fabric, group, shares)))
}
