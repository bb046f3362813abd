import { DitError } from '../runtime/errors.ts'
import type { CudaCard } from '../schedulers/cuda_generator.ts'
import type { Generator } from '../schedulers/generator.ts'
import type { DitImage } from './image/image.ts'
import type { RgbBytes } from './image/lanczos.ts'
import type { LoraInput } from './loras/lora_options.ts'
import type { Resumed } from './resume/resumed.ts'

/** What a caller hears after each denoising step. */
export interface StepInfo {
  /** Steps done, from 1. */
  readonly step: number
  readonly steps: number
  readonly timestep: number
  /** The latents after this step, [pictures, channels, height, width]; reading them costs a copy from the device. */
  latents(): Promise<Float32Array>
  /** Small pictures (one pixel a latent) of what is forming, by the model's linear latent → RGB map; none without one. */
  preview(): Promise<DitImage[]>
}

/** Torch's generators, which a seed starts. */
export type SeededGenerator = 'cpu' | 'cuda' | { readonly cuda: CudaCard }

/** Call options of pipelines, as in diffusers, in camelCase. */
export interface PipelineOptions {
  /** Pixels; default: the model's native size. */
  height?: number
  width?: number
  /** Default: the pipeline's. */
  numInferenceSteps?: number
  /** Above 1 guides away from the negative prompt. Default: the pipeline's. */
  guidanceScale?: number
  /** One for all prompts, or one for each. */
  negativePrompt?: string | string[]
  /** For the second and the third text encoder of models that have them (SD3, FLUX). Default: the prompt. */
  prompt2?: string | string[]
  prompt3?: string | string[]
  negativePrompt2?: string | string[]
  negativePrompt3?: string | string[]
  /**
   * HunyuanDiT: how far guided predictions are brought to the deviation of those with the prompt, from 0 to 1, against
   * pictures that are too bright (Lin et al. 2023). Default 0. With PipeFusion each patch has a deviation of its own.
   */
  guidanceRescale?: number
  /** FLUX: above 1 guides away from the negative prompt, where there is one. Default 1. */
  trueCfgScale?: number
  /** SD3: layers of CLIP that are left out beside its last. Default 0. */
  clipSkip?: number
  /**
   * SD3.5: blocks of the transformer without which it predicts once more, to be guided away from that by
   * `skipLayerGuidanceScale` (default 2.8) in the steps between these shares of all (default 0.01 and 0.2).
   */
  skipGuidanceLayers?: readonly number[]
  skipLayerGuidanceScale?: number
  skipLayerGuidanceStart?: number
  skipLayerGuidanceStop?: number
  numImagesPerPrompt?: number
  /** One for all pictures, as torch.Generator().manual_seed, or one for each. Default: drawn at random, and reported. */
  seed?: number | readonly number[]
  /**
   * Whose numbers a seed gives: torch's CPU generator, or its CUDA one, in every runtime. 'cuda' is an H100; other cards
   * differ from it for latents of more values than they run threads at once. Or numbers of your own. Default 'cpu'.
   */
  generator?: SeededGenerator | Generator
  /** Fresh noise in each step of DDIMScheduler, from 0 to 1; the other schedulers take none. Default 0. */
  eta?: number
  /** Initial noise [pictures, channels, height / scale, width / scale] of unit variance; the seed is then for the steps alone. */
  latents?: Float32Array
  /**
   * SD3, FLUX: what drawing starts from instead of noise alone: a picture for all prompts, or one for each. It is resized to
   * `height` and `width`, whatever its own shape. The pipeline must have been loaded with `imageToImage`.
   */
  image?: RgbBytes | readonly RgbBytes[]
  /** How much of the `image` is drawn anew, from 0 to 1, by leaving out as many of the first steps. Default 0.6. */
  strength?: number
  /** Draw at the nearest trained size and resize (PixArt, HunyuanDiT). Default: where diffusers has a table for the model. */
  useResolutionBinning?: boolean
  /** Text tokens at most; default: the pipeline's, or what the tokenizer says if that is less. */
  maxSequenceLength?: number
  /**
   * First-Block-Cache: where the first block adds about what it added before, the other blocks are spared, and what they added
   * then is taken. Pictures of a call share each decision. Changes the picture a little: see docs/caches.md.
   */
  useFbcache?: boolean
  /** The relative change up to which that is so, from 0 to 1. Default 0.12. */
  fbcacheThreshold?: number
  /** TeaCache: the same by guesses from the change of the first block's input, which spare the first block as well. */
  useTeacache?: boolean
  /** What such guesses may add up to, from 0 to 10. Default 0.25. */
  relL1Thresh?: number
  /** The polynomial that makes guesses of changes, the highest power first. Default: FLUX.1's; others have none. */
  teacacheCoefficients?: readonly number[]
  /** 'latent' leaves the autoencoder out. Default 'pil'. */
  outputType?: 'pil' | 'latent'
  /** Decode pictures that are larger than the autoencoder was trained on in tiles: less memory, nearly the same picture. */
  enableTiling?: boolean
  /**
   * The LoRAs of this call, each a file or { file, weight }, instead of those that are loaded; [] for none. Weights are
   * changed where the call before had others.
   */
  loras?: readonly LoraInput[]
  onStep?: (info: StepInfo) => void | Promise<void>
  /** A device was lost, or could not hold what it held: the call goes on after the last step that was done. */
  onResume?: (resumed: Resumed) => void
  signal?: AbortSignal
}

