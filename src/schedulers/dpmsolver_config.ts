import { ConfigReader } from '../runtime/config_reader.ts'
import { DitError } from '../runtime/errors.ts'
import { BETA_SCHEDULES } from './beta_schedules.ts'
import { readSigmaKind, type SigmaKind } from './sigma_kind.ts'
import { TIMESTEP_SPACINGS, type TimestepSpacing } from './timestep_spacing.ts'
import { LEAST_ALPHA, readTrainingNoise, type TrainingNoise } from './training_noise.ts'

export type Algorithm = 'dpmsolver++' | 'dpmsolver' | 'sde-dpmsolver++' | 'sde-dpmsolver'
export type SolverType = 'midpoint' | 'heun'
export type Prediction = 'epsilon' | 'sample' | 'v_prediction' | 'flow_prediction'

/** The options of diffusers' DPMSolverMultistepScheduler, checked, with diffusers' defaults. */
export interface DpmSolverConfig {
  noise: TrainingNoise
  order: number
  prediction: Prediction
  algorithm: Algorithm
  solverType: SolverType
  lowerOrderFinal: boolean
  eulerAtFinal: boolean
  sigmaKind: SigmaKind
  flowShift: number
  dynamicShifting: boolean
  finalSigma: 'zero' | 'sigma_min'
  lambdaMinClipped: number
  spacing: TimestepSpacing
  stepsOffset: number
}

/** @throws DitError bad-argument for values that the class does not have, unsupported for options that webdit lacks. */
export function readDpmSolverConfig(source: unknown): DpmSolverConfig {
  const read = new ConfigReader(source, 'DPMSolverMultistepScheduler')
  read.unsupported('thresholding', 'dynamic thresholding is not linear, and meant for pixels, not latents')
  read.optionalChoice('variance_type', ['learned', 'learned_range'])
  read.choice('time_shift_type', ['exponential'], 'exponential')
  // Other solvers' names for what this class does, as configs that were made for them have it.
  const algorithms = ['dpmsolver++', 'dpmsolver', 'sde-dpmsolver++', 'sde-dpmsolver', 'deis'] as const
  const algorithm = read.choice('algorithm_type', algorithms, 'dpmsolver++')
  const solverTypes = ['midpoint', 'heun', 'logrho', 'bh1', 'bh2'] as const
  const noise = readTrainingNoise(read, BETA_SCHEDULES, LEAST_ALPHA)
  const config: DpmSolverConfig = {
    noise,
    order: read.integer('solver_order', 2, 1, 3),
    prediction: read.choice('prediction_type', ['epsilon', 'sample', 'v_prediction', 'flow_prediction'], 'epsilon'),
    algorithm: algorithm === 'deis' ? 'dpmsolver++' : algorithm,
    solverType: read.choice('solver_type', solverTypes, 'midpoint') === 'heun' ? 'heun' : 'midpoint',
    lowerOrderFinal: read.boolean('lower_order_final', true),
    eulerAtFinal: read.boolean('euler_at_final', false),
    sigmaKind: readSigmaKind(read, ['karras', 'lu', 'exponential', 'beta', 'flow']),
    flowShift: read.number('flow_shift', 1, Number.MIN_VALUE),
    dynamicShifting: read.boolean('use_dynamic_shifting', false),
    finalSigma: read.choice('final_sigmas_type', ['zero', 'sigma_min'], 'zero'),
    lambdaMinClipped: read.number('lambda_min_clipped', Number.NEGATIVE_INFINITY, Number.NEGATIVE_INFINITY),
    spacing: read.choice('timestep_spacing', TIMESTEP_SPACINGS, 'linspace'),
    stepsOffset: read.integer('steps_offset', 0, 0, noise.timesteps),
  }
  checkCombinations(config)
  return config
}

function checkCombinations(config: DpmSolverConfig): void {
  const { algorithm } = config
  const predictsNoise = algorithm === 'dpmsolver' || algorithm === 'sde-dpmsolver'
  if (predictsNoise && config.finalSigma === 'zero') {
    throw bad(`final_sigmas_type zero does not go with algorithm_type ${algorithm}`, 'Set it to sigma_min.')
  }
  if (predictsNoise && config.prediction === 'flow_prediction') {
    throw bad(`prediction_type flow_prediction does not go with algorithm_type ${algorithm}`, 'Use dpmsolver++.')
  }
  if (algorithm === 'sde-dpmsolver' && config.order === 3) {
    throw bad('solver_order 3 does not exist for algorithm_type sde-dpmsolver', 'Use 2, or sde-dpmsolver++.')
  }
}

function bad(message: string, hint?: string): DitError {
  return new DitError('bad-argument', `DPMSolverMultistepScheduler: ${message}`, hint)
}
