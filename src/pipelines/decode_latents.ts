import type { AutoencoderKLConfig } from '../models/autoencoder_kl/config.ts'
import { decode } from '../models/autoencoder_kl/decode.ts'
import { defaultTiling, exceedsTile, tiledDecode } from '../models/autoencoder_kl/tiled.ts'
import type { Component } from '../models/component.ts'
import type { Arena } from '../runtime/arena.ts'
import { combine } from '../runtime/ops/index.ts'
import type { Recorder } from '../runtime/recorder.ts'
import type { Tensor } from '../runtime/tensor.ts'

/** Final latents [pictures, channels, height, width] → [pictures, 3, height · scale, width · scale], about -1 to 1. */
export function decodeLatents(
  g: Recorder,
  vae: Component<'AutoencoderKL'>,
  latents: Tensor,
  tiling = false,
): Promise<Tensor> {
  const { config, weights } = vae
  const z = combine(g, [
    [latents, 1 / config.scalingFactor],
    [g.upload(new Float32Array([config.shiftFactor]), [1], 'shift'), 1],
  ])
  const tiled = tiling && exceedsTile(z, defaultTiling(config).tileLatentMinSize)
  return tiled ? tiledDecode(g, config, weights, z) : decode(g, config, weights, z)
}

/**
 * Refuses a picture that the decoder could not make, before anything is made of its size.
 *
 * @param height pixels, as `width`
 * @throws DitError 'out-of-memory' where no buffer holds what is decoded at once, or the picture
 */
export function checkDecoding(
  arena: Arena,
  config: AutoencoderKLConfig,
  height: number,
  width: number,
  tiling = false,
): void {
  const tile = tiling ? defaultTiling(config).tileLatentMinSize * config.scale : Number.POSITIVE_INFINITY
  const pixels = Math.min(height, tile) * Math.min(width, tile)
  const size = `height ${height} and width ${width}: the autoencoder`
  // The widest of full size: what the second level hands on, enlarged.
  arena.checkSize(pixels * Math.max(...config.widths.slice(0, 2)) * 4, tiling ? size : `${size} without enable_tiling`)
  arena.checkSize(height * width * config.outChannels * 4, size)
}
