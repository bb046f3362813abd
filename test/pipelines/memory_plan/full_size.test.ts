import { readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { planMemory } from '../../../src/pipelines/memory_plan/plan.ts'
import { memorySource } from '../../../src/runtime/weights/memory_source.ts'

interface Manifest {
  config: Record<string, unknown>
  total_parameters: number
  /** Name to shape, as diffusers and transformers have them. */
  parameters: Record<string, number[]>
}

const read = (relative: string) => readFileSync(new URL(relative, import.meta.url))
const manifest = (name: string): Manifest => JSON.parse(read(`../../fixtures/manifests/${name}.json`).toString('utf8'))

const T5 = manifest('t5-v1.1-xxl-encoder')
const TRANSFORMER = manifest('pixart-sigma-1024')
const VAE = manifest('vae-sdxl')

const json = (value: unknown) => new TextEncoder().encode(JSON.stringify(value))

/** PixArt-Σ XL 2 at 1024, as somebody has it who fetched config files alone. */
const SIGMA_XL = memorySource(
  new Map([
    ['model_index.json', json({ _class_name: 'PixArtSigmaPipeline' })],
    ['text_encoder/config.json', json(T5.config)],
    ['transformer/config.json', json(TRANSFORMER.config)],
    ['vae/config.json', json(VAE.config)],
    ['scheduler/scheduler_config.json', read('../../../models/emoji-pixart/scheduler/scheduler_config.json')],
  ]),
)

const elements = (shape: number[]) => shape.reduce((a, b) => a * b, 1)
const decoding = ([name]: [string, number[]]) => name.startsWith('decoder.') || name.startsWith('post_quant_conv.')

describe('a full-size model, from its config files alone', () => {
  it('has weights of four bytes each in f32', async () => {
    const { weights, withoutWeights } = await planMemory(SIGMA_XL, undefined, {
      tier: 'f32',
      call: { height: 256, width: 256, numInferenceSteps: 1, useResolutionBinning: false },
    })
    const decoder = Object.entries(VAE.parameters).filter(decoding)
    expect(weights).toEqual({
      text_encoder: 4 * T5.total_parameters,
      transformer: 4 * TRANSFORMER.total_parameters,
      vae: 4 * decoder.reduce((sum, [, shape]) => sum + elements(shape), 0),
    })
    expect(withoutWeights).toEqual([
      'text_encoder/model.safetensors',
      'transformer/diffusion_pytorch_model.safetensors',
      'vae/diffusion_pytorch_model.safetensors',
    ])
  })

  it('has matrices of two bytes each in f16, and takes about what its sizes say, at 1024 and 2048', async () => {
    const [at1024, at2048] = await Promise.all(
      [1024, 2048].map((side) =>
        planMemory(SIGMA_XL, undefined, {
          call: {
            height: side,
            width: side,
            numInferenceSteps: 1,
            enableTiling: side > 1024,
            useResolutionBinning: false,
          },
        }),
      ),
    )
    // Biases, norms and tables that are added stay in f32: a thousandth of it.
    const half = (bytes: number, { total_parameters }: Manifest) => bytes / (2 * total_parameters)
    for (const { weights, fits, phases } of [at1024, at2048]) {
      expect(fits).toBe(true)
      expect(half(weights.text_encoder, T5)).toBeGreaterThanOrEqual(1)
      expect(half(weights.text_encoder, T5)).toBeLessThan(1.001)
      expect(half(weights.transformer, TRANSFORMER)).toBeGreaterThan(1)
      expect(half(weights.transformer, TRANSFORMER)).toBeLessThan(1.005)
      // 2 prompts of 300 tokens: T5's gated layer alone holds two of [2, 300, 10240] in f16.
      expect(phases.text.used).toBeGreaterThan(2 * 2 * 300 * 10_240 * 2)
      expect(phases.text.used).toBeLessThan(2 ** 27)
    }
    // The feed-forward's [2, tokens, 4608] in f16 is the greatest of a step; everything grows with the tokens.
    expect(at1024.phases.step.greatest).toBeGreaterThanOrEqual(2 * 4096 * 4608 * 2)
    expect(at1024.phases.step.greatest).toBeLessThan(2 * 4096 * 4608 * 2 * 1.25)
    expect(at2048.phases.step.used / at1024.phases.step.used).toBeGreaterThan(2.5)
    expect(at2048.phases.step.used / at1024.phases.step.used).toBeLessThan(4)
    // The decoder's last level of 1024²: 256 channels of f32 in its widest, several at a time.
    expect(at1024.phases.decode.greatest).toBe(1024 * 1024 * 256 * 4)
    // Tiles take the memory of a tile, and the whole picture is small beside that.
    expect(at2048.phases.decode.used).toBeLessThan(at1024.phases.decode.used * 1.2)
    // Whatever the size, the host holds a GiB at most over what the runtime takes by itself.
    for (const { host } of [at1024, at2048]) {
      expect(host.total - host.runtime).toBeGreaterThan(0)
      expect(host.total - host.runtime).toBeLessThan(2 ** 30)
    }
  })
})
