import { readdirSync } from 'node:fs'
import { readJson } from '../../../src/models/component.ts'
import { memorySource } from '../../../src/runtime/weights/memory_source.ts'
import { createScheduler } from '../../../src/schedulers/index.ts'
import { folder, GOLDEN, mutateFile } from '../fixtures.ts'
import type { Subject } from './subject.ts'

/** Steps of a schedule: an odd number that no spacing divides, and one that is few. */
const STEPS = [7, 2]

/** scheduler_config.json: the schedule and the coefficients of all its steps. */
export const schedulers: Subject = {
  name: 'schedulers',
  variants: readdirSync(GOLDEN).filter((name) => name.startsWith('scheduler_')),
  files: (variant) => folder(`${GOLDEN}/${variant}`, ['scheduler_config.json']),
  mutate: mutateFile,
  async run(files) {
    const config = await readJson(memorySource(files), 'scheduler_config.json')
    const options = config.use_dynamic_shifting === true ? { mu: 0.5 } : {}
    return STEPS.map((steps) => {
      const scheduler = createScheduler(config)
      scheduler.setTimesteps(steps, options)
      const { timesteps, sigmas, initNoiseSigma } = scheduler
      const plans = timesteps.map((_, i) => [scheduler.scaleModelInput(i), scheduler.step(i, Math.min(i, 2))])
      return [[...timesteps], [...sigmas], initNoiseSigma, plans]
    })
  },
}
