import { AXES } from '../mesh/mesh.ts'
import { FLAG_OF } from './check.ts'
import type { ParallelConfig } from './parallel_config.ts'

/** A configuration as people type it; '' for one rank that does all. */
export function configFlags(config: ParallelConfig): string {
  const { degrees, numPipelinePatch, warmupSteps, attnLayerNumForPp, deviceWeights } = config
  const flags = AXES.toReversed()
    .filter((axis) => degrees[axis] > 1)
    .map((axis) => (axis === 'cfg' ? `--${FLAG_OF.cfg}` : `--${FLAG_OF[axis]} ${degrees[axis]}`))
  if (numPipelinePatch !== degrees.pipefusion) flags.push(`--num_pipeline_patch ${numPipelinePatch}`)
  if (warmupSteps !== 1) flags.push(`--warmup_steps ${warmupSteps}`)
  if (attnLayerNumForPp) flags.push(`--attn_layer_num_for_pp ${attnLayerNumForPp.join(' ')}`)
  if (config.distrifusion) flags.push('--use_distrifusion')
  if (config.vaeParallelSize > 1) flags.push(`--vae_parallel_size ${config.vaeParallelSize}`)
  if (config.shardDit) flags.push('--shard_dit')
  if (config.shardT5Encoder) flags.push('--shard_t5_encoder')
  if (deviceWeights)
    flags.push(`--device_weights ${Array.isArray(deviceWeights) ? deviceWeights.join() : deviceWeights}`)
  return flags.join(' ')
}
