import { loadComponent, readJson } from '../models/component.ts'
import { loadTokenizer } from '../models/tokenizers/load_tokenizer.ts'
import { Device, type DeviceOptions } from '../runtime/device.ts'
import { DitError } from '../runtime/errors.ts'
import { openPlatform } from '../runtime/platform/platform.ts'
import { describePath, type Source } from '../runtime/weights/source.ts'
import type { PipelineOutput } from './options.ts'
import { type PixArtComponents, type PixArtOptions, PixArtPipeline } from './pixart.ts'
import { PREVIEW_FILE, previewMap } from './preview.ts'

export interface FromPretrainedOptions extends Pick<DeviceOptions, 'memory'> {
  /** An opened device; by default the runtime's best is opened. */
  device?: Device
  /** Variant of the weight files, e.g. 'fp16'. Default: the plain ones, or else the only ones there are. */
  variant?: string
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
  readonly device: Device
  readonly components: PixArtComponents
  /** Frees the weights, and the device unless it was given. */
  dispose(): void
}

/** Pipeline classes by name; each loads its components from a source. */
const PIPELINES = {
  PixArtSigmaPipeline: { textLength: 300 },
  PixArtAlphaPipeline: { textLength: 120 },
} as const

/** As diffusers.DiffusionPipeline. */
export const DiffusionPipeline = {
  /**
   * Loads the pipeline whose class the folder's model_index.json names.
   *
   * @param model a diffusers folder (Node, Deno), or a source of its files
   * @throws DitError 'not-found', 'corrupt', 'unsupported', 'no-adapter', 'out-of-memory'
   */
  async fromPretrained(model: string | Source, options: FromPretrainedOptions = {}): Promise<Pipeline> {
    const source = typeof model === 'string' ? await openModelFolder(model) : model
    let device = options.device
    try {
      const { className, textLength } = await pipelineClass(source)
      device ??= await Device.open(await openPlatform(), { memory: options.memory })
      return callable(className, await loadPixArt(device, source, textLength, options), device !== options.device)
    } catch (error) {
      if (device && device !== options.device) device.close()
      throw error
    } finally {
      if (typeof model === 'string') await source.close()
    }
  },
}

/** A checkpoint folder by its path. */
export async function openModelFolder(path: string): Promise<Source> {
  if (!('process' in globalThis) && !('Deno' in globalThis)) {
    throw new DitError('unsupported', `a page cannot open the folder ${path}`, 'Pass a Source of the files instead.')
  }
  const { openFolder } = await import('../runtime/weights/folder_source.node.ts')
  return openFolder(path)
}

async function pipelineClass(source: Source): Promise<{ className: string; textLength: number }> {
  if (!(await source.exists('model_index.json'))) {
    throw new DitError(
      'not-found',
      `there is no ${describePath(source, 'model_index.json')}`,
      'Give a diffusers folder: one that holds model_index.json and a folder for each component.',
    )
  }
  const { _class_name: className } = await readJson(source, 'model_index.json')
  const known = Object.keys(PIPELINES)
  if (typeof className !== 'string' || !known.includes(className)) {
    throw new DitError(
      'unsupported',
      `${describePath(source, '')} is a ${String(className)}; webdit has ${known.join(', ')}`,
    )
  }
  return { className, ...PIPELINES[className as keyof typeof PIPELINES] }
}

async function loadPixArt(
  device: Device,
  source: Source,
  textLength: number,
  { variant, onProgress, signal }: FromPretrainedOptions,
): Promise<PixArtComponents> {
  const loading = (component: string) => ({
    variant,
    signal,
    parts: ['decode'] as const,
    onProgress: (loaded: number, total: number) => onProgress?.(component, loaded, total),
  })
  const loaded: { weights: { free(): void } }[] = []
  const load = async <C extends Parameters<typeof loadComponent>[1]>(className: C, dir: string) => {
    const component = await loadComponent(device, className, source, dir, loading(dir))
    loaded.push(component)
    return component
  }
  try {
    const tokenizer = await loadTokenizer(source, 'tokenizer')
    const schedulerConfig = await readJson(source, 'scheduler/scheduler_config.json')
    const textEncoder = await load('T5EncoderModel', 'text_encoder')
    const transformer = await load('PixArtTransformer2DModel', 'transformer')
    const vae = await load('AutoencoderKL', 'vae')
    const preview = (await source.exists(PREVIEW_FILE))
      ? previewMap(await readJson(source, PREVIEW_FILE), vae.config.latentChannels)
      : undefined
    return { device, tokenizer, textEncoder, transformer, vae, schedulerConfig, preview, textLength }
  } catch (error) {
    for (const { weights } of loaded) weights.free()
    throw error
  }
}

function callable(className: string, components: PixArtComponents, ownsDevice: boolean): Pipeline {
  const pipeline = new PixArtPipeline(components)
  const call = (prompt: string | string[], options?: PixArtOptions) => pipeline.run(prompt, options)
  return Object.assign(call, {
    className,
    device: components.device,
    components,
    dispose: () => {
      pipeline.dispose()
      if (ownsDevice) components.device.close()
    },
  })
}
