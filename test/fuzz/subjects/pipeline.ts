import { DiffusionPipeline } from '../../../src/pipelines/diffusion_pipeline.ts'
import { Device } from '../../../src/runtime/device.ts'
import { openPlatform } from '../../../src/runtime/platform/platform.ts'
import { memorySource } from '../../../src/runtime/weights/memory_source.ts'
import { folder, GOLDEN, mutateFile } from '../fixtures.ts'
import type { Files } from '../mutations/mutation.ts'
import type { Subject } from './subject.ts'

let device: Promise<Device> | undefined

/** A whole small checkpoint on the real device: the picture of two steps. */
export const pipeline: Subject = {
  name: 'pipeline',
  variants: ['pipeline_pixart_sigma'],
  files: (variant) => folder(`${GOLDEN}/${variant}`),
  mutate: mutateFile,
  async run(files) {
    // Checked: what the device refuses is thrown where it happens.
    device ??= openPlatform().then((platform) => Device.open(platform, { checked: true, poison: true }))
    return draw(await device, files)
  },
}

async function draw(device: Device, files: Files): Promise<unknown> {
  device.arena.trim()
  const before = device.weightBytes + device.arena.reserved
  try {
    const pipe = await DiffusionPipeline.fromPretrained(memorySource(files), { device })
    try {
      const { images, latents } = await pipe('a cat', {
        seed: 1,
        height: 32,
        width: 48,
        numInferenceSteps: 2,
        maxSequenceLength: 8,
        useResolutionBinning: false,
      })
      return [images.map(({ width, height, data }) => [width, height, data]), latents]
    } finally {
      pipe.dispose()
    }
  } finally {
    const after = device.weightBytes + device.arena.reserved
    // biome-ignore lint/correctness/noUnsafeFinally: a leak matters more than what was thrown before
    if (after !== before) throw new Error(`${after - before} bytes of the device were not given back`)
  }
}
