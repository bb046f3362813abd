import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { ON_ONE_DEVICE, type ParallelConfig } from '../../src/parallel/config/parallel_config.ts'
import { type Degrees, ONE_RANK } from '../../src/parallel/mesh/mesh.ts'
import { DiffusionPipeline, type Pipeline } from '../../src/pipelines/diffusion_pipeline.ts'
import type { PipelineOutput } from '../../src/pipelines/options.ts'
import { startLocalTeam } from '../../src/pipelines/team/local_team.ts'
import { testDevice } from '../support/device.ts'
import { failure } from '../support/failure.ts'
import { GOLDEN } from '../support/golden_io.ts'
import { relativeL2 } from '../support/numbers.ts'

const MODEL = join(GOLDEN, 'pipeline_pixart_sigma')
const PROMPTS = ['red apple', 'rocket']
const CALL = { height: 80, width: 64, seed: 5, numInferenceSteps: 8, useResolutionBinning: false } as const

const config = (degrees: Partial<Degrees>, rest: Partial<ParallelConfig> = {}): ParallelConfig => ({
  ...ON_ONE_DEVICE,
  ...rest,
  degrees: { ...ONE_RANK, ...degrees },
})

describe('a team on one device', () => {
  let alone: Pipeline
  let expected: PipelineOutput
  beforeAll(async () => {
    alone = await DiffusionPipeline.fromPretrained(MODEL, { device: await testDevice() })
    expected = await alone(PROMPTS, CALL)
  })
  afterAll(() => alone?.dispose())

  it.each([
    [
      'cfg 2 x ulysses 2, weights shared, three of which decode',
      config({ cfg: 2, ulysses: 2 }, { vaeParallelSize: 3, shardDit: true, shardT5Encoder: true }),
    ],
    ['data 2 x ring 2', config({ data: 2, ring: 2 })],
    [
      'pipefusion 2 as warm-up, with a parallel autoencoder',
      config({ pipefusion: 2 }, { warmupSteps: CALL.numInferenceSteps, numPipelinePatch: 2, vaeParallelSize: 2 }),
    ],
  ])('draws the pictures of one: %s', async (_, mesh) => {
    const team = await startLocalTeam(MODEL, mesh, { device: await testDevice() })
    try {
      const drawn = await team.run(PROMPTS, CALL)
      expect(drawn.latents.shape).toEqual(expected.latents.shape)
      expect(relativeL2(drawn.latents.data, expected.latents.data)).toBeLessThan(2e-5)
      expect(drawn.images).toHaveLength(2)
      expect(drawn.seed).toBe(5)
      for (const [i, image] of drawn.images.entries()) {
        const differences = image.data.filter((v, k) => Math.abs(v - expected.images[i].data[k]) > 1).length
        expect(differences).toBe(0)
      }
    } finally {
      await team.close()
    }
  })

  it('tells what is wrong once, and draws again', async () => {
    const mesh = config({ ulysses: 2 }, { shardDit: true, shardT5Encoder: true })
    const team = await startLocalTeam(MODEL, mesh, { device: await testDevice() })
    try {
      expect(await failure(team.run('a cat', { ...CALL, height: 100 }))).toMatchObject({ kind: 'bad-argument' })
      const steps: number[] = []
      const stop = new AbortController()
      const onStep = ({ step }: { step: number }) => {
        steps.push(step)
        if (step === 2) stop.abort()
      }
      const call = { ...CALL, outputType: 'latent', signal: stop.signal, onStep } as const
      expect(await failure(team.run('a cat', call))).toMatchObject({ kind: 'aborted' })
      expect(steps).toEqual([1, 2])
      const again = await team.run('red apple', { ...CALL, outputType: 'latent' })
      const one = await alone('red apple', { ...CALL, outputType: 'latent' })
      expect(relativeL2(again.latents.data, one.latents.data)).toBeLessThan(2e-5)
    } finally {
      await team.close()
    }
  })
})
