import { ConfigReader } from '../runtime/config_reader.ts'
import { DitError } from '../runtime/errors.ts'
import { DDPM_BETA_SCHEDULES } from './beta_schedules.ts'
import { checkFalling, checkIndex, checkPlans, checkSteps, refuseOption } from './check_schedule.ts'
import { type DiffusionConfig, levelOf, NO_SIGNAL, readDiffusionConfig, wholeTimesteps } from './diffusion_config.ts'
import { conversion } from './dpmsolver_coefficients.ts'
import type { Scheduler, SetTimestepsOptions, StepPlan } from './scheduler.ts'

const { fround, sqrt } = Math

const NAME = 'DDPMScheduler'
const VARIANCES = ['fixed_small', 'fixed_small_log', 'fixed_large'] as const
/** What diffusers names too, but cannot run in its pipelines: why. */
const NOT_RUN: Readonly<Record<string, string>> = {
  fixed_large_log: 'it takes the square root of a logarithm, which is no number',
  learned: 'pipelines hand over the mean alone',
  learned_range: 'pipelines hand over the mean alone',
}

/** diffusers' DDPMScheduler: the ancestral sampler of Ho et al. 2020, equations 6, 7 and 15, with fresh noise in each step. */
export class DDPMScheduler implements Scheduler {
  readonly initNoiseSigma = 1
  readonly takesEta = false
  readonly sigmas: readonly number[] = []
  timesteps: readonly number[] = []
  private readonly config: DiffusionConfig
  private readonly variance: (typeof VARIANCES)[number]

  /**
   * `config`: a parsed scheduler_config.json.
   * @throws DitError bad-argument for values that the class does not have, unsupported for `thresholding` and for
   * variances that come from the network
   */
  constructor(config: unknown) {
    const read = new ConfigReader(config, NAME)
    this.config = readDiffusionConfig(read, DDPM_BETA_SCHEDULES)
    const variance = read.choice('variance_type', [...VARIANCES, ...Object.keys(NOT_RUN)], 'fixed_small')
    if (Object.hasOwn(NOT_RUN, variance)) {
      const message = `${NAME}: variance_type is ${variance}; ${NOT_RUN[variance]}`
      throw new DitError('unsupported', message, 'Set variance_type to fixed_small or fixed_large.')
    }
    this.variance = variance as (typeof VARIANCES)[number]
  }

  setTimesteps(steps: number, { sigmas, timesteps }: SetTimestepsOptions = {}): void {
    refuseOption(NAME, 'sigmas', sigmas)
    const trained = this.config.noise.timesteps
    checkSteps(steps, trained)
    if (timesteps) checkFalling(timesteps, steps, trained)
    this.timesteps = timesteps ? [...timesteps] : wholeTimesteps(this.config, steps)
    checkPlans(this, `${NAME}: ${NO_SIGNAL.message}`, NO_SIGNAL.hint)
  }

  scaleModelInput(): number {
    return 1
  }

  step(index: number): StepPlan {
    checkIndex(this, index)
    const { clamp, noise, prediction } = this.config
    const { alphas } = noise
    const timestep = this.timesteps[index]
    const before = this.timesteps[index + 1] ?? -1
    // Rounded to float32 where torch rounds: the differences of near values below make its roundings visible.
    const alpha = alphas[timestep]
    const alphaBefore = before >= 0 ? alphas[before] : 1
    const rest = fround(1 - alpha)
    const restBefore = fround(1 - alphaBefore)
    const kept = fround(alpha / alphaBefore)
    const added = fround(1 - kept)
    const data = fround(fround(fround(sqrt(alphaBefore)) * added) / rest)
    const sample = fround(fround(fround(sqrt(kept)) * restBefore) / rest)
    const small = Math.max(fround(fround(restBefore / rest) * added), fround(1e-20))
    const deviation = this.variance === 'fixed_large' ? sqrt(added) : sqrt(small)
    return {
      conv: { ...conversion('dpmsolver++', prediction, levelOf(alpha)), clamp },
      next: { sample, output: 0, d: [data], noise: timestep > 0 ? deviation : 0 },
      order: 1,
    }
  }
}
