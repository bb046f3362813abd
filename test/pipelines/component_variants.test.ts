import { cpSync, mkdtempSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { DiffusionPipeline } from '../../src/pipelines/diffusion_pipeline.ts'
import { planMemory } from '../../src/pipelines/memory_plan/plan.ts'
import { traitsOf } from '../../src/runtime/paper_device.ts'
import { testDevice } from '../support/device.ts'
import { GOLDEN, loadSafetensors } from '../support/golden_io.ts'
import { relativeL2 } from '../support/numbers.ts'
import { RESAVED, resave } from '../support/resave.ts'

const GOLDEN_SD3 = join(GOLDEN, 'pipeline_sd3')
const STEM = 'diffusion_pytorch_model'
const io = loadSafetensors(join(RESAVED, 'pipeline_sd3.safetensors'))
const { prompt, ...sizes } = JSON.parse(readFileSync(join(RESAVED, 'calls.json'), 'utf8')).pipeline_sd3
const call = {
  height: sizes.height,
  width: sizes.width,
  negativePrompt: sizes.negative_prompt,
  numInferenceSteps: sizes.num_inference_steps,
  guidanceScale: sizes.guidance_scale,
  maxSequenceLength: sizes.max_sequence_length,
  latents: io['input.latents'].data as Float32Array,
  outputType: 'latent',
} as const

/** Encoders and the autoencoder have plain files of the golden f16; the transformer has other plain ones, and a variant. */
const folder = mkdtempSync(join(tmpdir(), 'webdit-variants-'))
afterAll(() => rmSync(folder, { recursive: true }))
beforeAll(async () => {
  cpSync(GOLDEN_SD3, folder, { recursive: true })
  const transformer = join(folder, 'transformer')
  rmSync(join(transformer, `${STEM}.safetensors`))
  await resave(join(GOLDEN_SD3, 'transformer'), transformer, STEM, { dtype: 'BF16' })
  const form = { dtype: 'F16', variant: 'fp16', shards: 2, older: true } as const
  expect((await resave(join(GOLDEN_SD3, 'transformer'), transformer, STEM, form)).sort()).toEqual([
    `${STEM}-00001-of-00002.fp16.safetensors`,
    `${STEM}-00002-of-00002.fp16.safetensors`,
    `${STEM}.safetensors.fp16.index.json`,
  ])
})

describe('a variant that some components have', () => {
  it('is used by them, and plain files by the others: as diffusers draws', async () => {
    const pipe = await DiffusionPipeline.fromPretrained(folder, { device: await testDevice(), variant: 'fp16' })
    const { latents } = await pipe(prompt, call)
    pipe.dispose()
    expect(relativeL2(latents.data, io['stored.latents'].data as Float32Array)).toBeLessThan(1e-5)

    const plain = await DiffusionPipeline.fromPretrained(folder, { device: await testDevice() })
    const { latents: other } = await plain(prompt, call)
    plain.dispose()
    expect(relativeL2(other.data, io['stored.latents'].data as Float32Array)).toBeGreaterThan(1e-4)
  })

  it('is planned of the same files', async () => {
    const device = traitsOf(await testDevice())
    const planned = await planMemory(GOLDEN_SD3, prompt, { device, call })
    const plain = join(folder, 'transformer', `${STEM}.safetensors`)
    renameSync(plain, `${plain}.away`)
    writeFileSync(plain, 'no safetensors')
    try {
      expect((await planMemory(folder, prompt, { device, call, variant: 'fp16' })).weights).toEqual(planned.weights)
      await expect(planMemory(folder, prompt, { device, call })).rejects.toMatchObject({ kind: 'corrupt' })
    } finally {
      renameSync(`${plain}.away`, plain)
    }
  })

  it('is refused where no component has it, naming those that there are', async () => {
    const loading = DiffusionPipeline.fromPretrained(folder, { device: await testDevice(), variant: 'q8' })
    const refusal = {
      kind: 'not-found',
      message: `no component of ${folder} has the variant "q8" of its weights`,
      hint: 'Choose from what is there: fp16 (transformer); or ask for no variant.',
    }
    await expect(loading).rejects.toMatchObject(refusal)
    await expect(planMemory(folder, prompt, { call, variant: 'q8' })).rejects.toMatchObject(refusal)
    await expect(planMemory(GOLDEN_SD3, prompt, { call, variant: 'fp16' })).rejects.toMatchObject({
      kind: 'not-found',
      hint: 'There are plain files alone: ask for no variant.',
    })
  })

  it('is refused for a component that has neither it nor plain files', async () => {
    const plain = join(folder, 'vae', `${STEM}.safetensors`)
    renameSync(plain, join(folder, 'vae', `${STEM}.bf16.safetensors`))
    const loading = DiffusionPipeline.fromPretrained(folder, { device: await testDevice(), variant: 'fp16' })
    await expect(loading).rejects.toMatchObject({
      kind: 'not-found',
      message: expect.stringContaining('vae has no variant "fp16"'),
      hint: expect.stringContaining('bf16'),
    })
    renameSync(join(folder, 'vae', `${STEM}.bf16.safetensors`), plain)
  })
})
