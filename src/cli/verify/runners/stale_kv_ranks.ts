import { checkParallelConfig } from '../../../parallel/config/check.ts'
import type { ParallelConfig } from '../../../parallel/config/parallel_config.ts'
import { LocalMesh } from '../../../parallel/crew/local_ranks.ts'
import { DiffusionPipeline, type Pipeline } from '../../../pipelines/diffusion_pipeline.ts'
import { FAMILIES } from '../../../pipelines/families/index.ts'
import type { Family } from '../../../pipelines/family.ts'
import { LoadedPipeline } from '../../../pipelines/pipeline_run.ts'
import { onAllRanks } from '../../../pipelines/team/all_ranks.ts'
import { joinedOutput } from '../../../pipelines/team/team.ts'
import type { Device } from '../../../runtime/device.ts'
import type { Source } from '../../../runtime/weights/source.ts'
import type { HostArray } from '../golden_io.ts'
import type { StaleCall } from './stale_kv_call.ts'

/** What ranks drew together: latents [pictures, channels, height, width]. */
export interface DrawnByRanks {
  readonly steps: readonly HostArray[]
  readonly latents: HostArray
}

/**
 * Draws on ranks in this thread, all on one device. A local team does the same, and tells no latents of its steps.
 *
 * @param rule makes of the model's family one that follows another rule
 * @throws DitError as DiffusionPipeline.fromPretrained and the pipeline's call
 */
export async function drawOnRanks(
  device: Device,
  model: Source,
  config: ParallelConfig,
  { prompt, options }: StaleCall,
  rule = (family: Family) => family,
): Promise<DrawnByRanks> {
  checkParallelConfig(config)
  const mesh = new LocalMesh(device, config)
  const pipes: Pipeline[] = []
  try {
    for (const rank of mesh.ranks) pipes.push(await DiffusionPipeline.fromPretrained(model, rank))
    const steps: Float32Array[] = []
    const outputs = await onAllRanks(
      pipes.length,
      (rank) => {
        const { className, components } = pipes[rank]
        // The leader alone is told of steps.
        const onStep: typeof options.onStep = async (step) => void steps.push(await step.latents())
        return new LoadedPipeline(rule(FAMILIES[className]), components).run(prompt, { ...options, onStep })
      },
      { failed: (error) => mesh.fail(error) },
    )
    const { latents } = joinedOutput(outputs)
    return { latents, steps: steps.map((data) => ({ shape: latents.shape, data })) }
  } finally {
    for (const pipe of pipes) pipe.dispose()
    await mesh.close()
  }
}
