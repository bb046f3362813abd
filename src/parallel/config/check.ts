import { DitError } from '../../runtime/errors.ts'
import { Mesh } from '../mesh/mesh.ts'
import type { ParallelConfig } from './parallel_config.ts'

/** What can be said of a configuration without a model. @throws DitError 'bad-argument' */
export function checkParallelConfig({ degrees, numPipelinePatch, warmupSteps }: ParallelConfig): void {
  new Mesh(degrees, 0)
  if (numPipelinePatch < 1 || warmupSteps < 0) {
    throw new DitError(
      'bad-argument',
      `num_pipeline_patch is ${numPipelinePatch} and warmup_steps is ${warmupSteps}, expected at least 1 and 0`,
    )
  }
}
