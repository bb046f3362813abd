import { checkAgainstModel, checkParallelConfig } from '../parallel/config/check.ts'
import type { ParallelConfig } from '../parallel/config/parallel_config.ts'
import type { ModelFacts } from './model_facts.ts'
import { type SizeOptions, sizeDrawn } from './picture_size.ts'
import type { PixArtOptions } from './pixart.ts'
import { DEFAULTS } from './request_flags.ts'

/**
 * Whether ranks can divide a request so: everything that can be said before anything is loaded.
 *
 * @param devices ranks that were asked for, where somebody did
 * @throws DitError 'bad-argument'
 */
export function checkDividedRequest(
  config: ParallelConfig,
  facts: ModelFacts,
  call: SizeOptions & Pick<PixArtOptions, 'guidanceScale' | 'enableTiling'>,
  devices?: number,
): void {
  checkParallelConfig(config, devices)
  const { grid } = sizeDrawn(call, facts)
  checkAgainstModel(config, {
    blocks: facts.blocks,
    heads: facts.heads,
    ...grid,
    guided: true,
    guidanceScale: call.guidanceScale ?? DEFAULTS.guidanceScale,
    tiling: call.enableTiling ?? false,
  })
}
