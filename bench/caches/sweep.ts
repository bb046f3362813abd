// npm run bench -- caches [--cache fbcache|teacache] [--thresholds 0.05,0.1] [--coefficients 1,0] [--steps 20] [--model FOLDER]
// Draws four pictures in full and with a step cache at some thresholds, from the same noise, one by one since pictures of a
// call share decisions. Tells how many passes were spared, what that gains, and how far the pictures are from the full ones.
import { parseArgs } from 'node:util'
import { psnrOf } from '../../src/cli/verify/compare.ts'
import { DiffusionPipeline } from '../../src/pipelines/diffusion_pipeline.ts'
import type { DitImage } from '../../src/pipelines/image/image.ts'
import type { PipelineOptions } from '../../src/pipelines/options.ts'
import { Device } from '../../src/runtime/device.ts'
import { openPlatform } from '../../src/runtime/platform/platform.ts'
import { ensureVulkan } from '../../src/runtime/platform/software_vulkan.node.ts'

const PROMPTS = ['red apple', 'rocket', 'smiling cat face', 'purple butterfly']
const THRESHOLDS = { fbcache: '0.05,0.08,0.12,0.16,0.2,0.3', teacache: '0.05,0.1,0.15,0.2,0.3,0.4' }

await ensureVulkan()
const { values } = parseArgs({
  allowPositionals: true,
  options: {
    cache: { type: 'string', default: 'fbcache' },
    thresholds: { type: 'string' },
    coefficients: { type: 'string', default: '1,0' },
    steps: { type: 'string', default: '20' },
    model: { type: 'string', default: 'models/emoji-pixart' },
    tier: { type: 'string' },
  },
})
const cache = values.cache === 'teacache' ? 'teacache' : 'fbcache'
const device = await Device.open(await openPlatform(), { tier: values.tier as 'f32' | 'f16' | 'matrix' | undefined })
const pipe = await DiffusionPipeline.fromPretrained(values.model, { device })
console.log(`${device.name}, tier ${device.tier}, ${values.steps} steps, ${cache}`)

interface Drawn {
  readonly images: DitImage[]
  readonly passes: number
  readonly spared: number
  /** Of all pictures, from the prompt to pixels. */
  readonly seconds: number
}

await drawn({ numInferenceSteps: 2 }) // kernels are compiled
const full = await drawn({})
console.log(`full: ${(full.seconds / PROMPTS.length).toFixed(2)} s a picture`)
console.log('| threshold | spared | s a picture | times as fast | PSNR, dB |\n| --- | --- | --- | --- | --- |')
for (const threshold of (values.thresholds ?? THRESHOLDS[cache]).split(',').map(Number)) {
  const found = await drawn(
    cache === 'fbcache'
      ? { useFbcache: true, fbcacheThreshold: threshold }
      : {
          useTeacache: true,
          relL1Thresh: threshold,
          teacacheCoefficients:
            values.coefficients === 'published' ? undefined : values.coefficients.split(',').map(Number),
        },
  )
  const psnr = found.images.map(({ data }, i) => psnrOf(data, full.images[i].data, 255))
  const mean = psnr.reduce((sum, one) => sum + one, 0) / psnr.length
  const cells = [
    threshold,
    `${Math.round((100 * found.spared) / found.passes)} %`,
    (found.seconds / PROMPTS.length).toFixed(2),
    (full.seconds / found.seconds).toFixed(2),
    `${mean.toFixed(1)} (${Math.min(...psnr).toFixed(1)} to ${Math.max(...psnr).toFixed(1)})`,
  ]
  console.log(`| ${cells.join(' | ')} |`)
}
pipe.dispose()
device.close()

async function drawn(options: PipelineOptions): Promise<Drawn> {
  const images: DitImage[] = []
  let [passes, spared, seconds] = [0, 0, 0]
  for (const [i, prompt] of PROMPTS.entries()) {
    const began = performance.now()
    const output = await pipe(prompt, { numInferenceSteps: Number(values.steps), seed: 21 + i, ...options })
    seconds += (performance.now() - began) / 1000
    images.push(...output.images)
    passes += output.spared?.length ?? 0
    spared += output.spared?.filter(Boolean).length ?? 0
  }
  return { images, passes, spared, seconds }
}
