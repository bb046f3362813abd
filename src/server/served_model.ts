import type { ParallelConfig } from '../parallel/config/parallel_config.ts'
import { checkDividedRequest } from '../pipelines/divided_request.ts'
import type { ModelFacts } from '../pipelines/model_facts.ts'
import { checkOwnOptions } from '../pipelines/own_options.ts'
import { sizeDrawn } from '../pipelines/picture_size.ts'
import type { PictureRequest } from './queue/job.ts'

/** The model that a server draws with. */
export interface ServedModel {
  /** What requests call it. */
  readonly id: string
  readonly facts: ModelFacts
  /** How ranks divide a picture, where they do. */
  readonly config: ParallelConfig | undefined
  /** Unix seconds since which it is served. */
  readonly since: number
}

/** Steps and pixels of a request, with the model's defaults. */
export interface RequestSize {
  readonly steps: number
  readonly height: number
  readonly width: number
}

/**
 * Everything that can be said against a request before it waits for its turn.
 * @throws DitError 'bad-argument'
 */
export function checkRequest({ facts, config }: ServedModel, { call, texts }: PictureRequest): RequestSize {
  const all = { ...call, ...texts }
  checkOwnOptions(facts.className, facts.family, all)
  facts.family.guidance(all)
  if (config) checkDividedRequest(config, facts, all)
  const { outHeight, outWidth } = sizeDrawn(call, facts)
  const steps = call.numInferenceSteps ?? facts.family.defaults.numInferenceSteps
  return { steps, height: outHeight, width: outWidth }
}
