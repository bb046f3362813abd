import { cpSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, it } from 'vitest'
import { decodeLatents } from '../../src/pipelines/decode_latents.ts'
import { DiffusionPipeline } from '../../src/pipelines/diffusion_pipeline.ts'
import { toUnit } from '../../src/pipelines/image/image.ts'
import type { PipelineOptions } from '../../src/pipelines/options.ts'
import { testDevice, testRecorder } from '../support/device.ts'
import { GOLDEN, loadSafetensors } from '../support/golden_io.ts'
import { relativeL2 } from '../support/numbers.ts'
import { type Form, RESAVED, resave } from '../support/resave.ts'

const CALLS = JSON.parse(readFileSync(join(RESAVED, 'calls.json'), 'utf8'))

const BF16: Form = { dtype: 'BF16' }
const FP16: Form = { dtype: 'F16', variant: 'fp16' }

/** What each network's folder holds, the variant that is asked for, the reference; the golden weights are f16. */
const FORMS: [how: string, forms: Form[], variant: string | undefined, reference: string][] = [
  ['in three shards', [{ shards: 3 }], undefined, 'stored'],
  ['in bfloat16, beside a variant', [BF16, FP16], undefined, 'bf16'],
  ['as the variant fp16, beside bfloat16 in shards', [{ ...BF16, shards: 2 }, FP16], 'fp16', 'stored'],
]

const temporary = mkdtempSync(join(tmpdir(), 'webdit-resaved-'))
afterAll(() => rmSync(temporary, { recursive: true }))

/** The golden pipeline with its networks saved again in all of these forms. */
async function saved(golden: string, forms: Form[]): Promise<string> {
  const folder = mkdtempSync(join(temporary, 'form-'))
  const from = join(GOLDEN, golden)
  cpSync(from, folder, { recursive: true, filter: (path) => !path.endsWith('.safetensors') })
  for (const entry of readdirSync(from, { withFileTypes: true }).filter((entry) => entry.isDirectory())) {
    const weights = readdirSync(join(from, entry.name)).find((file) => file.endsWith('.safetensors'))
    const stem = weights?.slice(0, -'.safetensors'.length)
    if (!stem) continue
    for (const form of forms) await resave(join(from, entry.name), join(folder, entry.name), stem, form)
  }
  return folder
}

describe.each(Object.keys(CALLS))('%s, saved again', (golden) => {
  const { prompt, ...call } = CALLS[golden]
  const io = loadSafetensors(join(RESAVED, `${golden}.safetensors`))
  const floats = (name: string) => io[name].data as Float32Array

  it.each(FORMS)('%s, draws what diffusers draws', async (_, forms, variant, reference) => {
    const folder = await saved(golden, forms)
    const pipe = await DiffusionPipeline.fromPretrained(folder, { device: await testDevice(), variant })
    try {
      const options: PipelineOptions = {
        height: call.height,
        width: call.width,
        negativePrompt: call.negative_prompt,
        numInferenceSteps: call.num_inference_steps,
        guidanceScale: call.guidance_scale,
        maxSequenceLength: call.max_sequence_length,
        latents: floats('input.latents'),
        outputType: 'latent',
      }
      const { latents } = await pipe(prompt, options)
      expect(latents.shape).toEqual(io[`${reference}.latents`].shape)
      const g = await testRecorder()
      const decoded = await g.read(
        await g.scope(() =>
          decodeLatents(g, pipe.components.vae, g.upload(latents.data as Float32Array<ArrayBuffer>, latents.shape)),
        ),
      )
      g.reset()
      expect(relativeL2(latents.data, floats(`${reference}.latents`))).toBeLessThan(1e-5)
      expect(relativeL2(decoded.map(toUnit), floats(`${reference}.image`))).toBeLessThan(1e-5)
    } finally {
      pipe.dispose()
    }
  })
})
