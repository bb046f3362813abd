import type { NetworkClass, PreparedComponent } from '../models/component.ts'
import type { ParallelConfig } from '../parallel/config/parallel_config.ts'
import type { Device } from '../runtime/device.ts'
import { DitError } from '../runtime/errors.ts'
import type { Recorder } from '../runtime/recorder.ts'
import { show } from '../runtime/show.ts'
import type { Tensor } from '../runtime/tensor.ts'
import type { PipelineOptions } from './options.ts'
import { TextCache } from './text_cache.ts'

/**
 * Which weights leave the device while others are needed, from the least to the most: those of whole components, as diffusers'
 * enable_model_cpu_offload; besides, those of blocks, which the host keeps, as its group offloading with streams.
 */
export const OFFLOAD_MODES = ['none', 'components', 'blocks'] as const

export type OffloadMode = (typeof OFFLOAD_MODES)[number]

/** Parts of a run that never need each other's weights. */
type Stage = 'text' | 'transformer' | 'vae'

const stageOf = (folder: string): Stage => (folder === 'transformer' || folder === 'vae' ? folder : 'text')

export interface OffloadOptions {
  onProgress?: (component: string, loadedBytes: number, totalBytes: number) => void
  /** Closes where weights are read from. */
  close?(): Promise<void>
}

/**
 * Has the weights of one stage on the device at a time: those of the text encoders, of the transformer, or of the
 * autoencoder. They are read anew whenever a stage begins, from where the model is, but for blocks that the host keeps. The
 * texts of earlier calls are kept, so that they need no encoder.
 */
export class Offload {
  readonly texts = new TextCache()
  readonly #device: Device
  readonly #parts: readonly (readonly [folder: string, part: PreparedComponent<NetworkClass>])[]
  readonly #options: OffloadOptions
  #resident: Stage | undefined
  /** In a rehearsal: the stage whose weights are counted as if they were there. */
  #counted: Stage | 'none' | undefined

  constructor(
    device: Device,
    parts: Readonly<Record<string, PreparedComponent<NetworkClass>>>,
    options: OffloadOptions = {},
  ) {
    this.#device = device
    this.#parts = Object.entries(parts)
    this.#options = options
  }

