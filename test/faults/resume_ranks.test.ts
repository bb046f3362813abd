import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { ON_ONE_DEVICE, type ParallelConfig } from '../../src/parallel/config/parallel_config.ts'
import { type Degrees, ONE_RANK, sizeOf } from '../../src/parallel/mesh/mesh.ts'
import { DiffusionPipeline } from '../../src/pipelines/diffusion_pipeline.ts'
import type { PipelineOutput } from '../../src/pipelines/options.ts'
import type { Resumed } from '../../src/pipelines/resume/resumed.ts'
import { startLocalTeam } from '../../src/pipelines/team/local_team.ts'
import { smallerMesh } from '../../src/pipelines/team/smaller_mesh.ts'
import { startSurvivingTeam } from '../../src/pipelines/team/surviving_team.ts'
import type { Team, TeamOptions } from '../../src/pipelines/team/team.ts'
import { Device } from '../../src/runtime/device.ts'
import { DitError } from '../../src/runtime/errors.ts'
import { openPlatform } from '../../src/runtime/platform/platform.ts'
import { GOLDEN } from '../support/golden_io.ts'
import { relativeL2 } from '../support/numbers.ts'
import { CALL, losableDevice } from './inject.ts'

const MODEL = `${GOLDEN}pipeline_pixart_sigma`
const PROMPTS = ['a cat', 'a dog', 'a sun']
const FOUR = { ...CALL, numInferenceSteps: 4 }

const config = (degrees: Partial<Degrees>, rest: Partial<ParallelConfig> = {}): ParallelConfig => ({
  ...ON_ONE_DEVICE,
  ...rest,
  degrees: { ...ONE_RANK, ...degrees },
})

let one: PipelineOutput
beforeAll(async () => {
  const device = await Device.open(await openPlatform(), { tier: 'f32' })
  const pipe = await DiffusionPipeline.fromPretrained(MODEL, { device })
  one = await pipe(PROMPTS, FOUR)
  pipe.dispose()
  device.close()
})

/** Ranks on one device that can be lost. @param most ranks that can be started when it was */
async function losableTeam(mesh: ParallelConfig, most = 4) {
  let [starts, lose] = [0, () => {}]
  const started: ParallelConfig[] = []
  const team = await startSurvivingTeam(
    { config: mesh, cards: Array(sizeOf(mesh.degrees)).fill({}) },
    {
      start: async ({ config }) => {
        if (starts++ > 0 && sizeOf(config.degrees) > most) throw new DitError('device-lost', 'rank 1: it is gone')
        started.push(config)
        const current = await losableDevice({ tier: 'f32' })
        lose = current.lose
        const local = await startLocalTeam(MODEL, config, { device: current.device })
        const close = () => local.close().then(() => current.device.close())
        return { ...local, close, end: close }
      },
      smaller: (before, left, request) => smallerMesh(before, left, { ...request, model: MODEL, tier: 'f32' }),
    },
  )
  return { team, started, lose: () => lose() }
}

async function draw(team: Team, fatal: number, lose: () => void, options: TeamOptions = {}) {
  const [steps, resumed]: [number[], Resumed[]] = [[], []]
  const onStep = ({ step }: { step: number }) => {
    steps.push(step)
    if (step === fatal && resumed.length === 0) lose()
  }
  const output = await team.run(PROMPTS, { ...FOUR, ...options, onStep, onResume: (news) => resumed.push(news) })
  return { output, steps, resumed }
}

function expectThePicture({ latents, images }: PipelineOutput): void {
  expect(relativeL2(latents.data, one.latents.data)).toBeLessThan(2e-5)
  expect(images).toHaveLength(PROMPTS.length)
  for (const [i, { data }] of images.entries()) {
    expect(data.filter((v, k) => Math.abs(v - one.images[i].data[k]) > 1)).toHaveLength(0)
  }
}

describe('pictures of four ranks', () => {
  let team: Team
  let lose: () => void
  beforeAll(async () => {
    ;({ team, lose } = await losableTeam(config({ cfg: 2, ulysses: 2 })))
  })
  afterAll(() => team?.close())

  it.each([1, 2, 3, 4])('are the same when they are lost after step %i', async (fatal) => {
    const { output, steps, resumed } = await draw(team, fatal, lose)
    expectThePicture(output)
    expect(steps).toEqual([1, 2, 3, 4])
    expect(resumed).toMatchObject([{ cause: { kind: 'device-lost' } }])
    // At most one step is done again.
    expect(resumed[0].step).toBeGreaterThanOrEqual(fatal - 1)
  })
})

it('pictures of two crews go on, each where it was, on a smaller mesh that the planner chooses', async () => {
  const { team, started, lose } = await losableTeam(config({ data: 2, ring: 2 }), 3)
  const { output, steps, resumed } = await draw(team, 2, lose)
  expectThePicture(output)
  expect(steps).toEqual([1, 2, 3, 4])
  expect(resumed).toHaveLength(1)
  expect(started.map(({ degrees }) => sizeOf(degrees))).toEqual([4, 3])
  await team.close()
})

it('a picture of PipeFusion warms up again, and says so', async () => {
  const { team, lose } = await losableTeam(config({ pipefusion: 2 }, { numPipelinePatch: 2 }))
  const { output, steps } = await draw(team, 2, lose)
  expect(steps).toEqual([1, 2, 3, 4])
  expect(output.warnings).toEqual([expect.stringMatching(/^drawing was broken off after step [23] of 4/)])
  // Each step is close to what one device draws; this is no other picture.
  expect(relativeL2(output.latents.data, one.latents.data)).toBeLessThan(0.2)
  const whole = await draw(team, 0, lose)
  expect(whole.output.warnings).toEqual([])
  await team.close()
})
