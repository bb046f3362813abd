import { DitError } from '../runtime/errors.ts'
import type { Scheduler, StepPlan } from './scheduler.ts'

/** @throws DitError bad-argument unless `steps` is a whole number from 1 to `most`. */
export function checkSteps(steps: number, most: number): void {
  if (Number.isInteger(steps) && steps >= 1 && steps <= most) return
  throw new DitError('bad-argument', `the number of steps is ${steps}, expected an integer from 1 to ${most}`)
}

/** @throws DitError bad-argument for a step that the schedule does not have. */
export function checkIndex({ timesteps }: Scheduler, index: number): void {
  if (index in timesteps) return
  throw new DitError('bad-argument', `step ${index} of a schedule of ${timesteps.length} steps`)
}

/** @throws DitError bad-argument with that message and hint where a coefficient of the schedule is not finite. */
export function checkPlans(scheduler: Scheduler, message: string, hint: string): void {
  const plans = scheduler.timesteps.map((_, i) => scheduler.step(i, i))
  if (!plans.every(isFinitePlan)) throw new DitError('bad-argument', message, hint)
}

function isFinitePlan({ conv, next }: StepPlan): boolean {
  return [conv.sample, conv.output, next.sample, next.output, next.noise, ...next.d].every(Number.isFinite)
}

/** @throws DitError bad-argument unless these are `steps` whole timesteps of the model, each below the one before. */
export function checkFalling(timesteps: readonly number[], steps: number, trainTimesteps: number): void {
  const falling = timesteps.every((t, i) => Number.isInteger(t) && t >= 0 && t < (timesteps[i - 1] ?? trainTimesteps))
  if (timesteps.length === steps && falling) return
  throw new DitError(
    'bad-argument',
    `custom timesteps [${timesteps.join(', ')}] for ${steps} steps`,
    `Pass as many falling integers as steps, from ${trainTimesteps - 1} to 0.`,
  )
}

/** @throws DitError bad-argument where the scheduler has no such option. */
export function refuseOption(name: string, option: string, value: unknown): void {
  if (value === undefined) return
  throw new DitError('bad-argument', `${name} takes no custom ${option}`, `Leave ${option} out.`)
}
