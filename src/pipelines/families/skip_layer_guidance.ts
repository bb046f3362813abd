import type { ParallelConfig } from '../../parallel/config/parallel_config.ts'
import { DitError } from '../../runtime/errors.ts'
import { combine, join, narrow } from '../../runtime/ops/index.ts'
import type { Recorder } from '../../runtime/recorder.ts'
import type { Tensor } from '../../runtime/tensor.ts'
import { checkInteger, checkNumber, type PipelineOptions } from '../options.ts'

/** Guidance away from what the network predicts without some of its layers, in early steps (SD3.5-medium). */
export interface SkipLayerGuidance {
  readonly layers: readonly number[]
  readonly scale: number
  /** The steps that it guides, counted from 0. */
  readonly steps: readonly number[]
}

/**
 * What the options say of it, as diffusers' StableDiffusion3Pipeline reads them.
 *
 * @param layers of the transformer
 * @throws DitError 'bad-argument'
 */
export function skipLayerGuidance(
  options: PipelineOptions,
  layers: number,
  steps: number,
): SkipLayerGuidance | undefined {
  const { skipGuidanceLayers: skipped, skipLayerGuidanceScale: scale = 2.8 } = options
  const [first, end] = [options.skipLayerGuidanceStart ?? 0.01, options.skipLayerGuidanceStop ?? 0.2]
  checkNumber('skipLayerGuidanceScale', scale, 0, 1000)
  checkNumber('skipLayerGuidanceStart', first, 0, 1)
  checkNumber('skipLayerGuidanceStop', end, 0, 1)
  if (skipped === undefined) return undefined
  for (const layer of skipped) checkInteger('skipGuidanceLayers', layer, 0, layers - 1)
  const guided = Array.from({ length: steps }, (_, i) => i).filter((i) => i > steps * first && i < steps * end)
  return { layers: skipped, scale, steps: guided }
}

/** @throws DitError 'bad-argument' for ways to divide work that would have to keep the second pass apart */
export function checkSkipLayersDivided({ skipGuidanceLayers }: PipelineOptions, config: ParallelConfig): void {
  if (skipGuidanceLayers === undefined) return
  if (config.degrees.pipefusion === 1 && config.numPipelinePatch === 1 && !config.distrifusion) return
  throw new DitError(
    'bad-argument',
    'skip_guidance_layers does not go with PipeFusion or DistriFusion',
    'Divide the picture by --ulysses_degree, --ring_degree, --tensor_parallel_degree or --use_cfg_parallel.',
  )
}

/**
 * Predictions [batch, tokens, values] of which those with the prompt, from entry `first` on, are moved so that guidance by
 * `guidance` gives what it gives now, plus scale · (prompted − skipped).
 */
export function awayFrom(
  g: Recorder,
  image: Tensor,
  skipped: Tensor,
  { first, scale, guidance }: { first: number; scale: number; guidance: number },
): Tensor {
  const by = scale / guidance
  const moved = combine(g, [
    [narrow(g, image, 0, first, image.dim(0)), 1 + by],
    [skipped, -by],
  ])
  return first === 0 ? moved : join(g, [narrow(g, image, 0, 0, first), moved], 0)
}

/** The entries of a batch from `first` on. */
export const entriesFrom = (g: Recorder, x: Tensor, first: number): Tensor =>
  first === 0 ? x : narrow(g, x, 0, first, x.dim(0))
