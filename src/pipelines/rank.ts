import { expose, type ProxyMarked, type Remote, transfer } from 'comlink'
import { oneRank } from '../parallel/crew/ranks.ts'
import { Fabric } from '../parallel/fabric/fabric.ts'
import { openTransport } from '../parallel/fabric/links.ts'
import type { Span } from '../parallel/trace/timeline.ts'
import { Device } from '../runtime/device.ts'
import { DitError } from '../runtime/errors.ts'
import { currentRuntime, openPlatform, type PlatformOptions } from '../runtime/platform/platform.ts'
import { DiffusionPipeline, type FromPretrainedOptions, type Pipeline } from './diffusion_pipeline.ts'
import type { DitImage } from './image/image.ts'
import type { PlainLoraInput } from './loras/lora_options.ts'
import { type MeasuredShapes, measureRank, type RankFigures } from './mesh_plan/measure_rank.ts'
import type { PipelineOptions } from './options.ts'
import { Calls, type Outcome, type PlainFailure, typedFailure } from './outcome.ts'
import type { Checkpoint, ResumableCall, Resumption } from './resume/checkpoint.ts'
import { type Place, type Placed, takePlace } from './team/place.ts'

/** A picture as it crosses threads: its pixels are moved, not copied. */
export interface RankImage {
  readonly width: number
  readonly height: number
  /** height x width x 3 bytes, rows from the top. */
  readonly data: Uint8Array | Uint8ClampedArray
}

export interface RankStep {
  readonly step: number
  readonly steps: number
  readonly timestep: number
  /** Small pictures of what is forming, one pixel a latent; none where the model has no map for them. */
  readonly previews: RankImage[]
  /** What it takes to go on after this step, where that is wanted. */
  readonly checkpoint?: Checkpoint
}

export interface RankOutput {
  readonly images: RankImage[]
  readonly latents: { readonly data: Float32Array; readonly shape: number[] }
  readonly warnings: string[]
  readonly seed: number | readonly number[] | undefined
  readonly spared?: readonly boolean[]
}

/** Options of loading that cross threads. */
export interface PlainLoading
  extends Pick<FromPretrainedOptions, 'memory' | 'tier' | 'variant' | 'offload' | 'weights' | 'imageToImage'> {
  /** As there; files of a source cross no thread. */
  readonly transformer?: string
  readonly textEncoders?: Readonly<Record<string, string>>
  readonly loras?: readonly PlainLoraInput[]
  /** Where it draws together with others. */
  readonly place?: Place
  /** Which adapter to open; the runtime's best by default. */
  readonly platform?: PlatformOptions
}
/** Options of a call that cross threads. */
export interface PlainCall extends Omit<PipelineOptions, 'onStep' | 'onResume' | 'signal' | 'loras'> {
  readonly loras?: readonly PlainLoraInput[]
  /** Where a call of a team goes on. */
  readonly resume?: Resumption
  /** Tell after each step what it takes to go on, and whether to tell what is forming. Default: no, and yes. */
  readonly checkpoints?: boolean
  readonly previews?: boolean
}
type OnProgress = NonNullable<FromPretrainedOptions['onProgress']>
type OnStep = (step: RankStep) => void

const calls = new Calls()
let pipeline: Pipeline | undefined
let device: Device | undefined
let placed: Placed | undefined

/** Time for a destroyed device's promises to settle, in ms: Dawn ends the whole process where a thread ends before them. */
const LAST_PROMISES = 50

