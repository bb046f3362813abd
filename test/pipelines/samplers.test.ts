import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { DiffusionPipeline, type Pipeline } from '../../src/pipelines/diffusion_pipeline.ts'
import { FAMILIES } from '../../src/pipelines/families/index.ts'
import { type Components, networkOf } from '../../src/pipelines/family.ts'
import type { PipelineOptions } from '../../src/pipelines/options.ts'
import { LoadedPipeline } from '../../src/pipelines/pipeline_run.ts'
import { encodeCaptions, predictPixArt } from '../../src/pipelines/pixart_network.ts'
import { encodeWithT5, tokenize } from '../../src/pipelines/text.ts'
import { CudaGenerator } from '../../src/schedulers/cuda_generator.ts'
import { type Generator, randnTensor } from '../../src/schedulers/generator.ts'
import { TorchGenerator } from '../../src/schedulers/torch_generator.ts'
import { testDevice, testRecorder } from '../support/device.ts'
import { GOLDEN } from '../support/golden_io.ts'
import { relativeL2 } from '../support/numbers.ts'

const PROMPTS = ['a red sofa', 'an astronaut']
const SIZE = { height: 64, width: 64 }
const SHAPE = [2, 4, 8, 8]
const STEPS = 4

let pipe: Pipeline
let components: Components
beforeAll(async () => {
  pipe = await DiffusionPipeline.fromPretrained(join(GOLDEN, 'pipeline_pixart_sigma'), {
    device: await testDevice(),
  })
  components = pipe.components
})
afterAll(() => pipe.dispose())

/** The network's mean prediction for latents on the host, without guidance. */
async function predict(latents: Float64Array, timestep: number): Promise<Float32Array> {
  const g = await testRecorder()
  const { tokenizer } = components.tokenizers
  const textEncoder = networkOf(components, 'text_encoder', 'T5EncoderModel')
  const transformer = networkOf(components, 'transformer', 'PixArtTransformer2DModel')
  const tokens = tokenize(tokenizer, PROMPTS, 100, 'prompt')
  const captions = await encodeWithT5(g, textEncoder, tokens)
  const output = await predictPixArt(g, transformer, {
    latents: g.upload(Float32Array.from(latents), SHAPE),
    timestep,
    text: await encodeCaptions(g, transformer, captions, tokens.mask),
    batch: 2,
    channels: 4,
    size: SIZE,
  })
  const values = await g.read(output)
  g.reset()
  return values
}

/** Step i: latents, the network on scaled latents, fresh noise in the order of calls → the next latents. */
type Step = (x: Float64Array, network: typeof predict, draw: () => Float32Array, i: number) => Promise<Float64Array>

/** Share of the signal's variance left at timesteps of a linear schedule from 0.0001 to 0.02, in double precision. */
const alphaBar = (t: number) => {
  let product = 1
  for (let i = 0; i <= t; i++) product *= 1 - (0.0001 + ((0.02 - 0.0001) * i) / 999)
  return t < 0 ? 1 : product
}
const noiseLevel = (t: number) => Math.sqrt((1 - alphaBar(t)) / alphaBar(t))
const clip = (x: number, limit: number) => Math.min(Math.max(x, -limit), limit)

/** diffusers' step functions, written out for the configs below. */
const ddim: Step = async (x, network, draw, i) => {
  const t = 750 - 250 * i
  const [a, before] = [alphaBar(t), alphaBar(t - 250)]
  const deviation = 0.3 * Math.sqrt(((1 - before) / (1 - a)) * (1 - a / before))
  const [m, noise] = [await network(x, t), draw()]
  return x.map((value, k) => {
    const data = clip((value - Math.sqrt(1 - a) * m[k]) / Math.sqrt(a), 1.5)
    return Math.sqrt(before) * data + Math.sqrt(1 - before - deviation ** 2) * m[k] + deviation * noise[k]
  })
}

