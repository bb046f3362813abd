import type { ConfigReader } from '../runtime/config_reader.ts'
import { DitError } from '../runtime/errors.ts'
import { type BetaSchedule, cumulativeAlphas, makeBetas, rescaleZeroTerminalSnr } from './beta_schedules.ts'

/** The noise that a model was trained on. */
export interface TrainingNoise {
  /** Timesteps that it was trained on. */
  timesteps: number
  schedule: BetaSchedule
  /** The share of the signal's variance left at each timestep, falling (`alphas_cumprod`); float32. */
  alphas: Float32Array
}

/** More training timesteps than any model has. */
export const MOST_TRAIN_TIMESTEPS = 1_000_000

/**
 * Reads `num_train_timesteps`, `beta_schedule` (one of `schedules`), `beta_start`, `beta_end`, `trained_betas` and
 * `rescale_betas_zero_snr`, which leaves `leastAlpha` of the signal at the last timestep.
 * @throws DitError bad-argument
 */
export function readTrainingNoise(
  read: ConfigReader,
  schedules: readonly BetaSchedule[],
  leastAlpha: number,
): TrainingNoise {
  const timesteps = read.integer('num_train_timesteps', 1000, 1, MOST_TRAIN_TIMESTEPS)
  const schedule = read.choice('beta_schedule', schedules, 'linear')
  const start = read.number('beta_start', 0.0001, 0)
  const end = read.number('beta_end', 0.02, 0)
  const given = read.optionalNumbers('trained_betas')
  if (given && given.length !== timesteps) {
    throw new DitError(
      'bad-argument',
      `trained_betas has ${given.length} entries, num_train_timesteps is ${timesteps}`,
      'Give one beta for each timestep, or null.',
    )
  }
  const betas = given ? Float32Array.from(given) : makeBetas(schedule, start, end, timesteps)
  const rescale = read.boolean('rescale_betas_zero_snr', false)
  const alphas = cumulativeAlphas(rescale ? rescaleZeroTerminalSnr(betas) : betas)
  const last = timesteps - 1
  if (!alphas.every((alpha, t) => alpha < 1 && (alpha > 0 || (rescale && t === last)))) {
    throw new DitError('bad-argument', 'the betas of the scheduler config must lie between 0 and 1')
  }
  if (rescale) alphas[last] = leastAlpha
  return { timesteps, schedule, alphas }
}

/** What schedulers of noise levels keep at zero terminal SNR, so that the first sigma is finite. */
export const LEAST_ALPHA = 2 ** -24

/** The noise level of each timestep relative to the signal, rising; float32. */
export function noiseToSignal(alphas: Float32Array): Float32Array {
  return alphas.map((alpha) => Math.sqrt(Math.fround(Math.fround(1 - alpha) / alpha)))
}
