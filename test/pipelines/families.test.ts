import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { unpacked } from '../../src/cli/verify/runners/packed.ts'
import { ON_ONE_DEVICE, type ParallelConfig } from '../../src/parallel/config/parallel_config.ts'
import { type Degrees, ONE_RANK } from '../../src/parallel/mesh/mesh.ts'
import { DiffusionPipeline, type Pipeline } from '../../src/pipelines/diffusion_pipeline.ts'
import { startLocalTeam } from '../../src/pipelines/team/local_team.ts'
import type { TeamOptions } from '../../src/pipelines/team/team.ts'
import { degreesText } from '../mesh/factorisations.ts'
import { testDevice } from '../support/device.ts'
import { failure } from '../support/failure.ts'
import { GOLDEN, loadGolden } from '../support/golden_io.ts'
import { relativeL2 } from '../support/numbers.ts'

const PROMPTS = ['a photo of a small cat sleeping on a red sofa', 'An astronaut riding a horse']
/** One is enough for all steps; both are drawn in one. */
const ONE = PROMPTS.slice(0, 1)
const STEPS = 8

/**
 * Families beside PixArt, each with a negative prompt; where text and image attend jointly, text of a length that nothing
 * divides, and the oracle's case of stale keys and values.
 */
const FAMILIES: [family: string, model: string, stale: string | undefined, call: TeamOptions][] = [
  ['SD3', 'pipeline_sd3', 'stale_kv_sd3_m2', { guidanceScale: 5, maxSequenceLength: 13 }],
  ['FLUX', 'pipeline_flux_dev', 'stale_kv_flux_m2', { trueCfgScale: 2.5, maxSequenceLength: 13 }],
  ['HunyuanDiT', 'pipeline_hunyuan_rescaled', undefined, { guidanceRescale: 0.6, useResolutionBinning: false }],
]

const MESHES: Partial<Degrees>[] = [{ ulysses: 2, ring: 2 }, { tensor: 2 }, { cfg: 2 }, { ring: 4, tensor: 2, cfg: 2 }]

const config = (degrees: Partial<Degrees>, rest: Partial<ParallelConfig> = {}): ParallelConfig => ({
  ...ON_ONE_DEVICE,
  ...rest,
  degrees: { ...ONE_RANK, ...degrees },
})

describe.each(FAMILIES)('%s', (_, model, stale, own) => {
  const path = join(GOLDEN, model)
  const call = { ...own, negativePrompt: 'watermark', height: 80, width: 112, seed: 3, outputType: 'latent' } as const
  let alone: Pipeline
  let expected: { readonly one: Float32Array; readonly all: Float32Array }
  beforeAll(async () => {
    alone = await DiffusionPipeline.fromPretrained(path, { device: await testDevice() })
    const drawn = async (prompts: string[], numInferenceSteps: number) =>
      (await alone(prompts, { ...call, numInferenceSteps })).latents.data
    expected = { one: await drawn(PROMPTS, 1), all: await drawn(ONE, STEPS) }
  })
  afterAll(() => alone?.dispose())

  const inTeam = async (mesh: ParallelConfig, calls: [prompts: string[], options: TeamOptions][]) => {
    const team = await startLocalTeam(path, mesh, { device: await testDevice() })
    try {
      const results: Float32Array[] = []
      for (const [prompts, options] of calls) results.push((await team.run(prompts, options)).latents.data)
      return results
    } finally {
      await team.close()
    }
  }

  it.each(MESHES.map((degrees) => [degreesText({ ...ONE_RANK, ...degrees }), degrees] as const))(
    'is drawn alike by ranks: %s',
    async (_name, degrees) => {
      const [one, all] = await inTeam(config(degrees), [
        [PROMPTS, { ...call, numInferenceSteps: 1 }],
        [ONE, { ...call, numInferenceSteps: STEPS }],
      ])
      // After a single step the latents are the prediction, from equal latents.
      expect(relativeL2(one, expected.one)).toBeLessThan(1e-5)
      expect(relativeL2(all, expected.all)).toBeLessThan(2e-5)
    },
  )

  it.each([1, 2])(
    'is drawn by %i stages of PipeFusion as one device draws it, where all steps are warm-up',
    async (n) => {
      const mesh = config({ pipefusion: n }, { numPipelinePatch: 2, warmupSteps: STEPS })
      const [all] = await inTeam(mesh, [[ONE, { ...call, numInferenceSteps: STEPS }]])
      expect(relativeL2(all, expected.all)).toBeLessThan(2e-5)
    },
  )

  it.runIf(stale).each<Partial<Degrees>>([{ pipefusion: 1 }, { pipefusion: 2 }, { pipefusion: 2, ulysses: 2 }])(
    'follows the rule of PipeFusion, that later patches take the text of the first: %o',
    async (degrees) => {
      if (!stale) return
      const meta = JSON.parse(readFileSync(join(GOLDEN, stale, 'meta.json'), 'utf8'))
      const { prompt, height, width, steps, guidance, patches, warmup, ...rest } = meta.arguments
      const io = loadGolden(stale)
      const [rows, columns] = [height / 16, width / 16]
      const plain = (name: string) =>
        io[name].shape.length === 3
          ? unpacked({ shape: io[name].shape, data: io[name].data as Float32Array }, rows, columns).data
          : (io[name].data as Float32Array)
      const mesh = config(degrees, { numPipelinePatch: patches, warmupSteps: warmup })
      const options: TeamOptions = {
        height,
        width,
        numInferenceSteps: steps,
        guidanceScale: guidance,
        maxSequenceLength: rest.max_sequence_length,
        negativePrompt: rest.negative_prompt,
        prompt3: rest.prompt_3,
        latents: plain('input.latents'),
        outputType: 'latent',
      }
      const [latents] = await inTeam(mesh, [[[prompt].flat(), options]])
      expect(relativeL2(latents, plain('output.latents'))).toBeLessThan(meta.tolerance.suggested)
    },
  )
})

