import type { Device } from '../runtime/device.ts'
import { DitError } from '../runtime/errors.ts'
import { parseJson } from '../runtime/json.ts'
import { type Checkpoint, openCheckpoint, openWeightsFile } from '../runtime/weights/checkpoint.ts'
import { type LoadOptions, type PreparedWeights, prepareWeights } from '../runtime/weights/load.ts'
import { type Additions, addedTo } from '../runtime/weights/low_rank.ts'
import { Parameters } from '../runtime/weights/parameters.ts'
import { quantizedParameters } from '../runtime/weights/quantized.ts'
import { renamedCheckpoint } from '../runtime/weights/renamed.ts'
import type { WeightShare } from '../runtime/weights/share.ts'
import { describePath, joinPath, type Source, type SourceFile } from '../runtime/weights/source.ts'
import type { WeightFormat } from '../runtime/weights/weight_formats.ts'
import { Weights } from '../runtime/weights/weights.ts'
import { autoencoderKLConfig } from './autoencoder_kl/config.ts'
import { AUTOENCODER_KL_PARTS, autoencoderKLParameters } from './autoencoder_kl/parameters.ts'
import { bertConfig } from './bert/config.ts'
import { BERT_IGNORED, bertParameters } from './bert/parameters.ts'
import { clipTextConfig } from './clip/config.ts'
import { CLIP_IGNORED, clipTextName, clipTextParameters, clipTextProjectionParameters } from './clip/parameters.ts'
import { fluxConfig } from './flux/config.ts'
import { fluxOriginalLayers, fluxOriginalNames } from './flux/original_names.ts'
import { fluxParameters } from './flux/parameters.ts'
import { checkArchitecture, withLeadingOnes } from './gguf.ts'
import { hunyuanDiTConfig } from './hunyuan_dit/config.ts'
import { hunyuanDiTParameters } from './hunyuan_dit/parameters.ts'
import type { Renamings } from './original_names.ts'
import { pixartConfig } from './pixart/config.ts'
import { pixartParameters } from './pixart/parameters.ts'
import { sd3Config } from './sd3/config.ts'
import { sd3OriginalLayers, sd3OriginalNames } from './sd3/original_names.ts'
import { sd3Parameters } from './sd3/parameters.ts'
import { T5_IGNORED, t5Config, t5Parameters } from './t5/config.ts'
import { t5Name } from './t5/gguf_names.ts'

/** How a network's folder is read: its config, its weights, the file they are in. */
interface ComponentKind<Config> {
  readonly config: (json: unknown) => Config
  readonly parameters: (config: Config) => Parameters
  /** Name of the weight files, without their ending. */
  readonly stem: string
  /** The key of a stored tensor, where releases of a library name it differently. Default: its name. */
  readonly rename?: (stored: string) => string
  /** Gives a checkpoint of the network's authors the names of diffusers; others as they are. */
  readonly original?: (checkpoint: Checkpoint) => Checkpoint
  /** What layers by the names of its authors are to diffusers: adapters name them, too. */
  readonly originalLayers?: (config: Config) => Renamings
  /** What GGUF files of it name as their architecture. Default: there are none. */
  readonly architectures?: readonly string[]
  /** Stored tensors that webdit has no use for. */
  readonly ignore?: RegExp[]
  /** The keys that each part of the network needs, where it has parts that work alone. */
  readonly parts?: Readonly<Record<Part, RegExp>>
}

/** Halves of an autoencoder. */
export type Part = 'encode' | 'decode'

const kind = <Config>(k: ComponentKind<Config>): ComponentKind<Config> => k

const CLIP = { stem: 'model', rename: clipTextName, ignore: CLIP_IGNORED } as const

/** The networks that webdit has, by the class that config.json or model_index.json names. */
export const NETWORKS = {
  BertModel: kind({ config: bertConfig, parameters: bertParameters, stem: 'model', ignore: BERT_IGNORED }),
  CLIPTextModel: kind({ config: clipTextConfig, parameters: clipTextParameters, ...CLIP }),
  CLIPTextModelWithProjection: kind({ config: clipTextConfig, parameters: clipTextProjectionParameters, ...CLIP }),
  T5EncoderModel: kind({
    config: t5Config,
    parameters: t5Parameters,
    stem: 'model',
    rename: t5Name,
    architectures: ['t5encoder', 't5'],
    ignore: T5_IGNORED,
  }),
  PixArtTransformer2DModel: kind({
    config: pixartConfig,
    parameters: pixartParameters,
    stem: 'diffusion_pytorch_model',
    // A buffer that older diffusers saved; it is computed for the size at hand.
    ignore: [/^pos_embed\.pos_embed$/],
  }),
  FluxTransformer2DModel: kind({
    config: fluxConfig,
    parameters: fluxParameters,
    stem: 'diffusion_pytorch_model',
    original: fluxOriginalNames,
    originalLayers: fluxOriginalLayers,
    architectures: ['flux'],
  }),
  HunyuanDiT2DModel: kind({
    config: hunyuanDiTConfig,
    parameters: hunyuanDiTParameters,
    stem: 'diffusion_pytorch_model',
  }),
  SD3Transformer2DModel: kind({
    config: sd3Config,
    parameters: sd3Parameters,
    stem: 'diffusion_pytorch_model',
    original: sd3OriginalNames,
    originalLayers: sd3OriginalLayers,
    architectures: ['sd3'],
  }),
  AutoencoderKL: kind({
    config: autoencoderKLConfig,
    parameters: autoencoderKLParameters,
    stem: 'diffusion_pytorch_model',
    parts: AUTOENCODER_KL_PARTS,
  }),
}

