import { DitError } from '../runtime/errors.ts'
import type { Components, Family } from './family.ts'
import { type RgbBytes, resizeLanczos } from './image/lanczos.ts'
import { checkInteger, checkNumber, type PipelineOptions } from './options.ts'

/** As the classes of diffusers that start from pictures. */
const STRENGTH = 0.6

/** The greatest side of a picture that is given. */
const MOST_PIXELS = 65_536

/** @throws DitError 'bad-argument' for a family that starts from noise alone */
export function checkImageToImage(className: string, { imageDefaults }: Family): void {
  if (imageDefaults) return
  const what = `imageToImage is asked for, which ${className} does not have`
  throw new DitError('bad-argument', what, 'SD3 and FLUX start from pictures: leave imageToImage out for others.')
}

/** A call with the defaults of the class that starts from pictures, where it does. */
export function withImageDefaults<T extends PipelineOptions>({ imageDefaults }: Family, options: T): T {
  if (options.image === undefined || !imageDefaults) return options
  const { numInferenceSteps, guidanceScale } = options
  return {
    ...options,
    numInferenceSteps: numInferenceSteps ?? imageDefaults.numInferenceSteps,
    guidanceScale: guidanceScale ?? imageDefaults.guidanceScale,
  }
}

/** How much is drawn anew, where a picture is given. @throws DitError 'bad-argument' */
export function strengthOf({ image, strength }: PipelineOptions): number | undefined {
  if (image !== undefined) return checkNumber('strength', strength ?? STRENGTH, 0, 1)
  if (strength === undefined) return undefined
  throw new DitError(
    'bad-argument',
    `strength is ${strength}, and there is no image to start from`,
    'Give an image, or leave strength out.',
  )
}

/**
 * The pictures that a call starts from: one, or one for each prompt; none where it starts from noise.
 *
 * @throws DitError as `checkImages`; 'bad-argument' where the pipeline was loaded without the encoder
 */
export function inputImages(
  { imageToImage, vae: { config } }: Pick<Components, 'imageToImage' | 'vae'>,
  options: PipelineOptions,
  prompts: number,
): readonly RgbBytes[] | undefined {
  const images = checkImages(options, prompts)
  if (!images) return undefined
  if (!imageToImage) {
    throw new DitError(
      'bad-argument',
      "an image is given, but the pipeline was loaded without the autoencoder's encoder",
      'Load it with imageToImage: fromPretrained(model, { imageToImage: true }).',
    )
  }
  if (config.inChannels !== 3) {
    const what = `the autoencoder takes pictures of ${config.inChannels} channels`
    throw new DitError('unsupported', `${what}; images have 3, red, green and blue`)
  }
  return images
}

/**
 * What can be said of images before anything is loaded.
 *
 * @throws DitError 'bad-argument' for what is no picture, for another number of them, beside latents or skip-layer guidance,
 *   and for a strength out of range
 */
export function checkImages(options: PipelineOptions, prompts: number): readonly RgbBytes[] | undefined {
  const { image, latents, skipGuidanceLayers } = options
  strengthOf(options)
  if (image === undefined) return undefined
  const beside = latents !== undefined ? 'latents are' : skipGuidanceLayers !== undefined ? 'skipGuidanceLayers is' : ''
  if (beside) {
    throw new DitError(
      'bad-argument',
      `${beside} given beside an image, and no pipeline takes both`,
      'Leave one of them out.',
    )
  }
  const images: readonly RgbBytes[] = Array.isArray(image) ? image : [image]
  if (images.length !== 1 && images.length !== prompts) {
    throw new DitError(
      'bad-argument',
      `image has ${images.length} pictures for ${prompts} ${prompts === 1 ? 'prompt' : 'prompts'}`,
      'Give one for all prompts, or one for each.',
    )
  }
  for (const [i, one] of images.entries()) checkImage(images.length === 1 ? 'image' : `image ${i + 1}`, one)
  return images
}

function checkImage(name: string, image: unknown): void {
  const { width, height, data } = (image ?? {}) as Partial<RgbBytes>
  if (!(data instanceof Uint8Array || data instanceof Uint8ClampedArray)) {
    throw new DitError(
      'bad-argument',
      `${name} has no bytes as data, expected { width, height, data }: height x width x 3 bytes, red, green, blue`,
      'Decode files such as PNG and JPEG before.',
    )
  }
  const pixels =
    checkInteger(`width of ${name}`, width, 1, MOST_PIXELS) * checkInteger(`height of ${name}`, height, 1, MOST_PIXELS)
  if (data.length === 3 * pixels) return
  throw new DitError(
    'bad-argument',
    `${name} of ${width} x ${height} pixels has ${data.length} bytes, expected ${3 * pixels}`,
    data.length === 4 * pixels
      ? 'Leave out alpha: a pixel has three bytes.'
      : 'A pixel has three bytes: red, green, blue.',
  )
}

/**
 * A picture as the autoencoder takes it, as VaeImageProcessor.preprocess: resized whatever its shape, -1 to 1.
 *
 * @returns [1, 3, height, width]
 */
export function pixelsOf(image: RgbBytes, height: number, width: number): Float32Array {
  const { data } = resizeLanczos(image, height, width)
  const plane = height * width
  const out = new Float32Array(3 * plane)
  for (let i = 0; i < plane; i++) for (let c = 0; c < 3; c++) out[c * plane + i] = LEVELS[data[3 * i + c]]
  return out
}

/** Of each byte, in float32 steps as numpy takes them. */
const LEVELS = Float32Array.from({ length: 256 }, (_, byte) => 2 * Math.fround(byte / 255) - 1)
