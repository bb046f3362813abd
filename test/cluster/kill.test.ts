import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { VERSION } from '../../src/cli/package_info.ts'
import { Random } from '../fuzz/random.ts'
import { testDevice } from '../support/device.ts'
import { GOLDEN } from '../support/golden_io.ts'
import { killTrial, undisturbed } from './kill_trial.ts'
import { HAS_NATS } from './support/nats_server.ts'

const JOBS = 40
const MODEL = join(GOLDEN, 'pipeline_pixart_sigma')

// Twenty times and 200 jobs: npm run test:kill-cluster.
describe.skipIf(!HAS_NATS)('40 jobs on three nodes that are killed and cut off, while the server restarts', () => {
  it('come each once, each as it is drawn undisturbed', async () => {
    const random = new Random(7, 0)
    const trial = await killTrial({
      ...{ model: MODEL, version: VERSION, jobs: JOBS, times: 5, env: process.env },
      random: () => random.next(),
    })
    expect(trial.faults, trial.done.join('; ')).toEqual([])
    expect(trial.done).toHaveLength(6)
    expect(trial.pictures).toEqual(await undisturbed(MODEL, JOBS, await testDevice()))
  })
})
