import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { DiffusionPipeline, type Pipeline } from '../../src/pipelines/diffusion_pipeline.ts'
import type { RgbBytes } from '../../src/pipelines/image/lanczos.ts'
import { RunNoise } from '../../src/pipelines/noise.ts'
import type { PipelineOptions } from '../../src/pipelines/options.ts'
import { testDevice } from '../support/device.ts'
import { GOLDEN, type GoldenTensor, loadSafetensors } from '../support/golden_io.ts'
import { relativeL2 } from '../support/numbers.ts'

const FOLDER = fileURLToPath(new URL('../fixtures/image_to_image/', import.meta.url))
const CASES = readdirSync(FOLDER).flatMap((file) =>
  /^(sd3|flux).*json$/.test(file) ? [file.replace('.json', '')] : [],
)

interface Case {
  readonly model: string
  readonly tolerance: number
  readonly call: PipelineOptions & { readonly prompt: string | string[] }
}

const floats = ({ data }: GoldenTensor) => data as Float32Array

function read(name: string) {
  const { model, tolerance, call }: Case = JSON.parse(readFileSync(join(FOLDER, `${name}.json`), 'utf8'))
  const io = loadSafetensors(join(FOLDER, `${name}.safetensors`))
  const images = Object.keys(io).flatMap((key): RgbBytes[] => {
    if (!key.startsWith('input.image_')) return []
    const { shape, data } = io[key]
    return [{ height: shape[0], width: shape[1], data: data as Uint8Array }]
  })
  const { prompt, ...options } = call
  return { model, tolerance, prompt, options: { ...options, image: images.length > 1 ? images : images[0] }, io }
}

describe.each(['pipeline_sd3', 'pipeline_flux_dev'])('image-to-image of %s', (model) => {
  let pipe: Pipeline
  beforeAll(async () => {
    pipe = await DiffusionPipeline.fromPretrained(join(GOLDEN, model), {
      device: await testDevice(),
      imageToImage: true,
    })
  })
  afterAll(() => pipe?.dispose())

  const own = CASES.filter((name) => read(name).model === model)

  it.each(own)('draws what diffusers draws: %s', async (name) => {
    const { prompt, options, io, tolerance } = read(name)
    const timesteps: number[] = []
    const { latents } = await pipe(prompt, {
      ...options,
      outputType: 'latent',
      onStep: ({ timestep }) => void timesteps.push(timestep),
    })
    expect(timesteps.length).toBe(io['inter.timesteps'].data.length)
    for (const [i, t] of floats(io['inter.timesteps']).entries()) expect(timesteps[i]).toBeCloseTo(t, 3)
    expect(latents.shape).toEqual(io['output.latents'].shape)
    expect(relativeL2(latents.data, floats(io['output.latents']))).toBeLessThan(tolerance)
  })
})

it.each(CASES)('draws random numbers in the order of diffusers: %s', (name) => {
  const { io, options } = read(name)
  const posterior = io['inter.posterior_noise']
  const noise = new RunNoise(io['inter.noise'].shape, { seed: options.seed })
  expect(relativeL2(noise.next(posterior.shape[0]), floats(posterior))).toBeLessThan(1e-5)
  expect(relativeL2(noise.initial(), floats(io['inter.noise']))).toBeLessThan(1e-5)
})

it('has cases of both families', () => expect(CASES).toHaveLength(7))
