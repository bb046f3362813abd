import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { ON_ONE_DEVICE, type ParallelConfig } from '../../src/parallel/config/parallel_config.ts'
import { type Degrees, ONE_RANK } from '../../src/parallel/mesh/mesh.ts'
import { DiffusionPipeline, type Pipeline } from '../../src/pipelines/diffusion_pipeline.ts'
import type { RgbBytes } from '../../src/pipelines/image/lanczos.ts'
import { startLocalTeam } from '../../src/pipelines/team/local_team.ts'
import { degreesText } from '../mesh/factorisations.ts'
import { testDevice } from '../support/device.ts'
import { GOLDEN } from '../support/golden_io.ts'
import { relativeL2 } from '../support/numbers.ts'

const PROMPTS = ['a photo of a small cat sleeping on a red sofa', 'An astronaut riding a horse']

const picture = (width: number, height: number, step: number): RgbBytes => ({
  width,
  height,
  data: Uint8Array.from({ length: 3 * width * height }, (_, i) => (i * step + (i % 7) * 31) % 256),
})
const IMAGES = [picture(50, 41, 3), picture(31, 64, 5)]

const CALL = { height: 48, width: 32, seed: 3, strength: 0.5, numInferenceSteps: 4, maxSequenceLength: 13 } as const

const FAMILIES = [
  ['SD3', 'pipeline_sd3', { guidanceScale: 5 }],
  ['FLUX', 'pipeline_flux_dev', { trueCfgScale: 2.5, negativePrompt: 'watermark' }],
] as const

const MESHES: [degrees: Partial<Degrees>, rest?: Partial<ParallelConfig>][] = [
  // One rank encodes for four.
  [{ ulysses: 2, cfg: 2 }],
  // Two share the picture's rows; the weights of the text encoder are shared as well.
  [
    { ring: 2, tensor: 2 },
    { vaeParallelSize: 2, shardT5Encoder: true },
  ],
  // Each crew has the image of its picture, and draws the numbers of both.
  [{ data: 2, ulysses: 2 }],
  // The last stage leads. Both steps that are left are warm-up.
  [{ pipefusion: 2 }, { numPipelinePatch: 2, warmupSteps: 2 }],
]

describe.each(FAMILIES)('%s', (_, model, own) => {
  const path = join(GOLDEN, model)
  let alone: Pipeline
  let expected: Float32Array
  const call = { ...CALL, ...own, image: IMAGES, outputType: 'latent' } as const
  beforeAll(async () => {
    alone = await DiffusionPipeline.fromPretrained(path, { device: await testDevice(), imageToImage: true })
    expected = (await alone(PROMPTS, call)).latents.data
  })
  afterAll(() => alone?.dispose())

  it.each(MESHES.map(([degrees, rest]) => [degreesText({ ...ONE_RANK, ...degrees }), degrees, rest] as const))(
    'is drawn alike by ranks from images: %s',
    async (_name, degrees, rest) => {
      const mesh = { ...ON_ONE_DEVICE, ...rest, degrees: { ...ONE_RANK, ...degrees } }
      const team = await startLocalTeam(path, mesh, { device: await testDevice(), imageToImage: true })
      try {
        const { latents } = await team.run(PROMPTS, call)
        expect(relativeL2(latents.data, expected)).toBeLessThan(2e-5)
      } finally {
        await team.close()
      }
    },
  )

  it('gives each prompt its own image, however many pictures are drawn of it', async () => {
    const [A, B] = IMAGES
    const drawn = async (image: RgbBytes[]) => {
      const { latents } = await alone(PROMPTS, { ...call, image, numImagesPerPrompt: 2, numInferenceSteps: 2 })
      return [latents.data.slice(0, latents.data.length / 2), latents.data.slice(latents.data.length / 2)]
    }
    const both = await drawn([A, B])
    expect(relativeL2(both[0], (await drawn([A, A]))[0])).toBeLessThan(1e-6)
    expect(relativeL2(both[1], (await drawn([B, B]))[1])).toBeLessThan(1e-6)
    expect(relativeL2(both[0], (await drawn([B, B]))[0])).toBeGreaterThan(1e-2)
  })
})
