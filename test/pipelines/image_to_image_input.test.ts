import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { DiffusionPipeline, type Pipeline } from '../../src/pipelines/diffusion_pipeline.ts'
import { DitImage } from '../../src/pipelines/image/image.ts'
import type { RgbBytes } from '../../src/pipelines/image/lanczos.ts'
import { planMemory } from '../../src/pipelines/memory_plan/plan.ts'
import { plannedRequest } from '../../src/pipelines/mesh_plan/workload.ts'
import type { PipelineOptions } from '../../src/pipelines/options.ts'
import { openFolder } from '../../src/runtime/weights/folder_source.node.ts'
import { testDevice } from '../support/device.ts'
import { failure } from '../support/failure.ts'
import { GOLDEN } from '../support/golden_io.ts'

const SD3 = join(GOLDEN, 'pipeline_sd3')
const image: RgbBytes = { width: 5, height: 4, data: new Uint8Array(60).fill(90) }
const SMALL = {
  height: 16,
  width: 16,
  numInferenceSteps: 2,
  maxSequenceLength: 13,
  seed: 1,
  outputType: 'latent',
} as const

describe('an image to start from', () => {
  let pipe: Pipeline
  let textOnly: Pipeline
  let encoderBytes: number
  beforeAll(async () => {
    const device = await testDevice()
    const before = device.weightBytes
    textOnly = await DiffusionPipeline.fromPretrained(SD3, { device })
    const without = device.weightBytes - before
    pipe = await DiffusionPipeline.fromPretrained(SD3, { device, imageToImage: true })
    encoderBytes = device.weightBytes - before - 2 * without
  })
  afterAll(() => {
    pipe?.dispose()
    textOnly?.dispose()
  })

  it.each<[string, PipelineOptions, RegExp]>([
    ['strength above 1', { image, strength: 1.5 }, /strength is 1.5, expected a number from 0 to 1/],
    ['strength below 0', { image, strength: -0.1 }, /strength is -0.1/],
    ['strength that is none', { image, strength: Number.NaN }, /strength is NaN/],
    ['no step left', { image, strength: 0 }, /strength 0 of 2 steps leaves none to draw/],
    ['strength alone', { strength: 0.5 }, /strength is 0.5, and there is no image/],
    ['a wrong length', { image: { ...image, data: new Uint8Array(61) } }, /5 x 4 pixels has 61 bytes, expected 60/],
    ['no bytes', { image: { ...image, data: [1, 2, 3] as never } }, /no bytes as data/],
    ['a path', { image: 'cat.png' as never }, /no bytes as data/],
    ['nothing', { image: null as never }, /no bytes as data/],
    ['no width', { image: { ...image, width: 0, data: new Uint8Array() } }, /width of image is 0/],
    ['no images', { image: [] }, /image has 0 pictures for 2 prompts/],
    ['too many images', { image: [image, image, image] }, /image has 3 pictures for 2 prompts/],
    ['latents beside it', { image, latents: new Float32Array(2 * 16 * 4) }, /latents are given beside an image/],
    ['skip-layer guidance', { image, skipGuidanceLayers: [0] }, /skipGuidanceLayers is given beside an image/],
  ])('is refused: %s', async (_, options, message) => {
    const error = await failure(pipe(['a cat', 'a dog'], { ...SMALL, ...options }))
    expect(error).toMatchObject({ kind: 'bad-argument' })
    expect(error.message).toMatch(message)
  })

  it('tells of the second picture, and of alpha', async () => {
    const rgba = { ...image, data: new Uint8Array(80) }
    const error = await failure(pipe(['a cat', 'a dog'], { ...SMALL, image: [image, rgba] }))
    expect(error.message).toMatch(/image 2 of 5 x 4 pixels has 80 bytes/)
    expect(error.hint).toMatch(/Leave out alpha/)
  })

  it('takes an encoder, which is loaded where it is asked for alone', async () => {
    const error = await failure(textOnly('a cat', { ...SMALL, image }))
    expect(error).toMatchObject({ kind: 'bad-argument' })
    expect(error.message).toMatch(/loaded without the autoencoder's encoder/)
    expect(error.hint).toMatch(/imageToImage: true/)
    // Of its 86331 parameters, in f32, the encoder has somewhat less than half.
    expect(encoderBytes).toBeGreaterThan(100_000)
    expect(encoderBytes).toBeLessThan(172_000)
  })

  it('may be a picture that was drawn', async () => {
    const { data, ...size } = image
    const drawn = await pipe('a cat', { ...SMALL, image: new DitImage(size.width, size.height, data) })
    expect(drawn.latents.data).toEqual((await pipe('a cat', { ...SMALL, image: [image] })).latents.data)
    expect(drawn.seed).toBe(1)
  })

  it('is nothing for models whose class starts from noise alone', async () => {
    const device = await testDevice()
    const asked = DiffusionPipeline.fromPretrained(join(GOLDEN, 'pipeline_pixart_sigma'), {
      device,
      imageToImage: true,
    })
    expect(await failure(asked)).toMatchObject({ kind: 'bad-argument' })
    const pixart = await DiffusionPipeline.fromPretrained(join(GOLDEN, 'pipeline_pixart_sigma'), { device })
    for (const options of [{ image }, { strength: 0.5 }]) {
      const error = await failure(pixart('a cat', options))
      expect(error.message).toMatch(/(image|strength) is given, which PixArtSigmaPipeline does not take/)
    }
    pixart.dispose()
  })

  it('is planned for: the encoder is loaded and run, and the steps that it leaves are counted', async () => {
    const call = { ...SMALL, numInferenceSteps: undefined, height: 64, width: 64 }
    const source = await openFolder(SD3)
    const [plain, started] = await Promise.all(
      [call, { ...call, image, strength: 0.1 }].map((one) => planMemory(source, 'a cat', { tier: 'f32', call: one })),
    )
    expect(started.weights.vae - plain.weights.vae).toBe(encoderBytes)
    expect([plain.phases.encode, started.phases.encode.used > 0]).toEqual([undefined, true])
    const stepsOf = async (more: PipelineOptions) => {
      const target = { tier: 'f32', software: true, quads: true } as const
      return (await plannedRequest(source, 1, { ...call, ...more }, target, started)).workload.steps
    }
    expect(await Promise.all([{}, { image }, { image, strength: 0.1 }].map(stepsOf))).toEqual([28, 30, 5])
    await source.close()
  })
})
