import { isSoftware } from '../../runtime/adapter.ts'
import type { DeviceOptions } from '../../runtime/device.ts'
import { DitError } from '../../runtime/errors.ts'
import type { DeviceTraits } from '../../runtime/paper_device.ts'
import type { Source } from '../../runtime/weights/source.ts'
import { formatName } from '../../runtime/weights/weight_formats.ts'
import { componentFormats, type WeightFormats } from '../component_formats.ts'
import { type NetworkFileOptions, type NetworkFiles, openNetworkFiles } from '../network_files.ts'
import { checkOffload, OFFLOAD_MODES, type OffloadMode } from '../offload.ts'
import { openModel } from '../open_model.ts'
import type { PipelineOptions } from '../options.ts'
import { pipelineClass } from '../pipeline_class.ts'
import { largestSize, type Size } from './largest_size.ts'
import { longestTexts } from './longest_texts.ts'
import { headersOnly, paperSource } from './paper_source.ts'
import { type DrawOnPaper, loadOnPaper, type MeasuredRun } from './run_on_paper.ts'

export interface PlanOptions extends Pick<DeviceOptions, 'memory' | 'tier'>, NetworkFileOptions {
  /** The device to plan for: see traitsOf. Default: a GPU with f16 and buffers up to 2 GiB. */
  device?: DeviceTraits
  /** As DiffusionPipeline.fromPretrained takes them. */
  variant?: string
  offload?: OffloadMode
  weights?: WeightFormats
  /** Tell what the picture takes by what is offloaded, too. Default: where it does not fit as asked. */
  levels?: boolean
  /** The call to plan for. */
  call?: Omit<PipelineOptions, 'onStep' | 'latents' | 'seed'>
}

/** What a picture takes before anything is loaded; bytes throughout. */
export interface MemoryPlan extends MeasuredRun {
  /** The class that model_index.json names. */
  readonly pipeline: string
  /** Whether the device is the host's CPU, so that its memory is the host's. */
  readonly software: boolean
  /** The greatest buffer that the device allows. */
  readonly bufferLimit: number
  /** Whether it fits the memory that was stated, and the device's limits. */
  readonly fits: boolean
  /** Why not. */
  readonly problem?: string
  /** Where it does not fit: whether enableTiling would make it fit. */
  readonly fitsTiled?: boolean
  readonly offload: OffloadMode
  /** In what format linear weights are kept, by component, where that is no float of the tier's. */
  readonly formats: Readonly<Record<string, string>>
  /** What it takes by what is offloaded, from the least to the most; absent where nobody asked and it fits. */
  readonly levels?: readonly OffloadLevel[]
  /** Where it does not fit: the largest pictures of that shape that would, without resolution binning; absent where none would. */
  readonly largest?: Size
  /** Weight files that are not in the folder; their sizes are those that config.json calls for. */
  readonly withoutWeights: readonly string[]
}

/** What the picture takes where so much is offloaded; bytes. */
export interface OffloadLevel extends Pick<MeasuredRun, 'weightsAndActivations'> {
  readonly offload: OffloadMode
  readonly fits: boolean
  /** Blocks that stay on the host. */
  readonly hostBlocks: number
}

/** Dawn's limits on a current GPU: buffers are bound whole, and no binding is larger than this. */
const BINDING = 2 ** 31 - 4

const TYPICAL_GPU: DeviceTraits = {
  info: { vendor: '', architecture: '', device: 'GPU', description: '', isFallbackAdapter: false },
  features: ['shader-f16', 'subgroups'],
  limits: { maxBufferSize: BINDING, maxStorageBufferBindingSize: BINDING },
}

/** To tell what would be needed where it does not fit. Above it nobody computes, and the host would not hold it either. */
const GENEROUS = { maxBufferSize: 2 ** 34, maxStorageBufferBindingSize: 2 ** 34 }

/** A run on paper, why the device could not do it, and how it draws another picture. */
interface Attempt {
  readonly run: MeasuredRun
  readonly problem?: string
  /** None where not even the weights fit. */
  readonly draw?: DrawOnPaper
}

/**
 * Plans a picture: what loading and drawing it needs on the device and on the host. The very pipeline runs, on a device
 * on paper; of the checkpoint, JSON files and the headers of its weights are read, and no GPU is asked for anything.
 *
 * @param model a diffusers folder (Node, Deno), or a source of its files; weight files may be missing
 * @param prompt undefined plans for one of the greatest length
 * @throws DitError as loading and drawing would, but for what does not fit: that is in the plan
 */
