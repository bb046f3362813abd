import { readJson } from '../../models/component.ts'
import type { NetworkWork } from '../../parallel/cost/work.ts'
import { DitError } from '../../runtime/errors.ts'
import type { Source } from '../../runtime/weights/source.ts'
import { modelMaxLength } from '../memory_plan/longest_texts.ts'
import type { ModelFacts } from '../model_facts.ts'
import type { PipelineOptions } from '../options.ts'

/**
 * What a model's transformer does for a request, as its family says.
 *
 * @param tokenizers their folders
 * @throws DitError 'unsupported' where it does not
 */
export async function networkWork(
  source: Source,
  { family, className }: Pick<ModelFacts, 'family' | 'className'>,
  tokenizers: readonly string[],
  options: PipelineOptions,
): Promise<NetworkWork> {
  const config = await readJson(source, 'transformer/config.json')
  const lengths = tokenizers.map(async (folder) => [folder, await modelMaxLength(source, folder)] as const)
  const modelMaxLengths = Object.fromEntries(await Promise.all(lengths))
  const work = family.work?.(config, { options, modelMaxLengths })
  if (work) return work
  throw new DitError(
    'unsupported',
    `the time that ranks take with ${className} cannot be predicted yet`,
    'Say how they divide the work, such as --ulysses_degree 2.',
  )
}
