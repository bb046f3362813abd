import type { Span } from '../../parallel/trace/timeline.ts'
import type { DitImage } from '../image/image.ts'
import type { PlainLoraInput } from '../loras/lora_options.ts'
import type { PipelineOptions, PipelineOutput, SeededGenerator } from '../options.ts'
import type { ResumableCall } from '../resume/checkpoint.ts'

/** What is heard after each denoising step, of the first crew's pictures. */
export interface TeamStep {
  /** Steps done, from 1. */
  readonly step: number
  readonly steps: number
  readonly timestep: number
  /** Small pictures of what is forming, one pixel a latent; none where the model has no map for them. */
  preview(): Promise<DitImage[]>
}

export interface TeamOptions extends Omit<PipelineOptions, 'onStep' | 'generator' | 'loras'> {
  /** As there; a file of a source crosses no thread. */
  loras?: readonly PlainLoraInput[]
  /** Whose numbers a seed gives; each rank draws them for itself. */
  generator?: SeededGenerator
  onStep?: (step: TeamStep) => void | Promise<void>
}

/** A call that can be broken off and go on; checkpoints come from every crew. */
export interface ResumableTeamCall extends TeamOptions, Pick<ResumableCall, 'resume' | 'onCheckpoint'> {}

/** A team whose calls can go on in another one. */
export interface ResumableTeam extends Team {
  run(prompt: string | string[], options?: ResumableTeamCall): Promise<PipelineOutput>
  /** As `close`, and does not wait for ranks that do not end by themselves. */
  end(): Promise<void>
}

/** Ranks that draw together. */
export interface Team {
  readonly size: number
  /** The device of each rank. */
  readonly deviceNames: readonly string[]
  /** The number of each rank's process, where it has one of its own. */
  readonly pids: readonly (number | undefined)[]
  /** Draws pictures; they come in the order of the prompts. Calls that overlap wait for each other. */
  run(prompt: string | string[], options?: TeamOptions): Promise<PipelineOutput>
  /** Bytes that each rank sent so far, by tag. */
  sent(): Promise<ReadonlyMap<string, number>[]>
  /** What the ranks did when, where `trace` asked for that. */
  spans(): Promise<Span[]>
  /** Ends all ranks. */
  close(): Promise<void>
}

/** What the leaders of the crews have, as one: pictures and latents in the order of the ranks, which is the prompts'. */
export function joinedOutput(outputs: readonly PipelineOutput[]): PipelineOutput {
  const leading = outputs.filter(({ latents }) => latents.data.length > 0)
  const data = new Float32Array(leading.reduce((sum, { latents }) => sum + latents.data.length, 0))
  let at = 0
  for (const { latents } of leading) {
    data.set(latents.data, at)
    at += latents.data.length
  }
  const pictures = leading.reduce((sum, { latents }) => sum + latents.shape[0], 0)
  const spared = leading.flatMap((output) => output.spared ?? [])
  return {
    images: leading.flatMap(({ images }) => images),
    latents: { data, shape: [pictures, ...outputs[0].latents.shape.slice(1)] },
    warnings: [...new Set(outputs.flatMap(({ warnings }) => warnings))],
    seed: outputs[0].seed,
    ...(spared.length > 0 && { spared }),
  }
}
