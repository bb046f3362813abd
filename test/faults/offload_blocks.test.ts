import { describe, expect, it } from 'vitest'
import { DiffusionPipeline } from '../../src/pipelines/diffusion_pipeline.ts'
import type { Device } from '../../src/runtime/device.ts'
import { deepModel } from '../support/deep_model.ts'
import { CALL, failure, losableDevice } from './inject.ts'

const LATENTS = { ...CALL, numInferenceSteps: 3, outputType: 'latent' } as const
const source = await deepModel('pipeline_pixart_sigma', { transformer: { num_layers: 5 } })

const pipeOn = (device: Device, rest: { reopen?: () => Promise<Device> } = {}) =>
  DiffusionPipeline.fromPretrained(source, { device, offload: 'blocks', ...rest })

describe('blocks that come from the host', () => {
  it('are loaded again where the device was lost while they came, and draw the same', async () => {
    const first = await losableDevice()
    let second: Device | undefined
    const reopen = async () => {
      second = (await losableDevice()).device
      return second
    }
    const pipe = await pipeOn(first.device, { reopen })
    const lost: number[] = []
    const drawn = await pipe('a cat', {
      ...LATENTS,
      onStep: ({ step }) => void (step === 2 && first.lose()),
      onResume: ({ step }) => lost.push(step),
    })
    expect(lost).toEqual([2])
    expect((await pipe('a cat', LATENTS)).latents.data).toEqual(drawn.latents.data)
    pipe.dispose()
    expect(second!.weightBytes).toBe(0)
    second!.close()
  })

  it('end in a plain error where there is no room for them, or on their way, and come when there is', async () => {
    const { device } = await losableDevice()
    const call = { ...LATENTS, numInferenceSteps: 1 }
    const pipe = await pipeOn(device)
    for (const label of [
      'the weights of a block',
      'blocks on their way to the device',
      'weights on their way to the host',
    ]) {
      const restore = failBuffer(device, label)
      const error = await failure(pipe('a cat', call).finally(restore))
      expect(error).toMatchObject({ kind: 'out-of-memory', message: expect.stringContaining(label) })
      expect(device.weightBytes).toBe(0)
    }
    expect((await pipe('a cat', call)).latents.data.every(Number.isFinite)).toBe(true)
    pipe.dispose()
    expect(device.weightBytes).toBe(0)
    device.close()
  })
})

/** Makes the next buffer of that label too large for the device's memory. */
function failBuffer({ gpu }: Device, label: string): () => void {
  const create = gpu.createBuffer
  const restore = () => {
    gpu.createBuffer = create
  }
  gpu.createBuffer = (descriptor) => {
    if (descriptor.label !== label) return create.call(gpu, descriptor)
    restore()
    // What Dawn throws where the host has no memory to map.
    if (descriptor.mappedAtCreation) throw new RangeError('createBuffer failed')
    return create.call(gpu, { ...descriptor, size: gpu.limits.maxBufferSize })
  }
  return restore
}
