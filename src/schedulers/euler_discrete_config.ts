import { ConfigReader } from '../runtime/config_reader.ts'
import { BETA_SCHEDULES } from './beta_schedules.ts'
import { readSigmaKind, type SigmaKind } from './sigma_kind.ts'
import { TIMESTEP_SPACINGS, type TimestepSpacing } from './timestep_spacing.ts'
import { LEAST_ALPHA, readTrainingNoise, type TrainingNoise } from './training_noise.ts'

/** The options of diffusers' EulerDiscreteScheduler, checked, with diffusers' defaults. */
export interface EulerConfig {
  noise: TrainingNoise
  prediction: 'epsilon' | 'sample' | 'v_prediction'
  interpolation: 'linear' | 'log_linear'
  sigmaKind: Exclude<SigmaKind, 'lu' | 'flow'>
  /** The ends of converted schedules, where they are not those of the timesteps. */
  sigmaMin: number | undefined
  sigmaMax: number | undefined
  spacing: TimestepSpacing
  /** The network is given a quarter of the logarithm of the noise level instead of a timestep. */
  continuous: boolean
  stepsOffset: number
  finalSigma: 'zero' | 'sigma_min'
}

/** @throws DitError bad-argument for values that the class does not have */
export function readEulerConfig(source: unknown): EulerConfig {
  const read = new ConfigReader(source, 'EulerDiscreteScheduler')
  const noise = readTrainingNoise(read, BETA_SCHEDULES, LEAST_ALPHA)
  const predictions = ['epsilon', 'sample', 'v_prediction', 'original_sample'] as const
  const prediction = read.choice('prediction_type', predictions, 'epsilon')
  const continuous = read.choice('timestep_type', ['discrete', 'continuous'], 'discrete') === 'continuous'
  return {
    noise,
    prediction: prediction === 'original_sample' ? 'sample' : prediction,
    interpolation: read.choice('interpolation_type', ['linear', 'log_linear'], 'linear'),
    sigmaKind: readSigmaKind(read, ['karras', 'exponential', 'beta']),
    // 0 means: not given. No schedule ends or begins without noise.
    sigmaMin: read.number('sigma_min', 0, 0) || undefined,
    sigmaMax: read.number('sigma_max', 0, 0) || undefined,
    spacing: read.choice('timestep_spacing', TIMESTEP_SPACINGS, 'linspace'),
    // diffusers has continuous timesteps for this prediction alone, and discrete ones for the others.
    continuous: continuous && prediction === 'v_prediction',
    stepsOffset: read.integer('steps_offset', 0, 0, noise.timesteps),
    finalSigma: read.choice('final_sigmas_type', ['zero', 'sigma_min'], 'zero'),
  }
}
