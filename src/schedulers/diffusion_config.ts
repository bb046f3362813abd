import type { ConfigReader } from '../runtime/config_reader.ts'
import { DitError } from '../runtime/errors.ts'
import type { BetaSchedule } from './beta_schedules.ts'
import { checkSteps } from './check_schedule.ts'
import type { NoiseLevel } from './dpmsolver_coefficients.ts'
import { roundHalfEven } from './half_rounding.ts'
import { spaceTimestepsToEnd, TIMESTEP_SPACINGS, type TimestepSpacing } from './timestep_spacing.ts'
import { readTrainingNoise, type TrainingNoise } from './training_noise.ts'

/** What DDPMScheduler and DDIMScheduler have in common. */
export interface DiffusionConfig {
  noise: TrainingNoise
  prediction: 'epsilon' | 'sample' | 'v_prediction'
  /** The greatest magnitude of the predicted data; undefined where `clip_sample` is off. */
  clamp: number | undefined
  spacing: TimestepSpacing
  stepsOffset: number
}

/** @throws DitError bad-argument for values that the classes do not have, unsupported for `thresholding` */
export function readDiffusionConfig(read: ConfigReader, schedules: readonly BetaSchedule[]): DiffusionConfig {
  read.unsupported('thresholding', 'it takes quantiles of whole pictures, and is meant for pixels, not latents')
  const noise = readTrainingNoise(read, schedules, 0)
  const range = read.number('clip_sample_range', 1, Number.MIN_VALUE)
  return {
    noise,
    prediction: read.choice('prediction_type', ['epsilon', 'sample', 'v_prediction'], 'epsilon'),
    clamp: read.boolean('clip_sample', true) ? range : undefined,
    spacing: read.choice('timestep_spacing', TIMESTEP_SPACINGS, 'leading'),
    stepsOffset: read.integer('steps_offset', 0, 0, noise.timesteps),
  }
}

/**
 * The training timesteps of a schedule, greatest first.
 * @throws DitError bad-argument where rounding takes one out of those that the model knows
 */
export function wholeTimesteps({ noise, spacing, stepsOffset }: DiffusionConfig, steps: number): number[] {
  checkSteps(steps, noise.timesteps)
  const spaced = spaceTimestepsToEnd(spacing, steps, { trainTimesteps: noise.timesteps, stepsOffset })
  const timesteps = spaced.map(roundHalfEven)
  const outside = timesteps.find((t) => t < 0 || t >= noise.timesteps)
  if (outside === undefined) return timesteps
  throw new DitError(
    'bad-argument',
    `a schedule of ${steps} steps (timestep_spacing ${spacing}, steps_offset ${stepsOffset}) has timestep ${outside}; ` +
      `the model knows 0 to ${noise.timesteps - 1}`,
    'Take one step more or fewer.',
  )
}

/** A share of the signal's variance as the noise level that the solvers' coefficients are made of, in float32. */
export function levelOf(alpha: number): NoiseLevel {
  const { fround, sqrt } = Math
  return { alpha: fround(sqrt(alpha)), sigma: fround(sqrt(fround(1 - alpha))) }
}

/** What to do where nothing of the signal is left at a timestep, and data cannot be told from predicted noise. */
export const NO_SIGNAL = {
  message: 'the first timestep has no signal (rescale_betas_zero_snr), where prediction_type epsilon tells nothing',
  hint: "Use prediction_type v_prediction, if the model was trained so, or timestep_spacing 'leading'.",
}
