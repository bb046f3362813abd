import { expose, type Remote, transfer } from 'comlink'
import type { DitErrorKind } from '../runtime/errors.ts'
import { DitError } from '../runtime/errors.ts'
import { currentRuntime } from '../runtime/platform/platform.ts'
import { DiffusionPipeline, type FromPretrainedOptions, type Pipeline } from './diffusion_pipeline.ts'
import type { DitImage } from './image/image.ts'
import type { PixArtOptions } from './pixart.ts'

/** A picture as it crosses threads: its pixels are moved, not copied. */
export interface RankImage {
  readonly width: number
  readonly height: number
  readonly data: Uint8Array | Uint8ClampedArray
}

export interface RankStep {
  readonly step: number
  readonly steps: number
  readonly timestep: number
  readonly previews: RankImage[]
}

export interface RankOutput {
  readonly images: RankImage[]
  readonly latents: { readonly data: Float32Array; readonly shape: number[] }
  readonly warnings: string[]
  readonly seed: number | readonly number[] | undefined
}

/** An outcome that crosses threads; errors keep their kind and hint. */
export type Outcome<T> =
  | { readonly value: T }
  | { readonly failure: { readonly kind: DitErrorKind; readonly message: string; readonly hint?: string } }

type Plain = Omit<PixArtOptions, 'onStep' | 'signal'>

/** What a worker answers to. One at a time: a rank has one device and one pipeline. */
const rank = {
  pipeline: undefined as Pipeline | undefined,
  stop: new AbortController(),

  /** Opens a device in this thread and loads the model's folder onto it. */
  load(model: string, options: Pick<FromPretrainedOptions, 'memory' | 'variant'> = {}): Promise<Outcome<string>> {
    return outcome(async () => {
      rank.pipeline?.dispose()
      rank.pipeline = await DiffusionPipeline.fromPretrained(model, options)
      return rank.pipeline.device.name
    })
  },

  async run(
    prompt: string | string[],
    options: Plain,
    onStep?: (step: RankStep) => void,
  ): Promise<Outcome<RankOutput>> {
    const result = await outcome(async () => {
      if (!rank.pipeline) throw new DitError('bad-argument', 'the rank has no model yet', 'Call load first.')
      rank.stop = new AbortController()
      const { images, ...rest } = await rank.pipeline(prompt, {
        ...options,
        signal: rank.stop.signal,
        onStep:
          onStep &&
          (async ({ step, steps, timestep, preview }) => {
            onStep({ step, steps, timestep, previews: (await preview()).map(plainImage) })
          }),
      })
      return { ...rest, images: images.map(plainImage) }
    })
    if ('failure' in result) return result
    const { images, latents } = result.value
    return transfer(result, [...images.map(({ data }) => data.buffer), latents.data.buffer] as ArrayBuffer[])
  },

  /** Stops the run that is under way. */
  abort(): void {
    rank.stop.abort()
  },

  close(): void {
    rank.pipeline?.dispose()
    rank.pipeline = undefined
  },
}

/** A rank as the thread that started it sees it. */
export type RankApi = Remote<Pick<typeof rank, 'load' | 'run' | 'abort' | 'close'>>

const plainImage = ({ width, height, data }: DitImage): RankImage => ({ width, height, data })

async function outcome<T>(body: () => Promise<T>): Promise<Outcome<T>> {
  try {
    return { value: await body() }
  } catch (error) {
    if (error instanceof DitError) {
      return { failure: { kind: error.kind, message: error.message, hint: error.hint } }
    }
    throw error
  }
}

if (currentRuntime() === 'node') {
  const { parentEndpoint } = await import('./rank_endpoint.node.ts')
  expose(rank, parentEndpoint())
} else expose(rank)
