import { posterior } from '../models/autoencoder_kl/posterior.ts'
import type { Ranks } from '../parallel/crew/ranks.ts'
import { throwIfAborted } from '../runtime/abort.ts'
import type { Arena } from '../runtime/arena.ts'
import { DitError } from '../runtime/errors.ts'
import type { Recorder } from '../runtime/recorder.ts'
import type { Share } from '../runtime/shares.ts'
import type { Tensor } from '../runtime/tensor.ts'
import { FlowMatchEulerDiscreteScheduler } from '../schedulers/flow_match_euler_discrete.ts'
import type { Scheduler } from '../schedulers/scheduler.ts'
import { notANumber } from './decode_latents.ts'
import type { Components } from './family.ts'
import type { RgbBytes } from './image/lanczos.ts'
import { pixelsOf, strengthOf } from './input_images.ts'
import type { RunNoise } from './noise.ts'
import type { PipelineOptions } from './options.ts'
import type { PictureSize } from './picture_size.ts'
import { sharedMoments } from './shared_encoding.ts'

const { fround } = Math

/**
 * Leaves out the first steps of a schedule where a picture is given, as get_timesteps.
 *
 * @param steps that were asked for
 * @throws DitError 'bad-argument' for a strength that leaves none, 'unsupported' for a sampler that starts from noise alone
 */
export function leaveOutSteps(scheduler: Scheduler, steps: number, options: PipelineOptions): void {
  const strength = strengthOf(options)
  if (strength === undefined) return
  const begin = Math.trunc(Math.max(steps - Math.min(steps * strength, steps), 0))
  if (begin >= steps) {
    const what = `strength ${strength} of ${steps} ${steps === 1 ? 'step' : 'steps'} leaves none to draw`
    throw new DitError('bad-argument', what, 'Give a strength above 0: the greater, the less is left of the image.')
  }
  flowMatching(scheduler).beginAt(begin)
}

function flowMatching(scheduler: Scheduler): FlowMatchEulerDiscreteScheduler {
  if (scheduler instanceof FlowMatchEulerDiscreteScheduler) return scheduler
  throw new DitError(
    'unsupported',
    "an image is given, and the model's scheduler cannot start from one",
    'Let scheduler_config.json name FlowMatchEulerDiscreteScheduler, as in the published SD3 and FLUX.',
  )
}

export interface ImageStartOptions {
  readonly components: Components
  readonly ranks: Ranks
  /** One for all pictures, or one for the pictures of each prompt. */
  readonly images: readonly RgbBytes[]
  /** How many are drawn, and which of them this crew draws. */
  readonly pictures: { readonly all: number; readonly own: Share }
  readonly size: PictureSize
  readonly options: Pick<PipelineOptions, 'enableTiling' | 'signal'>
}

/**
 * Where StableDiffusion3Img2ImgPipeline and FluxImg2ImgPipeline start: prepare_latents of both. Unlike there, several
 * pictures of a prompt all start from the prompt's own image: diffusers deals images out as A B A B, and prompts as A A B B.
 */
export class ImageStart {
  readonly #o: ImageStartOptions
  /** Unit noise of every image's latents, of all crews. */
  readonly #noise: Float32Array

  /** Draws what the posteriors take of the run's noise: before all else. */
  constructor(options: ImageStartOptions, noise: RunNoise) {
    this.#o = options
    this.#noise = noise.next(options.images.length)
  }

  /**
   * The latents before the first step, of this crew's pictures.
   *
   * @param noise unit noise of them, [pictures, channels, height / scale, width / scale]
   */
  async latents(g: Recorder, scheduler: Scheduler, noise: Float32Array): Promise<Float32Array> {
    const { images, pictures, options } = this.#o
    const { first, end } = pictures.own
    const perImage = pictures.all / images.length
    const imageOf = Array.from({ length: end - first }, (_, i) => Math.floor((first + i) / perImage))
    const encoded = new Map<number, Float32Array>()
    for (const image of new Set(imageOf)) {
      throwIfAborted(options.signal)
      encoded.set(image, await this.#encoded(g, image, this.#noise.length / images.length))
    }
    g.device.arena.trim()
    const samples = new Float32Array(noise.length)
    for (const [i, image] of imageOf.entries()) samples.set(encoded.get(image)!, (i * noise.length) / imageOf.length)
    return flowMatching(scheduler).scaleNoise(samples, noise)
  }

  /** An image's latents as the transformer has them. */
  async #encoded(g: Recorder, image: number, size: number): Promise<Float32Array> {
    const { images, components } = this.#o
    const { height, width } = this.#o.size
    const pixels = () => g.upload(pixelsOf(images[image], height, width), [1, 3, height, width], 'pixels')
    const moments = await g.phase('encode', () => g.scope(() => this.#moments(g, pixels)))
    const values = await g.read(moments)
    g.release(moments)
    if (!values.every(Number.isFinite)) {
      throw notANumber('the autoencoder made latents that are not-a-number of the image')
    }
    const { shiftFactor, scalingFactor } = components.vae.config
    const [shift, scale] = [fround(shiftFactor), fround(scalingFactor)]
    const noise = this.#noise.subarray(image * size, (image + 1) * size)
    return posterior(values, [1])
      .sample(noise)
      .map((value) => fround(value - shift) * scale)
  }

  #moments(g: Recorder, pixels: () => Tensor): Promise<Tensor> {
    const { components, ranks, size, options } = this.#o
    const { scale } = components.vae.config
    const latent = [size.height / scale, size.width / scale] as const
    return sharedMoments(g, components.vae, ranks, pixels, latent, options.enableTiling)
  }

  /** Compiles what encoding needs, and fails now if a picture does not fit the device. */
  async rehearse(g: Recorder): Promise<void> {
    const { height, width } = this.#o.size
    await g.rehearse(() =>
      g.phase('encode', () => g.scope(() => this.#moments(g, () => g.placeholder([1, 3, height, width])))),
    )
    g.device.arena.trim()
  }
}

/** Refuses a picture that the encoder could not take, before anything is made of its size. @throws DitError 'out-of-memory' */
export function checkEncoding(arena: Arena, { vae: { config } }: Components, { height, width }: PictureSize): void {
  const most = Math.max(config.inChannels, config.widths[0])
  arena.checkSize(height * width * most * 4, `height ${height} and width ${width}: the autoencoder's encoder`)
}
