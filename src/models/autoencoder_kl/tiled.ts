import { blend, type Corner, crop, paste } from '../../runtime/ops/index.ts'
import type { Recorder } from '../../runtime/recorder.ts'
import type { Tensor } from '../../runtime/tensor.ts'
import type { Weights } from '../../runtime/weights/weights.ts'
import type { AutoencoderKLConfig } from './config.ts'
import { decode } from './decode.ts'
import { checkPicture, encode } from './encode.ts'

/** How pictures are cut into tiles, by the names that diffusers has for it. */
export interface Tiling {
  /** Latents of a tile's side. */
  readonly tileLatentMinSize: number
  /** The part of a tile that it shares with the next one, 0 to less than 1. */
  readonly tileOverlapFactor: number
}

/** Tiles as large as the pictures the autoencoder was trained on, that overlap by a quarter. */
export const defaultTiling = ({ sampleSize, scale }: AutoencoderKLConfig): Tiling => ({
  tileLatentMinSize: Math.max(1, Math.floor(sampleSize / scale)),
  tileOverlapFactor: 0.25,
})

/** Whether enable_tiling of diffusers cuts x [batch, channels, height, width]: where a side is longer than a tile's. */
export const exceedsTile = (x: Tensor, side: number): boolean => Math.max(x.dim(2), x.dim(3)) > side

/**
 * AutoencoderKL.tiled_decode: as `decode`, a tile at a time, so that no more memory is needed than for a tile and the
 * picture. It flushes after each tile.
 *
 * The picture is not quite that of `decode`: norms and attention see a tile only. Where the overlap is no whole number of
 * latents, diffusers' result has another size than the picture; here the overlap is rounded up.
 */
export function tiledDecode(
  g: Recorder,
  c: AutoencoderKLConfig,
  w: Weights,
  z: Tensor,
  tiling = defaultTiling(c),
): Promise<Tensor> {
  const [batch, , height, width] = z.shape
  const picture = [batch, c.outChannels, height * c.scale, width * c.scale]
  return inTiles(g, z, picture, { tiling, from: 1, to: c.scale }, (tile) => decode(g, c, w, tile))
}

/** AutoencoderKL.tiled_encode: as `encode`, a tile at a time. It flushes after each tile. */
export async function tiledEncode(
  g: Recorder,
  c: AutoencoderKLConfig,
  w: Weights,
  x: Tensor,
  tiling = defaultTiling(c),
): Promise<Tensor> {
  checkPicture(c, x)
  const [batch, , height, width] = x.shape
  const moments = [batch, 2 * c.latentChannels, Math.floor(height / c.scale), Math.floor(width / c.scale)]
  return inTiles(g, x, moments, { tiling, from: c.scale, to: 1 }, (tile) => encode(g, c, w, tile))
}

interface Tiles {
  readonly tiling: Tiling
  /** Pixels a latent, of what goes in and of what comes out. */
  readonly from: number
  readonly to: number
}

/** Tiles row by row: each is cut out of x, run alone, faded in over its neighbours above and on the left, and kept. */
function inTiles(
  g: Recorder,
  x: Tensor,
  shape: readonly number[],
  { tiling, from, to }: Tiles,
  run: (tile: Tensor) => Promise<Tensor>,
): Promise<Tensor> {
  const side = tiling.tileLatentMinSize
  const stride = Math.max(1, Math.floor(side * (1 - tiling.tileOverlapFactor)))
  const extent = (side - stride) * to
  const step = stride * to
  const tileAt = ({ top, left }: Corner, above?: Tensor, beside?: Tensor): Promise<Tensor> =>
    g.scope(async () => {
      const corner = { top: (top / to) * from, left: (left / to) * from }
      const alone = await run(crop(g, x, corner, side * from, side * from))
      return blend(g, alone, { above, left: beside, extent })
    })
  return g.scope(async () => {
    const joined = g.create(shape, 'f32', 'joined tiles')
    let last: Tensor | undefined
    let above: Tensor[] = []
    for (let top = 0; top < shape[2]; top += step) {
      const row: Tensor[] = []
      for (let left = 0; left < shape[3]; left += step) {
        const tile = await tileAt({ top, left }, above[row.length], row.at(-1))
        paste(g, joined, tile, { top, left }, Math.min(step, tile.dim(2)), Math.min(step, tile.dim(3)))
        if (last && last.size !== tile.size) {
          // Buffers fit tiles of one size: those at the edges are smaller and need others. A device keeps what it still uses.
          await g.device.finished()
          g.device.arena.trim()
        }
        await g.flush()
        row.push(tile)
        last = tile
      }
      for (const tile of above) g.release(tile)
      above = row
    }
    return joined
  })
}
