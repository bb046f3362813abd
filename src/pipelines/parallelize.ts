import { DitError } from '../runtime/errors.ts'
import type { Pipeline } from './diffusion_pipeline.ts'
import type { EngineConfig } from './engine_args.ts'
import type { Components } from './family.ts'
import { type CheckedLora, nameOf } from './loras/lora_options.ts'
import type { PipelineOutput } from './options.ts'
import { type StartTeamOptions, startTeam } from './team/start_team.ts'
import type { Team, TeamOptions } from './team/team.ts'

/** A pipeline that several ranks carry out: call it with a prompt. */
export interface ParallelPipeline {
  /** @throws DitError as a Pipeline does; 'device-lost' naming a rank that ended */
  (prompt: string | string[], options?: TeamOptions): Promise<PipelineOutput>
  readonly team: Team
  /** Ends the ranks. */
  dispose(): Promise<void>
}

/**
 * Lets ranks carry out a pipeline, as xDiTParallel: they load their parts of its model, and its own weights are freed.
 *
 * @param pipe a pipeline, or the folder of its model, which saves loading it twice
 */
export async function parallelize(
  pipe: Pipeline | string,
  { parallel, kind, variant }: Pick<EngineConfig, 'parallel'> & Partial<EngineConfig>,
  options: StartTeamOptions = {},
): Promise<ParallelPipeline> {
  const model = typeof pipe === 'string' ? pipe : pipe.model
  const { imageToImage, weights } = typeof pipe === 'string' ? {} : (pipe.components as Partial<Components>)
  const loras = typeof pipe === 'string' ? undefined : pipe.loras.map(plainLora)
  if (typeof pipe !== 'string') pipe.dispose()
  const team = await startTeam(model, parallel, { kind, variant, imageToImage, weights, loras, ...options })
  const call = (prompt: string | string[], given?: TeamOptions) => team.run(prompt, given)
  return Object.assign(call, { team, dispose: () => team.close() })
}

function plainLora({ file, weight }: CheckedLora): { file: string; weight: number } {
  if (typeof file === 'string') return { file, weight }
  throw new DitError(
    'bad-argument',
    `the LoRA ${nameOf(file)} is a file of a source, which other ranks cannot read`,
    'Load it by its path or address.',
  )
}
