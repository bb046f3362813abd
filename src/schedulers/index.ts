import { DitError } from '../runtime/errors.ts'
import { DpmSolverMultistepScheduler } from './dpmsolver_multistep.ts'
import type { Scheduler } from './scheduler.ts'

const SCHEDULERS: Readonly<Record<string, new (config: unknown) => Scheduler>> = {
  DPMSolverMultistepScheduler: DpmSolverMultistepScheduler,
}

/**
 * The scheduler of a parsed scheduler_config.json, by its `_class_name`.
 * @throws DitError unsupported for a class that is not here; what the class throws for its options.
 */
export function createScheduler(config: unknown): Scheduler {
  const name = (config as { _class_name?: unknown } | null | undefined)?._class_name
  if (typeof name !== 'string' || !Object.hasOwn(SCHEDULERS, name)) {
    throw new DitError(
      'unsupported',
      `the scheduler class is ${JSON.stringify(name) ?? 'not named'}`,
      `webdit has ${Object.keys(SCHEDULERS).join(', ')}.`,
    )
  }
  return new SCHEDULERS[name](config)
}
