import { DitError } from '../runtime/errors.ts'
import { checkFalling, checkIndex, checkPlans, checkSteps } from './check_schedule.ts'
import { conversion, type NoiseLevel, update } from './dpmsolver_coefficients.ts'
import { type DpmSolverConfig, readDpmSolverConfig } from './dpmsolver_config.ts'
import { roundHalfEven } from './half_rounding.ts'
import type { Scheduler, SetTimestepsOptions, StepPlan } from './scheduler.ts'
import { flowSigmas, luSigmas, SIGMA_SCHEDULES, sigmaToTimestep } from './sigma_schedules.ts'
import { spaceTimesteps } from './timestep_spacing.ts'
import { noiseToSignal } from './training_noise.ts'

/** Schedules shorter than this end in lower orders, where `lower_order_final` says so. */
const FEW_STEPS = 15

/**
 * diffusers' DPMSolverMultistepScheduler: DPM-Solver and DPM-Solver++ of orders 1 to 3 (Lu et al. 2022), also as SDE.
 * With a learned variance the caller passes on the mean channels alone, as the DiT pipelines of diffusers do.
 */
export class DpmSolverMultistepScheduler implements Scheduler {
  readonly initNoiseSigma = 1
  readonly takesEta = false
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
    const { alphas } = this.config.noise
    this.trainSigmas = noiseToSignal(alphas)
    this.logSigmas = this.trainSigmas.map(Math.log)
    const clip = Math.fround(this.config.lambdaMinClipped)
    this.lastTimestep = alphas.findLastIndex((alpha) => logSnr(alpha) >= clip) + 1
    if (this.lastTimestep === 0) {
      throw new DitError(
        'bad-argument',
        `DPMSolverMultistepScheduler: lambda_min_clipped is ${clip}, which clips every timestep`,
      )
    }
  }

  setTimesteps(steps: number, options: SetTimestepsOptions = {}): void {
    const { finalSigma, noise } = this.config
    checkSteps(steps, noise.timesteps)
    const { timesteps, sigmas } = this.layOut(steps, options)
    this.timesteps = timesteps.map(Math.trunc)
    this.sigmas = [...sigmas, finalSigma === 'zero' ? 0 : this.trainSigmas[0]].map(Math.fround)
    const hint = 'Take fewer steps, or another spacing of timesteps or sigmas.'
    checkPlans(this, `a schedule of ${steps} steps has two steps at one noise level`, hint)
  }

  scaleModelInput(): number {
    return 1
  }

  step(index: number, history: number): StepPlan {
    const { algorithm, prediction, solverType } = this.config
    checkIndex(this, index)
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
    const { sigmaKind, noise } = this.config
    const trainTimesteps = noise.timesteps
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
    const sigmas =
      sigmaKind === 'lu'
        ? luSigmas(this.logSigmas[0], this.logSigmas[trainTimesteps - 1], steps)
        : SIGMA_SCHEDULES[sigmaKind](min, max, steps)
    const timesteps = sigmas.map((sigma) => sigmaToTimestep(sigma, this.logSigmas))
    const whole = (sigmaKind === 'karras' || sigmaKind === 'lu') && noise.schedule !== 'squaredcos_cap_v2'
    return { timesteps: whole ? timesteps.map(roundHalfEven) : timesteps, sigmas }
  }

  private spaced(steps: number): number[] {
    const { spacing, stepsOffset, noise } = this.config
    return spaceTimesteps(spacing, steps, { trainTimesteps: noise.timesteps, last: this.lastTimestep, stepsOffset })
  }

  private shift({ mu, sigmas }: SetTimestepsOptions): number {
    if (sigmas) throw new DitError('bad-argument', 'DPMSolverMultistepScheduler takes no custom sigmas')
    if (mu === undefined) return this.config.flowShift
    if (this.config.dynamicShifting && Number.isFinite(mu)) return Math.exp(mu)
    throw new DitError('bad-argument', `mu is ${mu}; it must be a number, and goes with use_dynamic_shifting alone`)
  }

  private checkCustom(steps: number, timesteps: readonly number[]): void {
    const { sigmaKind, noise } = this.config
    if (sigmaKind !== 'timesteps') {
      throw new DitError('bad-argument', `custom timesteps do not go with ${sigmaKind} sigmas`)
    }
    checkFalling(timesteps, steps, noise.timesteps)
  }
}

/** Half the log signal-to-noise ratio, lambda, in float32 as torch has it. */
function logSnr(alpha: number): number {
  const { fround, log, sqrt } = Math
  return fround(fround(log(fround(sqrt(alpha)))) - fround(log(fround(sqrt(fround(1 - alpha))))))
}
