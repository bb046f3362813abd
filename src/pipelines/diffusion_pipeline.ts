import type { Ranks } from '../parallel/crew/ranks.ts'
import type { Device, DeviceOptions } from '../runtime/device.ts'
import type { DitError } from '../runtime/errors.ts'
import type { Source } from '../runtime/weights/source.ts'
import type { WeightFormats } from './component_formats.ts'
import type { Components } from './family.ts'
import { checkImageToImage } from './input_images.ts'
import { loadComponents } from './load_components.ts'
import { type CheckedLora, checkLoras, type LoraInput, type LoraOptions } from './loras/lora_options.ts'
import type { NetworkFileOptions } from './network_files.ts'
import { checkOffload, type OffloadMode } from './offload.ts'
import { openModel } from './open_model.ts'
import type { PipelineOptions, PipelineOutput } from './options.ts'
import { pipelineClass } from './pipeline_class.ts'
import { LoadedPipeline } from './pipeline_run.ts'
import { DeviceHolder } from './resume/device_holder.ts'
import { checkOnDeviceLoss, type OnDeviceLoss } from './resume/resumed.ts'
import { type Reload, SurvivingPipeline } from './resume/surviving_pipeline.ts'
import type { PromptTokenizer } from './text.ts'

export interface FromPretrainedOptions extends Pick<DeviceOptions, 'memory' | 'tier'>, NetworkFileOptions {
  /** An opened device; by default the runtime's best is opened. */
  device?: Device
  /**
   * When the device is lost: 'resume' opens another one, loads the model there, and calls go on after the last step that was
   * done, to the same picture; 'fail' lets them fail. A `device` that is given is replaced where `reopen` says by what. Default
   * 'resume'.
   */
  onDeviceLoss?: OnDeviceLoss
  /** Opens a device in place of the one that was given, which it closes. */
  reopen?: (cause: DitError) => Promise<Device>
  /** One rank of several that draw together: it loads its part alone. */
  ranks?: Ranks
  /** Variant of the weight files, e.g. 'fp16'. Default: the plain ones, or else the only ones there are. */
  variant?: string
  /**
   * 'int8' or 'int4': linear weights of the blocks of the transformer and the text encoders in about 8.5 or 4.5 bits, made of
   * whatever the folder has; or a format a component, { transformer: 'int4', text_encoder_3: 'int8' }. See docs/weights.md.
   * Default 'f16': as the tier has them.
   */
  weights?: WeightFormats
  /** Adapters that are merged into the weights as they are loaded: see docs/lora.md. */
  loras?: readonly LoraInput[]
  /** SD3, FLUX: load the autoencoder's encoder too, which `image` of a call needs. */
  imageToImage?: boolean
  /**
   * 'components' has one of text encoders, transformer and autoencoder on the device at a time, and loads them anew for each
   * call: less memory, more time, the same pictures. 'blocks' does so, too, and keeps the blocks of the transformer and of T5 on
   * the host, whence each comes to the device when it is to run. A source that is given stays needed then, as for other LoRAs
   * later. Default 'none'.
   */
  offload?: OffloadMode
  /** Instead of the folder's own, by their folders, as diffusers takes components. */
  tokenizers?: Readonly<Record<string, PromptTokenizer>>
  /** Bytes of weights loaded so far, and in all, for one component after the other. */
  onProgress?: (component: string, loadedBytes: number, totalBytes: number) => void
  signal?: AbortSignal
}

/** A loaded pipeline: call it with a prompt. */
export interface Pipeline {
  /** @throws DitError for options out of range, sizes that do not fit, lost devices, a fired signal */
  (prompt: string | string[], options?: PipelineOptions): Promise<PipelineOutput>
  /** The class that model_index.json names. */
  readonly className: string
  /** The folder, as it was given; the name of a source. */
  readonly model: string
  /** Another one after a loss, as are the components. */
  readonly device: Device
  readonly components: Components
  /** The LoRAs in the weights, for calls that do not name their own. */
  readonly loras: readonly CheckedLora[]
  /**
   * Merges a LoRA into the weights, beside those that are there; one that is there gets the new weight. What it changes is read
   * anew, and nothing else.
   *
   * @throws DitError 'bad-argument' for a LoRA of another model, 'corrupt', 'unsupported', 'not-found'; nothing is changed then
   */
  loadLora(file: LoraOptions['file'], weight?: number): Promise<void>
  /** Takes a LoRA out of the weights again, or all: they are then what they would be without it, bit for bit. */
  unloadLora(file?: LoraOptions['file']): Promise<void>
  /** Frees the weights, and the device unless it was given. */
  dispose(): void
}

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
    const close = typeof model === 'string' ? () => source.close() : undefined
    const holder = new DeviceHolder(options)
    try {
      checkOffload(options.offload)
      const onDeviceLoss = checkOnDeviceLoss(options.onDeviceLoss)
      const found = await pipelineClass(source)
      if (options.imageToImage) checkImageToImage(found.className, found.family)
      const load = async (device: Device, loras = options.loras, signal = options.signal) => {
        const components = await loadComponents(device, source, found, { ...options, loras, signal }, close)
        return new LoadedPipeline(found.family, components, checkLoras(loras))
      }
      const reload: Reload = async (lost, cause, signal) => {
        lost.dispose()
        return load(await holder.reopen(cause, signal), lost.loras, signal)
      }
      const resumes = onDeviceLoss === 'resume' && holder.reopens
      const pipeline = new SurvivingPipeline(await load(await holder.open()), resumes ? reload : undefined)
      return callable(pipeline, typeof model === 'string' ? model : source.name, holder)
    } catch (error) {
      await close?.()
      holder.close()
      throw error
    }
  },
}

function callable(pipeline: SurvivingPipeline, model: string, holder: DeviceHolder): Pipeline {
  const call = (prompt: string | string[], options?: PipelineOptions) => pipeline.run(prompt, options)
  const callable = Object.assign(call, {
    model,
    loadLora: (file: LoraOptions['file'], weight?: number) => pipeline.loadLora({ file, weight }),
    unloadLora: (file?: LoraOptions['file']) => pipeline.unloadLora(file),
    dispose: () => {
      pipeline.loaded.dispose()
      holder.close()
    },
  })
  const current = {
    className: { get: () => pipeline.loaded.components.className },
    device: { get: () => pipeline.loaded.components.device },
    components: { get: () => pipeline.loaded.components },
    loras: { get: () => pipeline.loaded.loras },
  }
  return Object.defineProperties(callable, current) as typeof callable & Pipeline
}
