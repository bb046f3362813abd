import type { AutoencoderKLConfig } from '../models/autoencoder_kl/config.ts'
import { decode } from '../models/autoencoder_kl/decode.ts'
import { defaultTiling, exceedsTile, tiledDecode } from '../models/autoencoder_kl/tiled.ts'
import type { Component } from '../models/component.ts'
import { throwIfAborted } from '../runtime/abort.ts'
import type { Arena } from '../runtime/arena.ts'
import { DitError } from '../runtime/errors.ts'
import { combine } from '../runtime/ops/index.ts'
import type { Recorder } from '../runtime/recorder.ts'
import type { Tensor } from '../runtime/tensor.ts'
import { DitImage } from './image/image.ts'
import { resizeAndCrop } from './image/resize.ts'

type Autoencoder = Component<'AutoencoderKL'>

/** Final latents [pictures, channels, height, width] → [pictures, 3, height · scale, width · scale], about -1 to 1. */
export function decodeLatents(g: Recorder, vae: Autoencoder, latents: Tensor, tiling = false): Promise<Tensor> {
  const { config, weights } = vae
  const z = unscaled(g, config, latents)
  const tiled = tiling && exceedsTile(z, defaultTiling(config).tileLatentMinSize)
  return tiled ? tiledDecode(g, config, weights, z) : decode(g, config, weights, z)
}

/** Latents as the autoencoder made them: without the scale and shift that transformers like. */
export const unscaled = (g: Recorder, config: AutoencoderKLConfig, latents: Tensor): Tensor =>
  combine(g, [
    [latents, 1 / config.scalingFactor],
    [g.upload(new Float32Array([config.shiftFactor]), [1], 'shift'), 1],
  ])

/** Decodes the latents of one picture. */
export type Decoder = (latents: () => Tensor) => Promise<Tensor>

export interface DecodeOptions {
  /** Pixels of the pictures, which are resized and cropped where the latents are of another size. */
  height: number
  width: number
  signal?: AbortSignal
}

/**
 * The pictures of final latents, one by one: the autoencoder needs more memory a picture than all else.
 *
 * @param latents [pictures, channels, height / scale, width / scale]
 */
export async function decodePictures(
  g: Recorder,
  decoder: Decoder,
  { data, shape: [pictures, ...one] }: { data: Float32Array; shape: readonly number[] },
  { height, width, signal }: DecodeOptions,
): Promise<DitImage[]> {
  g.device.arena.trim()
  const size = data.length / pictures
  const images: DitImage[] = []
  for (let i = 0; i < pictures; i++) {
    throwIfAborted(signal)
    const latents = data.subarray(i * size, (i + 1) * size)
    const decoded = await decoder(() => g.upload(latents, [1, ...one], 'latents'))
    const [, channels, rows, columns] = decoded.shape
    const values = await g.read(decoded)
    if (!values.every(Number.isFinite))
      throw notANumber('the autoencoder made pixels that are not-a-number of the latents')
    const chw = resizeAndCrop(values, [channels, rows, columns], height, width)
    g.release(decoded)
    images.push(DitImage.fromFloat(chw as Float32Array<ArrayBuffer>, height, width))
  }
  return images
}

/** What comes of damaged weights, and of sums that overflow. */
export const notANumber = (what: string): DitError =>
  new DitError(
    'corrupt',
    `${what}: there is no picture to show`,
    'Check the weights with `webdit verify`, and try guidance nearer to 4.5.',
  )

/** Compiles what `decodePictures` of latents of that shape needs, and fails now if a picture does not fit the device. */
export async function rehearseDecoding(g: Recorder, decoder: Decoder, [, ...one]: readonly number[]): Promise<void> {
  await g.rehearse(() => decoder(() => g.placeholder([1, ...one])))
  // The autoencoder's buffers are of other sizes than those of the steps, and needed last.
  g.device.arena.trim()
}

/** The whole picture on this device. */
export const wholeDecoder =
  (g: Recorder, vae: Autoencoder, tiling?: boolean): Decoder =>
  (latents) =>
    g.phase('decode', () => g.scope(() => decodeLatents(g, vae, latents(), tiling)))

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
