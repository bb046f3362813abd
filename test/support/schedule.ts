import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { parseJson } from '../../src/runtime/json.ts'
import { createScheduler } from '../../src/schedulers/index.ts'
import type { Scheduler } from '../../src/schedulers/scheduler.ts'

const CONFIG = fileURLToPath(new URL('../../models/emoji-pixart/scheduler/scheduler_config.json', import.meta.url))

/** The embedded model's sampler, DPM-Solver++ of second order. */
export function schedule(steps: number): Scheduler {
  const scheduler = createScheduler(parseJson(readFileSync(CONFIG, 'utf8'), CONFIG))
  scheduler.setTimesteps(steps)
  return scheduler
}
