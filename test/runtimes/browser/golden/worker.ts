import { expose } from 'comlink'
import type { Output } from '../../../../src/cli/verify/compare.ts'
import { Run } from '../../../../src/cli/verify/run.ts'
import { pixartPipeline } from '../../../../src/cli/verify/runners/pixart_pipeline.ts'
import { trainedModelRunner } from '../../../../src/cli/verify/runners/trained_model.ts'
import { DiffusionPipeline } from '../../../../src/pipelines/diffusion_pipeline.ts'
import type { OffloadMode } from '../../../../src/pipelines/offload.ts'
import { Device } from '../../../../src/runtime/device.ts'
import { openPlatform } from '../../../../src/runtime/platform/platform.ts'
import { httpSource } from '../../../../src/runtime/weights/http_source.ts'

let opened: Promise<Device> | undefined

/** One device for all cases. */
const device = (): Promise<Device> => {
  opened ??= openPlatform().then((platform) => Device.open(platform, { tier: 'f32', checked: true }))
  return opened
}

const goldenWorker = {
  /** Carries out a case of a trained model as `webdit verify` does; NAME.json and NAME.safetensors lie at `folder`. */
  async verify(name: string, folder: string, model: string): Promise<readonly Output[]> {
    const source = httpSource(folder)
    const call = JSON.parse(await source.readText(`${name}.json`))
    const meta = { runs: { main: { io: `${name}.safetensors`, call } } }
    const run = new Run({ name, folder, model, meta }, 'main', { source, device })
    await trainedModelRunner.run(run)
    return run.outputs
  },

  /** Carries out a case of PixArt's pipeline, a folder that is model and case at once. */
  async verifyPipeline(name: string, folder: string): Promise<readonly Output[]> {
    const source = httpSource(folder)
    const meta = JSON.parse(await source.readText('meta.json'))
    const run = new Run({ name, folder, meta }, 'main', { source, device })
    await pixartPipeline.run(run)
    return run.outputs
  },

  /** Draws two steps with a pipeline, whose weights leave the device as that says: the latents. */
  async draw(folder: string, offload: OffloadMode): Promise<readonly number[]> {
    const pipe = await DiffusionPipeline.fromPretrained(httpSource(folder), { device: await device(), offload })
    const call = { height: 32, width: 48, numInferenceSteps: 2, seed: 1, useResolutionBinning: false } as const
    const { latents } = await pipe('a cat', { ...call, outputType: 'latent' })
    pipe.dispose()
    return [...latents.data]
  },
}

export type GoldenWorker = typeof goldenWorker

expose(goldenWorker)
