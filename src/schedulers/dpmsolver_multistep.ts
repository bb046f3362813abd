import { DitError } from '../runtime/errors.ts'
import { cumulativeAlphas, makeBetas, rescaleZeroTerminalSnr } from './beta_schedules.ts'
import { conversion, type NoiseLevel, update } from './dpmsolver_coefficients.ts'
import { type DpmSolverConfig, readDpmSolverConfig } from './dpmsolver_config.ts'
import { roundHalfEven } from './half_rounding.ts'
import type { Scheduler, SetTimestepsOptions, StepPlan } from './scheduler.ts'
import { exponentialSigmas, flowSigmas, karrasSigmas, luSigmas, sigmaToTimestep } from './sigma_schedules.ts'
import { spaceTimesteps } from './timestep_spacing.ts'

/** Schedules shorter than this end in lower orders, where `lower_order_final` says so. */
const FEW_STEPS = 15

/**
 * diffusers' DPMSolverMultistepScheduler: DPM-Solver and DPM-Solver++ of orders 1 to 3 (Lu et al. 2022), also as SDE.
 * With a learned variance the caller passes on the mean channels alone, as the DiT pipelines of diffusers do.
 */
export class DpmSolverMultistepScheduler implements Scheduler {
  readonly initNoiseSigma = 1
  timesteps: readonly number[] = []
  sigmas: readonly number[] = []
  private readonly config: DpmSolverConfig
  /** The noise level of each training timestep, and its logarithm; float32, rising. */
  private readonly trainSigmas: Float32Array
  private readonly logSigmas: Float32Array
  /** One above the greatest timestep whose log signal-to-noise ratio is not clipped. */
  private readonly lastTimestep: number

  /** `config`: a parsed scheduler_config.json. Errors: see readDpmSolverConfig. */
  constructor(config: unknown) {
    this.config = readDpmSolverConfig(config)
    const alphas = trainAlphas(this.config)
    this.trainSigmas = alphas.map((alpha) => Math.sqrt(Math.fround(Math.fround(1 - alpha) / alpha)))
    if (!this.trainSigmas.every((sigma) => sigma > 0 && sigma < Number.POSITIVE_INFINITY)) {
      throw new DitError('bad-argument', 'the betas of the scheduler config must lie between 0 and 1')
    }
    this.logSigmas = this.trainSigmas.map(Math.log)
    const clip = Math.fround(this.config.lambdaMinClipped)
    this.lastTimestep = alphas.findLastIndex((alpha) => logSnr(alpha) >= clip) + 1
    if (this.lastTimestep === 0) {
      throw new DitError('bad-argument', `lambda_min_clipped is ${clip}, which clips every timestep`)
    }
  }

  setTimesteps(steps: number, options: SetTimestepsOptions = {}): void {
    const { trainTimesteps, finalSigma } = this.config
    if (!Number.isInteger(steps) || steps < 1 || steps > trainTimesteps) {
      throw new DitError(
        'bad-argument',
        `the number of steps is ${steps}, expected an integer from 1 to ${trainTimesteps}`,
      )
    }
    const { timesteps, sigmas } = this.layOut(steps, options)
    this.timesteps = timesteps.map(Math.trunc)
    this.sigmas = [...sigmas, finalSigma === 'zero' ? 0 : this.trainSigmas[0]].map(Math.fround)
    const plans = this.timesteps.map((_, i) => this.step(i, i))
    if (!plans.every(isFinitePlan)) {
      const hint = 'Take fewer steps, or another spacing of timesteps or sigmas.'
      throw new DitError('bad-argument', `a schedule of ${steps} steps has two steps at one noise level`, hint)
    }
  }

  scaleModelInput(): number {
    return 1
  }

  step(index: number, history: number): StepPlan {
    const { algorithm, prediction, solverType } = this.config
    if (!(index in this.timesteps)) {
      throw new DitError('bad-argument', `step ${index} of a schedule of ${this.timesteps.length} steps`)
    }
    const order = Math.min(this.orderAt(index), history + 1, index + 1)
    const levels = Array.from({ length: order }, (_, back) => this.levelAt(index - back))
    const next = update(algorithm, solverType, this.levelAt(index + 1), levels)
    return { conv: conversion(algorithm, prediction, levels[0]), next, order: next.d.length }
  }

  private orderAt(index: number): number {
    const { order, eulerAtFinal, finalSigma, lowerOrderFinal } = this.config
    const fromEnd = this.timesteps.length - index
    const lower = lowerOrderFinal && this.timesteps.length < FEW_STEPS
    if (fromEnd === 1 && (eulerAtFinal || lower || finalSigma === 'zero')) return 1
    return fromEnd === 2 && lower ? Math.min(order, 2) : order
  }

