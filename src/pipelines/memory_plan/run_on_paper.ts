import type { PhaseMemory } from '../../runtime/arena.ts'
import { Device, type DeviceOptions } from '../../runtime/device.ts'
import { type DeviceTraits, paperPlatform } from '../../runtime/paper_device.ts'
import type { Source } from '../../runtime/weights/source.ts'
import { DiffusionPipeline } from '../diffusion_pipeline.ts'
import type { PixArtOptions } from '../pixart.ts'
import type { PromptTokenizer } from '../text.ts'
import { type HostMemory, hostBytes } from './host_memory.ts'

export interface PaperRun {
  /** A source that gives no weights: see paperSource. */
  readonly source: Source
  readonly traits: DeviceTraits
  readonly device: Pick<DeviceOptions, 'memory' | 'tier'>
  readonly variant?: string
  readonly tokenizer?: PromptTokenizer
  readonly prompt: string | string[]
  readonly call: PixArtOptions
}

/** What a run needed; bytes throughout. */
export interface MeasuredRun {
  readonly tier: string
  /** Weights on the device, by component. */
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
 * Loads and draws on a device on paper: the whole of the real thing, so that what it measures is what the real thing needs.
 * @throws DitError 'out-of-memory' where such a device could not; and whatever the real run would refuse
 */
export async function runOnPaper(run: PaperRun): Promise<MeasuredRun> {
  const platform = paperPlatform(run.traits)
  const device = await Device.open(platform, run.device)
  const loaded = new Map<string, number>()
  const pipe = await DiffusionPipeline.fromPretrained(run.source, {
    device,
    variant: run.variant,
    tokenizer: run.tokenizer,
    signal: run.call.signal,
    onProgress: (component) => loaded.set(component, device.weightBytes),
  })
  const { numInferenceSteps = DISTINCT_STEPS } = run.call
  const output = await pipe(run.prompt, {
    ...run.call,
    numInferenceSteps: Math.min(numInferenceSteps, DISTINCT_STEPS),
    seed: 0,
  })
  const { scale } = pipe.components.vae.config
  const [pictures, , rows, columns] = output.latents.shape
  const [height, width] = [rows * scale, columns * scale]
  let before = 0
  return {
    tier: device.tier,
    weights: Object.fromEntries(
      [...loaded].map(([component, after]) => {
        const bytes = after - before
        before = after
        return [component, bytes]
      }),
    ),
    phases: Object.fromEntries([...device.arena.phases].filter(([phase]) => phase !== '')),
    weightsAndActivations: device.weightBytes + device.arena.peak,
    device: platform.ledger.peak,
    greatestBuffer: platform.ledger.greatest,
    host: hostBytes(platform.ledger, output, { height, width }),
    pictures,
    height,
    width,
  }
}
