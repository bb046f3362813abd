import type { PipelineOptions } from '../../../pipelines/options.ts'
import { DitError } from '../../../runtime/errors.ts'
import { isRecord } from '../case.ts'
import { GoldenIo, type HostArray } from '../golden_io.ts'
import type { Run } from '../run.ts'
import { unpacked } from './packed.ts'

/** What a case of stale keys asks a pipeline for. */
export interface StaleCall {
  readonly prompt: string[]
  readonly options: PipelineOptions
  /** Whether latents are stored as FLUX packs them. */
  readonly isPacked: boolean
}

/** Pixels of a packed token's side. */
const TOKEN = 16

const NUMBERS = ['height', 'width', 'steps', 'guidance', 'max_sequence_length'] as const

/** @throws DitError 'corrupt' */
export async function readStaleCall(run: Run): Promise<StaleCall> {
  const given = argumentsOf(run)
  const number = (name: (typeof NUMBERS)[number]) => staleNumber(run, name)
  const value = <T>(name: string) => given[name] as T
  const [height, width] = [number('height'), number('width')]
  const latents = await initialLatents(run)
  const isPacked = latents.shape.length === 3
  return {
    prompt: [value<string | string[]>('prompt')].flat(),
    isPacked,
    options: {
      height,
      width,
      numInferenceSteps: number('steps'),
      guidanceScale: number('guidance'),
      maxSequenceLength: number('max_sequence_length'),
      negativePrompt: value('negative_prompt'),
      prompt2: value('prompt_2'),
      prompt3: value('prompt_3'),
      latents: isPacked ? unpacked(latents, height / TOKEN, width / TOKEN).data : latents.data,
      useResolutionBinning: false,
      outputType: 'latent',
    },
  }
}

/** A number among meta.json's arguments. @throws DitError 'corrupt' */
export function staleNumber(run: Run, name: string): number {
  const value = argumentsOf(run)[name]
  if (typeof value === 'number' && Number.isFinite(value)) return value
  throw new DitError('corrupt', `${run.case.name}: meta.json has ${name} = ${JSON.stringify(value)}, expected a number`)
}

function argumentsOf({ case: { name, meta } }: Run): Record<string, unknown> {
  if (isRecord(meta.arguments)) return meta.arguments
  throw new DitError('corrupt', `${name}: meta.json has no arguments`)
}

/** Further runs have the inputs of the main one, whose file alone holds them. */
async function initialLatents(run: Run): Promise<HostArray & { data: Float32Array }> {
  const own = await run.io()
  const main = String(run.case.meta.runs.main?.io)
  const io = own.has('input.latents') ? own : await GoldenIo.open(run.source, main)
  const { shape } = await io.tensor('input.latents')
  return { shape, data: await io.floats('input.latents') }
}