it('HunyuanDiT draws the same with PipeFusion however many stages there are, and other than with none', async () => {
  const path = join(GOLDEN, 'pipeline_hunyuan_rescaled')
  const call = { height: 64, width: 96, useResolutionBinning: false, seed: 3, outputType: 'latent' } as const
  const drawn: Float32Array[] = []
  for (const [stages, numPipelinePatch] of [
    [1, 4],
    [2, 4],
    [3, 4],
    [1, 1],
  ]) {
    const mesh = config({ pipefusion: stages }, { numPipelinePatch, warmupSteps: 1 })
    const team = await startLocalTeam(path, mesh, { device: await testDevice() })
    drawn.push((await team.run('a cat', { ...call, numInferenceSteps: 4 })).latents.data)
    await team.close()
  }
  expect(relativeL2(drawn[1], drawn[0])).toBeLessThan(1e-6)
  expect(relativeL2(drawn[2], drawn[0])).toBeLessThan(1e-6)
  expect(relativeL2(drawn[3], drawn[0])).toBeGreaterThan(1e-4)
})

it('SD3 is guided away from what it draws without a block by ranks as by one device', async () => {
  const path = join(GOLDEN, 'pipeline_sd3')
  const skip = { skipGuidanceLayers: [0], skipLayerGuidanceStop: 0.6 }
  const call = {
    height: 64,
    width: 80,
    maxSequenceLength: 13,
    numInferenceSteps: 4,
    seed: 3,
    outputType: 'latent',
  } as const
  const drawn = async (degrees: Partial<Degrees>, options: TeamOptions) => {
    const team = await startLocalTeam(path, config(degrees), { device: await testDevice() })
    try {
      return (await team.run('a cat', { ...call, ...options })).latents.data
    } finally {
      await team.close()
    }
  }
  const alone = await drawn({}, skip)
  expect(relativeL2(await drawn({ ulysses: 2, ring: 2, cfg: 2 }, skip), alone)).toBeLessThan(1e-5)
  expect(relativeL2(await drawn({ tensor: 2 }, skip), alone)).toBeLessThan(1e-5)
  expect(relativeL2(await drawn({}, {}), alone)).toBeGreaterThan(1e-3)
  expect(await failure(drawn({ pipefusion: 2 }, skip))).toMatchObject({ kind: 'bad-argument' })
  expect(await failure(drawn({}, { skipGuidanceLayers: [2] }))).toMatchObject({
    message: expect.stringMatching(/from 0 to 1/),
  })
})

it('FLUX is not divided into branches unless a true CFG scale asks for two', async () => {
  const path = join(GOLDEN, 'pipeline_flux_dev')
  const team = await startLocalTeam(path, config({ cfg: 2 }), { device: await testDevice() })
  try {
    const call = { height: 64, width: 64, maxSequenceLength: 13, numInferenceSteps: 1, outputType: 'latent' } as const
    expect(await failure(team.run('a cat', call))).toMatchObject({ kind: 'bad-argument' })
  } finally {
    await team.close()
  }
})
