import { ConfigReader } from '../runtime/config_reader.ts'
import { DitError } from '../runtime/errors.ts'
import { checkIndex, checkPlans, checkSteps } from './check_schedule.ts'
import type { Scheduler, SetTimestepsOptions, StepPlan } from './scheduler.ts'
import { readSigmaKind, type SigmaKind } from './sigma_kind.ts'
import { SIGMA_SCHEDULES } from './sigma_schedules.ts'
import { linspace } from './timestep_spacing.ts'
import { MOST_TRAIN_TIMESTEPS } from './training_noise.ts'

const { fround } = Math

/** More steps than anyone takes. */
const MOST_STEPS = 100_000

const NAME = 'FlowMatchEulerDiscreteScheduler'

interface FlowMatchConfig {
  trainTimesteps: number
  shift: number
  dynamicShifting: boolean
  timeShift: 'exponential' | 'linear'
  /** Where the last noise level but the final one is put; 0 leaves it where it is. */
  shiftTerminal: number
  invert: boolean
  stochastic: boolean
  sigmaKind: Exclude<SigmaKind, 'lu' | 'flow'>
}

/**
 * diffusers' FlowMatchEulerDiscreteScheduler: Euler steps along a straight path from noise (sigma 1) to data (sigma 0),
 * whose velocity the network predicts. `base_shift`, `max_shift` and the `*_image_seq_len` are the pipelines' to turn
 * into `mu`.
 */
export class FlowMatchEulerDiscreteScheduler implements Scheduler {
  readonly initNoiseSigma = 1
  readonly takesEta = false
  timesteps: readonly number[] = []
  sigmas: readonly number[] = []
  private readonly config: FlowMatchConfig

  /** `config`: a parsed scheduler_config.json. @throws DitError bad-argument for values that the class does not have */
  constructor(config: unknown) {
    const read = new ConfigReader(config, NAME)
    this.config = {
      trainTimesteps: read.integer('num_train_timesteps', 1000, 1, MOST_TRAIN_TIMESTEPS),
      shift: read.number('shift', 1, Number.MIN_VALUE),
      dynamicShifting: read.boolean('use_dynamic_shifting', false),
      timeShift: read.choice('time_shift_type', ['exponential', 'linear'], 'exponential'),
      shiftTerminal: read.number('shift_terminal', 0, 0),
      invert: read.boolean('invert_sigmas', false),
      stochastic: read.boolean('stochastic_sampling', false),
      sigmaKind: readSigmaKind(read, ['karras', 'exponential', 'beta']),
    }
    if (this.config.shiftTerminal >= 1) throw read.bad('shift_terminal', 'a number below 1')
  }

  setTimesteps(steps: number, options: SetTimestepsOptions = {}): void {
    checkSteps(steps, MOST_STEPS)
    const { invert, sigmaKind, trainTimesteps } = this.config
    const shifted = this.shifted(this.evenSigmas(steps, options), options)
    const levels =
      sigmaKind === 'timesteps' ? shifted : SIGMA_SCHEDULES[sigmaKind](shifted[steps - 1], shifted[0], steps)
    const sigmas = levels.map((sigma) => (invert ? fround(1 - fround(sigma)) : fround(sigma)))
    this.timesteps = sigmas.map((sigma) => fround(sigma * trainTimesteps))
    this.sigmas = [...sigmas, invert ? 1 : 0]
    const hint = 'Take more steps, or check shift_terminal and the sigmas.'
    checkPlans(this, `a schedule of ${steps} steps has noise levels that are no numbers`, hint)
  }

  /** As set_begin_index: drawing starts at step `index` of the schedule, which from then on is the first. */
  beginAt(index: number): void {
    checkIndex(this, index)
    this.timesteps = this.timesteps.slice(index)
    this.sigmas = this.sigmas.slice(index)
  }

  /** As scale_noise: samples with as much of the unit noise as there is before the first step, in float32. */
  scaleNoise(samples: Float32Array, noise: Float32Array): Float32Array {
    const [sigma] = this.sigmas
    const rest = fround(1 - sigma)
    return samples.map((sample, i) => fround(sigma * noise[i]) + fround(rest * sample))
  }

  scaleModelInput(): number {
    return 1
  }

  step(index: number): StepPlan {
    checkIndex(this, index)
    const [sigma, next] = this.sigmas.slice(index, index + 2)
    if (this.config.stochastic) {
      const conv = { sample: 1, output: -sigma }
      return { conv, next: { sample: 0, output: 0, d: [1 - next], noise: next }, order: 1 }
    }
    // What the path ends at if it stays straight: nobody needs it but who wants to see what is forming.
    const conv = { sample: 1, output: this.sigmas[this.timesteps.length] - sigma }
    return { conv, next: { sample: 1, output: fround(next - sigma), d: [], noise: 0 }, order: 1 }
  }

  /** Before shifting. Given ones are float32, computed ones float64, in diffusers and so here. */
  private evenSigmas(steps: number, { sigmas, timesteps }: SetTimestepsOptions): Sigmas {
    const { dynamicShifting, shift, trainTimesteps } = this.config
    const given = sigmas ?? timesteps
    if (!given) {
      // The least level is shifted here already, and shifted again with the others.
      const first = fround(1 / trainTimesteps)
      const least = dynamicShifting ? first : shiftBy(shift, first, fround)
      const even = linspace(trainTimesteps, trainTimesteps * least, steps)
      return { values: even.map((t) => t / trainTimesteps), round: (value) => value }
    }
    const what = sigmas ? 'sigmas' : 'timesteps'
    if (sigmas && timesteps) {
      throw new DitError('bad-argument', `${NAME} takes custom sigmas or timesteps, not both`, 'Leave one out.')
    }
    if (given.length !== steps || !given.every(Number.isFinite)) {
      throw new DitError(
        'bad-argument',
        `custom ${what} [${given.join(', ')}] for ${steps} steps`,
        'Pass as many numbers as steps, greatest first.',
      )
    }
    const values = given.map((value) => (sigmas ? fround(value) : fround(fround(value) / trainTimesteps)))
    return { values, round: fround }
  }

  private shifted({ values, round }: Sigmas, { mu }: SetTimestepsOptions): number[] {
    const { dynamicShifting, shift, shiftTerminal } = this.config
    const moved = dynamicShifting
      ? values.map((sigma) => this.shiftDynamically(sigma, mu, round))
      : values.map((sigma) => shiftBy(shift, sigma, round))
    if (shiftTerminal === 0) return moved
    const rests = moved.map((sigma) => round(1 - sigma))
    const scale = round(rests[rests.length - 1] / round(1 - shiftTerminal))
    return rests.map((rest) => round(1 - round(rest / scale)))
  }

  private shiftDynamically(sigma: number, mu: number | undefined, round: Round): number {
    const { timeShift } = this.config
    if (mu === undefined || !Number.isFinite(mu) || (timeShift === 'linear' && mu <= 0)) {
      throw new DitError(
        'bad-argument',
        `mu is ${mu}, which use_dynamic_shifting needs: a number${timeShift === 'linear' ? ' above 0' : ''}`,
        'Set use_dynamic_shifting to false in scheduler_config.json for pipelines that compute no mu.',
      )
    }
    const weight = round(timeShift === 'linear' ? mu : Math.exp(mu))
    return round(weight / round(weight + round(round(1 / sigma) - 1)))
  }
}

type Round = (value: number) => number

interface Sigmas {
  values: number[]
  round: Round
}

function shiftBy(shift: number, sigma: number, round: Round): number {
  return round(round(round(shift) * sigma) / round(1 + round(round(shift - 1) * sigma)))
}