  private levelAt(index: number): NoiseLevel {
    const sigma = this.sigmas[index]
    if (this.config.sigmaKind === 'flow') return { alpha: 1 - sigma, sigma }
    const alpha = 1 / Math.sqrt(sigma ** 2 + 1)
    return { alpha, sigma: sigma * alpha }
  }

  /** Timesteps (fractions are cut off later) and sigmas of the steps. */
  private layOut(steps: number, options: SetTimestepsOptions): { timesteps: number[]; sigmas: number[] } {
    const { sigmaKind, trainTimesteps, betaSchedule } = this.config
    const min = this.trainSigmas[0]
    const max = this.trainSigmas[trainTimesteps - 1]
    const shift = this.shift(options)
    if (options.timesteps) this.checkCustom(steps, options.timesteps)
    if (sigmaKind === 'timesteps') {
      const timesteps = options.timesteps ? [...options.timesteps] : this.spaced(steps)
      return { timesteps, sigmas: timesteps.map((t) => this.trainSigmas[Math.min(Math.max(t, 0), trainTimesteps - 1)]) }
    }
    if (sigmaKind === 'flow') {
      const sigmas = flowSigmas(trainTimesteps, shift, steps)
      return { timesteps: sigmas.map((sigma) => sigma * trainTimesteps), sigmas }
    }
    const sigmas = {
      karras: () => karrasSigmas(min, max, steps),
      exponential: () => exponentialSigmas(min, max, steps),
      lu: () => luSigmas(this.logSigmas[0], this.logSigmas[trainTimesteps - 1], steps),
    }[sigmaKind]()
    const timesteps = sigmas.map((sigma) => sigmaToTimestep(sigma, this.logSigmas))
    const whole = sigmaKind !== 'exponential' && betaSchedule !== 'squaredcos_cap_v2'
    return { timesteps: whole ? timesteps.map(roundHalfEven) : timesteps, sigmas }
  }

  private spaced(steps: number): number[] {
    const { spacing, stepsOffset, trainTimesteps } = this.config
    return spaceTimesteps(spacing, steps, { trainTimesteps, last: this.lastTimestep, stepsOffset })
  }

  private shift({ mu, sigmas }: SetTimestepsOptions): number {
    if (sigmas) throw new DitError('bad-argument', 'DPMSolverMultistepScheduler takes no custom sigmas')
    if (mu === undefined) return this.config.flowShift
    if (this.config.dynamicShifting && Number.isFinite(mu)) return Math.exp(mu)
    throw new DitError('bad-argument', `mu is ${mu}; it must be a number, and goes with use_dynamic_shifting alone`)
  }

  private checkCustom(steps: number, timesteps: readonly number[]): void {
    const { sigmaKind, trainTimesteps } = this.config
    if (sigmaKind !== 'timesteps') {
      throw new DitError('bad-argument', `custom timesteps do not go with ${sigmaKind} sigmas`)
    }
    const falling = timesteps.every((t, i) => Number.isInteger(t) && t >= 0 && t < (timesteps[i - 1] ?? trainTimesteps))
    if (timesteps.length !== steps || !falling) {
      throw new DitError(
        'bad-argument',
        `custom timesteps [${timesteps.join(', ')}] for ${steps} steps`,
        `Pass as many falling integers as steps, from ${trainTimesteps - 1} to 0.`,
      )
    }
  }
}

function isFinitePlan({ conv, next }: StepPlan): boolean {
  return [conv.sample, conv.output, next.sample, next.noise, ...next.d].every(Number.isFinite)
}

function trainAlphas(config: DpmSolverConfig): Float32Array {
  const { trainedBetas, betaSchedule, betaStart, betaEnd, trainTimesteps, rescaleBetasZeroSnr } = config
  const betas = trainedBetas
    ? Float32Array.from(trainedBetas)
    : makeBetas(betaSchedule, betaStart, betaEnd, trainTimesteps)
  if (!rescaleBetasZeroSnr) return cumulativeAlphas(betas)
  const alphas = cumulativeAlphas(rescaleZeroTerminalSnr(betas))
  alphas[trainTimesteps - 1] = 2 ** -24 // not quite 0, so that the first sigma is finite
  return alphas
}

/** Half the log signal-to-noise ratio, lambda, in float32 as torch has it. */
function logSnr(alpha: number): number {
  const { fround, log, sqrt } = Math
  return fround(fround(log(fround(sqrt(alpha)))) - fround(log(fround(sqrt(fround(1 - alpha))))))
}
