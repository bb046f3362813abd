import { checkAgainstModel, checkParallelConfig } from '../parallel/config/check.ts'
import type { ParallelConfig } from '../parallel/config/parallel_config.ts'
import type { ModelFacts } from './model_facts.ts'
import type { PipelineOptions } from './options.ts'
import { checkOwnOptions } from './own_options.ts'
import { sizeDrawn } from './picture_size.ts'
import { checkCacheDivided, stepCacheOf } from './step_cache.ts'

/** Whether there is a branch without the prompt for --cfg_parallel, and what decides it. */
export function branches({ family }: Pick<ModelFacts, 'family'>, call: PipelineOptions) {
  const { guided, scale } = family.guidance(call)
  return { guided: family.guidedByScale || guided, guidanceScale: scale }
}

/**
 * Whether ranks can divide a request so: everything that can be said before anything is loaded.
 *
 * @param devices ranks that were asked for, where somebody did
 * @throws DitError 'bad-argument'
 */
export function checkDividedRequest(
  config: ParallelConfig,
  facts: ModelFacts,
  call: PipelineOptions,
  devices?: number,
): void {
  checkParallelConfig(config, devices)
  checkOwnOptions(facts.className, facts.family, call)
  facts.family.checkDivided?.(call, config)
  checkCacheDivided(stepCacheOf(facts.className, facts.family, call), config)
  const { grid } = sizeDrawn(call, facts)
  checkAgainstModel(config, {
    blocks: facts.blocks,
    heads: facts.heads,
    ...grid,
    ...branches(facts, call),
    tiling: call.enableTiling ?? false,
  })
}
