import { readJson } from '../../../src/models/component.ts'
import { DiffusionPipeline } from '../../../src/pipelines/diffusion_pipeline.ts'
import { PREVIEW_FILE, previewMap, previews } from '../../../src/pipelines/preview.ts'
import type { Device } from '../../../src/runtime/device.ts'
import { memorySource } from '../../../src/runtime/weights/memory_source.ts'
import { EMOJI, folder, GOLDEN, mutateFile } from '../fixtures.ts'
import type { Subject } from './subject.ts'

/** model_index.json alone: where it is accepted, the component that is missing next is what is reported. */
export const modelIndex: Subject = {
  name: 'model_index',
  variants: ['pipeline_pixart_sigma'],
  files: (variant) => folder(`${GOLDEN}/${variant}`, ['model_index.json']),
  mutate: mutateFile,
  async run(files) {
    // Nothing asks the device for anything before the first network is found.
    await DiffusionPipeline.fromPretrained(memorySource(files), { device: {} as Device })
  },
}

/** latent_preview.json: the picture of some latents. */
export const preview: Subject = {
  name: 'latent_preview',
  variants: ['emoji-pixart'],
  files: () => folder(EMOJI, [PREVIEW_FILE]),
  mutate: mutateFile,
  async run(files) {
    const json = await readJson(memorySource(files), PREVIEW_FILE)
    const channels = ((json.weights as number[][] | undefined)?.[0] ?? []).length || 8
    const latents = Float32Array.from({ length: channels * 4 }, (_, i) => Math.sin(i) * 4)
    return previews(previewMap(json, 8), latents, [1, channels, 2, 2]).map(({ data }) => data)
  },
}