  /**
   * Begins a stage: its weights are on the device from here on, and those of others are not.
   *
   * @throws DitError as loadWeights
   */
  async enter(g: Recorder, stage: Stage, signal?: AbortSignal): Promise<void> {
    if (this.#counted) return this.#count(g, stage)
    if (this.#resident === stage) return
    // What was recorded may need the weights that go, and their memory is free when it has run.
    await g.flush()
    await this.#device.finished()
    this.free()
    const { onProgress } = this.#options
    try {
      for (const [folder, part] of this.#of(stage)) {
        const told = onProgress && ((done: number, total: number) => onProgress(folder, done, total))
        await part.load({ onProgress: told, signal })
      }
    } catch (error) {
      for (const [, { weights }] of this.#of(stage)) weights.free()
      throw error
    }
    this.#resident = stage
  }

  /** Runs a rehearsal, in which stages count their weights and load nothing. */
  async rehearsal(body: () => Promise<void>): Promise<void> {
    this.#device.releaseWeights(this.#bytes(this.#resident))
    this.#counted = 'none'
    try {
      await body()
    } finally {
      this.#device.releaseWeights(this.#bytes(this.#counted))
      this.#counted = undefined
      this.#device.reserveWeights(this.#bytes(this.#resident), 'what is loaded')
    }
  }

  async #count(g: Recorder, stage: Stage): Promise<void> {
    if (this.#counted === stage) return
    await g.flush()
    this.#device.releaseWeights(this.#bytes(this.#counted))
    this.#counted = 'none'
    this.#device.arena.trim()
    const names = this.#of(stage).map(([folder]) => folder)
    this.#device.reserveWeights(this.#bytes(stage), `the weights of ${names.join(', ')}`)
    this.#counted = stage
  }

  /**
   * How texts are encoded: by the encoders, or from what they made of the same before.
   *
   * @param key what decides the result
   */
  encoding(encode: (g: Recorder) => Promise<Tensor[]>, key: string | undefined, signal?: AbortSignal): typeof encode {
    return async (g) => {
      const known = key === undefined || g.rehearsing ? undefined : this.texts.get(key)
      if (known) return known.map(({ data, shape }) => g.upload(data, shape, 'encoded texts'))
      await this.enter(g, 'text', signal)
      // Its intermediate results need not outlive the encoders.
      const encoded = await g.scope(() => encode(g))
      if (key !== undefined && !g.rehearsing && encoded.every(({ dtype }) => dtype === 'f32')) {
        const entry = []
        for (const tensor of encoded) entry.push({ data: await g.read(tensor), shape: tensor.shape })
        this.texts.set(key, entry)
      }
      return encoded
    }
  }

  #of(stage: Stage | 'none' | undefined) {
    return this.#parts.filter(([folder]) => stageOf(folder) === stage)
  }

  #bytes(stage: Stage | 'none' | undefined): number {
    return this.#of(stage).reduce((sum, [, { weights }]) => sum + weights.bytes, 0)
  }

  /** Frees what is loaded. */
  free(): void {
    for (const [, { weights }] of this.#of(this.#resident)) weights.free()
    this.#resident = undefined
    this.#device.arena.trim()
  }

  async close(): Promise<void> {
    this.free()
    for (const [, { weights }] of this.#parts) weights.dispose()
    await this.#options.close?.()
  }
}

/** Call options that change nothing about encoded texts. Any other counts, so that new ones cannot be forgotten. */
const BESIDE_TEXTS: readonly (keyof PipelineOptions)[] = [
  'prompt2',
  'prompt3',
  'negativePrompt',
  'negativePrompt2',
  'negativePrompt3', // all these are among the texts
  'height',
  'width',
  'numInferenceSteps',
  'guidanceScale',
  'guidanceRescale',
  'trueCfgScale',
  'numImagesPerPrompt',
  'seed',
  'generator',
  'eta',
  'latents',
  'image',
  'strength',
  'useResolutionBinning',
  'outputType',
  'enableTiling',
  'loras', // what they change makes it forget all texts
  'onStep',
  'signal',
]

/** What decides how texts of a batch are encoded. */
export const textKey = (texts: readonly unknown[], options: PipelineOptions): string =>
  JSON.stringify([
    texts,
    Object.entries(options)
      .filter(([name, value]) => value !== undefined && !BESIDE_TEXTS.includes(name as keyof PipelineOptions))
      .sort(([a], [b]) => (a < b ? -1 : 1)),
  ])

/** @throws DitError 'bad-argument' for what is none */
export function checkOffload(mode: unknown): OffloadMode {
  const found = OFFLOAD_MODES.find((one) => one === (mode ?? 'none'))
  if (found) return found
  throw new DitError('bad-argument', `offload is ${show(mode)}, expected ${OFFLOAD_CHOICE}`)
}

/** The modes as a sentence has them. */
export const OFFLOAD_CHOICE = `${OFFLOAD_MODES.slice(0, -1).join(', ')} or ${OFFLOAD_MODES.at(-1)}`

/** Networks whose blocks the host keeps with 'blocks': the others are small. */
export const streamsBlocks = (mode: OffloadMode, network: NetworkClass, folder: string): boolean =>
  mode === 'blocks' && (folder === 'transformer' || network === 'T5EncoderModel')

/** @throws DitError 'bad-argument' where ranks keep shares of the blocks that the host is to keep */
export function checkOffloadDivided(mode: OffloadMode, { shardDit, shardT5Encoder }: ParallelConfig): void {
  if (mode !== 'blocks' || !(shardDit || shardT5Encoder)) return
  const flag = shardDit ? 'shard_dit' : 'shard_t5_encoder'
  throw new DitError(
    'bad-argument',
    `offload is blocks, which keeps blocks in host memory, and --${flag} keeps shares of them on the devices`,
    `Leave one of them out, or use --offload components with --${flag}.`,
  )
}
