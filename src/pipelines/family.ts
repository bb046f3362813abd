import type { Component, NetworkClass } from '../models/component.ts'
import type { ParallelConfig } from '../parallel/config/parallel_config.ts'
import type { NetworkWork } from '../parallel/cost/work.ts'
import type { Ranks } from '../parallel/crew/ranks.ts'
import type { TensorSpec } from '../parallel/fabric/transport.ts'
import type { Device } from '../runtime/device.ts'
import type { Execution } from '../runtime/execution.ts'
import type { Recorder } from '../runtime/recorder.ts'
import type { Tensor } from '../runtime/tensor.ts'
import type { Scheduler } from '../schedulers/scheduler.ts'
import type { Binning } from './binning.ts'
import type { WeightFormats } from './component_formats.ts'
import type { DenoisingNetwork } from './denoise.ts'
import type { Loras } from './loras/loras.ts'
import type { Offload } from './offload.ts'
import type { PipelineOptions } from './options.ts'
import type { OwnOption } from './own_options.ts'
import type { PictureSize } from './picture_size.ts'
import type { Text } from './picture_texts.ts'
import type { PreviewMap } from './preview.ts'
import type { PromptTokenizer } from './text.ts'

/** What a loaded pipeline has, by the folders of the checkpoint. */
export interface Components {
  readonly className: string
  readonly device: Device
  /** This rank and those that it draws with; one that works alone unless told otherwise. */
  readonly ranks?: Ranks
  readonly tokenizers: Readonly<Record<string, PromptTokenizer>>
  readonly networks: Readonly<Record<string, Component<NetworkClass>>>
  readonly transformerFacts: TransformerFacts
  readonly vae: Component<'AutoencoderKL'>
  /** Whether the autoencoder can encode, too. */
  readonly imageToImage: boolean
  /** In what format linear weights are kept, as it was asked for. */
  readonly weights?: WeightFormats
  /** scheduler_config.json. */
  readonly schedulerConfig: unknown
  readonly preview?: PreviewMap
  /** The LoRAs in the weights. */
  readonly loras: Loras
  /** Where weights come and go. */
  readonly offload?: Offload
}

/** The network of a folder, whose class is known. */
export const networkOf = <C extends NetworkClass>(
  { networks }: Components,
  folder: string,
  _className: C,
): Component<C> => networks[folder] as unknown as Component<C>

/** What a family makes of the configs of its transformer, before anything is loaded. */
export interface TransformerFacts {
  /** Blocks of the transformer and its attention heads. */
  readonly blocks: number
  readonly heads: number
  readonly headDim: number
  /** Rows of latents that a row of tokens stands for. */
  readonly patch: number
  /** Rows of latents of a picture of the native size. */
  readonly sampleSize: number
  /** Channels of the latents. */
  readonly channels: number
  /** Values of a token where a pass has most of them. */
  readonly widest: number
}

/** What a call says of guidance by two branches: `scale` counts where `guided`. */
export interface Guidance {
  readonly guided: boolean
  readonly scale: number
}

/** Texts as tokens, and what becomes of them. */
export interface ReadTexts {
  /** Texts that were cut. */
  readonly warnings: readonly string[]
  /** The shapes of what `encode` gives: a row for each text. */
  readonly specs: readonly TensorSpec[]
  encode(g: Recorder): Promise<Tensor[]>
  /** The transformer for a batch. */
  network(g: Recorder, batch: EncodedBatch): Promise<TextNetwork>
}

/** A transformer that knows what to draw. */
export interface TextNetwork {
  readonly network: DenoisingNetwork
  /** Tensors that it needs for as long as it is used. */
  readonly keeps: unknown
}

export interface EncodedBatch {
  /** Of each batch entry, what `encode` gave for its text. */
  readonly encoded: readonly Tensor[]
  /** Which of the texts that was. */
  readonly rows: ArrayLike<number>
  /** Those that will run. */
  readonly blocks: Execution['blocks']
  readonly size: PictureSize
}

/** What differs between families of models, for the run that they share. */
export interface Family {
  /** Networks by their folders, in the order in which they are loaded; `vae` comes last. */
  readonly networks: Readonly<Record<string, NetworkClass>>
  /** Folders that a checkpoint may do without, with null in model_index.json; their tokenizers too. */
  readonly optional?: readonly string[]
  /** Folders of tokenizers. */
  readonly tokenizers: readonly string[]
  /** Of diffusers' __call__. */
  readonly defaults: { readonly numInferenceSteps: number; readonly guidanceScale: number }
  /** Whether `guidanceScale` above 1 guides by two branches; FLUX takes it as an input, and needs a true CFG scale for that. */
  readonly guidedByScale: boolean
  /** Of the class that starts from pictures, where diffusers has one. */
  readonly imageDefaults?: Family['defaults']
  /** Where diffusers draws at the nearest trained size. */
  readonly binning?: Binning
  /** TeaCache's polynomial, the highest power first, where one is published for the model. */
  readonly teacacheCoefficients?: readonly number[]
  /** Options that other families may not have. */
  readonly ownOptions: readonly OwnOption[]
  /** @throws DitError for configs that are none */
  facts(transformerConfig: unknown): TransformerFacts
  /** What the transformer does, block by block: for predicting what ranks take. Without it webdit plan --devices refuses. */
  work?(transformerConfig: unknown, request: PlannedTexts): NetworkWork
  /** @throws DitError 'bad-argument' */
  guidance(options: PipelineOptions): Guidance
  /** Refuses what ranks cannot divide so. @throws DitError 'bad-argument' */
  checkDivided?(options: PipelineOptions, config: ParallelConfig): void
  /** Lays out the schedule of a call. */
  setTimesteps(scheduler: Scheduler, call: Schedule): void
  /** @throws DitError 'bad-argument' for options that the family cannot honour */
  readTexts(components: Components, texts: readonly Text[], options: PipelineOptions): ReadTexts
}

/** What lengths of texts depend on. */
export interface PlannedTexts {
  readonly options: PipelineOptions
  /** The most tokens that each tokenizer takes, by its folder. */
  readonly modelMaxLengths: Readonly<Record<string, number>>
}

/** What a schedule depends on. */
export interface Schedule {
  readonly steps: number
  readonly eta: number
  /** Tokens of a picture. */
  readonly tokens: number
  /** scheduler_config.json. */
  readonly config: unknown
}