export async function planMemory(
  model: string | Source,
  prompt: string | string[] | undefined,
  {
    device: traits = TYPICAL_GPU,
    memory,
    tier,
    variant,
    transformer,
    textEncoders,
    offload,
    weights,
    levels: askedLevels = false,
    call = {},
  }: PlanOptions = {},
): Promise<MemoryPlan> {
  const asked = checkOffload(offload)
  const opened = typeof model === 'string' ? await openModel(model, { signal: call.signal }) : model
  let own: NetworkFiles | undefined
  try {
    const { className, networks, tokenizers: folders } = await pipelineClass(opened)
    own = await openNetworkFiles({ transformer, textEncoders }, Object.keys(networks))
    const { files } = own
    const inFolders = Object.fromEntries(Object.entries(networks).filter(([folder]) => !files[folder]))
    const source = await paperSource(opened, inFolders, variant)
    const { transformer: ofTransformer, ...ofEncoders } = Object.fromEntries(
      Object.entries(files).map(([folder, file]) => [folder, { source: headersOnly(file.source), path: file.path }]),
    )
    const tokenizers = prompt === undefined ? await longestTexts(source, folders) : undefined
    const loading = {
      source,
      traits,
      device: { memory, tier },
      variant,
      transformer: ofTransformer,
      textEncoders: ofEncoders,
      weights,
      tokenizers,
      imageToImage: call.image !== undefined,
      signal: call.signal,
    }
    const texts = prompt ?? 'a picture'
    const attempted = async (mode: OffloadMode): Promise<Attempt> => {
      const given = { ...loading, offload: mode }
      let draw: DrawOnPaper | undefined
      const outcome = await attempt(async () => {
        draw = await loadOnPaper(given)
        return draw(texts, call)
      })
      if (typeof outcome !== 'string') return { run: outcome, draw }
      const drawAnyway = await loadOnPaper({ ...given, traits: { ...traits, limits: GENEROUS }, device: { tier } })
      return { run: await drawAnyway(texts, call), problem: outcome, draw }
    }
    const { run, problem, draw } = await attempted(asked)
    const levels: OffloadLevel[] = []
    for (const mode of askedLevels || problem !== undefined ? OFFLOAD_MODES : []) {
      levels.push(levelOf(mode, mode === asked ? { run, problem } : await attempted(mode)))
    }
    const { maxBufferSize = BINDING, maxStorageBufferBindingSize = BINDING } = traits.limits
    const plan = {
      ...run,
      pipeline: className,
      software: isSoftware(traits.info),
      bufferLimit: Math.min(maxBufferSize, maxStorageBufferBindingSize),
      withoutWeights: source.withoutWeights,
      offload: asked,
      formats: namesOf(componentFormats(weights, networks)),
      levels: levels.length > 0 ? levels : undefined,
    }
    if (problem === undefined) return { ...plan, fits: true }
    const fits = async (change: PipelineOptions): Promise<boolean> => {
      if (!draw) return false
      return typeof (await attempt(() => draw(texts, { ...call, ...change }))) !== 'string'
    }
    const fitsTiled = !call.enableTiling && (await fits({ enableTiling: true }))
    const largest = await largestSize(run, (size) => fits({ ...size, useResolutionBinning: false }))
    return { ...plan, fits: false, problem, fitsTiled, largest }
  } finally {
    await own?.close()
    if (typeof model === 'string') await opened.close()
  }
}

const levelOf = (offload: OffloadMode, { run, problem }: Attempt): OffloadLevel => ({
  offload,
  weightsAndActivations: run.weightsAndActivations,
  fits: problem === undefined,
  hostBlocks: run.host.blocks,
})

const namesOf = (formats: ReturnType<typeof componentFormats>): Record<string, string> =>
  Object.fromEntries(
    Object.entries(formats).flatMap(([folder, format]) => (format ? [[folder, formatName(format)]] : [])),
  )

/** What `drawing` needs, or why the device could not hold it. */
async function attempt(drawing: () => Promise<MeasuredRun>): Promise<MeasuredRun | string> {
  try {
    return await drawing()
  } catch (error) {
    if (error instanceof DitError && error.kind === 'out-of-memory') return error.message
    throw error
  }
}
