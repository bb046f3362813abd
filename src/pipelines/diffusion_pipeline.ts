import {
  type ComponentOptions,
  type ConfigOf,
  loadComponent,
  type NetworkClass,
  readJson,
} from '../models/component.ts'
import { loadTokenizer } from '../models/tokenizers/load_tokenizer.ts'
import { oneRank, type Ranks } from '../parallel/crew/ranks.ts'
import { encoderShareOf, weightShareOf } from '../parallel/crew/stages.ts'
import { Device, type DeviceOptions } from '../runtime/device.ts'
import { DitError } from '../runtime/errors.ts'
import { openPlatform } from '../runtime/platform/platform.ts'
import { show } from '../runtime/show.ts'
import { describePath, type Source } from '../runtime/weights/source.ts'
import { openModel } from './open_model.ts'
import type { PipelineOutput } from './options.ts'
import { type PixArtComponents, type PixArtOptions, PixArtPipeline } from './pixart.ts'
import { PREVIEW_FILE, previewMap } from './preview.ts'
import { decodes } from './shared_decoding.ts'
import { encodesText } from './shared_text.ts'
import type { PromptTokenizer } from './text.ts'

export interface FromPretrainedOptions extends Pick<DeviceOptions, 'memory' | 'tier'> {
  /** An opened device; by default the runtime's best is opened. */
  device?: Device
  /** One rank of several that draw together: it loads its part alone. */
  ranks?: Ranks
  /** Variant of the weight files, e.g. 'fp16'. Default: the plain ones, or else the only ones there are. */
  variant?: string
  /** Instead of the folder's own, as diffusers takes components. */
  tokenizer?: PromptTokenizer
  /** Bytes of weights loaded so far, and in all, for one component after the other. */
  onProgress?: (component: string, loadedBytes: number, totalBytes: number) => void
  signal?: AbortSignal
}

/** A loaded pipeline: call it with a prompt. */
export interface Pipeline {
  /** @throws DitError for options out of range, sizes that do not fit, a lost device, a fired signal */
  (prompt: string | string[], options?: PixArtOptions): Promise<PipelineOutput>
  /** The class that model_index.json names. */
  readonly className: string
  /** The folder, as it was given; the name of a source. */
  readonly model: string
  readonly device: Device
  readonly components: PixArtComponents
  /** Frees the weights, and the device unless it was given. */
  dispose(): void
}

/** Networks by the folders that they are in. */
const PIXART = {
  text_encoder: 'T5EncoderModel',
  transformer: 'PixArtTransformer2DModel',
  vae: 'AutoencoderKL',
} as const satisfies Record<string, NetworkClass>

/** Pipeline classes by name; each loads its components from a source. */
const PIPELINES = {
  PixArtSigmaPipeline: { textLength: 300, networks: PIXART },
  PixArtAlphaPipeline: { textLength: 120, networks: PIXART },
} as const

/** As diffusers.DiffusionPipeline. */
export const DiffusionPipeline = {
  /**
   * Loads the pipeline whose class the folder's model_index.json names.
   *
   * @param model a diffusers folder: its path (Node, Deno), its http(s) address (in a page also relative to it), or a
   *   source of its files
   * @throws DitError 'not-found', 'corrupt', 'io', 'unsupported', 'no-adapter', 'out-of-memory', 'aborted'
   */
  async fromPretrained(model: string | Source, options: FromPretrainedOptions = {}): Promise<Pipeline> {
    const source = typeof model === 'string' ? await openModel(model, options) : model
    let device = options.device
    try {
      const { className, textLength } = await pipelineClass(source)
      device ??= await Device.open(await openPlatform(), { memory: options.memory, tier: options.tier })
      const components = await loadPixArt(device, source, textLength, options)
      const name = typeof model === 'string' ? model : source.name
      return callable(className, name, components, device !== options.device)
    } catch (error) {
      if (device && device !== options.device) device.close()
      throw error
    } finally {
      if (typeof model === 'string') await source.close()
    }
  },
}

/** The pipeline that model_index.json names, with what its class says. @throws DitError 'not-found', 'unsupported' */
export async function pipelineClass(source: Source) {
  const { _class_name: className } = await readJson(source, 'model_index.json').catch((error) => {
    if (!(error instanceof DitError && error.kind === 'not-found')) throw error
    throw new DitError(
      'not-found',
      error.message,
      'Give a diffusers folder: one that holds model_index.json and a folder for each component.',
      { cause: error },
    )
  })
  const known = Object.keys(PIPELINES)
  if (typeof className !== 'string' || !known.includes(className)) {
    throw new DitError(
      'unsupported',
      `${describePath(source, 'model_index.json')} names the pipeline class ${show(className)}; webdit has ${known.join(', ')}`,
    )
  }
  return { className, ...PIPELINES[className as keyof typeof PIPELINES] }
}

async function loadPixArt(
  device: Device,
  source: Source,
  textLength: number,
  { ranks, variant, tokenizer: given, onProgress, signal }: FromPretrainedOptions,
): Promise<PixArtComponents> {
  const mesh = ranks ?? oneRank()
  const loading = (component: string) => ({
    variant,
    signal,
    parts: ['decode'] as const,
    onProgress: (loaded: number, total: number) => onProgress?.(component, loaded, total),
  })
  const loaded: { weights: { free(): void } }[] = []
  const load = async <Folder extends keyof typeof PIXART>(
    dir: Folder,
    share?: ComponentOptions<ConfigOf<(typeof PIXART)[Folder]>>['share'],
  ) => {
    const component = await loadComponent(device, PIXART[dir], source, dir, { ...loading(dir), share })
    loaded.push(component)
    return component
  }
  try {
    const tokenizer = given ?? (await loadTokenizer(source, 'tokenizer'))
    const schedulerConfig = await readJson(source, 'scheduler/scheduler_config.json')
    const textEncoder = await load('text_encoder', encodesText(mesh) ? () => encoderShareOf(mesh) : 'none')
    const transformer = await load('transformer', ({ layers }) => weightShareOf(mesh, layers))
    const vae = await load('vae', decodes(mesh) ? undefined : 'none')
    const preview = (await source.exists(PREVIEW_FILE))
      ? previewMap(await readJson(source, PREVIEW_FILE), vae.config.latentChannels)
      : undefined
    return { device, ranks, tokenizer, textEncoder, transformer, vae, schedulerConfig, preview, textLength }
  } catch (error) {
    for (const { weights } of loaded) weights.free()
    throw error
  }
}

function callable(className: string, model: string, components: PixArtComponents, ownsDevice: boolean): Pipeline {
  const pipeline = new PixArtPipeline(components)
  const call = (prompt: string | string[], options?: PixArtOptions) => pipeline.run(prompt, options)
  return Object.assign(call, {
    className,
    model,
    device: components.device,
    components,
    dispose: () => {
      pipeline.dispose()
      if (ownsDevice) components.device.close()
    },
  })
}
