import { stat } from 'node:fs/promises'
import { describe, expect, it } from 'vitest'
import { NETWORKS } from '../../src/models/component.ts'
import { componentFormats, type WeightFormats } from '../../src/pipelines/component_formats.ts'
import { DiffusionPipeline } from '../../src/pipelines/diffusion_pipeline.ts'
import { planMemory } from '../../src/pipelines/memory_plan/plan.ts'
import { FLUX_DEV, type NetworkConfig, T5_XXL } from '../../src/pipelines/random_models/networks.ts'
import { traitsOf } from '../../src/runtime/paper_device.ts'
import type { Parameters } from '../../src/runtime/weights/parameters.ts'
import { quantizedParameters } from '../../src/runtime/weights/quantized.ts'
import { shareBytes } from '../../src/runtime/weights/share_bytes.ts'
import { formatName, type WeightFormat, weightFormat } from '../../src/runtime/weights/weight_formats.ts'
import { testDevice } from '../support/device.ts'
import { failure } from '../support/failure.ts'

const SD3 = {
  text_encoder: 'CLIPTextModelWithProjection',
  text_encoder_3: 'T5EncoderModel',
  transformer: 'SD3Transformer2DModel',
  vae: 'AutoencoderKL',
} as const

const named = (given: WeightFormats) =>
  Object.fromEntries(Object.entries(componentFormats(given, SD3)).map(([folder, f]) => [folder, f && formatName(f)]))

describe('formats of weights', () => {
  const INT4 = 'int4_asym_g64'
  const INT8 = 'int8_asym_g64'

  it('are one for the transformer and all text encoders, or one a component', () => {
    expect(componentFormats(undefined, SD3)).toEqual({})
    expect(named('int4')).toEqual({ text_encoder: INT4, text_encoder_3: INT4, transformer: INT4 })
    expect(named('transformer=int4,text_encoder_3=int8')).toEqual({ transformer: INT4, text_encoder_3: INT8 })
    expect(named({ transformer: 'int8_sym_g32', text_encoder: 'f16' })).toEqual({ transformer: 'int8_sym_g32' })
    // What is said of one counts more than what is said of all, wherever it stands.
    expect(named('text_encoder=f16, int8')).toEqual({ text_encoder_3: INT8, transformer: INT8 })
  })

  it.each([
    ['int5', '"int5" is no format of weights', 'int4'],
    ['transformer=', '"" is no format', 'int8'],
    ['unet=int4', 'no such component', 'transformer'],
    ['text_encoder_2=int4', '"text_encoder_2"', 'text_encoder_3'],
  ])('refuses %s', async (given, message, hint) => {
    const error = await failure((async () => componentFormats(given, SD3))())
    expect(error.kind).toBe('bad-argument')
    expect(error.message).toContain(message)
    expect(error.hint).toContain(hint)
  })
})

const GIB = 2 ** 30

it.each<[string, string, number, NetworkConfig]>([
  ['the transformer of FLUX.1-dev', 'int4', 7, FLUX_DEV],
  ['the transformer of FLUX.1-dev', 'int8', 12.5, FLUX_DEV],
  ['T5-XXL', 'int4', 3, T5_XXL],
])('%s takes with %s no more than %d GiB', (_, name, most, [className, json]) => {
  const network = NETWORKS[className] as unknown as {
    config(of: unknown): unknown
    parameters(of: unknown): Parameters
  }
  const all = quantizedParameters(
    network.parameters(network.config(json)),
    weightFormat(name) as WeightFormat,
    className,
  )
  const bytes = shareBytes(all, {}, { tier: 'f16', software: false, quads: true })
  expect(bytes / GIB).toBeLessThan(most)
  expect(bytes / GIB).toBeGreaterThan(0.85 * most)
})

describe('the embedded model', () => {
  const MODEL = 'models/emoji-pixart'

  it('takes in few bits what was planned', async () => {
    const device = await testDevice()
    const weights = 'transformer=int4,text_encoder=int8'
    const call = { numInferenceSteps: 1, height: 64, width: 64, guidanceScale: 1, outputType: 'latent' } as const
    const plan = await planMemory(MODEL, 'red apple', { device: traitsOf(device), tier: 'f32', weights, call })
    expect(plan.formats).toEqual({ transformer: 'int4_asym_g64', text_encoder: 'int8_asym_g64' })
    // Its file has f16, and what is not in few bits has f32 here.
    const { size } = await stat(`${MODEL}/transformer/diffusion_pytorch_model.safetensors`)
    expect(plan.weights.transformer).toBeLessThan(0.5 * size)
    const pipe = await DiffusionPipeline.fromPretrained(MODEL, { device, weights })
    const bytes = device.weightBytes
    pipe.dispose()
    expect(bytes).toBe(Object.values(plan.weights).reduce((a, b) => a + b, 0))
  })

  it('has no linear layers in its autoencoder', async () => {
    const error = await failure(planMemory(MODEL, 'red apple', { weights: { vae: 'int8' } }))
    expect(error.message).toContain('vae has no blocks of linear layers')
  })
})
