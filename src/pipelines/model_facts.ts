import { NETWORKS, readJson } from '../models/component.ts'
import type { Source } from '../runtime/weights/source.ts'
import type { Binning } from './binning.ts'
import type { Family, TransformerFacts } from './family.ts'
import { pipelineClass } from './pipeline_class.ts'

/** What of a model decides how it can be divided and what it draws, read from its config files alone. */
export interface ModelFacts extends TransformerFacts {
  readonly className: string
  readonly family: Family
  /** Where it draws at the nearest trained size unless told otherwise. */
  readonly binning: Binning | undefined
  /** Pixels of a latent. */
  readonly scale: number
  /** scheduler_config.json. */
  readonly schedulerConfig: unknown
}

/** @throws DitError 'not-found', 'corrupt', 'unsupported' */
export async function modelFacts(source: Source): Promise<ModelFacts> {
  const { className, family } = await pipelineClass(source)
  const facts = family.facts(await readJson(source, 'transformer/config.json'))
  const { scale } = NETWORKS.AutoencoderKL.config(await readJson(source, 'vae/config.json'))
  const schedulerConfig = await readJson(source, 'scheduler/scheduler_config.json')
  return { ...facts, className, family, binning: family.binning, scale, schedulerConfig }
}