export interface PipelineOutput {
  /** In the order of the prompts; empty with outputType 'latent'. */
  readonly images: DitImage[]
  /** The final latents, [pictures, channels, height / scale, width / scale]. */
  readonly latents: { readonly data: Float32Array; readonly shape: number[] }
  /** What the caller should know: truncated prompts, sizes that were changed. */
  readonly warnings: string[]
  /** The seed or seeds that noise was drawn from; undefined where none was, latents being given. */
  readonly seed: number | readonly number[] | undefined
  /**
   * With a step cache: of each pass through the network in turn, whether blocks were spared. A step is a pass; with PipeFusion
   * each patch of a step is one, and crews that draw different pictures follow each other.
   */
  readonly spared?: readonly boolean[]
}

const shown = (value: unknown): string => (typeof value === 'string' ? JSON.stringify(value) : String(value))

export function checkInteger(name: string, value: unknown, least: number, most: number): number {
  if (Number.isInteger(value) && (value as number) >= least && (value as number) <= most) return value as number
  throw new DitError('bad-argument', `${name} is ${shown(value)}, expected a whole number from ${least} to ${most}`)
}

export function checkNumber(name: string, value: unknown, least: number, most: number): number {
  if (typeof value === 'number' && value >= least && value <= most) return value
  throw new DitError('bad-argument', `${name} is ${shown(value)}, expected a number from ${least} to ${most}`)
}

/** A side in pixels that `multiple` divides. */
export function checkSide(name: string, value: unknown, multiple: number): number {
  const side = checkInteger(name, value, 1, 65_536)
  if (side % multiple === 0) return side
  const below = Math.floor(side / multiple) * multiple
  const near = below > 0 ? `${below} and ${below + multiple}` : `${multiple}`
  throw new DitError(
    'bad-argument',
    `${name} is ${side}, which ${multiple} does not divide: the nearest allowed ${below > 0 ? 'are' : 'is'} ${near}`,
  )
}

/** One text for each prompt, from none, one or one for each. */
export function perPrompt(name: string, given: string | string[] | undefined, prompts: number): string[] {
  if (given === undefined) return Array(prompts).fill('')
  if (typeof given === 'string') return Array(prompts).fill(given)
  if (!Array.isArray(given) || given.some((text) => typeof text !== 'string')) {
    throw new DitError('bad-argument', `${name} is ${shown(given)}, expected a text or a list of texts`)
  }
  if (given.length === 1) return Array(prompts).fill(given[0])
  if (given.length === 0) return Array(prompts).fill('')
  if (given.length === prompts) return given
  throw new DitError(
    'bad-argument',
    `${name} has ${given.length} texts for ${prompts} prompts`,
    'Give none, one, or one for each.',
  )
}
