import { DitError } from '../runtime/errors.ts'
import { show } from '../runtime/show.ts'
import { DDIMScheduler } from './ddim.ts'
import { DDPMScheduler } from './ddpm.ts'
import { DpmSolverMultistepScheduler } from './dpmsolver_multistep.ts'
import { EulerDiscreteScheduler } from './euler_discrete.ts'
import { FlowMatchEulerDiscreteScheduler } from './flow_match_euler_discrete.ts'
import type { Scheduler } from './scheduler.ts'

const SCHEDULERS: Readonly<Record<string, new (config: unknown) => Scheduler>> = {
  DDIMScheduler,
  DDPMScheduler,
  DPMSolverMultistepScheduler: DpmSolverMultistepScheduler,
  EulerDiscreteScheduler,
  FlowMatchEulerDiscreteScheduler,
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
      `the scheduler class is ${show(name)}`,
      `webdit has ${Object.keys(SCHEDULERS).join(', ')}.`,
    )
  }
  return new SCHEDULERS[name](config)
}