export type NetworkClass = keyof typeof NETWORKS
export type ConfigOf<C extends NetworkClass> = ReturnType<(typeof NETWORKS)[C]['config']>

/** A network on a device. */
export interface Component<C extends NetworkClass> {
  readonly className: C
  readonly config: ConfigOf<C>
  readonly weights: Weights
}

export interface ComponentOptions<Config = unknown> extends Omit<LoadOptions, 'ignore' | 'share'> {
  variant?: string
  /** Where the weights are instead of in the network's folder. */
  file?: SourceFile
  /** The part of the weights that one rank of several loads; 'none' where it only needs the config. Default: all. */
  share?: 'none' | ((config: Config) => WeightShare)
  /** The few bits that linear weights of its blocks are kept in. Default: a float of the device's tier. */
  format?: WeightFormat
  /** What the network will be used for: the weights of its other parts stay in the file. Default: all. */
  parts?: readonly Part[]
}

/** A network whose weights can be loaded, freed and loaded again, for as long as its source is open. */
export interface PreparedComponent<C extends NetworkClass> extends Component<C>, PreparedWeights {
  /** What is added to its weights: what is put there counts for those that are loaded, or reloaded, from then on. */
  readonly additions: Additions
}

/** Loads the network in `dir` of a checkpoint onto a device. */
export async function loadComponent<C extends NetworkClass>(
  device: Device,
  className: C,
  source: Source,
  dir: string,
  options: ComponentOptions<ConfigOf<C>> = {},
): Promise<Component<C>> {
  const { config, weights, load } = await prepareComponent(device, className, source, dir, options)
  await load(options)
  return { className, config, weights }
}

/** Reads the config of the network in `dir`, and checks its weights by the headers of their files. */
export async function prepareComponent<C extends NetworkClass>(
  device: Device,
  className: C,
  source: Source,
  dir: string,
  options: Omit<ComponentOptions<ConfigOf<C>>, 'onProgress' | 'signal' | 'chunkBytes'> = {},
): Promise<PreparedComponent<C>> {
  // The registry's entries differ in Config only, which this function passes through.
  const network = NETWORKS[className] as unknown as ComponentKind<ConfigOf<C>>
  const config = network.config(await readJson(source, joinPath(dir, 'config.json')))
  const additions: Additions = { current: new Map() }
  if (options.share === 'none') {
    const nothing = async () => {}
    return { className, config, weights: new Weights(device, new Map()), additions, load: nothing, reload: nothing }
  }
  const { file, variant } = options
  const stored = file ? await openWeightsFile(file) : await openCheckpoint(source, dir, network.stem, { variant })
  checkArchitecture(stored, network.architectures ?? [], className)
  const named = network.original?.(stored) ?? stored
  const renamed = network.rename ? renamedCheckpoint(named, network.rename) : named
  const { parameters: needed, ignore } = neededWeights(network, config, options.parts)
  const checkpoint = addedTo(stored.gguf ? withLeadingOnes(renamed, needed) : renamed, additions)
  const { format, streamed } = options
  const parameters = format ? quantizedParameters(needed, format, describePath(source, dir)) : needed
  const share = options.share?.(config)
  return {
    className,
    config,
    additions,
    ...prepareWeights(device, checkpoint, parameters, { share, ignore, streamed }),
  }
}

/** The weights that these parts of a network need, and what else its checkpoint may hold. */
export function neededWeights<Config>(
  { parameters, ignore = [], parts = {} as Record<Part, RegExp> }: ComponentKind<Config>,
  config: Config,
  asked: readonly Part[] = Object.keys(parts) as Part[],
): { parameters: Parameters; ignore: RegExp[] } {
  const all = parameters(config)
  const left = Object.entries(parts).filter(([part]) => !asked.includes(part as Part))
  const others = left.map(([, keys]) => keys)
  const kept = [...all.all].filter(([name]) => !others.some((keys) => keys.test(name)))
  return { parameters: new Parameters('', new Map(kept)), ignore: [...ignore, ...others] }
}

/** A JSON object of the checkpoint. @throws DitError 'not-found' or 'corrupt', naming the file */
export async function readJson(source: Source, path: string): Promise<Record<string, unknown>> {
  const json = parseJson(await source.readText(path), describePath(source, path))
  if (json && typeof json === 'object' && !Array.isArray(json)) return json as Record<string, unknown>
  throw new DitError('corrupt', `${describePath(source, path)} holds no JSON object`, 'Fetch the folder again.')
}
