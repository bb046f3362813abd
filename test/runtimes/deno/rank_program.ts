// deno run -A rank_program.ts: draws in a worker what diffusers drew, and prints how far it is from that, as JSON.
import { fileURLToPath } from 'node:url'
import { startRank } from '../../../src/pipelines/start_rank.ts'
import type { DitError } from '../../../src/runtime/errors.ts'
import { GOLDEN, loadGolden } from '../../support/golden_io.ts'
import { relativeL2 } from '../../support/numbers.ts'

const io = loadGolden('pipeline_pixart_sigma')
const steps: number[] = []
const rank = await startRank(`${GOLDEN}pipeline_pixart_sigma`, { tier: 'f32' })
const { latents, images } = await rank.run(
  ['a photo of a small cat sleeping on a red sofa', 'An astronaut riding a horse, highly detailed!'],
  {
    negativePrompt: 'low quality',
    useResolutionBinning: false,
    height: 80,
    width: 112,
    numInferenceSteps: 5,
    maxSequenceLength: 100,
    latents: io['input.latents'].data as Float32Array,
    onStep: ({ step }) => steps.push(step),
  },
)
const distance = relativeL2(latents.data, io['output.latents'].data as Float32Array)
const sizes = images.map(({ width, height, data }) => [width, height, data.length])
const refused = await rank.run('a cat', { height: 81, useResolutionBinning: false }).catch((e: DitError) => e.kind)
await rank.close()
const missing = await startRank(fileURLToPath(new URL('./', import.meta.url))).catch((e: DitError) => e.kind)
console.log(JSON.stringify({ device: rank.deviceName, distance, sizes, steps, refused, missing }))
