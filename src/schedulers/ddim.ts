import { ConfigReader } from '../runtime/config_reader.ts'
import { DitError } from '../runtime/errors.ts'
import { BETA_SCHEDULES } from './beta_schedules.ts'
import { checkIndex, checkPlans, refuseOption } from './check_schedule.ts'
import { type DiffusionConfig, levelOf, NO_SIGNAL, readDiffusionConfig, wholeTimesteps } from './diffusion_config.ts'
import { conversion } from './dpmsolver_coefficients.ts'
import type { Scheduler, SetTimestepsOptions, StepPlan } from './scheduler.ts'

const { fround, sqrt } = Math

const NAME = 'DDIMScheduler'

/** diffusers' DDIMScheduler: Song et al. 2020, equations 12 and 16; `eta` 0 is deterministic, 1 is DDPM's noise. */
export class DDIMScheduler implements Scheduler {
  readonly initNoiseSigma = 1
  readonly takesEta = true
  readonly sigmas: readonly number[] = []
  timesteps: readonly number[] = []
  private readonly config: DiffusionConfig
  /** The share of the signal's variance after the last step. */
  private readonly finalAlpha: number
  /** Training timesteps from one step to the next. It can differ from the schedule's spacing, in diffusers too. */
  private stride = 0
  private eta = 0

  /**
   * `config`: a parsed scheduler_config.json.
   * @throws DitError bad-argument for values that the class does not have, unsupported for `thresholding`
   */
  constructor(config: unknown) {
    const read = new ConfigReader(config, NAME)
    this.config = readDiffusionConfig(read, BETA_SCHEDULES)
    this.finalAlpha = read.boolean('set_alpha_to_one', true) ? 1 : this.config.noise.alphas[0]
  }

  setTimesteps(steps: number, { eta = 0, sigmas, timesteps }: SetTimestepsOptions = {}): void {
    refuseOption(NAME, 'sigmas', sigmas)
    refuseOption(NAME, 'timesteps', timesteps)
    if (!(eta >= 0 && eta <= 1)) throw new DitError('bad-argument', `eta is ${eta}, expected a number from 0 to 1`)
    this.timesteps = wholeTimesteps(this.config, steps)
    this.stride = Math.floor(this.config.noise.timesteps / steps)
    this.eta = eta
    checkPlans(this, `${NAME}: ${NO_SIGNAL.message}`, NO_SIGNAL.hint)
  }

  scaleModelInput(): number {
    return 1
  }

  step(index: number): StepPlan {
    checkIndex(this, index)
    const { clamp, noise, prediction } = this.config
    const timestep = this.timesteps[index]
    const before = timestep - this.stride
    // Rounded to float32 where torch rounds: the differences of near values below make its roundings visible.
    const alpha = noise.alphas[timestep]
    const alphaBefore = before >= 0 ? noise.alphas[before] : this.finalAlpha
    const restBefore = fround(1 - alphaBefore)
    const variance = fround(fround(restBefore / fround(1 - alpha)) * fround(1 - fround(alpha / alphaBefore)))
    const deviation = fround(this.eta * fround(sqrt(variance)))
    // Never below 0 but for rounding, eta being 1 at most.
    const direction = sqrt(Math.max(fround(restBefore - fround(deviation ** 2)), 0))
    // The predicted noise is that of the output, whatever was cut off the predicted data.
    const level = levelOf(alpha)
    const predicted = conversion('dpmsolver', prediction, level)
    return {
      conv: { ...conversion('dpmsolver++', prediction, level), clamp },
      next: {
        sample: direction * predicted.sample,
        output: direction * predicted.output,
        d: [fround(sqrt(alphaBefore))],
        noise: deviation,
      },
      order: 1,
    }
  }
}