/** What a worker answers to. A rank has one device and one pipeline. */
const rank = {
  /** Opens a device in this thread, meets the other ranks, and loads its part of a model; answers with the device's name. */
  load(call: number, model: string, options: PlainLoading, onProgress?: OnProgress): Promise<Outcome<string>> {
    return calls.outcome(call, async (signal, told) => {
      await unload()
      const { place, platform, memory, tier, ...plain } = options
      try {
        // One that is open has compiled its kernels.
        device ??= await Device.open(await openPlatform(platform), { memory, tier })
        placed = place && (await takePlace(device, place))
        pipeline = await DiffusionPipeline.fromPretrained(model, {
          ...plain,
          device,
          ranks: placed?.ranks,
          signal,
          onProgress: onProgress && ((...news) => told(onProgress(...news))),
        })
        return device.name
      } catch (error) {
        placed?.transport.fail(error)
        await unload()
        closeDevice()
        throw error
      }
    })
  },

  /** Opens a device, meets the other ranks, and measures instead of drawing. */
  measure(
    call: number,
    { place, platform, tier }: PlainLoading,
    shapes: MeasuredShapes,
  ): Promise<Outcome<RankFigures>> {
    return calls.outcome(call, async () => {
      device ??= await Device.open(await openPlatform(platform), { tier })
      placed = place && (await takePlace(device, place))
      return measureRank(device, placed?.ranks ?? oneRank(), shapes)
    })
  },

  async run(
    call: number,
    prompt: string | string[],
    { checkpoints, previews = true, ...options }: PlainCall,
    onStep?: OnStep,
  ): Promise<Outcome<RankOutput>> {
    let checkpoint: Checkpoint | undefined
    const result = await calls.outcome(call, async (signal, told) => {
      if (!pipeline) throw new DitError('bad-argument', 'the rank has no model yet', 'Call load first.')
      const call: ResumableCall = {
        ...options,
        signal,
        onCheckpoint: checkpoints
          ? (kept) => {
              checkpoint = kept
            }
          : undefined,
        onStep:
          onStep &&
          (async ({ step, steps, timestep, preview }) => {
            const images = previews ? await preview() : []
            told(onStep({ step, steps, timestep, previews: images.map(plainImage), checkpoint }))
          }),
      }
      const { images, ...rest } = await pipeline(prompt, call)
      return { ...rest, images: images.map(plainImage) }
    })
    if ('failure' in result) return result
    const { images, latents } = result.value
    return transfer(result, [...images.map(({ data }) => data.buffer), latents.data.buffer] as ArrayBuffer[])
  },

  /** Stops that call, if it is under way. */
  abort(call: number): void {
    calls.abort(call)
  },

  /** Ends what this rank waits for from others: one of them failed. */
  interrupt(failure: PlainFailure): void {
    placed?.transport.fail(typedFailure(failure))
  },

  /** Meets the others anew, after a failure. */
  meetAgain(call: number, place: Place): Promise<Outcome<void>> {
    return calls.outcome(call, async () => {
      if (!placed || !device) return
      await placed.transport.close()
      const transport = await openTransport(device, place.links, place.rank)
      placed.ranks.fabric = new Fabric(transport)
      placed = { ranks: placed.ranks, transport }
    })
  },

  /** Bytes sent to other ranks so far, by tag. */
  sent(): [tag: string, bytes: number][] {
    return [...(placed?.ranks.fabric?.sent ?? [])]
  },

  /** What this rank did so far, where it was told to note that. */
  spans(): Span[] {
    return placed?.ranks.timeline?.spans ?? []
  },

  /** Frees the device, when what is under way has stopped. Then the thread can end. */
  async close(): Promise<void> {
    await calls.end()
    await unload()
    closeDevice()
    await new Promise((resolve) => setTimeout(resolve, LAST_PROMISES))
  },
}

async function unload(): Promise<void> {
  pipeline?.dispose()
  pipeline = undefined
  await placed?.transport.close()
  placed = undefined
}

function closeDevice(): void {
  device?.close()
  device = undefined
}

/** A rank as the thread that started it sees it. */
export type RankApi = Remote<{
  load(
    call: number,
    model: string,
    options: PlainLoading,
    onProgress?: OnProgress & ProxyMarked,
  ): Promise<Outcome<string>>
  run(
    call: number,
    prompt: string | string[],
    options: PlainCall,
    onStep?: OnStep & ProxyMarked,
  ): Promise<Outcome<RankOutput>>
  measure(call: number, options: PlainLoading, shapes: MeasuredShapes): Promise<Outcome<RankFigures>>
  abort(call: number): void
  interrupt(failure: PlainFailure): void
  meetAgain(call: number, place: Place): Promise<Outcome<void>>
  sent(): [tag: string, bytes: number][]
  spans(): Span[]
  close(): void
}>

const plainImage = ({ width, height, data }: DitImage): RankImage => ({ width, height, data })

// No await at the top of this module: workers that bundlers build as classic scripts cannot have it.
if (currentRuntime() === 'node') {
  import('./rank_endpoint.node.ts').then(({ parentEndpoint }) => expose(rank, parentEndpoint()))
} else expose(rank)
