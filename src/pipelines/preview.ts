import { ConfigReader } from '../runtime/config_reader.ts'
import { DitError } from '../runtime/errors.ts'
import { DitImage } from './image/image.ts'

/** A linear map from a latent to a colour, fitted to the autoencoder: rgb = weights · latent + bias, about -1 to 1. */
export interface PreviewMap {
  /** [3][latent channels]. */
  readonly weights: readonly (readonly number[])[]
  readonly bias: readonly number[]
}

/** Far above any fitted weight; sums of greater ones overflow. */
const GREATEST = 1e6

/** The name of the map's file in the model's folder. */
export const PREVIEW_FILE = 'latent_preview.json'

export function previewMap(json: unknown, channels: number): PreviewMap {
  new ConfigReader(json, PREVIEW_FILE)
  const { weights, bias } = json as Partial<PreviewMap>
  const numbers = (list: unknown, length: number) =>
    Array.isArray(list) && list.length === length && list.every((v) => typeof v === 'number' && Math.abs(v) <= GREATEST)
  if (
    numbers(bias, 3) &&
    Array.isArray(weights) &&
    weights.length === 3 &&
    weights.every((w) => numbers(w, channels))
  ) {
    return { weights, bias: bias as number[] }
  }
  throw new DitError(
    'corrupt',
    `${PREVIEW_FILE} must hold weights of 3 x ${channels} numbers and 3 biases, from -${GREATEST} to ${GREATEST}`,
  )
}

/** One picture for each of the latents [pictures, channels, height, width], a pixel for each latent. */
export function previews(map: PreviewMap, latents: Float32Array, shape: readonly number[]): DitImage[] {
  const [pictures, channels, height, width] = shape
  const pixels = height * width
  return Array.from({ length: pictures }, (_, picture) => {
    const chw = new Float32Array(3 * pixels)
    for (let c = 0; c < 3; c++) {
      for (let i = 0; i < pixels; i++) {
        let v = map.bias[c]
        for (let k = 0; k < channels; k++) v += map.weights[c][k] * latents[(picture * channels + k) * pixels + i]
        chw[c * pixels + i] = v
      }
    }
    return DitImage.fromFloat(chw, height, width)
  })
}
