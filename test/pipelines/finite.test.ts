import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { ON_ONE_DEVICE } from '../../src/parallel/config/parallel_config.ts'
import { type Degrees, ONE_RANK } from '../../src/parallel/mesh/mesh.ts'
import { FiniteWatch } from '../../src/pipelines/finite.ts'
import { StepReader } from '../../src/pipelines/step_reader.ts'
import { startLocalTeam } from '../../src/pipelines/team/local_team.ts'
import { testDevice, testRecorder } from '../support/device.ts'
import { failure } from '../support/failure.ts'
import { GOLDEN } from '../support/golden_io.ts'
import { random } from '../support/numbers.ts'

describe('latents that are no finite numbers', () => {
  it.each<[bad: number[], first: number | undefined]>([
    [[], undefined],
    [[3], 4],
    [[1, 3], 2],
    [[0], 1],
  ])('are found in steps %j', async (bad, first) => {
    const g = await testRecorder()
    const watch = new FiniteWatch(g, 4)
    const reader = new StepReader()
    await reader.open(g, watch.noted.bytes)
    for (let step = 0; step < 4; step++) {
      const values = random(1000)
      if (bad.includes(step)) values[999] = step % 2 ? Number.NEGATIVE_INFINITY : Number.NaN
      watch.look(g, g.upload(values, [1, 4, 25, 10]), step)
    }
    await g.flush()
    const [noted] = await reader.read(g, [watch.noted])
    if (first === undefined) watch.check(noted)
    else expect(() => watch.check(noted)).toThrow(`not-a-number in step ${first} of 4`)
    reader.close()
    watch.drop(g)
    g.reset()
  })

  it.each<Partial<Degrees>>([{}, { pipefusion: 2 }, { ulysses: 2, cfg: 2 }])(
    'end a run by an error: %o',
    async (degrees) => {
      const mesh = { ...ON_ONE_DEVICE, degrees: { ...ONE_RANK, ...degrees } }
      const team = await startLocalTeam(join(GOLDEN, 'pipeline_sd3'), mesh, { device: await testDevice() })
      try {
        const latents = random(16 * 8 * 8).map((v) => v * 1e38)
        const call = {
          height: 64,
          width: 64,
          maxSequenceLength: 9,
          numInferenceSteps: 3,
          outputType: 'latent',
        } as const
        const failed = await failure(team.run('a cat', { ...call, latents, guidanceScale: 900 }))
        expect(failed).toMatchObject({
          kind: 'corrupt',
          message: expect.stringMatching(/not-a-number in step \d of 3/),
        })
        const { latents: after } = await team.run('a cat', { ...call, seed: 1 })
        expect(after.data.every(Number.isFinite)).toBe(true)
      } finally {
        await team.close()
      }
    },
  )
})
