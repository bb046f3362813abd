import type { ParallelConfig } from '../../parallel/config/parallel_config.ts'
import type { Span } from '../../parallel/trace/timeline.ts'
import { DiffusionPipeline } from '../../pipelines/diffusion_pipeline.ts'
import type { PlainLora } from '../../pipelines/loras/lora_options.ts'
import { type ModelFacts, modelFacts } from '../../pipelines/model_facts.ts'
import type { OffloadMode } from '../../pipelines/offload.ts'
import type { PipelineOutput } from '../../pipelines/options.ts'
import { type OnDeviceLoss, type Resumed, resumedLine } from '../../pipelines/resume/resumed.ts'
import type { RankCard } from '../../pipelines/team/rank_cards.ts'
import { startTeam, type TeamKind } from '../../pipelines/team/start_team.ts'
import type { TeamOptions, TeamStep } from '../../pipelines/team/team.ts'
import { megabytes } from '../../runtime/arena.ts'
import type { Device } from '../../runtime/device.ts'
import type { Source } from '../../runtime/weights/source.ts'
import type { CliIo, DeviceChoice } from '../command.ts'
import { duration } from './progress.ts'

/** What draws: a pipeline on one device, or a team of ranks. */
export interface Drawing {
  readonly facts: ModelFacts
  /** Where one device draws: what a profiler measures. */
  readonly device: Device | undefined
  /** Without a signal in the call, Ctrl-C stops it. */
  draw(
    prompts: string[],
    call: Omit<TeamOptions, 'onStep'>,
    onStep: (step: number, steps: number, info: TeamStep) => void | Promise<void>,
  ): Promise<PipelineOutput>
  /** What ranks did when, where --trace asked for that. */
  spans?(): Promise<Span[]>
  close(): Promise<void>
}

/** What is to be loaded. */
export interface Loading {
  readonly source: Source
  readonly model: string
  readonly variant: string | undefined
  readonly transformer: string | undefined
  readonly textEncoders: Readonly<Record<string, string>> | undefined
  readonly offload: OffloadMode
  readonly onDeviceLoss: OnDeviceLoss
  readonly weights: string | undefined
  readonly loras: readonly PlainLora[] | undefined
  /** Whether drawing starts from pictures. */
  readonly imageToImage: boolean
  readonly choice: DeviceChoice
  /** Note what ranks do when. */
  readonly traced: boolean
  /** The cards of the ranks, where several teams share out those of the machine. */
  readonly cards?: readonly RankCard[]
  readonly io: CliIo
}

/** One device. @param reopen opens another in its place, which it may be told to; without it a lost device ends the drawing */
export async function drawAlone(loading: Loading, device: Device, reopen?: () => Promise<Device>): Promise<Drawing> {
  const { onDeviceLoss, source, variant, transformer, textEncoders, offload, weights, loras, imageToImage, io } =
    loading
  const facts = await modelFacts(source)
  const began = performance.now()
  const pipe = await device.phase('load', () =>
    DiffusionPipeline.fromPretrained(source, {
      device,
      reopen,
      onDeviceLoss,
      variant,
      transformer,
      textEncoders,
      offload,
      weights,
      loras,
      imageToImage,
      signal: io.signal,
      onProgress: progressOn(io),
    }),
  )
  loaded(loading, facts, offload === 'none' ? `${megabytes(device.weightBytes)} ` : '', began)
  return {
    facts,
    device,
    draw: (prompts, call, onStep) =>
      pipe(prompts, {
        signal: io.signal,
        onResume: noteOn(io),
        ...call,
        onStep: (info) => onStep(info.step, info.steps, info),
      }),
    close: async () => pipe.dispose(),
  }
}

/** Ranks that draw together. */
export async function drawTogether(
  loading: Loading,
  config: ParallelConfig,
  kind: TeamKind | undefined,
): Promise<Drawing> {
  const { source, model, variant, transformer, textEncoders, offload, weights, loras, imageToImage, choice, io } =
    loading
  const facts = await modelFacts(source)
  const began = performance.now()
  const team = await startTeam(model, config, {
    kind,
    onDeviceLoss: loading.onDeviceLoss,
    variant,
    transformer,
    textEncoders,
    offload,
    weights,
    loras,
    imageToImage,
    memory: choice.memory,
    tier: choice.tier,
    platform: { adapter: choice.adapter, backend: choice.backend },
    cards: loading.cards,
    signal: io.signal,
    onProgress: progressOn(io),
    trace: loading.traced,
    onNote: (line) => io.note(line),
  })
  for (const name of new Set(team.deviceNames)) {
    const ranks = team.deviceNames.flatMap((other, rank) => (other === name ? [rank] : []))
    io.note(`device: ${name}, for ${ranks.length === 1 ? 'rank' : 'ranks'} ${ranks.join(', ')}`)
  }
  loaded(loading, facts, '', began)
  return {
    facts,
    device: undefined,
    draw: (prompts, call, onStep) =>
      team.run(prompts, {
        signal: io.signal,
        onResume: noteOn(io),
        ...call,
        onStep: (info) => onStep(info.step, info.steps, info),
      }),
    spans: () => team.spans(),
    close: () => team.close(),
  }
}

const noteOn = (io: CliIo) => (resumed: Resumed) => io.note(resumedLine(resumed))

const progressOn = (io: CliIo) => (component: string, bytes: number, total: number) =>
  io.status(`loading ${component}: ${megabytes(bytes)} of ${megabytes(total)}`)

function loaded({ source, io }: Loading, { className }: ModelFacts, size: string, began: number): void {
  const seconds = (performance.now() - began) / 1000
  io.note(`model: ${className} from ${source.name}, ${size}in ${duration(seconds)}`)
}
