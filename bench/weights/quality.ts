// npm run bench -- quality [--weights int8 --weights transformer=int4,text_encoder=int8 …] [--steps 8] [--model FOLDER]
// Draws eight pictures with weights as they are and with weights of few bits, from the same noise, and tells how far apart they
// are: PSNR of the pixels in dB, and the relative distance of the latents.
import { parseArgs } from 'node:util'
import { relativeL2 } from '../../src/cli/verify/compare.ts'
import { DiffusionPipeline } from '../../src/pipelines/diffusion_pipeline.ts'
import type { PipelineOutput } from '../../src/pipelines/options.ts'
import { Device } from '../../src/runtime/device.ts'
import { openPlatform } from '../../src/runtime/platform/platform.ts'
import { ensureVulkan } from '../../src/runtime/platform/software_vulkan.node.ts'

const PROMPTS = ['red apple', 'smiling cat', 'yellow star', 'blue heart', 'a green tree', 'dog face', 'pizza', 'rocket']

await ensureVulkan()
const { values } = parseArgs({
  allowPositionals: true,
  options: {
    weights: { type: 'string', multiple: true, default: ['int8', 'int4'] },
    steps: { type: 'string', default: '8' },
    model: { type: 'string', default: 'models/emoji-pixart' },
    tier: { type: 'string' },
  },
})
const device = await Device.open(await openPlatform(), { tier: values.tier as 'f32' | 'f16' | 'matrix' | undefined })
console.log(`${device.name}, tier ${device.tier}, ${values.steps} steps`)
const wanted = await drawn('f16')
for (const weights of values.weights) {
  const found = await drawn(weights)
  const psnr = PROMPTS.map((_, i) => psnrOf(found.images[i].data, wanted.images[i].data))
  const size = wanted.latents.data.length / PROMPTS.length
  const part = (data: Float32Array, i: number) => data.subarray(i * size, (i + 1) * size)
  const latents = PROMPTS.map((_, i) => relativeL2(part(found.latents.data, i), part(wanted.latents.data, i)))
  console.log(
    `${weights.padEnd(16)} PSNR ${mean(psnr).toFixed(1)} dB (${psnr.map((db) => db.toFixed(1)).join(', ')}), latents ${mean(latents).toExponential(1)}, ` +
      `weights ${(found.bytes / 2 ** 20).toFixed(2)} of ${(wanted.bytes / 2 ** 20).toFixed(2)} MiB`,
  )
}
device.close()

async function drawn(weights: string): Promise<PipelineOutput & { bytes: number }> {
  const pipe = await DiffusionPipeline.fromPretrained(values.model, { device, weights })
  const bytes = device.weightBytes
  const seed = PROMPTS.map((_, i) => 100 + i)
  const output = await pipe(PROMPTS, { numInferenceSteps: Number(values.steps), seed })
  pipe.dispose()
  return { ...output, bytes }
}

/** 10 · log10(255² / mean squared error). */
function psnrOf(a: ArrayLike<number>, b: ArrayLike<number>): number {
  let sum = 0
  for (let i = 0; i < a.length; i++) sum += (a[i] - b[i]) ** 2
  return 10 * Math.log10((255 ** 2 * a.length) / Math.max(sum, Number.MIN_VALUE))
}

function mean(of: readonly number[]): number {
  return of.reduce((sum, x) => sum + x, 0) / of.length
}
