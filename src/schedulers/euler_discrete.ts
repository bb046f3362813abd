import { DitError } from '../runtime/errors.ts'
import { linspace32 } from './beta_schedules.ts'
import { checkIndex, checkPlans, checkSteps } from './check_schedule.ts'
import { type EulerConfig, readEulerConfig } from './euler_discrete_config.ts'
import type { Scheduler, SetTimestepsOptions, StepPlan } from './scheduler.ts'
import { SIGMA_SCHEDULES, sigmaToTimestep } from './sigma_schedules.ts'
import { spaceTimestepsToEnd } from './timestep_spacing.ts'
import { noiseToSignal } from './training_noise.ts'

const { fround, sqrt } = Math

/**
 * diffusers' EulerDiscreteScheduler: Euler steps of the probability-flow equation in the noise level sigma (Karras et al.
 * 2022, algorithm 2 without churn), on latents data + sigma · noise.
 */
export class EulerDiscreteScheduler implements Scheduler {
  readonly takesEta = false
  timesteps: readonly number[] = []
  sigmas: readonly number[] = []
  private readonly config: EulerConfig
  /** The noise level of each training timestep, and its logarithm; float32, rising. */
  private readonly trainSigmas: Float32Array
  private readonly logSigmas: Float32Array

  /** `config`: a parsed scheduler_config.json. Errors: see readEulerConfig. */
  constructor(config: unknown) {
    this.config = readEulerConfig(config)
    this.trainSigmas = noiseToSignal(this.config.noise.alphas)
    this.logSigmas = this.trainSigmas.map(Math.log)
  }

  get initNoiseSigma(): number {
    const most = Math.max(...(this.sigmas.length > 0 ? this.sigmas : this.trainSigmas))
    return this.config.spacing === 'leading' ? fround(sqrt(fround(fround(most * most) + 1))) : most
  }

  setTimesteps(steps: number, options: SetTimestepsOptions = {}): void {
    checkSteps(steps, this.config.noise.timesteps)
    const { timesteps, sigmas } = options.sigmas ? this.given(steps, options) : this.layOut(steps, options)
    this.sigmas = sigmas.map(fround)
    this.timesteps = this.config.continuous
      ? this.sigmas.slice(0, -1).map((sigma) => 0.25 * fround(Math.log(sigma)))
      : timesteps.map(fround)
    checkPlans(this, `a schedule of ${steps} steps reaches noise level 0 before its end`, 'Take other sigmas.')
  }

  scaleModelInput(index: number): number {
    checkIndex(this, index)
    return 1 / fround(sqrt(fround(fround(this.sigmas[index] ** 2) + 1)))
  }

  step(index: number): StepPlan {
    checkIndex(this, index)
    const [sigma, next] = this.sigmas.slice(index, index + 2)
    const kept = next / sigma
    return { conv: this.conversion(sigma), next: { sample: kept, output: 0, d: [1 - kept], noise: 0 }, order: 1 }
  }

  private conversion(sigma: number): StepPlan['conv'] {
    switch (this.config.prediction) {
      case 'epsilon':
        return { sample: 1, output: -sigma }
      case 'sample':
        return { sample: 0, output: 1 }
      case 'v_prediction':
        return { sample: 1 / (sigma ** 2 + 1), output: -sigma / sqrt(sigma ** 2 + 1) }
    }
  }

  private layOut(steps: number, { timesteps: given }: SetTimestepsOptions): Schedule {
    const { finalSigma, sigmaKind, sigmaMin, sigmaMax } = this.config
    const timesteps = (given ? this.checkedTimesteps(steps, given) : this.spaced(steps)).map(fround)
    const last = finalSigma === 'zero' ? 0 : this.trainSigmas[0]
    const levels = this.levelsAt(timesteps, steps)
    if (sigmaKind === 'timesteps') return { timesteps, sigmas: [...levels, last].slice(0, timesteps.length + 1) }
    const sigmas = SIGMA_SCHEDULES[sigmaKind](sigmaMin ?? levels[levels.length - 1], sigmaMax ?? levels[0], steps)
    return { timesteps: sigmas.map((sigma) => sigmaToTimestep(sigma, this.logSigmas)), sigmas: [...sigmas, last] }
  }

  /** The noise levels that go with timesteps; log-linear ones take no notice of them, and number one more. */
  private levelsAt(timesteps: readonly number[], steps: number): number[] {
    const { logSigmas, trainSigmas } = this
    const greatest = trainSigmas.length - 1
    if (this.config.interpolation === 'log_linear') {
      return [...linspace32(logSigmas[greatest], logSigmas[0], steps + 1).map(Math.exp)]
    }
    return timesteps.map((timestep) => {
      const t = Math.min(Math.max(timestep, 0), greatest)
      const low = Math.min(Math.floor(t), greatest - 1)
      if (low < 0 || t === greatest) return trainSigmas[greatest]
      return (trainSigmas[low + 1] - trainSigmas[low]) * (t - low) + trainSigmas[low]
    })
  }

  private spaced(steps: number): number[] {
    const { noise, spacing, stepsOffset } = this.config
    return spaceTimestepsToEnd(spacing, steps, { trainTimesteps: noise.timesteps, stepsOffset })
  }

  private checkedTimesteps(steps: number, timesteps: readonly number[]): readonly number[] {
    const { continuous, noise, sigmaKind } = this.config
    if (sigmaKind !== 'timesteps' || continuous) {
      const what = continuous ? 'timestep_type continuous' : `${sigmaKind} sigmas`
      throw new DitError('bad-argument', `custom timesteps do not go with ${what}`, 'Leave timesteps out.')
    }
    const within = timesteps.every((t) => t >= 0 && t < noise.timesteps)
    if (timesteps.length === steps && within) return timesteps
    const hint = `Pass as many numbers as steps, from ${noise.timesteps - 1} to 0.`
    throw new DitError('bad-argument', `custom timesteps [${timesteps.join(', ')}] for ${steps} steps`, hint)
  }

  private given(steps: number, { sigmas = [], timesteps }: SetTimestepsOptions): Schedule {
    if (timesteps) {
      throw new DitError('bad-argument', 'custom sigmas and custom timesteps are both given', 'Leave one out.')
    }
    if (sigmas.length !== steps + 1 || !sigmas.every((sigma) => sigma >= 0 && sigma < Number.POSITIVE_INFINITY)) {
      throw new DitError(
        'bad-argument',
        `custom sigmas [${sigmas.join(', ')}] for ${steps} steps`,
        'Pass one more than steps, greatest first; the final one is mostly 0.',
      )
    }
    const levels = sigmas.map(fround)
    return { timesteps: levels.slice(0, -1).map((sigma) => sigmaToTimestep(sigma, this.logSigmas)), sigmas: levels }
  }
}

interface Schedule {
  timesteps: number[]
  sigmas: number[]
}
