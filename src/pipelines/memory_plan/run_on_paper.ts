import type { PhaseMemory } from '../../runtime/arena.ts'
import type { BufferLedger } from '../../runtime/buffer_ledger.ts'
import { Device, type DeviceOptions } from '../../runtime/device.ts'
import { type DeviceTraits, paperPlatform } from '../../runtime/paper_device.ts'
import type { Source, SourceFile } from '../../runtime/weights/source.ts'
import type { WeightFormats } from '../component_formats.ts'
import { DiffusionPipeline, type Pipeline } from '../diffusion_pipeline.ts'
import type { OffloadMode } from '../offload.ts'
import type { PipelineOptions, PipelineOutput } from '../options.ts'
import type { PromptTokenizer } from '../text.ts'
import { type HostMemory, hostBytes } from './host_memory.ts'

export interface PaperLoading {
  /** A source that gives no weights: see paperSource. */
  readonly source: Source
  readonly traits: DeviceTraits
  readonly device: Pick<DeviceOptions, 'memory' | 'tier'>
  readonly variant?: string
  /** Of sources that give no weights either. */
  readonly transformer?: SourceFile
  readonly textEncoders?: Readonly<Record<string, SourceFile>>
  readonly offload?: OffloadMode
  readonly weights?: WeightFormats
  readonly tokenizers?: Readonly<Record<string, PromptTokenizer>>
  readonly imageToImage?: boolean
  readonly signal?: AbortSignal
}

/**
 * Draws on paper, as in a process that has drawn nothing before.
 * @throws DitError 'out-of-memory' where the device could not; and whatever the real run would refuse
 */
export type DrawOnPaper = (prompt: string | string[], call: PipelineOptions) => Promise<MeasuredRun>

/** What a run needed; bytes throughout. */
export interface MeasuredRun {
  readonly tier: string
  /** Weights, by component: all on the device unless they are offloaded. */
  readonly weights: Readonly<Record<string, number>>
  /** Activations on the device, by phase of the run. */
  readonly phases: Readonly<Record<string, PhaseMemory>>
  /** The most that weights and activations need at a time: what --memory bounds. */
  readonly weightsAndActivations: number
  /** The same with all else: staging, uniforms. */
  readonly device: number
  readonly greatestBuffer: { readonly bytes: number; readonly label: string }
  readonly host: HostMemory
  readonly pictures: number
  /** Pixels that are drawn. */
  readonly height: number
  readonly width: number
}

/** Steps after which all repeat what one of them did: solvers look back two steps at most, at the start and at the end less. */
const DISTINCT_STEPS = 6

/**
 * Loads on a device on paper, to draw there: the whole of the real thing, so that what it measures is what that needs.
 * @throws DitError 'out-of-memory' where such a device could not hold the weights; and as loading does
 */
export async function loadOnPaper({ traits, device: options, source, ...rest }: PaperLoading): Promise<DrawOnPaper> {
  const platform = paperPlatform(traits)
  const device = await Device.open(platform, options)
  const pipe = await DiffusionPipeline.fromPretrained(source, {
    device,
    ...rest,
  })
  return async (prompt, call) => {
    // What drawings before this one left would be reused.
    device.arena.trim()
    const { numInferenceSteps = DISTINCT_STEPS } = call
    const steps = Math.min(numInferenceSteps, DISTINCT_STEPS)
    // As many of them as that, whatever an image would leave out.
    const strength = call.image && 1
    const output = await pipe(prompt, { ...call, numInferenceSteps: steps, strength, seed: 0 })
    return measure(pipe, platform.ledger, output)
  }
}

function measure(
  { components: { networks, vae, offload }, device }: Pipeline,
  ledger: BufferLedger,
  output: PipelineOutput,
): MeasuredRun {
  const { scale } = vae.config
  const [pictures, , rows, columns] = output.latents.shape
  const [height, width] = [rows * scale, columns * scale]
  const loaded = Object.entries({ ...networks, vae })
  const blocks = loaded.reduce((sum, [, { weights }]) => sum + weights.hostBytes, 0)
  return {
    tier: device.tier,
    weights: Object.fromEntries(loaded.map(([name, { weights }]) => [name, weights.bytes])),
    phases: Object.fromEntries(device.arena.phases),
    weightsAndActivations: device.arena.peakWithWeights,
    device: ledger.peak,
    greatestBuffer: ledger.greatest,
    host: hostBytes(ledger, output, { height, width }, { texts: offload?.texts.bytes, blocks }),
    pictures,
    height,
    width,
  }
}