const ddpm: Step = async (x, network, draw, i) => {
  const t = 750 - 250 * i
  const [a, before] = [alphaBar(t), alphaBar(t - 250)]
  const m = await network(x, t)
  const noise = t > 0 ? draw() : undefined
  const beta = 1 - a / before
  return x.map((value, k) => {
    const data = clip((value - Math.sqrt(1 - a) * m[k]) / Math.sqrt(a), 1)
    const mean =
      ((Math.sqrt(before) * beta) / (1 - a)) * data + ((Math.sqrt(a / before) * (1 - before)) / (1 - a)) * value
    return mean + (noise ? Math.sqrt(((1 - before) / (1 - a)) * beta) * noise[k] : 0)
  })
}

const euler: Step = async (x, network, _draw, i) => {
  const t = 751 - 250 * i
  const [sigma, next] = [noiseLevel(t), i === STEPS - 1 ? 0 : noiseLevel(t - 250)]
  const start = i === 0 ? Math.hypot(sigma, 1) : 1 // unit noise to the first latents
  const latents = x.map((value) => value * start)
  const m = await network(
    latents.map((value) => value / Math.hypot(sigma, 1)),
    t,
  )
  return latents.map((value, k) => value + (next - sigma) * m[k])
}

const shifted = (sigma: number) => (3 * sigma) / (1 + 2 * sigma)
const flow: Step = async (x, network, _draw, i) => {
  const at = (step: number) => shifted(1 + ((shifted(0.001) - 1) * step) / (STEPS - 1))
  const [sigma, next] = [at(i), i === STEPS - 1 ? 0 : at(i + 1)]
  const m = await network(x, 1000 * sigma)
  return x.map((value, k) => value + (next - sigma) * m[k])
}

const sde: Step = async (x, network, draw, i) => {
  const t = Math.round(999 - (999 / STEPS) * i)
  const a = alphaBar(t)
  const before = i === STEPS - 1 ? 1 : alphaBar(Math.round(999 - (999 / STEPS) * (i + 1)))
  const m = await network(x, t)
  const noise = draw()
  // exp(-h): the ratio of noise to signal after the step and before it.
  const decay = Math.sqrt((1 - before) / before) / Math.sqrt((1 - a) / a)
  return x.map((value, k) => {
    const data = (value - Math.sqrt(1 - a) * m[k]) / Math.sqrt(a)
    const kept = Math.sqrt((1 - before) / (1 - a)) * decay * value
    const fresh = Math.sqrt(1 - before) * Math.sqrt(1 - decay ** 2) * noise[k]
    return kept + Math.sqrt(before) * (1 - decay ** 2) * data + fresh
  })
}

interface Sampler {
  config: { _class_name: string; [option: string]: unknown }
  options: PipelineOptions
  generators: () => Generator | Generator[]
  step: Step
}

const one = () => new TorchGenerator(8)
const samplers: Record<string, Sampler> = {
  'DDIM with noise and clipping, a generator a picture': {
    config: { _class_name: 'DDIMScheduler', clip_sample_range: 1.5 },
    options: { seed: [3, 4], eta: 0.3 },
    generators: () => [new TorchGenerator(3), new TorchGenerator(4)],
    step: ddim,
  },
  'DDPM, one generator': {
    config: { _class_name: 'DDPMScheduler' },
    options: { seed: 8 },
    generators: one,
    step: ddpm,
  },
  'Euler, whose latents are scaled for the network': {
    config: { _class_name: 'EulerDiscreteScheduler', timestep_spacing: 'leading', steps_offset: 1 },
    options: { seed: 8 },
    generators: one,
    step: euler,
  },
  'flow matching at fractional timesteps': {
    config: { _class_name: 'FlowMatchEulerDiscreteScheduler', shift: 3 },
    options: { seed: 8 },
    generators: one,
    step: flow,
  },
  'DPM-Solver++ as SDE, with CUDA noise': {
    config: { _class_name: 'DPMSolverMultistepScheduler', algorithm_type: 'sde-dpmsolver++', solver_order: 1 },
    options: { seed: 8, generator: 'cuda' },
    generators: () => new CudaGenerator(8),
    step: sde,
  },
}

describe('a PixArt pipeline whose folder names another scheduler', () => {
  it.each(Object.entries(samplers))(
    '%s',
    async (_, { config, options, generators, step }) => {
      const pipe = new LoadedPipeline(FAMILIES[components.className], { ...components, schedulerConfig: config })
      const steps: Float32Array[] = []
      const { seed, warnings } = await pipe.run(PROMPTS, {
        ...SIZE,
        ...options,
        numInferenceSteps: STEPS,
        guidanceScale: 1,
        maxSequenceLength: 100,
        useResolutionBinning: false,
        outputType: 'latent',
        onStep: async ({ latents }) => {
          steps.push(await latents())
        },
      })
      expect(seed).toEqual(options.seed)
      expect(warnings).toEqual([])

      const sources = generators()
      const draw = () => randnTensor(SHAPE, sources)
      let x: Float64Array = Float64Array.from(draw())
      for (let i = 0; i < STEPS; i++) {
        x = await step(x, predict, draw, i)
        expect(relativeL2(steps[i], x)).toBeLessThan(1e-4)
      }
      expect(steps.length).toBe(STEPS)
    },
    60_000,
  )

  const call = (schedulerConfig: unknown, options: PipelineOptions) =>
    new LoadedPipeline(FAMILIES[components.className], { ...components, schedulerConfig }).run('a red sofa', {
      ...SIZE,
      numInferenceSteps: 1,
      outputType: 'latent',
      useResolutionBinning: false,
      ...options,
    })

  it('seeds of given latents are for the steps alone, and reported where they drew noise', async () => {
    const latents = new TorchGenerator(1).randn([1, 4, 8, 8])
    // One step from timestep 0 draws nothing; from 1 it does.
    const drawn = { _class_name: 'DDPMScheduler', steps_offset: 1 }
    const idle = await call({ _class_name: 'DDPMScheduler' }, { latents, seed: 5 })
    expect(idle.seed).toBeUndefined()
    expect(idle.warnings).toEqual([expect.stringContaining('the seed changes nothing')])
    expect((await call(drawn, { latents, seed: 5 })).seed).toBe(5)
  }, 60_000)

  it('says that eta changes nothing for other schedulers, and refuses what it cannot be', async () => {
    const { warnings } = await call(components.schedulerConfig, { eta: 0.5 })
    expect(warnings).toEqual([expect.stringContaining('eta is 0.5, which only DDIMScheduler takes')])
    await expect(call(components.schedulerConfig, { eta: 2 })).rejects.toThrow('eta is 2')
    await expect(call(components.schedulerConfig, { eta: Number.NaN })).rejects.toThrow('eta is NaN')
  }, 60_000)

  it.each<[unknown, PipelineOptions, RegExp]>([
    [{ _class_name: 'FlowMatchEulerDiscreteScheduler', use_dynamic_shifting: true }, {}, /mu is undefined/],
    [{ _class_name: 'DDPMScheduler', thresholding: true }, {}, /thresholding/],
    [{ _class_name: 'DDIMScheduler' }, { generator: 'mps' as 'cpu' }, /generator is "mps"/],
    [
      { _class_name: 'DDIMScheduler' },
      { generator: { cuda: { multiprocessors: 0, threadsPerMultiprocessor: 1536 } } },
      /multiprocessors is 0/,
    ],
    [{ _class_name: 'DDIMScheduler' }, { generator: {} as 'cpu' }, /generator is \{\}/],
  ])('refuses what does not fit: %#', async (config, options, message) => {
    await expect(call(config, options)).rejects.toThrow(message)
  })
})
